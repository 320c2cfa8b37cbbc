"""Pipelines against hand-computed times."""

import math
import time
from dataclasses import replace

import numpy as np
import pytest

from cimspec.cost.pipeline import pipeline_cost
from cimspec.cost.stage import Resource, Rows, Stage, Whole
from cimspec.cost.timeline import schedule
from cimspec.graph.window import Window

IMAGE = Stage("image", (), rows=4, invocations=1, row_bytes=4)
# 4 x 4 pixels each, one at a time: rows take 40 and 20 ns.
CONV_A = Stage("a", (Rows("image", 3, padding=1),), rows=4, invocations=16, crossbar_ns=10.0, row_bytes=8)
CONV_B = Stage("b", (Rows("a", 3, padding=1),), rows=4, invocations=16, crossbar_ns=5.0)


def starts(stages: list[Stage], name: str, **options) -> list[float]:
    return schedule(stages, **options).passages[name].starts_ns()[0].tolist()


def test_a_window_waits_for_its_last_row():
    # Rows of a are complete at 40, 80, 120 and 160 ns. Rows of b need rows up to 1, 2, 3 and 3 of them.
    timeline = schedule([IMAGE, CONV_A, CONV_B])
    assert timeline.passages["a"].rows_ns.tolist() == [[40, 80, 120, 160]]
    assert timeline.passages["b"].starts_ns()[0, ::4].tolist() == [80, 120, 160, 180]
    assert timeline.passages["b"].rows_ns.tolist() == [[100, 140, 180, 200]]
    assert timeline.latency_ns == 200


def test_its_cost():
    cost = pipeline_cost([IMAGE, CONV_A, CONV_B])
    assert (cost.latency_ns, cost.interval_ns, cost.bottleneck.name) == (200, 160, "a")
    assert cost.bottleneck.bound_by is Resource.CROSSBAR
    assert cost.inputs_per_second == pytest.approx(1e9 / 160)
    # The image comes as a whole: 4 rows of 4 bytes. Rows of a take space from the end of their first turn, 10, 50, 90
    # and 130 ns, until b has done rows 1, 2, 3 and 3, at 140, 180, 200 and 200 ns: 4 rows of 8 bytes from 130 to 140.
    # Together: 16 bytes until 80, when a has done row 1 and row 0 of the image is free; 12 until 120, 8 until 160, when
    # the next image comes. So 8 + 32 bytes from 130 to 140, 16 + 24 from 160 to 170, and then 16 + 32 until 180 from
    # the next input's row 0 on.
    assert [stage.buffer_bytes for stage in cost.stages] == [16, 32, 0]
    assert cost.buffer_bytes == 48


def test_stride_two_waits_for_every_other_row():
    # 2 x 2 windows: rows 0 and 1 need rows 1 and 3 of a, complete at 80 and 160 ns.
    pool = Stage("pool", (Rows("a", 2, 2),), rows=2, invocations=2, digital_ns=7.0)
    assert starts([IMAGE, CONV_A, pool], "pool") == [80, 160]
    # 1 x 1 windows: rows 0 and 2, complete at 40 and 120 ns.
    assert starts([IMAGE, CONV_A, replace(pool, needs=(Rows("a", 1, 2),))], "pool") == [40, 120]
    # A dilated one: rows 0 and 2, then 2 and 4, which is not there.
    assert starts([IMAGE, CONV_A, replace(pool, needs=(Rows("a", 2, 2, dilation=2),))], "pool") == [120, 160]


def test_a_shortcut_waits_for_the_other_branch():
    # b's rows are complete at 100, 140, 180 and 200 ns, long after a's. The sum takes 3 ns for each row.
    total = Stage("sum", (Rows("a"), Rows("b")), rows=4, invocations=4, digital_ns=3.0)
    stages = [IMAGE, CONV_A, CONV_B, total]
    assert starts(stages, "sum") == [100, 140, 180, 200]
    assert schedule(stages).latency_ns == 203
    # a's rows, there from 10, 50, 90 and 130 ns on, are now held until the sum has read them, at 103, 143, 183 and 203
    # ns, b needing rows 0, 1 and 2 until 140, 180 and 200. With the next input's from 170 and 210: rows 0 to 3 from 130
    # to 140; 1, 2, 3 and 0 from 170 to 180; 2, 3, 0 until 203.
    assert pipeline_cost(stages).stages[1].buffer_bytes == 4 * 8


def test_all_rows_are_needed_by_what_reads_the_whole():
    pool = Stage("pool", (Whole("b"),), rows=1, invocations=1, digital_ns=2.0)
    linear = Stage("linear", (Whole("pool"),), rows=1, invocations=1, crossbar_ns=50.0, latency_ns=4.0)
    stages = [IMAGE, CONV_A, CONV_B, pool, linear]
    assert starts(stages, "pool") == [200]
    assert starts(stages, "linear") == [202]
    assert schedule(stages).latency_ns == 256  # 202 + 50 + 4


def test_copies_share_the_pixels_of_a_row_and_the_next():
    # 2 rows of 3 pixels, 4 at a time: pixels 0 to 3, then 4 and 5. The first turn works on row 1 as well, which needs
    # rows up to 1 of a source that makes one every 10 ns; row 0 is complete after the first turn, row 1 after both.
    source = Stage("source", (), rows=2, invocations=2, network_ns=10.0)
    conv = Stage("conv", (Rows("source"),), rows=2, invocations=6, copies=4, crossbar_ns=1.0)
    assert conv.turns == 2
    assert starts([source, conv], "conv") == [20, 21]
    assert schedule([source, conv]).passages["conv"].rows_ns.tolist() == [[21, 22]]
    # By 3 copies a turn is a row.
    assert starts([source, replace(conv, copies=3)], "conv") == [10, 20]
    # One copy for each pixel, and more: one turn.
    assert starts([source, replace(conv, copies=9)], "conv") == [20]


def test_rows_can_be_read_after_the_latency():
    source = Stage("source", (), rows=2, invocations=2, network_ns=10.0, latency_ns=5.0)
    copy = Stage("copy", (Rows("source"),), rows=2, invocations=2, digital_ns=1.0, latency_ns=0.5)
    timeline = schedule([source, copy])
    assert timeline.passages["copy"].starts_ns().tolist() == [[15, 25]]  # 10 + 5, 20 + 5: latencies overlap
    assert timeline.latency_ns == 26.5


def test_a_turn_is_as_long_as_its_slowest_part():
    stage = Stage("s", (), rows=1, invocations=4, copies=2, crossbar_ns=3.0, digital_ns=5.0, network_ns=4.0)
    assert (stage.turn_ns, stage.busy_ns, stage.bound_by) == (5.0, 10.0, Resource.DIGITAL)
    assert replace(stage, network_ns=6.0).bound_by is Resource.NETWORK
    assert replace(stage, crossbar_ns=5.0).bound_by is Resource.CROSSBAR


def test_padding_may_shift_rows():
    # A token before those of the source: row r reads row r - 1 (row 0 none; it waits for the first).
    assert Rows("x", padding=1).last(np.arange(4), 3).tolist() == [0, 0, 1, 2]
    assert Rows("x", padding=1).last_reader(np.arange(3), 4).tolist() == [1, 2, 3]
    # Rows from the third on.
    assert Rows("x", padding=-2).last(np.arange(2), 4).tolist() == [2, 3]
    assert Rows("x", padding=-2).last_reader(np.arange(4), 2).tolist() == [-1, -1, 0, 1]


def test_rows_of_a_window_are_those_along_its_height():
    window = Window((5, 3), (2, 1), (1, 0, 2, 0), (3, 1))
    assert Rows.of("x", window) == Rows("x", kernel=5, stride=2, padding=1, dilation=3)


def test_inputs_follow_each_other_at_the_interval():
    # a: 160 ns for each input. All offered at once, a never waits, and b follows it.
    finished = schedule([IMAGE, CONV_A, CONV_B], inputs=4).finished_ns
    assert finished.tolist() == [200, 360, 520, 680]
    # Offered more slowly than that, each input has the latency of one alone.
    timeline = schedule([IMAGE, CONV_A, CONV_B], inputs=3, interval_ns=500.0)
    assert (timeline.finished_ns - timeline.offered_ns).tolist() == [200, 200, 200]


def test_an_input_between_others_may_take_longer():
    # Rows of the source come at 10, 20, 30 and 40 ns; `odd` reads the first and the fourth, 20 ns for each: 10 to 30,
    # 40 to 60. What reads its row 0 alone works from 30 to 70 ns. All are busy for 40 ns. Where an input comes every 40
    # ns, the one before ends at 60 - 40 = 20 ns in `odd`, whose row 0 is done at 40 then: 80 ns.
    source = Stage("source", (), rows=4, invocations=4, network_ns=10.0)
    odd = Stage("odd", (Rows("source", stride=3),), rows=2, invocations=2, crossbar_ns=20.0)
    top = Stage("top", (Rows("odd", padding=3),), rows=4, invocations=4, crossbar_ns=10.0)
    cost = pipeline_cost([source, odd, top])
    assert (cost.interval_ns, cost.latency_ns, cost.loaded_latency_ns) == (40, 70, 80)
    timeline = schedule([source, odd, top], inputs=3, interval_ns=40.0)
    assert (timeline.finished_ns - timeline.offered_ns).tolist() == [70, 80, 80]


def test_slower_inputs_than_possible_and_faster():
    cost = pipeline_cost([IMAGE, CONV_A, CONV_B], 1000.0)
    assert (cost.latency_ns, cost.loaded_latency_ns, cost.interval_ns) == (200, 200, 1000)
    with pytest.raises(ValueError, match=r"^`a` takes 160.0 ns for each input, more than 159.0 ns$"):
        pipeline_cost([IMAGE, CONV_A, CONV_B], 159.0)
    with pytest.raises(ValueError, match="one after the other"):
        pipeline_cost([IMAGE])


def test_impossible_pipelines_are_refused():
    with pytest.raises(ValueError, match=r"^`b` needs `a`, which is not before it$"):
        schedule([IMAGE, CONV_B, CONV_A])
    with pytest.raises(ValueError, match="at least"):
        schedule([])
    with pytest.raises(ValueError, match="at least"):
        schedule([IMAGE], inputs=0)
    with pytest.raises(ValueError, match="at least"):
        Rows("a", kernel=0)
    with pytest.raises(ValueError, match="at least"):
        replace(IMAGE, copies=0)
    with pytest.raises(ValueError, match="not negative"):
        replace(IMAGE, latency_ns=-1.0)


def test_large_pipelines_take_milliseconds():
    stages = [Stage("s0", (), rows=112, invocations=12544, crossbar_ns=100.0)]
    for index in range(1, 60):
        needs = (Rows(f"s{index - 1}", 3, padding=1),)
        stages.append(Stage(f"s{index}", needs, rows=112, invocations=12544, crossbar_ns=100.0 + index, row_bytes=64))
    best = math.inf
    for _ in range(3):
        start = time.perf_counter()
        pipeline_cost(stages)
        best = min(best, time.perf_counter() - start)
    assert best < 0.2  # about 10 ms on an idle machine
