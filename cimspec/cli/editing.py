"""`cimspec lsp`: a language server for editors."""

from cimspec.diag import fail


def lsp() -> None:
    """Serve an editor over stdin and stdout: diagnostics as you type, completion, hover, renaming.

    Editors start this themselves; docs/editors.md says how to tell them.

    Example: cimspec lsp
    """
    try:
        import lsprotocol  # noqa: F401
        import pygls  # noqa: F401
    except ImportError:
        fail("CIM902", "the language server needs the package `pygls`", help="pip install 'cimspec[lsp]'")
    from cimspec.lsp.requests import serve

    serve()
