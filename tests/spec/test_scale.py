"""Large files take time and memory in proportion: no step goes through all lines for each line."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.language import FILES
from cimspec.lang.format import format_text
from cimspec.validation import validated

MOST = 6  # times as long for four times the lines: 4, and room for a machine that does something else as well


ENOUGH_S = 0.5  # of CPU time, for calls that are over soon: single ones can be out by half


def fastest(call: Callable[[], object]) -> float:
    """The shortest CPU time of two calls, or of more where they are short."""
    times: list[float] = []
    while len(times) < 2 or sum(times) < ENOUGH_S:
        started = time.process_time()
        call()
        times.append(time.process_time() - started)
    return min(times)


@pytest.mark.parametrize("lines", [500, pytest.param(5_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", FILES)
def test_four_times_the_lines_take_four_times_as_long(tmp_path, kind, lines):
    texts = [FILES[kind](count) for count in (lines, 4 * lines)]
    assert [len(text.splitlines()) for text in texts] == [lines, 4 * lines]
    paths = [tmp_path / "short.cim", tmp_path / "long.cim"]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text)
    short, long = (fastest(lambda path=path: validated(Path(path))) for path in paths)
    assert long < MOST * short
    short, long = (fastest(lambda text=text: format_text(text)) for text in texts)
    assert long < MOST * short
