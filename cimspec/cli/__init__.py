"""The command line."""

import gc
import os


def main() -> None:
    """Run the command line and exit.

    What imports make stays, so nobody looks for garbage meanwhile, or later in it; and pydantic does not look through
    all installed packages for plug-ins of its own. That is a tenth of the time of a short command.
    """
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    gc.disable()
    from cimspec.cli.app import app

    gc.freeze()
    gc.enable()
    app()


__all__ = ["main"]
