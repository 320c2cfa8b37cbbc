"""Where exceptions become exit codes: 0 fine, 1 the input is wrong, 2 usage, 3 a bug of ours, 130 interrupted."""

import functools
import os
import sys
import traceback
from collections.abc import Callable, Iterable
from typing import ParamSpec

import typer

from cimspec.diag import CimError, Diagnostic, Format, render

INPUT_IS_WRONG, BUG, INTERRUPTED = 1, 3, 130

P = ParamSpec("P")


def guarded(command: Callable[P, None]) -> Callable[P, None]:
    """`command`, leaving with the exit code that its exception stands for. Typer itself answers wrong usage."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except CimError as error:
            show(error.diagnostics)
            raise typer.Exit(INPUT_IS_WRONG) from None
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            # The reader of our output went away; writing what is still buffered would fail again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except (typer.Exit, typer.Abort, typer.BadParameter):
            raise
        except Exception:
            traceback.print_exc()
            print("\nThis is a bug in cimspec. Please report it with the text above and the spec.", file=sys.stderr)
            raise typer.Exit(BUG) from None

    return run


def show(diagnostics: Iterable[Diagnostic], style: Format = Format.FULL) -> None:
    """Write diagnostics to stderr, in colour on a terminal."""
    text = render(tuple(diagnostics), style, color=sys.stderr.isatty() and "NO_COLOR" not in os.environ)
    if text:
        print(text, file=sys.stderr)
