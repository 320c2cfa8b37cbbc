"""A comparison as a picture: for each goal the best gain so far against evaluations, one line for each method.

ComparisonReport -> SVG, PNG or PDF by matplotlib, an extra that is imported when it is needed. Bands are the 95 %
interval of the mean, or reach from the least to the largest where there are fewer than three runs.
"""

import io
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cimspec.report.comparison import ComparisonReport, GoalResult
from cimspec.report.standing import Curve, Standing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = npt.NDArray[np.float64]

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f5539", "#332288")
"""Told apart with any colour vision. The first six: Okabe and Ito, "Color Universal Design" (2008)."""

DARKER = 0.75
"""Names are in the colours of their lines, times this: thin strokes look lighter."""

DASHES: tuple[Any, ...] = ("-", (0, (6, 1.5)), (0, (1.5, 1.2)))
"""Of the first methods, of those where colours begin again, and so on."""

INK, LINES, MUTED = "#333333", "#8a93a0", "#5c6673"
COLUMNS, WIDTH, WIDEST, NARROWEST = 3, 10.8, 4.6, 1.6
"""Panels in a row. Inches: about as wide is the picture, at most and at least so wide a panel."""

HEIGHT, LEFT, CHARACTER = 2.7, 0.5, 0.066
"""Inches: a panel's height, the axis on the left of a row, a character of a label."""

LONGEST_NAME = 24

ABOVE, BELOW = 0.3, 0.42
"""Inches: of a panel's title and of its lower axis."""

LINE_SPACING, JOINT = 0.145, 0.12
"""Inches: between labels, and from the end of a line to its label."""

DECADES = 100
"""The picture begins at the budget divided by this: what happens before is what every method starts with."""

STYLE: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": "cimspec", "font.size": 8.0, "axes.edgecolor": LINES}
SUFFIXES = ("svg", "png", "pdf")


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """Gains of all runs of a method: from each of `evaluations` to the next one they stay. Arrays [points]."""

    evaluations: Floats
    mean: Floats
    low: Floats
    high: Floats

    @classmethod
    def of(cls, curves: Sequence[Curve], budget: int) -> "Band":
        """Wherever any curve changes, from the first evaluation to the budget."""
        from scipy.special import stdtrit

        changes = {evaluations for curve in curves for evaluations, _ in curve.points if evaluations}
        evaluations = sorted({1, *changes, budget})
        gains = np.array([[curve.at(each) for each in evaluations] for curve in curves])
        mean, runs = gains.mean(axis=0), len(curves)
        if runs < 3:
            return cls(np.array(evaluations, float), mean, gains.min(axis=0), gains.max(axis=0))
        half = float(stdtrit(runs - 1, 0.975)) * gains.std(axis=0, ddof=1) / np.sqrt(runs)
        return cls(np.array(evaluations, float), mean, mean - half, mean + half)


@dataclass(frozen=True, slots=True)
class Label:
    """What stands beside the end of a line."""

    text: str
    gain: float
    color: str


def save_comparison_plot(report: ComparisonReport, path: Path) -> Path:
    """Write the picture; the file's ending says how: `.svg`, `.png` or `.pdf`. Raises ValueError for another one."""
    suffix = path.suffix.lower().removeprefix(".")
    if suffix not in SUFFIXES:
        raise ValueError(f"a picture ends in {', '.join(f'.{each}' for each in SUFFIXES)}, not in `{path.suffix}`")
    path.write_bytes(_drawn(report, suffix))
    return path


def comparison_svg(report: ComparisonReport) -> str:
    """The picture as an `<svg>` element; the same report gives the same text."""
    text = _drawn(report, "svg").decode()
    return text[text.index("<svg") :]


def _drawn(report: ComparisonReport, suffix: str) -> bytes:
    from matplotlib import rc_context

    with rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # the reader's font draws the text, not ours
        figure = draw_comparison(report)
        buffer = io.BytesIO()
        if suffix == "svg":
            metadata = dict.fromkeys(("Date", "Creator", "Type", "Format"))
            figure.savefig(buffer, format="svg", transparent=True, metadata=metadata)
        else:
            figure.savefig(buffer, format=suffix, dpi=200)
    return buffer.getvalue()


def draw_comparison(report: ComparisonReport) -> "Figure":
    """The picture as a matplotlib figure: a panel for each goal, all with the same axes."""
    from matplotlib.figure import Figure

    results = report.results()
    columns = min(COLUMNS, max(1, len(results)))
    rows = max(1, -(-len(results) // columns))
    labels = 0.2 + CHARACTER * max(len(f"{_short(name)} 9.99") for name in ("best known", *report.methods))
    panel = min(WIDEST, max(NARROWEST, (WIDTH - LEFT) / columns - labels))
    width, height = LEFT + columns * (panel + labels), rows * (ABOVE + HEIGHT + BELOW)
    figure = Figure(figsize=(width, height))
    bands = [_bands(result, report.budget) for result in results]
    top = _top(results, bands)
    for number, (result, own) in enumerate(zip(results, bands, strict=True)):
        row, column = divmod(number, columns)
        left = LEFT + column * (panel + labels)
        bottom = height - (row + 1) * (ABOVE + HEIGHT + BELOW) + BELOW
        axes = figure.add_axes((left / width, bottom / height, panel / width, HEIGHT / height))
        _frame(axes, report, result.name, top, is_first=column == 0)
        _draw_panel(axes, result, own, top, panel)
    return figure


def _bands(result: GoalResult, budget: int) -> list[tuple[Standing, Band]]:
    own = [(standing, [run.curve for run in standing.runs]) for standing in result.standings]
    return [(standing, Band.of(curves, budget)) for standing, curves in own]


def _top(results: Sequence[GoalResult], bands: Sequence[Sequence[tuple[Standing, Band]]]) -> float:
    """The largest gain that has a line of its own, and room above."""
    lines = [1.1, *(fmean(best.gain for best in result.best) for result in results)]
    lines += [fmean(result.uniform) for result in results]
    lines += [float(band.mean[-1]) for own in bands for _, band in own]
    return 1 + 1.06 * (max(lines) - 1)


def _frame(axes: "Axes", report: ComparisonReport, title: str, top: float, is_first: bool) -> None:
    """Axes, their ticks and titles."""
    first = max(1.0, report.budget / DECADES)
    axes.set_xscale("log")
    axes.set_xlim(first, max(report.budget, first + 1))
    axes.set_ylim(1, top)
    ticks = sorted({count for count in (1, 3, 10, 30, *report.readings) if count >= first})
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.tick_params(length=2, color=LINES, labelcolor=MUTED)
    axes.set_title(title, loc="left", fontsize=8.5, color=INK, parse_math=False)
    axes.set_xlabel("distinct evaluations", color=MUTED)
    if is_first:
        axes.set_ylabel("gain over 8/8 bits", color=MUTED)
    else:
        axes.tick_params(axis="y", labelleft=False)
    axes.grid(axis="y", color=LINES, linewidth=0.3)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _draw_panel(
    axes: "Axes", result: GoalResult, bands: Sequence[tuple[Standing, Band]], top: float, panel: float
) -> None:
    """Lines, bands and labels of one goal on a panel of that width in inches."""
    labels = list(_draw_lines(axes, result))
    for number, (standing, band) in reversed(list(enumerate(bands))):  # the reference is drawn last, above all others
        color, dashes = COLORS[number % len(COLORS)], DASHES[number // len(COLORS) % len(DASHES)]
        x = band.evaluations
        axes.fill_between(x, band.low, band.high, step="post", color=color, alpha=0.16, linewidth=0)
        width = 1.9 if number == 0 else 1.3
        axes.plot(x, band.mean, drawstyle="steps-post", color=color, linestyle=dashes, linewidth=width)
        labels.append(Label(f"{_short(standing.method)} {band.mean[-1]:.2f}", float(band.mean[-1]), color))
    _place_labels(axes, labels, top, panel)


def _draw_lines(axes: "Axes", result: GoalResult) -> Iterator[Label]:
    """What runs are measured against: uniform bits and the best that is known."""
    uniform, best = fmean(result.uniform), fmean(each.gain for each in result.best)
    is_proven = all(each.is_proven for each in result.best)
    lines = (("uniform", uniform, (0, (5, 3))), ("optimum" if is_proven else "best known", best, (0, (1, 1.6))))
    for name, gain, dashes in lines:
        axes.axhline(gain, color=INK, linewidth=1.0, linestyle=dashes)
        yield Label(f"{name} {gain:.2f}", gain, INK)


def _place_labels(axes: "Axes", labels: Sequence[Label], top: float, panel: float) -> None:
    """Beside the ends of their lines, moved apart where they would overlap, and joined to them."""
    from matplotlib.colors import to_rgb

    inside, gap = axes.transAxes, JOINT / panel
    ordered = sorted(labels, key=lambda label: label.gain)
    ends = [(label.gain - 1) / (top - 1) for label in ordered]
    for label, end, place in zip(ordered, ends, spread(ends, LINE_SPACING / HEIGHT), strict=True):
        axes.plot((1, 1 + gap), (end, place), transform=inside, color=label.color, linewidth=0.6, clip_on=False)
        color = tuple(DARKER * part for part in to_rgb(label.color))
        axes.text(1 + 1.2 * gap, place, label.text, transform=inside, color=color, va="center", parse_math=False)


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def spread(places: Sequence[float], spacing: float) -> list[float]:
    """Places in ascending order, moved as little as it takes for each to be `spacing` above the one before.

    Least squares: what gets too close is pooled around its mean (isotonic regression by pooling adjacent violators).
    """
    pools: list[tuple[float, int]] = []  # (mean of place - index * spacing, how many)
    for index, place in enumerate(places):
        mean, count = place - index * spacing, 1
        while pools and pools[-1][0] > mean:
            before, many = pools.pop()
            mean, count = (mean * count + before * many) / (count + many), count + many
        pools.append((mean, count))
    moved = [mean for mean, count in pools for _ in range(count)]
    return [mean + index * spacing for index, mean in enumerate(moved)]
