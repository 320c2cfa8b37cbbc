"""The command line: `cimspec COMMAND`. Commands import what they need when they run, so that the light ones start fast."""

from typing import Annotated

import typer

from cimspec.cli import check, cost, listing, searching, simulate
from cimspec.cli.boundary import guarded

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Describe a computing-in-memory chip and a network in one file; search, compile and simulate mixed precision.",
)

for name, command in {
    "run": searching.run,
    "validate": check.validate,
    "evaluate": cost.evaluate,
    "compile": cost.compile_,
    "simulate": simulate.simulate,
    "compare": searching.compare,
    "explain": check.explain,
    "list": listing.list_topic,
}.items():
    app.command(name)(guarded(command))


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"cimspec {version('cimspec')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    del version


def main() -> None:
    """Run the command line and exit."""
    app()
