"""The tutorial: its blocks make the files that it speaks of, and its commands print what it shows."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cimspec.cli.app import app
from cimspec.spec import load

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/tutorial.md"
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```\n", re.DOTALL | re.MULTILINE)
NOT_REPEATED = "$ cimspec run"
LONGEST = 26  # lines of what a command prints; the middle of more is left out


@dataclass
class Reader:
    """Somebody who follows the tutorial in an empty folder."""

    folder: Path
    statements: dict[str, str] = field(default_factory=dict)

    def follow(self, text: str) -> str:
        """The tutorial with what its commands print now."""
        return FENCE.sub(lambda block: f"```{block[1]}\n{self.do(block[1], block[2])}```\n", text)

    def do(self, kind: str, body: str) -> str:
        if kind == "cim":
            self.statements[body.partition(" ")[0]] = body
            (self.folder / "quickstart.cim").write_text("\n".join(self.statements.values()))
        elif kind.startswith("cim "):
            (self.folder / kind.removeprefix("cim ")).write_text(body)
        elif body.startswith("$ cimspec") and not body.startswith(NOT_REPEATED):
            commands = [line for line in body.splitlines() if line.startswith("$ ")]
            return "".join(f"{command}\n{self.run(command)}" for command in commands)
        return body

    def run(self, command: str) -> str:
        done = CliRunner().invoke(app, command.removeprefix("$ cimspec ").split())
        assert done.exit_code in (0, 1), done.stderr
        lines = [line.rstrip() for line in (done.stderr + done.stdout).splitlines()]
        if len(lines) > LONGEST:
            lines = [*lines[: LONGEST - 6], "...", *lines[-5:]]
        return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def followed(tmp_path_factory) -> tuple[Path, str]:
    """The folder of somebody who followed the tutorial, and the page with what commands printed."""
    folder = tmp_path_factory.mktemp("tutorial")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        page = Reader(folder).follow(PAGE.read_text(encoding="utf-8"))
    return folder, page


def test_commands_print_what_is_shown(followed, golden):
    golden(followed[1], PAGE)


def test_its_file_is_the_quickstart(followed):
    assert load(followed[0] / "quickstart.cim").spec.digest == load(ROOT / "specs/quickstart.cim").spec.digest


def test_the_variation_is_the_lossy_spec(followed):
    assert load(followed[0] / "lossy.cim").spec.digest == load(ROOT / "specs/lossy.cim").spec.digest


def test_the_sweep_is_what_the_arithmetic_says(followed):
    chip = load(followed[0] / "sizes.cim").spec.chip
    assert chip.crossbar.read_latency_ns == 1400  # 1 us + 64 * 6.25 ns, the quickstart's
    assert chip.adc.bits == 8  # 192 + 1 codes
