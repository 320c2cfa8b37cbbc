"""The timeline as a picture: layers down, time across, what crossbars and digital units do in shades.

The work of one input (activity.py) -> SVG by matplotlib, an extra that is imported when it is needed. A bar reaches
from a layer's first work to its last; what is not filled is waiting. Operations are shown with the layer on whose tiles
they run.
"""

import io
import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cimspec.compiler.program import CrossbarLayer, Program
from cimspec.cost import program_cost
from cimspec.cost.timeline import Floats
from cimspec.report.activity import Kind, OnCrossbars, Part, Turns, Waves, find_parts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WAITING, LINES, MUTED = "#e6e9ee", "#8a93a0", "#5c6673"
SHADES = {
    Kind.READ: ("#2f6db5", "crossbars multiply"),
    Kind.WRITE: ("#d9822b", "crossbars are written"),
    Kind.DIGITAL: ("#3f9c74", "digital units"),
    Kind.NETWORK: ("#9a7fc4", "network"),
    Kind.MEMORY: ("#b4a03c", "memory"),
}
WIDTH, MARGIN, LAYER = 10.0, 1.05, 0.21
"""Inches: of the picture, above and below its layers, of a layer."""

BITS, CHARACTER = 0.5, 0.069
"""Inches on the left: for bits, and for each character of the longest name."""

LONGEST_NAME = 28

FINEST = 1 / 800
"""Share of the whole time that can be seen: shorter pauses are filled, shorter work is drawn so long."""

VISIBLE_WAVE = 6
"""Such shares that a wave must take for its writing and reading to be drawn apart."""

UNITS = ((1e9, "s"), (1e6, "ms"), (1e3, "us"), (1.0, "ns"))

STYLE: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": "cimspec", "font.size": 8.0, "axes.edgecolor": LINES}


@dataclass(slots=True)
class Bar:
    """One line of the picture."""

    name: str
    bits: str = ""
    waits: bool = False  # whether pauses between its first work and its last are shown
    runs: dict[Kind, list[tuple[Floats, Floats]]] = field(default_factory=lambda: defaultdict(list))

    def add(self, kind: Kind, starts_ns: Floats | float, ends_ns: Floats | float) -> None:
        """Work from each start to its end, in order."""
        self.runs[kind].append((np.atleast_1d(starts_ns), np.atleast_1d(ends_ns)))

    @property
    def span_ns(self) -> tuple[float, float]:
        """From the first work to the last."""
        runs = [run for own in self.runs.values() for run in own]
        return min(float(starts[0]) for starts, _ in runs), max(float(ends[-1]) for _, ends in runs)


def timeline_svg(program: Program) -> str:
    """An `<svg>` element: what each layer of `program` does for one input, its latency, and when the next may come."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    cost = program_cost(program)
    bars = find_bars(find_parts(program), cost.latency_ns)
    with rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # the reader's font draws the text, not ours
        height = MARGIN + LAYER * max(4, len(bars))
        figure = Figure(figsize=(WIDTH, height))
        left = BITS + CHARACTER * max((len(bar.name) for bar in bars), default=0)
        axes = figure.add_axes((left / WIDTH, 0.72 / height, 1 - (left + 0.15) / WIDTH, 1 - MARGIN / height))
        scale_ns, unit = next((each for each in UNITS if cost.latency_ns >= each[0]), UNITS[-1])
        _draw_bars(axes, bars, cost.latency_ns, scale_ns)
        _mark_times(axes, cost.latency_ns / scale_ns, cost.interval_ns / scale_ns, unit)
        _label(axes, bars, unit, cost.latency_ns / scale_ns)
        _draw_legend(axes, bars, height)
        buffer = io.StringIO()
        figure.savefig(
            buffer, format="svg", transparent=True, metadata=dict.fromkeys(("Date", "Creator", "Type", "Format"))
        )
    return buffer.getvalue()[buffer.getvalue().index("<svg") :]


def find_bars(parts: Sequence[Part], latency_ns: float) -> list[Bar]:
    """A bar for each layer, in execution order, behind one for what no layer's tiles do. Empty ones are left out."""
    bars: dict[str | None, Bar] = {None: Bar("memory")}
    is_apart = all(_shows_waves(work, latency_ns) for part in parts for work in part.layers)
    for part in parts:
        layers = [item for item in part.segment.items if isinstance(item, CrossbarLayer)]
        is_pipeline = bool(part.segment.places or part.units)
        for layer in layers:
            bars[layer.name] = Bar(_short(layer.name), "/".join(map(str, layer.op.precision)), is_pipeline)
        if part.programming_ns:
            for place in part.segment.places:
                bars[place.layer].add(Kind.WRITE, part.start_ns, part.start_ns + part.programming_ns)
        for work in part.layers:
            for kind, starts, ends in _runs(work, is_apart):
                bars[work.layer.name].add(kind, starts, ends)
        for unit in part.units:
            bars[unit.layer].add(unit.kind, unit.starts_ns, unit.ends_ns)
    return [bar for bar in bars.values() if bar.runs]


def _shows_waves(work: OnCrossbars, latency_ns: float) -> bool:
    """Whether a layer's waves are so long that writing and reading can be told apart."""
    if isinstance(work, Turns):
        return True
    return work.end_ns - work.start_ns >= VISIBLE_WAVE * FINEST * latency_ns * work.count


def _runs(work: OnCrossbars, is_apart: bool) -> Iterator[tuple[Kind, Floats | float, Floats | float]]:
    match work:
        case Turns():
            yield Kind.READ, work.starts_ns, work.ends_ns
        case Waves() if is_apart:
            for phase in work.phases(0, 0):
                yield phase.kind, phase.start_ns, phase.end_ns
        case Waves():
            written_ns = work.start_ns + sum(run.waves * run.writing_ns for run in work.runs)
            yield Kind.WRITE, work.start_ns, written_ns
            yield Kind.READ, written_ns, work.end_ns


def visible(runs: Sequence[tuple[Floats, Floats]], finest_ns: float) -> tuple[Floats, Floats]:
    """Runs in order of time, joined where less than `finest_ns` is between them, and at least so long."""
    starts, ends = (np.concatenate(times) for times in zip(*runs, strict=True))
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], np.maximum.accumulate(ends[order])
    begins = np.append(True, starts[1:] - ends[:-1] >= finest_ns)
    starts, ends = starts[begins], ends[np.append(np.flatnonzero(begins)[1:] - 1, len(ends) - 1)]
    return starts, np.maximum(ends, starts + finest_ns)


def _draw_bars(axes: "Axes", bars: Sequence[Bar], latency_ns: float, scale_ns: float) -> None:
    """Crossbars fill a bar, or its upper part where any layer has digital work or sends something."""
    is_shared = any(kind not in (Kind.READ, Kind.WRITE) for bar in bars for kind in bar.runs)
    finest = FINEST * latency_ns
    heights = {Kind.READ: (-0.4, 0.1 if is_shared else 0.4)}
    heights[Kind.WRITE] = heights[Kind.READ]
    for line, bar in enumerate(bars):
        start, end = bar.span_ns
        if bar.waits:
            _fill(axes, [(start / scale_ns, max(end, start + finest) / scale_ns)], line - 0.4, line + 0.4, WAITING)
        for kind, runs in bar.runs.items():
            low, high = heights.get(kind, (0.12, 0.4))
            starts, ends = visible(runs, finest)
            spans = np.stack([starts, ends], axis=1) / scale_ns
            _fill(axes, spans.tolist(), line + low, line + high, SHADES[kind][0])


def _fill(axes: "Axes", spans: Sequence[Sequence[float]], low: float, high: float, color: str) -> None:
    """Rectangles as one path, so that the file stays small."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    corners = [[(start, low), (end, low), (end, high), (start, high)] for start, end in spans]
    path = Path.make_compound_path(*(Path([*each, each[0]], closed=True) for each in corners))
    axes.add_patch(PathPatch(path, facecolor=color, edgecolor="none"))


def _mark_times(axes: "Axes", latency: float, interval: float, unit: str) -> None:
    """Lines at the latency and at the interval."""
    marks = [(latency, f"latency {latency:.4g} {unit}", False)]
    if interval < 0.999 * latency:
        marks.append((interval, f"next input after {interval:.4g} {unit}", interval < 0.6 * latency))
    for line, (time, text, is_left) in enumerate(marks):
        axes.axvline(time, color="#333", linewidth=0.8, linestyle=(0, (4, 2)))
        offset, side = ((3, 3), "left") if is_left else ((-3, 3 + 10 * line), "right")
        axes.annotate(text, (time, 1), offset, ("data", "axes fraction"), "offset points", ha=side, va="bottom")


def _label(axes: "Axes", bars: Sequence[Bar], unit: str, latency: float) -> None:
    """Names and bits of layers on the left, time below."""
    axes.set_xlim(0, 1.005 * latency or 1)
    axes.set_ylim(max(4, len(bars)) - 0.5, -0.5)
    axes.set_yticks(range(len(bars)), [bar.name for bar in bars], parse_math=False)
    axes.tick_params(length=0)
    axes.tick_params(axis="y", pad=26)
    for line, bar in enumerate(bars):
        axes.annotate(
            bar.bits,
            (0, line),
            (-4, 0),
            ("axes fraction", "data"),
            "offset points",
            ha="right",
            va="center",
            color=MUTED,
        )
    axes.set_xlabel(f"time ({unit})")
    axes.grid(axis="x", color=LINES, linewidth=0.3)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _draw_legend(axes: "Axes", bars: Sequence[Bar], height: float) -> None:
    from matplotlib.patches import Patch

    used = {kind for bar in bars for kind in bar.runs}
    entries = [Patch(color=color, label=text) for kind, (color, text) in SHADES.items() if kind in used]
    if any(bar.waits for bar in bars):
        entries.append(Patch(color=WAITING, label="waiting"))
    axes.figure.legend(
        handles=entries, loc="lower center", bbox_to_anchor=(0.5, 0.02 / height), ncols=len(entries), frameon=False
    )


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
