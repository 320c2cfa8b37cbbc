"""Commands as a user runs them, in a process of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def cimspec(tmp_path):
    """Run `cimspec ARGUMENTS` in an empty folder; `specs/` of the checkout is beside it."""
    (tmp_path / "specs").symlink_to(ROOT / "specs")

    def run(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "cimspec", *arguments],
            cwd=tmp_path, capture_output=True, text=True, timeout=120,
            env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120", **options},
        )  # fmt: skip

    return run
