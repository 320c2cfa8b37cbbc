"""The timeline as a picture: what its bars are, and that it stays small and harmless."""

from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimspec.cost import program_cost
from cimspec.report.activity import Kind, find_parts
from cimspec.report.chart import Bar, find_bars, timeline_svg, visible
from cimspec.spec.chip import WeightMode
from cimspec.spec.tile import Digital
from tests.report.programs import TURN_US, named_program, small_program

RESIDENT = {"weights": WeightMode.RESIDENT}
SVG = "{http://www.w3.org/2000/svg}"


def bars_of(program) -> dict[str, Bar]:
    return {bar.name: bar for bar in find_bars(find_parts(program), program_cost(program).latency_ns)}


def runs(bar: Bar, kind: Kind) -> list[tuple[float, float]]:
    """In microseconds."""
    return [
        (pytest.approx(start / 1e3), pytest.approx(end / 1e3))
        for starts, ends in bar.runs[kind]
        for start, end in zip(starts, ends, strict=True)
    ]


def texts(svg: str) -> list[str]:
    return [element.text for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_each_layer_has_a_bar_with_its_bits_and_its_work():
    # As in test_timeline.py: c works for 5 turns, then f for one.
    bars = bars_of(small_program(14, **RESIDENT, digital=Digital(lanes=1, cycle_ns=1.0)))
    assert {name: bar.bits for name, bar in bars.items()} == {"c": "4/4", "f": "4/4"}
    # All are on one tile. Three rows of the input take 30 ns, a row of c's sums 9 ns, laying out all of them 27 ns.
    start = 0.03
    assert runs(bars["c"], Kind.READ)[0][0] == start
    assert runs(bars["c"], Kind.READ)[-1][1] == start + 5 * TURN_US
    assert runs(bars["f"], Kind.READ) == [(start + 5 * TURN_US + 0.036, start + 6 * TURN_US + 0.036)]
    assert runs(bars["c"], Kind.DIGITAL)[-1] == (start + 5 * TURN_US + 0.009, start + 5 * TURN_US + 0.036)


def test_where_waves_are_short_all_writes_are_before_all_reads():
    # 1 crossbar: 3 waves of 56 us and 9 turns, then 8 waves of 56 us and one turn.
    apart = bars_of(small_program(1))
    assert len(runs(apart["c"], Kind.WRITE)) == 3
    assert len(runs(apart["f"], Kind.READ)) == 8
    many = bars_of(named_program("f", 4000))  # 4000 inputs are 500 rows of blocks, in 2 columns: waves of 0.1 %
    c, f = (runs(many[name], kind) for name, kind in (("f", Kind.WRITE), ("f", Kind.READ)))
    assert (len(c), len(f)) == (1, 1)
    assert (c[0][0], c[0][1], f[0][1]) == (0, 1000 * 56, 1000 * (56 + TURN_US))


def test_the_picture_names_layers_latency_and_interval():
    found = texts(timeline_svg(small_program(14, **RESIDENT)))
    for text in ("c", "f", "4/4", "time (us)", "latency 33.6 us", "next input after 28 us", "waiting"):
        assert text in found  # 6 and 5 turns of 5.6 us
    assert "crossbars are written" not in found
    reloaded = texts(timeline_svg(small_program(1)))
    # 3 * (56 + 9 * 5.6) + 8 * (56 + 5.6) us
    assert "latency 812 us" in reloaded
    assert "crossbars are written" in reloaded
    assert "waiting" not in reloaded


def test_the_same_program_gives_the_same_picture():
    program = small_program(14, **RESIDENT)
    assert timeline_svg(program) == timeline_svg(program)


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "a & b -->", "$x^2$", "卷积", "n" * 200])
def test_any_name_can_be_drawn(name):
    found = texts(timeline_svg(named_program(name)))
    assert name in found or f"{name[:27]}…" in found


times = st.lists(st.floats(0, 100), min_size=2, max_size=20).map(sorted)


@given(st.lists(times, min_size=1, max_size=3), st.sampled_from([0.01, 1.0, 10.0]))
def test_visible_runs_cover_all_runs_and_leave_gaps_that_can_be_seen(lists, finest):
    given_runs = [(np.array(each[0:-1:2]), np.array(each[1::2])) for each in lists]
    given_runs = [(starts[: len(ends)], ends) for starts, ends in given_runs]
    starts, ends = visible(given_runs, finest)
    assert (ends - starts >= finest * (1 - 1e-9)).all()
    assert (np.diff(starts) > 0).all()
    for each_starts, each_ends in given_runs:
        for start, end in zip(each_starts, each_ends, strict=True):
            assert ((starts <= start) & (end <= ends)).any()
    # What is added to a run is shorter than a pause that can be seen.
    longest = sum(float((ends_ - starts_).sum()) for starts_, ends_ in given_runs)
    count = sum(len(starts_) for starts_, _ in given_runs)
    assert float((ends - starts).sum()) <= longest + 2 * count * finest
