"""`cimspec fmt`: files in place, stdin to stdout, and what it only tells."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cimspec.cli.app import app

runner = CliRunner()
ROOT = Path(__file__).parents[2]
WRONG, RIGHT = "chip c{rows=64}  # c\n", "chip c { rows = 64 }  # c\n"


def fmt(*arguments: str, stdin: str | bytes = ""):
    return runner.invoke(app, ["fmt", *arguments], input=stdin)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("sub/deep").mkdir(parents=True)
    Path("a.cim").write_text(WRONG, encoding="utf-8")
    Path("sub/deep/b.cim").write_bytes(b"\xef\xbb\xbf" + RIGHT.replace("\n", "\r\n").encode())
    Path("sub/c.cim").write_text(RIGHT, encoding="utf-8")
    Path("sub/d.txt").write_text(WRONG, encoding="utf-8")
    return tmp_path


def test_files_and_folders_are_rewritten(folder):
    Path("a.cim").chmod(0o604)
    Path("link.cim").symlink_to("a.cim")
    same = Path("sub/c.cim").stat().st_mtime_ns
    done = fmt("link.cim", "sub", "a.cim")
    assert done.exit_code == 0
    assert done.stdout.splitlines() == ["reformatted link.cim", "reformatted sub/deep/b.cim"]
    assert done.stderr == "2 files reformatted, 1 file left as it is\n"
    assert Path("a.cim").read_bytes() == Path("sub/deep/b.cim").read_bytes() == RIGHT.encode()
    assert Path("a.cim").stat().st_mode & 0o777 == 0o604
    assert Path("link.cim").is_symlink()
    assert Path("sub/c.cim").stat().st_mtime_ns == same
    assert Path("sub/d.txt").read_text(encoding="utf-8") == WRONG
    assert sorted(path.name for path in folder.iterdir()) == ["a.cim", "link.cim", "sub"]
    assert fmt(".").stdout == ""


@pytest.mark.usefixtures("folder")
def test_check_and_diff_change_nothing():
    done = fmt("a.cim", "sub", "--check")
    assert (done.exit_code, done.stdout) == (1, "would reformat a.cim\nwould reformat sub/deep/b.cim\n")
    done = fmt("a.cim", "--diff")
    assert done.exit_code == 0
    assert done.stdout == f"--- a.cim\n+++ a.cim\n@@ -1 +1 @@\n-{WRONG}+{RIGHT}"
    assert fmt("a.cim", "--diff", "--check").exit_code == 1
    assert fmt("sub/c.cim", "--check").exit_code == 0
    assert Path("a.cim").read_text(encoding="utf-8") == WRONG
    Path("a.cim").write_text("a=1", encoding="utf-8")
    assert fmt("a.cim", "--diff").stdout.endswith("-a=1\n\\ No newline at end of file\n+a = 1\n")


@pytest.mark.parametrize("arguments", [[], ["-"]])
def test_stdin_goes_to_stdout(arguments):
    done = fmt(*arguments, stdin=WRONG.replace("\n", "\r\n"))
    assert (done.exit_code, done.stdout) == (0, RIGHT)
    assert fmt(*arguments, "--check", stdin=RIGHT).exit_code == 0
    done = fmt(*arguments, "--check", stdin=WRONG)
    assert (done.exit_code, done.stdout) == (1, "would reformat <stdin>\n")
    assert fmt(*arguments, "--diff", stdin=WRONG).stdout.startswith("--- <stdin>\n")


@pytest.mark.usefixtures("folder")
def test_a_file_with_errors_stays_and_others_are_written():
    Path("b.cim").write_text("a = ", encoding="utf-8")
    done = fmt("b.cim", "a.cim", "none.cim")
    assert done.exit_code == 1
    assert "b.cim:1:4" in done.stderr
    assert "CIM110" in done.stderr
    assert Path("b.cim").read_text(encoding="utf-8") == "a = "
    assert Path("a.cim").read_text(encoding="utf-8") == RIGHT
    done = fmt(stdin=b"a = \xff")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "CIM112" in done.stderr
    assert fmt("-", "a.cim").exit_code == 2


def test_all_specs_are_in_canonical_form():
    assert fmt(str(ROOT / "specs"), str(ROOT / "cimspec" / "library"), "--check").exit_code == 0
