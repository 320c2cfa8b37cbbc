"""Commands as a user runs them: in this process, which is fast, or in one of their own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cimspec.cli.app import app

ROOT = Path(__file__).parents[2]
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder with the checkout's `specs/` in it."""
    (tmp_path / "specs").symlink_to(ROOT / "specs")
    return tmp_path


@pytest.fixture
def cimspec(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run `cimspec ARGUMENTS` in `folder`, in this process."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.chdir(folder)
        done = CliRunner().invoke(app, arguments, env={"COLUMNS": "120", **environment}, prog_name="cimspec")
        return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)

    return run


@pytest.fixture
def cimspec_process(folder: Path) -> Command:
    """Run `cimspec ARGUMENTS` in `folder`, in a process of its own."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "cimspec", *arguments],
            cwd=folder, capture_output=True, text=True, timeout=120,
            env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120", **environment},
        )  # fmt: skip

    return run
