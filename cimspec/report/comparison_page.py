"""A comparison as files: JSON, and, where the extra `report` is there, one HTML page that opens offline and a picture.

ComparisonReport -> `comparison.json`, `comparison.html`, `comparison.svg`. The template lays out what is prepared here.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cimspec.diag import fail
from cimspec.report.comparison import ComparisonReport, GoalResult
from cimspec.report.comparison_plot import comparison_svg
from cimspec.report.comparison_table import effort_table, goal_table, goal_title, notes
from cimspec.report.files import write_text
from cimspec.report.view import View, has_page_packages, render_template, view_of

CAPTION = (
    "Lines: mean over runs of the best gain so far; bands: {band}. Dashed: the best policy with the same bits "
    "everywhere; dotted: the best that is known. The axis of evaluations is logarithmic."
)

UNITS = {"latency": "ns", "interval": "ns", "energy": "pJ", "area": "um2"}
"""Of the values of trials, by metric."""


@dataclass(frozen=True, slots=True)
class ComparisonPage:
    """What the template shows, in this order."""

    title: str
    subtitle: str
    verdicts: tuple[tuple[str, ...], ...]  # of lines
    picture: str  # SVG
    caption: str
    results: tuple[View, ...]
    notes: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    commands: tuple[str, ...]


def write_comparison(report: ComparisonReport, folder: Path) -> dict[str, Path]:
    """Write what the installed packages allow into `folder`, which is there: `svg`, `html`, `json` -> its file.

    `comparison.json` comes last: a folder that has one is complete. Raises `CimError` (CIM903) where a file cannot be
    written.
    """
    texts: dict[str, str] = {}
    if has_page_packages():
        picture = comparison_svg(report)
        texts |= {"svg": picture, "html": render_comparison(report, picture)}
    texts["json"] = json.dumps(report.as_json(), indent=2, allow_nan=False) + "\n"
    try:
        return {kind: write_text(folder / f"comparison.{kind}", text) for kind, text in texts.items()}
    except OSError as error:
        fail("CIM903", f"cannot write into `{folder}`: {error.strerror}", help="choose another folder with `--out`")


def render_comparison(report: ComparisonReport, picture: str | None = None) -> str:
    """The page of a comparison; `picture` is its SVG, drawn here where it is not given."""
    page = make_comparison_page(report, comparison_svg(report) if picture is None else picture)
    return render_template("comparison.html", page, page.picture)


def make_comparison_page(report: ComparisonReport, picture: str) -> ComparisonPage:
    """All that the page of a comparison shows."""
    results = report.results()
    fewest = min((len(report.runs_of(method)) for method in report.methods), default=0)
    return ComparisonPage(
        title=f"{report.spec_name}: methods compared",
        subtitle=_subtitle(report),
        verdicts=tuple(_verdicts(report, results)),
        picture=picture,
        caption=CAPTION.format(band="95 % interval" if fewest >= 3 else "from the least to the largest"),
        results=(
            *(view_of(goal_title(report, result), goal_table(report, result)) for result in results),
            view_of("Effort of one run", effort_table(report)),
        ),
        notes=tuple(notes(report, results)),
        facts=tuple(_facts(report)),
        commands=(report.command,) if report.command else (),
    )


def _subtitle(report: ComparisonReport) -> str:
    networks, seeds = len(report.arenas), len({run.search_seed for run in report.runs})
    return (
        f"{', '.join(report.methods)}: {report.budget} distinct evaluations each, "
        f"{_count(networks, 'trained network')}, {_count(seeds, 'search seed')}"
    )


def _count(number: int, name: str) -> str:
    return f"{number} {name}" if number == 1 else f"{number} {name}s"


def _verdicts(report: ComparisonReport, results: tuple[GoalResult, ...]) -> Iterator[tuple[str, ...]]:
    """For each goal the method with the largest mean gain, and what it stands beside."""
    for result in results:
        means = {standing.method: standing.over_runs(report.budget) for standing in result.standings}
        if means:
            first, *others = sorted(means, key=lambda method: -means[method].mean)
            beside = [f"{method} {means[method]}" for method in others]
            beside.append(f"uniform bits {sum(result.uniform) / len(result.uniform):.2f}")
            yield (f"{result.name}: {first} gains {means[first]}", f"Beside it: {', '.join(beside)}.")


def _facts(report: ComparisonReport) -> Iterator[tuple[str, str]]:
    """Where the numbers come from."""
    yield "spec digest (sha256)", report.spec_digest
    yield "training seeds", ", ".join(str(arena.training_seed) for arena in report.arenas)
    yield "search seeds", ", ".join(map(str, sorted({run.search_seed for run in report.runs})))
    yield "policies to choose from", f"{report.space_size:.3g}"
    yield "search made small", report.minimize
    for name, value in zip(report.metrics, report.baseline_values, strict=True):
        yield f"{name} at 8/8 bits", f"{value:,.6g} {UNITS.get(name, '')}".rstrip()
    yield "versions", ", ".join(f"{name} {version}" for name, version in report.versions.items())
