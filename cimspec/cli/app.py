"""The command line: `cimspec COMMAND`. Commands import what they need when they run, so that light ones start fast."""

from typing import Annotated

import typer

from cimspec.cli import check, comparing, cost, editing, formatting, listing, searching, showing, simulate, starting
from cimspec.cli.boundary import guarded

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Describe a computing-in-memory chip and a network in one file; search, compile and simulate mixed precision.",
)

app.command("run")(guarded(searching.run))
app.command("new")(guarded(starting.new))
app.command("validate")(guarded(check.validate))
app.command("fmt")(guarded(formatting.fmt))
app.command("show")(guarded(showing.show_spec))
app.command("evaluate")(guarded(cost.evaluate))
app.command("compile")(guarded(cost.compile_))
app.command("disassemble")(guarded(cost.disassemble))
app.command("simulate")(guarded(simulate.simulate))
app.command("compare")(guarded(comparing.compare))
app.command("lsp")(guarded(editing.lsp))
app.command("explain")(guarded(check.explain))
app.command("list")(guarded(listing.list_topic))


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
