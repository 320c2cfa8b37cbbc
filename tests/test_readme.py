"""The README shows what commands print: its examples are run and compared."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
QUICKSTART = (ROOT / "specs/quickstart.cim").read_text()


def blocks(start: str) -> list[str]:
    """Fenced blocks whose first line starts with `start`."""
    return [block for block in re.findall(r"```\n(.*?)```", README, re.DOTALL) if block.startswith(start)]


def cimspec(arguments: str) -> str:
    """What `cimspec ARGUMENTS` prints to stdout and stderr."""
    command = [sys.executable, "-m", "cimspec", *arguments.split()]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    return done.stdout + done.stderr


def transcripts() -> list[tuple[str, str]]:
    """Blocks of the form `$ cimspec COMMAND` followed by what it prints."""
    found = []
    for block in blocks("$ cimspec"):
        first, _, rest = block.partition("\n")
        found.append((first.removeprefix("$ cimspec "), rest))
    return found


def squeezed(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines() if line.strip()]


def test_there_are_transcripts():
    assert len(transcripts()) >= 2


@pytest.mark.parametrize(("command", "printed"), transcripts(), ids=[command for command, _ in transcripts()])
def test_a_transcript_is_what_the_command_prints(command: str, printed: str):
    lines = squeezed(cimspec(command))
    shown = squeezed(printed)
    if ["..."] in shown:  # lines left out
        cut = shown.index(["..."])
        tail = len(shown) - cut - 1
        assert lines[:cut] == shown[:cut]
        assert lines[len(lines) - tail :] == shown[cut + 1 :]
    else:
        assert lines == shown


def test_the_spec_that_is_shown_is_the_one_that_runs():
    (shown,) = blocks("chip quickstart")
    for line in shown.splitlines():
        if line.strip() and line.strip() != "...":
            assert line in QUICKSTART


def test_every_command_of_the_table_exists():
    shown = set(re.findall(r"`cimspec ([a-z]+)", README))
    listed = set(re.findall(r"^  ([a-z]+) ", cimspec("--help"), re.MULTILINE))
    assert shown == listed
