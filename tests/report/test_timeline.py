"""The timeline in the trace event format: by hand, and against the cost model on random programs."""

import json
import math
from collections import defaultdict
from itertools import pairwise

import pytest
from hypothesis import given, settings

from cimspec.compiler import Program
from cimspec.compiler.body import turn_ns
from cimspec.compiler.slicing import input_steps
from cimspec.cost import program_cost
from cimspec.cost.segments import SegmentStages
from cimspec.report.activity import Kind, find_parts
from cimspec.report.timeline import telling_labels, trace, write_timeline
from cimspec.report.tracks import Detail, Event, find_events
from cimspec.spec.chip import WeightMode
from cimspec.spec.tile import Digital, Network, Tile
from tests.report.programs import TURN_US, programs, small_program

RESIDENT = {"weights": WeightMode.RESIDENT}


def timed(made: dict) -> list[dict]:
    return [event for event in made["traceEvents"] if event["ph"] == "X"]


def names(made: dict, kind: str) -> dict[int, str]:
    """Of processes by pid, or of threads by tid, which no two processes share."""
    key = "pid" if kind == "process" else "tid"
    return {event[key]: event["args"]["name"] for event in made["traceEvents"] if event["name"] == f"{kind}_name"}


def on(made: dict, thread: str, process: str | None = None) -> list[tuple]:
    """(name, start, end) of a thread's events, in microseconds."""
    processes, threads = names(made, "process"), names(made, "thread")
    return [
        (event["name"], event["ts"], pytest.approx(event["ts"] + event["dur"]))
        for event in timed(made)
        if threads[event["tid"]] == thread and process in (None, processes[event["pid"]])
    ]


def test_reloaded_layers_follow_each_other_in_waves():
    # 3 blocks of c on 2 crossbars: 2 waves of 56 us and 9 turns; 8 blocks of f: 4 waves of 56 us and 1 turn.
    made = trace(small_program(2))
    first, second = 56 + 9 * TURN_US, 56 + TURN_US
    assert names(made, "process") == {1: "chip"}
    assert on(made, "crossbar 0")[:4] == [
        ("c write", 0, 56),
        ("c", 56, first),
        ("c write", first, first + 56),
        ("c", first + 56, 2 * first),
    ]
    # The third block is crossbar 0's; 1 has one block of c, and goes on with f.
    assert on(made, "crossbar 1")[:3] == [
        ("c write", 0, 56),
        ("c", 56, first),
        ("f write", pytest.approx(2 * first), pytest.approx(2 * first + 56)),
    ]
    assert len(timed(made)) == 2 * (3 + 8)
    end = 2 * first + 4 * second
    assert max(event["ts"] + event["dur"] for event in timed(made)) == pytest.approx(end)
    assert made["otherData"]["latency_us"] == pytest.approx(end)
    blocks = [event["args"]["block"] for event in timed(made) if event["name"] == "f"]
    assert sorted(blocks) == list(range(8))


def test_copies_take_invocations_in_turn():
    # 14 crossbars: two copies of c (6) and f (8). 9 invocations are 5 turns, the last one of the first copy alone. An
    # output row has 3, so rows begin in turns 0, 1 and 3. f waits for all.
    made = trace(small_program(14, **RESIDENT))
    turns = [("c", 0, TURN_US), ("c", TURN_US, 3 * TURN_US), ("c", pytest.approx(3 * TURN_US), 5 * TURN_US)]
    for crossbar in range(3):
        assert on(made, f"crossbar {crossbar}") == turns
    for crossbar in range(3, 6):
        assert on(made, f"crossbar {crossbar}") == [*turns[:2], ("c", pytest.approx(3 * TURN_US), 4 * TURN_US)]
    for crossbar in range(6, 14):
        assert on(made, f"crossbar {crossbar}") == [("f", pytest.approx(5 * TURN_US), 6 * TURN_US)]
    copies = {(event["args"]["copy"], event["args"]["copies"]) for event in timed(made) if event["name"] == "c"}
    assert copies == {(0, 2), (1, 2)}
    assert made["otherData"]["latency_us"] == pytest.approx(6 * TURN_US)
    assert made["otherData"]["programming_us"] == 56  # before the input comes, so there is no event for it


def test_segments_are_programmed_one_after_the_other():
    # 8 crossbars hold c (3) or f (8), not both.
    made = trace(small_program(8, copies=False, **RESIDENT))
    begin = 56 + 9 * TURN_US
    assert on(made, "crossbar 0") == [
        ("c write", 0, 56),
        *(("c", pytest.approx(56 + 3 * row * TURN_US), 56 + 3 * (row + 1) * TURN_US) for row in range(3)),
        ("f write", pytest.approx(begin), begin + 56),
        ("f", pytest.approx(begin + 56), begin + 56 + TURN_US),
    ]
    assert on(made, "crossbar 7") == on(made, "crossbar 0")[-2:]


def test_units_and_ports_have_tracks_of_their_tiles():
    # Tiles of 3 crossbars: a copy of c on each of 0 and 1; f on 2, 3 (3 crossbars each) and 4 (2).
    chip = {
        "tile": Tile(crossbars=3),
        "digital": Digital(lanes=1, cycle_ns=1.0),
        "network": Network(width_bits=1, cycle_ns=1.0, hop_ns=100.0),
    }
    made = trace(small_program(14, **RESIDENT, **chip))
    assert set(names(made, "process").values()) == {f"tile {tile}" for tile in range(5)}
    # The input's 50 values are shared by two tiles: 5 rows of 5 ns each; c needs three of them. Of c's 27 sums each
    # tile rounds half, 4.5 ns for each row, when it is there; then 13.5 ns to lay them out in a row.
    start = 0.015
    ready = [pytest.approx(start + turns * TURN_US) for turns in (2, 3, 5)]  # rows end in turns 1, 2 and 4
    done = start + 5 * TURN_US + 0.0045
    for tile in ("tile 0", "tile 1"):
        found = on(made, "digital", tile)
        assert found[:5] == [("c.codes", row * 0.005, (row + 1) * 0.005) for row in range(5)]
        assert [event[1] for event in found[5:8]] == ready
        assert found[8:] == [("f.codes.flat", pytest.approx(done), done + 0.0135)]
        # 27 * 4 bits leave by two ports: 54 ns. The tiles of f are up to 3 hops away (1 row, 2 columns).
        assert on(made, "network", tile) == [("f.codes.flat sent", pytest.approx(done), done + 0.054 + 0.3)]
    # Its 4 results are 4 ns of work, 3/8 of it on tiles 2 and 3.
    end = done + 0.354 + TURN_US
    assert on(made, "digital", "tile 3") == [("network.output", pytest.approx(end), end + 0.0015)]
    assert on(made, "digital", "tile 4") == [("network.output", pytest.approx(end), end + 0.001)]
    assert made["otherData"]["latency_us"] == pytest.approx(end + 0.0015)


def test_what_is_too_much_is_merged_step_by_step():
    program = small_program(14, **RESIDENT)
    # Rows: 3 on each crossbar of c, 1 on f's; a process and 14 threads have two names each.
    rows, crossbars, copies, layers = 3 * 6 + 8 + 30, 14 + 30, 3 + 2 * 4, 2 + 2 * 3
    for most, count, merged in (
        (rows, rows, "nothing"),
        (rows - 1, crossbars, "rows and waves of a layer"),
        (crossbars - 1, copies, "rows and waves of a layer, crossbars of a copy"),
        (
            copies - 1,
            layers,
            "rows and waves of a layer, crossbars of a copy, copies of a layer and tiles of an operation",
        ),
        (1, layers, "rows and waves of a layer, crossbars of a copy, copies of a layer and tiles of an operation"),
    ):
        made = trace(program, most)
        assert (len(made["traceEvents"]), made["otherData"]["merged"]) == (count, merged)
    assert on(trace(program, copies), "crossbars 3-5") == [("c", 0, 5 * TURN_US - TURN_US)]
    (whole,) = (event for event in timed(trace(program, 1)) if event["name"] == "c")
    assert (whole["args"]["blocks"], whole["args"]["copies"], whole["args"]["turns"]) == (3, 2, 5)
    assert set(names(trace(program, 1), "thread").values()) == {"crossbars 0-2, 2 times every 3", "crossbars 6-13"}


def test_what_tiles_do_together_takes_as_long_as_the_slowest_of_them():
    # Of f's 8 crossbars 2 are on tile 1, 4 on tile 2, 2 on tile 3: 1, 2 and 1 of its 4 ns of digital work.
    chip = {"tile": Tile(crossbars=4), "digital": Digital(lanes=1, cycle_ns=1.0)}
    program = small_program(14, **RESIDENT, **chip)
    lengths = [event["dur"] for event in timed(trace(program)) if event["name"] == "network.output"]
    assert lengths == [0.001, 0.002, 0.001]
    (together,) = (event for event in timed(trace(program, 1)) if event["name"] == "network.output")
    assert (together["dur"], together["args"]["tiles"], together["args"]["busy_us"]) == (0.002, 3, pytest.approx(0.002))


def test_layers_that_differ_by_a_number_get_letters():
    # Perfetto takes a slice's colour from its name without digits.
    assert telling_labels(["c1", "c2", "head", "b1_1", "b1_2"]) == {
        "c1": "c1 (a)", "c2": "c2 (b)", "head": "head", "b1_1": "b1_1 (a)", "b1_2": "b1_2 (b)",
    }  # fmt: skip
    many = list(telling_labels([f"l{index}" for index in range(30)]).values())
    assert (many[25], many[26], many[29]) == ("l25 (z)", "l26 (aa)", "l29 (ad)")


def test_the_file_holds_the_trace(tmp_path):
    program = small_program(14, **RESIDENT)
    path = write_timeline(program, tmp_path / "t.json")
    assert json.loads(path.read_text()) == trace(program)
    assert [each.name for each in tmp_path.iterdir()] == ["t.json"]


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    (tmp_path / "t.json").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_timeline(small_program(2), tmp_path / "t.json")
    assert list(tmp_path.iterdir()) == [tmp_path / "t.json"]


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(programs())
def test_events_are_well_formed_and_end_at_the_latency(program: Program):
    for most in (10_000, 60, 1):
        made = trace(program, most)
        threads, processes = names(made, "thread"), names(made, "process")
        tracks = defaultdict(list)
        for event in timed(made):
            assert set(event) == {"ph", "name", "cat", "ts", "dur", "pid", "tid", "args"}
            assert event["ts"] >= 0
            assert event["dur"] > 0
            assert event["pid"] in processes
            start, length = (round(event[key] * 1e6) for key in ("ts", "dur"))
            tracks[event["tid"]].append((start, start + length, event["pid"]))
        assert set(tracks) <= set(threads)
        assert not set(threads) & set(processes)
        for events in tracks.values():
            events.sort()
            assert all(before[1] <= after[0] for before, after in pairwise(events))
            assert len({pid for _, _, pid in events}) == 1
        end = max((end for events in tracks.values() for _, end, _ in events), default=0)
        assert math.isclose(end / 1e6, program_cost(program).latency_ns / 1e3, rel_tol=1e-9, abs_tol=1e-6)


def busy_ns(event: Event) -> float:
    """What is worked of an event's time."""
    return event.details["busy_us"] * 1e3 if "busy_us" in event.details else event.end_ns - event.start_ns


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(programs())
def test_crossbars_are_busy_for_all_turns_of_all_their_blocks(program: Program):
    busy = defaultdict(float)
    for event in find_events(program, find_parts(program), Detail.ROWS):
        if event.kind in (Kind.READ, Kind.WRITE):
            busy[event.name, event.details["copy"], event.kind] += busy_ns(event)
    placed = {place.layer for segment in program.segments for place in segment.places}
    for layer in program.layers:
        matrices, op, copies = program.matrices(layer), layer.op, layer.crossbars.count
        written_ns = program.chip.crossbar.write_latency_ns * matrices.blocks
        steps = len(input_steps(program.chip, op.precision.activation_bits, op.signed))
        for copy in range(copies):
            if layer.name in placed:
                turns = -(-(op.invocations - copy) // copies)
                read_ns = matrices.blocks * turns * turn_ns(matrices)
                written = written_ns if len(program.segments) > 1 else 0
            else:
                runs = ((stop - first) * groups for first, stop, groups in matrices.runs())
                read_ns = sum(runs) * op.invocations * steps * program.chip.read_ns
                written = written_ns
            assert math.isclose(busy[layer.name, copy, Kind.READ], read_ns, rel_tol=1e-9)
            assert math.isclose(busy[layer.name, copy, Kind.WRITE], written, rel_tol=1e-9)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(programs())
def test_merged_events_reach_from_the_first_to_the_last_and_know_how_long_is_worked(program: Program):
    parts = find_parts(program)
    spans = {}
    for detail in (Detail.ROWS, Detail.CROSSBARS):
        found = spans[detail] = {}
        for event in find_events(program, parts, detail):
            on_crossbars = event.kind in (Kind.READ, Kind.WRITE, Kind.WAVES)
            key = event.track, event.name, "crossbar" if on_crossbars else event.kind
            start, end, busy = found.get(key, (math.inf, 0.0, 0.0))
            found[key] = min(start, event.start_ns), max(end, event.end_ns), busy + busy_ns(event)
    assert spans[Detail.CROSSBARS].keys() == spans[Detail.ROWS].keys()
    for key, rows in spans[Detail.ROWS].items():
        assert spans[Detail.CROSSBARS][key] == pytest.approx(rows, rel=1e-9, abs=1e-6)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(programs())
def test_digital_units_are_busy_as_long_as_the_cost_model_says(program: Program):
    found, expected = defaultdict(float), defaultdict(float)
    for event in find_events(program, find_parts(program), Detail.ROWS):
        if event.kind is Kind.DIGITAL:
            found[event.track.tile] += event.end_ns - event.start_ns
    if program.chip.weights is WeightMode.RESIDENT:
        for segment in program.segments:
            for tile, time_ns in SegmentStages(program, segment).digital_ns.items():
                expected[tile] += time_ns
    assert {tile: pytest.approx(time) for tile, time in expected.items() if time} == dict(found)
