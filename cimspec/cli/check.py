"""Commands that only read: `validate`, `explain`, `list`."""

from typing import Annotated

import typer

from cimspec.cli.boundary import INPUT_IS_WRONG, show
from cimspec.cli.common import Overrides, SpecPath, check_own_data, check_weights
from cimspec.diag import CODES, CimError, Diagnostic, Format, did_you_mean, render


def validate(
    spec: SpecPath,
    overrides: Overrides = None,
    style: Annotated[Format, typer.Option("--format", help="how diagnostics are written")] = Format.FULL,
) -> None:
    """Check a spec: its text, its fields, its hardware, its network's shapes, the weights and data in its files.

    Example: cimspec validate specs/quickstart.cim --format concise
    """
    from cimspec.graph import open_model
    from cimspec.spec import load

    try:
        loaded = load(spec, overrides or ())
        graph = open_model(loaded.spec, loaded.spans).graph
        found = (*check_weights(loaded, graph), *check_own_data(loaded, graph))
    except CimError as error:
        _report(error.diagnostics, style)
        raise typer.Exit(INPUT_IS_WRONG) from None
    _report((*loaded.warnings, *found), style)
    if style is Format.FULL:
        chip = loaded.spec.chip.crossbar
        print(
            f"{spec} is valid: {len(graph.crossbar_layers)} layers on crossbars of {chip.rows} x {chip.columns}"
            f" ({chip.cell_bits}-bit cells, {chip.encoding.value}), {loaded.spec.chip.adc.bits}-bit ADC"
        )


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
