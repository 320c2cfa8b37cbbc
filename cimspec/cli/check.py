"""Commands that only read: `validate`, `explain`, `list`."""

import gc
import sys
from typing import Annotated

import typer

from cimspec.cli.boundary import INPUT_IS_WRONG, show
from cimspec.cli.common import Overrides, SpecPath
from cimspec.diag import CODES, CimError, Diagnostic, Format, did_you_mean, render


def validate(
    spec: SpecPath,
    overrides: Overrides = None,
    style: Annotated[Format, typer.Option("--format", help="how diagnostics are written")] = Format.FULL,
    fix: Annotated[
        bool, typer.Option("--fix", help="mend what can be meant in one way only, in this file and those of its folder")
    ] = False,
) -> None:
    """Check a spec: its text, its fields, its hardware, its network's shapes, the weights and data in its files.

    Example: cimspec validate specs/quickstart.cim --format concise
    """
    from cimspec.lang.parser import no_collection
    from cimspec.validation import validated

    if fix:
        _fix(spec, overrides or [])
    try:
        with no_collection():
            found = validated(spec, overrides or ())
            gc.freeze()  # it is kept until the process ends
    except CimError as error:
        _report(error.diagnostics, style)
        raise typer.Exit(INPUT_IS_WRONG) from None
    loaded, graph = found.loaded, found.graph
    _report(found.warnings, style)
    if style is Format.FULL:
        chip = loaded.spec.chip.crossbar
        points = len(loaded.points)
        print(
            f"{spec} is valid: {len(graph.crossbar_layers)} layers on crossbars of {chip.rows} x {chip.columns}"
            f" ({chip.cell_bits}-bit cells, {chip.encoding.value}), {loaded.spec.chip.adc.bits}-bit ADC"
            + (
                f"; so {'are all' if points > 1 else 'is'} {points} point{'s' * (points > 1)} of its sweep"
                if points
                else ""
            )
        )


def _fix(spec: str, overrides: list[str]) -> None:
    """Mend files, and say on stderr what was changed."""
    from cimspec.cli.fixing import fix_files
    from cimspec.validation import validated

    def check() -> tuple[Diagnostic, ...]:
        try:
            return validated(spec, overrides).warnings
        except CimError as error:
            return error.diagnostics

    done = fix_files(spec, check)
    print(f"fixed {len(done)} place{'s' * (len(done) != 1)}:" if done else "nothing to fix", file=sys.stderr)
    for line in done:
        print(f"  {line}", file=sys.stderr)


def _report(diagnostics: tuple[Diagnostic, ...], style: Format) -> None:
    """JSON is the command's result and goes to stdout; text goes to stderr."""
    if style is Format.JSON:
        print(render(diagnostics, style))
    else:
        show(diagnostics, style)


def explain(code: Annotated[str, typer.Argument(metavar="CODE", help="such as CIM301")]) -> None:
    """Explain a diagnostic: what it says, why it matters, how to mend it.

    Example: cimspec explain CIM301
    """
    found = CODES.get(code.upper())
    if found is None:
        near = did_you_mean(code.upper(), list(CODES))
        hint = f"did you mean `{near}`?" if near else "see `cimspec list codes`"
        raise typer.BadParameter(f"there is no diagnostic `{code}`; {hint}")
    print(f"{found.code}: {found.title}\n\n{found.what}\n{found.why}\n\nWrong:\n{_indented(found.example)}\n")
    print(f"Right:\n{_indented(found.fix)}")


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
