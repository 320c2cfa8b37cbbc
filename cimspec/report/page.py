"""A run as one HTML page that opens offline: a RunReport and the Program it ends with -> tables, timeline, provenance.

What is shown is prepared here; the template lays it out. Needs the extra `report` (jinja2, matplotlib), which is
imported when it is needed.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from rich.table import Table

from cimspec.compiler.program import Program
from cimspec.cost import program_cost
from cimspec.report.chart import timeline_svg
from cimspec.report.outcomes import outcomes_table, run_verdict
from cimspec.report.run_report import RunReport
from cimspec.report.table import cost_table
from cimspec.report.view import View, render_template, tables_of, view_of
from cimspec.spec.chip import WeightMode

BITS = "Beside each layer: bits of its weights / of its activations. "
CAPTIONS = {
    WeightMode.RELOADED: BITS
    + "Layers follow each other. Where writes are too short to be seen one by one, all of a layer's "
    "are drawn before its reads. Digital work takes no time in this model.",
    WeightMode.RESIDENT: BITS
    + "One input that finds the chip idle; a bar reaches from a layer's first work to its last. "
    "Digital work on its tiles and sending are in the lower part, where the chip's description gives them a time. "
    "If there are several segments, each begins by writing its layers.",
}


@dataclass(frozen=True, slots=True)
class Page:
    """What the template shows, in this order."""

    title: str
    subtitle: str
    verdicts: tuple[tuple[str, ...], ...]  # of lines
    results: tuple[View, ...]
    picture: str  # SVG
    caption: str
    layers: tuple[View, ...]
    facts: tuple[tuple[str, str], ...]
    commands: tuple[str, ...]


def render_page(report: RunReport, program: Program) -> str:
    """The page of a run. `program` is that of its best policy, or of the 8/8 network where nothing was searched."""
    page = make_page(report, program)
    return render_template("report.html", page, page.picture)


def make_page(report: RunReport, program: Program) -> Page:
    """All that the page of a run shows."""
    lines = run_verdict(report).splitlines()
    outcomes = (
        [] if report.baseline_accuracy is None else [view_of("Results on the test split", outcomes_table(report))]
    )
    layers, *totals = tables_of(cost_table(program_cost(program), report.baseline_cost))
    is_best = report.best is not None and report.best.method in report.methods
    policy = f"the policy of {report.best.method}" if report.best and is_best else "8/8 bits"
    return Page(
        title=report.spec_name,
        subtitle=_subtitle(program),
        verdicts=(tuple(lines),) if lines else (),
        results=(*outcomes, *(view_of(f"{_title(table)} with {policy}", table) for table in totals)),
        picture=timeline_svg(program),
        caption=CAPTIONS[program.chip.weights],
        layers=(view_of(f"Layers with {policy}", layers),),
        facts=tuple(_facts(report)),
        commands=(report.command,) if report.command else (),
    )


def _title(table: Table) -> str:
    """What a table of totals is about: the word above its first column, without the unit."""
    words = str(table.columns[0].header).partition(" (")[0]
    return "The pipeline" if words == "pipeline" else words.capitalize()


def _subtitle(program: Program) -> str:
    chip, crossbar = program.chip, program.chip.crossbar
    count = "1 crossbar" if chip.crossbars == 1 else f"{chip.crossbars:,} crossbars"
    cells = f"{crossbar.rows} x {crossbar.columns} {crossbar.cell_bits}-bit cells"
    return f"{program.name} on {chip.name}: {count} of {cells}, {chip.adc.bits}-bit ADC, weights {chip.weights.value}"


def _facts(report: RunReport) -> Iterator[tuple[str, str]]:
    """Where the numbers come from."""
    yield "spec digest (sha256)", report.spec_digest
    yield "seed", str(report.seed)
    if report.float_accuracy is not None:
        yield "test images", f"{report.test_images:,}"
        yield "accuracy of the float network", f"{100 * report.float_accuracy:.1f} %"
    if report.finetuned_on:
        yield "fine-tuned on", report.finetuned_on
    if report.chip_seeds:
        yield "seeds of the chips reported on", ", ".join(map(str, report.chip_seeds))
    if report.has_searched:
        yield "policies to choose from", f"{report.space_size:.3g}"
        yield "search made small", str(report.minimize)
        yield "search evaluated on", str(report.evaluated_on)
        if report.allowed_loss_pp is not None:
            yield "accuracy loss allowed", f"{report.allowed_loss_pp:g} pp"
        if report.least_accuracy is not None:
            yield "accuracy required", f"{100 * report.least_accuracy:g} %"
    if report.seconds:
        yield "time spent", ", ".join(f"{name} {seconds:,.1f} s" for name, seconds in report.seconds.items())
    yield "versions", ", ".join(f"{name} {version}" for name, version in report.versions.items())
