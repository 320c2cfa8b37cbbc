"""Large files take time and memory in proportion: no step goes through all lines for each line."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.language import FILES
from cimspec.lang.format import format_text
from cimspec.validation import validated

MOST = 6  # times as long for four times the lines: 4, and room for a machine that does something else as well
PAIRS = 5  # of calls: the machine is half as fast again at one time as at another


def seconds(call: Callable[[], object]) -> float:
    """CPU time of a call."""
    started = time.process_time()
    call()
    return time.process_time() - started


def proportion(short: Callable[[], object], long: Callable[[], object]) -> float:
    """How many times as long the second one takes, in that pair of calls, one after the other, where it is least."""
    return min(seconds(long) / seconds(short) for _ in range(PAIRS))


@pytest.mark.parametrize("lines", [500, pytest.param(5_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", FILES)
def test_four_times_the_lines_take_four_times_as_long(tmp_path, kind, lines):
    texts = [FILES[kind](count) for count in (lines, 4 * lines)]
    assert [len(text.splitlines()) for text in texts] == [lines, 4 * lines]
    paths = [tmp_path / "short.cim", tmp_path / "long.cim"]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text)
    assert proportion(*(lambda path=path: validated(Path(path)) for path in paths)) < MOST
    assert proportion(*(lambda text=text: format_text(text) for text in texts)) < MOST
