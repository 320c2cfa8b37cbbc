"""Searches from the command line: several seeds, workers, methods of others, and runs that are taken up again."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT

pytestmark = pytest.mark.slow

SMALL = (
    "training.epochs=2", "training.finetune_epochs=1", "search.budget=10", "search.methods=[rl, random]",
    "search.weight_bits=[3, 5, 8]", "search.activation_bits=[3, 8]",
)  # fmt: skip


def sets(*overrides: str) -> list[str]:
    return [part for override in overrides for part in ("--set", override)]


def found(folder: Path) -> dict:
    """What a run found, without where it was written and how long it took."""
    result = json.loads((folder / "result.json").read_text())
    return {name: value for name, value in result.items() if name not in ("seconds", "artifacts")}


def test_runs_with_several_seeds_are_summed_up(cimspec, tmp_path):
    small = sets(*SMALL)
    done = cimspec("run", "specs/tiny.cim", "--seed", "3", "--seeds", "2", "--workers", "2", "--out", "many", *small)
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "many/seeds.json").read_text())
    assert summary["seeds"] == [3, 4]
    assert [line["name"] for line in summary["lines"]] == ["best", "uniform", "rl", "random"]
    for seed, outcome in zip((3, 4), summary["lines"][0]["by_seed"], strict=True):
        result = found(tmp_path / f"many/seed-{seed}")
        assert result["seed"] == seed
        assert outcome["speedup"] == result["best"]["speedup"]
        assert (tmp_path / f"many/seed-{seed}/program.cimp").exists()
        assert f"--seed {seed}" in result["command"]
    assert "latency speedup by seed" in done.stdout
    assert "Seeds 3, 4, each a run of its own" in done.stdout
    assert "results are in many" in done.stdout
    single = cimspec("run", "specs/tiny.cim", "--seed", "4", "--out", "one", *small)
    assert single.returncode == 0, single.stderr
    assert found(tmp_path / "one") == found(tmp_path / "many/seed-4")


def test_several_seeds_need_a_search(cimspec):
    done = cimspec("run", "specs/paper/vgg16.cim", "--seeds", "2")
    assert (done.returncode, "CIM606" in done.stderr) == (1, True)


PLUG_IN = """
def search(account, goals, seed):
    widest = account.space.widest()
    account.evaluate_all([widest, tuple(0 for _ in widest)])
"""


@pytest.fixture
def installed(tmp_path) -> Path:
    """A folder of packages with one that adds methods: one that works, one that cannot be imported."""
    packages = tmp_path / "packages"
    info = packages / "theirs-1.0.dist-info"
    info.mkdir(parents=True)
    (packages / "theirs.py").write_text(PLUG_IN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[cimspec.search_methods]\nsteepest = theirs:search\nbroken = theirs_missing:search\n"
    )
    return packages


def test_a_method_of_an_installed_package_is_a_method_like_others(cimspec_process, installed):
    found_there = {"PYTHONPATH": f"{installed}{os.pathsep}{ROOT}"}
    methods = sets(*SMALL, "search.methods=[steepest, random]", "search.kl_limits=[100.0]")
    done = cimspec_process("run", "specs/tiny.cim", "--json", "--out", "r", "--workers", "2", *methods, **found_there)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert set(result["methods"]) == {"steepest", "random"}
    assert "steepest" in result["seconds"]
    outcome = result["methods"]["steepest"]
    assert outcome is None or outcome["evaluations"] == 2
    # Without the package its name is unknown.
    done = cimspec_process("run", "specs/tiny.cim", *methods)
    assert (done.returncode, "CIM204" in done.stderr) == (1, True)
    # A word that is nearly its name is answered with it.
    done = cimspec_process("validate", "specs/tiny.cim", *sets("search.methods=[steepst]"), **found_there)
    assert "did you mean `steepest`?" in done.stderr
    assert "greedy, exact, broken, steepest" in done.stderr


def test_a_method_that_cannot_be_loaded_is_a_diagnostic_before_anything_is_trained(
    cimspec_process, tmp_path, installed
):
    found_there = {"PYTHONPATH": f"{installed}{os.pathsep}{ROOT}"}
    assert (
        cimspec_process("validate", "specs/tiny.cim", *sets("search.methods=[broken]"), **found_there).returncode == 0
    )
    for command in ("run", "compare"):
        done = cimspec_process(
            command, "specs/tiny.cim", "--out", "r", *sets("search.methods=[random, broken]"), **found_there
        )
        assert done.returncode == 1
        assert (
            "error[CIM612]: the search method `broken` cannot be loaded: No module named 'theirs_missing'"
            in done.stderr
        )
        assert "it is theirs_missing:search" in done.stderr
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "r/weights.safetensors").exists()


def test_there_must_be_something_to_resume(cimspec, tmp_path):
    (tmp_path / "runs/tiny-20260101-000000").mkdir(parents=True)
    (tmp_path / "runs/tiny-20260101-000000/result.json").write_text("{}")
    (tmp_path / "runs/tinyish-20260101-000000").mkdir()
    for command in ("run", "compare"):
        done = cimspec(command, "specs/tiny.cim", "--resume")
        assert (done.returncode, done.stdout) == (1, "")
        assert "CIM908" in done.stderr
        assert "leave out `--resume`" in done.stderr


# Long enough that each stage can be caught: about a second of training, and of fine-tuning.
CAUGHT = sets(
    *SMALL, "training.epochs=8", "training.finetune_epochs=12", "search.budget=40", "search.methods=[rl, evolution]"
)


def started(folder: Path, cache: Path) -> "subprocess.Popen[str]":
    """A run into `runs` of `folder`, in the background; nothing is trained yet."""
    return subprocess.Popen(
        [sys.executable, "-m", "cimspec", "run", str(ROOT / "specs/tiny.cim"), *CAUGHT],
        cwd=folder, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT), "CIMSPEC_CACHE": str(cache)},
    )  # fmt: skip


def run_folder(folder: Path) -> Path | None:
    return next((folder / "runs").glob("tiny-*"), None) if (folder / "runs").exists() else None


def evaluations(folder: Path) -> int:
    """How many scores are kept in the one run below `folder`."""
    run = run_folder(folder)
    if run is None or not (run / "evaluations.sqlite").exists():
        return 0
    database = sqlite3.connect(run / "evaluations.sqlite", timeout=60)
    try:
        return database.execute("SELECT COUNT(*) FROM scores").fetchone()[0]
    except sqlite3.OperationalError:  # not yet there
        return 0
    finally:
        database.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[dict, int]:
    """What an uninterrupted run found, and how many policies it measured."""
    folder = tmp_path_factory.mktemp("whole")
    _, errors = (process := started(folder, folder / "cache")).communicate(timeout=300)
    assert process.returncode == 0, errors
    return found(run_folder(folder)), evaluations(folder)


MOMENTS: dict[str, Callable[[Path, int, float], bool]] = {
    "training": lambda folder, _, __: run_folder(folder) is not None,
    "search": lambda folder, all_of_them, share: evaluations(folder) >= 1 + share * (all_of_them - 2),
    "fine-tuning": lambda folder, all_of_them, _: evaluations(folder) >= all_of_them,
}


@pytest.mark.parametrize(("moment", "by"), [("training", "--resume"), ("search", "--out"), ("fine-tuning", "--resume")])
def test_a_run_that_was_killed_is_taken_up_and_finds_the_same(whole, tmp_path, moment: str, by: str):
    result, all_of_them = whole
    chance = random.SystemRandom().random()
    process = started(tmp_path, tmp_path / "cache")
    until = time.monotonic() + 300
    while not MOMENTS[moment](tmp_path, all_of_them, chance):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < until
        time.sleep(0.01)
    if moment != "search":
        time.sleep(0.4 * chance)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    folder = run_folder(tmp_path)
    assert not (folder / "result.json").exists(), "it was killed too late"
    kept = evaluations(tmp_path)
    assert (kept > 0) == (moment != "training")
    options = ["--resume"] if by == "--resume" else ["--out", str(folder)]
    done = subprocess.run(
        [sys.executable, "-m", "cimspec", "run", str(ROOT / "specs/tiny.cim"), *CAUGHT, *options],
        cwd=tmp_path, capture_output=True, text=True, timeout=300,
        env={**os.environ, "PYTHONPATH": str(ROOT), "CIMSPEC_CACHE": str(tmp_path / "cache")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [each.name for each in (tmp_path / "runs").iterdir()] == [folder.name]
    assert found(folder) == result
    assert evaluations(tmp_path) == all_of_them >= kept
