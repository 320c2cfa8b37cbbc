"""The timeline of a Program as a file that Perfetto (ui.perfetto.dev) and chrome://tracing open.

The events of one input (tracks.py) -> Chrome's trace event format. Tiles are processes; crossbars, digital units and
ports are their threads; a chip without tiles is one process. Where there are too many events, of the following the
first is done that is enough. The rows and waves of a layer become one event, from the first to the last (its `busy_us`
is less if there are pauses); also, the crossbars of a copy become one thread; also, the copies of a layer become one,
and what tiles do together is shown on the first of them, for as long as one of them works. `otherData` tells what was
merged.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from cimspec.compiler.program import Program
from cimspec.cost import program_cost
from cimspec.report.activity import Kind, find_parts
from cimspec.report.files import write_text
from cimspec.report.tracks import MEMORY, Detail, Event, Track, find_events
from cimspec.spec.chip import WeightMode

MOST_EVENTS = 50_000
"""A file of so many has about 10 MB."""

PICOSECONDS = 1e3
"""In a nanosecond. Times are whole ones, so that no event ends behind the start of the next."""


def trace(program: Program, most_events: int = MOST_EVENTS) -> dict[str, Any]:
    """One input's way through `program` in Chrome's trace event format, times in microseconds.

    `traceEvents` has at most so many entries, names of tracks included; if that is too few to show every layer and
    every operation once, it has as many as that takes.
    """
    parts = find_parts(program)
    for detail in Detail:
        most = None if detail is Detail.LAYERS else most_events + 1
        events = list(islice(find_events(program, parts, detail), most))
        threads = _threads({event.track for event in events})
        names = list(_names(program, threads))
        if len(events) + len(names) <= most_events:
            break
    labels = telling_labels([layer.name for layer in program.layers])
    timed = [_as_json(event, labels, *threads[event.track]) for event in events]
    return {
        "displayTimeUnit": "ns",
        "otherData": _about(program, detail),
        "traceEvents": names + [event for event in timed if event["dur"]],
    }


def write_timeline(program: Program, path: Path, most_events: int = MOST_EVENTS) -> Path:
    """Write `trace(program)` to `path`, an event on each line. Raises OSError where that cannot be done."""
    made = trace(program, most_events)
    events = ",\n".join(json.dumps(event, separators=(",", ":")) for event in made["traceEvents"])
    about = json.dumps(made["otherData"], indent=1)
    return write_text(path, f'{{"displayTimeUnit":"ns",\n"otherData":{about},\n"traceEvents":[\n{events}\n]}}\n')


def telling_labels(names: Sequence[str]) -> dict[str, str]:
    """Names with a letter where they differ in numbers alone: Perfetto colours by name, and takes no notice of those.

    `c1`, `c2`, `head` become `c1 (a)`, `c2 (b)`, `head`.
    """
    alike: dict[str, list[str]] = defaultdict(list)
    for name in dict.fromkeys(names):
        alike[re.sub(r" ?\d+", "", name)].append(name)
    return {
        name: name if len(group) == 1 else f"{name} ({_letters(index)})"
        for group in alike.values()
        for index, name in enumerate(group)
    }


def _letters(number: int) -> str:
    """a .. z, aa, ab and so on."""
    rest, last = divmod(number, 26)
    return (_letters(rest - 1) if rest else "") + chr(ord("a") + last)


def _threads(tracks: Iterable[Track]) -> dict[Track, tuple[int, int]]:
    """Process and thread of each track, counted through: Perfetto may take equal numbers for the same thread."""
    threads: dict[Track, tuple[int, int]] = {}
    process = count = 0
    tile: int | None = None
    for track in sorted(tracks):
        if track.tile != tile:
            tile, process, count = track.tile, count + 1, count + 1
        count += 1
        threads[track] = process, count
    return threads


def _names(program: Program, threads: Mapping[Track, tuple[int, int]]) -> Iterator[dict[str, Any]]:
    """Names of processes and threads, and their order."""
    is_tiled = program.chip.weights is WeightMode.RESIDENT and program.chip.tile.crossbars is not None
    processes = {process: track.tile for track, (process, _) in threads.items()}
    for process, tile in processes.items():
        name = "memory" if tile == MEMORY else f"tile {tile}" if is_tiled else "chip"
        yield {"ph": "M", "name": "process_name", "pid": process, "args": {"name": name}}
        yield {"ph": "M", "name": "process_sort_index", "pid": process, "args": {"sort_index": process}}
    for track, (process, thread) in threads.items():
        place = {"ph": "M", "pid": process, "tid": thread}
        yield place | {"name": "thread_name", "args": {"name": track.name}}
        yield place | {"name": "thread_sort_index", "args": {"sort_index": thread}}


def _as_json(event: Event, labels: Mapping[str, str], process: int, thread: int) -> dict[str, Any]:
    suffix = {Kind.WRITE: " write", Kind.NETWORK: " sent"}.get(event.kind, "")
    start, end = round(event.start_ns * PICOSECONDS), round(event.end_ns * PICOSECONDS)
    return {
        "ph": "X",
        "name": labels.get(event.name, event.name) + suffix,
        "cat": event.kind.value,
        "ts": start / 1e6,
        "dur": (end - start) / 1e6,
        "pid": process,
        "tid": thread,
        "args": event.details,
    }


def _about(program: Program, detail: Detail) -> dict[str, Any]:
    cost = program_cost(program)
    return {
        "program": program.name,
        "chip": program.chip.name,
        "weights": program.chip.weights.value,
        "shown": "one input that finds the chip idle",
        "merged": detail.merged,
        "latency_us": cost.latency_ns / 1e3,
        "interval_us": cost.interval_ns / 1e3,
        "programming_us": cost.programming_ns / 1e3,
    }
