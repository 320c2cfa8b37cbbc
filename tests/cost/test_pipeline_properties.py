"""Random pipelines against a simulation turn by turn."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cimspec.cost.buffers import buffer_peaks
from cimspec.cost.timeline import bottleneck, schedule, steady_state
from tests.cost.turn_by_turn import held, pipelines, simulated

pytestmark = pytest.mark.slow

any_time = st.just(0.0) | st.floats(0.01, 1000)
quarters = st.integers(0, 20).map(lambda count: count / 4)


@settings(max_examples=200, deadline=None)
@given(pipelines(any_time), st.integers(1, 4), st.none() | st.floats(0, 5000))
def test_every_turn_is_where_the_simulation_has_it(stages, inputs, interval_ns):
    timeline = schedule(stages, inputs, interval_ns)
    expected = simulated(stages, inputs, interval_ns or 0.0)
    for stage in stages:
        times = np.array(expected[stage.name])  # [inputs, turns, 2]
        np.testing.assert_allclose(timeline.passages[stage.name].starts_ns(), times[..., 0], rtol=1e-9, atol=1e-7)
        np.testing.assert_allclose(timeline.passages[stage.name].ends_ns(), times[..., 1], rtol=1e-9, atol=1e-7)


@settings(max_examples=200, deadline=None)
@given(pipelines(quarters), st.integers(1, 4), st.none() | quarters)
def test_times_without_rounding_are_the_same_to_the_last_bit(stages, inputs, interval_ns):
    timeline = schedule(stages, inputs, interval_ns)
    expected = simulated(stages, inputs, interval_ns or 0.0)
    for name, passage in timeline.passages.items():
        assert np.stack([passage.starts_ns(), passage.ends_ns()], axis=-1).tolist() == [
            [list(turn) for turn in turns] for turns in expected[name]
        ]


@settings(max_examples=200, deadline=None)
@given(pipelines(quarters), st.integers(0, 8).map(lambda count: count / 4))
def test_an_input_each_interval_is_what_the_pipeline_can_take(stages, slack):
    interval_ns = bottleneck(stages).busy_ns + slack
    count = len(stages) + 3
    timeline = schedule(stages, count, interval_ns)
    # In step after as many inputs as there are stages, and as `steady_state` says.
    steady = steady_state(stages, interval_ns)
    for name, passage in steady.passages.items():
        for index in range(len(stages), count):
            later = timeline.passages[name].ends_ns()[index] - timeline.offered_ns[index]
            assert later.tolist() == passage.ends_ns()[0].tolist()
    assert np.diff(timeline.finished_ns)[len(stages) :].tolist() == [interval_ns] * (count - len(stages) - 1)


@settings(max_examples=200, deadline=None)
@given(pipelines(any_time), st.integers(2, 30))
def test_inputs_offered_at_once_come_out_at_the_interval(stages, inputs):
    # Input i is out after i + 1 times the bottleneck's turns at least, and as soon as if it had been offered i * W: so
    # the mean spacing goes to W as 1 / inputs.
    slowest = bottleneck(stages).busy_ns
    finished = schedule(stages, inputs).finished_ns
    paced = schedule(stages, inputs, slowest).finished_ns
    tolerance = 1e-9 * (1 + paced[-1])
    assert (finished >= np.arange(1, inputs + 1) * slowest - tolerance).all()
    assert (finished <= paced + tolerance).all()
    assert paced[-1] <= (inputs - 1) * slowest + steady_state(stages, slowest).latency_ns + tolerance


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(pipelines(quarters), st.integers(0, 8).map(lambda count: count / 4))
def test_no_buffer_ever_holds_more_than_its_peak(stages, slack):
    interval_ns = bottleneck(stages).busy_ns + slack
    assume(interval_ns > 0)
    steady = steady_state(stages, interval_ns)
    buffers = buffer_peaks(stages, steady, interval_ns)
    # Enough inputs for those in the pipeline together with the last one to be in step.
    together = math.ceil(steady.latency_ns / interval_ns) + 1
    inputs = len(stages) + 2 * together + 1
    turns = simulated(stages, inputs, interval_ns)
    spans = [
        (position, start, end, stage.row_bytes)
        for position, stage in enumerate(stages)
        for index in range(inputs)
        for start, end in held(stage, stages, turns, index)
        if end > start
    ]
    low = (len(stages) + together) * interval_ns
    moments = {start for _, start, _, _ in spans if low <= start < low + interval_ns}
    totals = [0]
    most = [0] * len(stages)
    for moment in moments:
        now = [(position, size) for position, start, end, size in spans if start <= moment < end]
        totals.append(sum(size for _, size in now))
        for position in range(len(stages)):
            most[position] = max(most[position], sum(size for owner, size in now if owner == position))
    assert buffers.peak_bytes == tuple(most)
    assert buffers.total_bytes == max(totals)


@settings(max_examples=300, deadline=None)
@given(pipelines(quarters), st.sampled_from([0.1, 0.7, 1.4, 1e6 / 3]))
def test_peaks_do_not_depend_on_rounding(stages, factor):
    # Rows often come at the moment at which others go. Both are computed in different ways, here with rounding.
    scaled = [
        replace(
            stage,
            crossbar_ns=stage.crossbar_ns * factor,
            digital_ns=stage.digital_ns * factor,
            network_ns=stage.network_ns * factor,
            latency_ns=stage.latency_ns * factor,
        )
        for stage in stages
    ]
    peaks = []
    for each in (stages, scaled):
        interval_ns = bottleneck(each).busy_ns
        assume(interval_ns > 0)
        peaks.append(buffer_peaks(each, steady_state(each, interval_ns), interval_ns))
    assert peaks[0] == peaks[1]
