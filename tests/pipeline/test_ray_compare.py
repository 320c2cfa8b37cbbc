"""A comparison on a Ray cluster that loses a worker on the way is the one made in this process, but for its times.

Slow, since a cluster takes seconds to start: run with `-m slow`.
"""

import json
import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from watching import below, is_running, wait_until

from cimspec import load_spec
from cimspec.pipeline.comparing import compare
from cimspec.pipeline.executors import on_ray
from cimspec.pipeline.executors.ray_cluster import RayExecutor, answer_on_node
from cimspec.pipeline.executors.repeating import Death
from cimspec.report import ComparisonReport

pytestmark = [pytest.mark.slow, pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")]

TINY = Path(__file__).parents[2] / "specs/tiny.cim"
SMALL = ("training.epochs=1", "search.budget=30", "search.seeds=2", "search.training_seeds=2")
TIMES = {"seconds", "scoring_seconds", "own_ms_per_evaluation"}


def without_times(value):
    """The JSON of a report, but for how long things took."""
    if isinstance(value, dict):
        return {key: without_times(own) for key, own in value.items() if key not in TIMES}
    return [without_times(own) for own in value] if isinstance(value, list) else value


def trials(report: ComparisonReport) -> list:
    return [(run.method, run.training_seed, run.search_seed, run.trials) for run in report.runs]


def at_work() -> list[int]:
    """Workers of Ray, started from here, that are doing a task: their titles say so."""
    title = f"ray::{answer_on_node.__name__}".encode()
    return [process for process in sorted(below(os.getpid())) if command(process).startswith(title)]


def command(process: int) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


def test_a_worker_that_is_killed_changes_nothing(cluster, monkeypatch):
    spec = load_spec(TINY, SMALL)
    killed: list[int] = []
    deaths: list[Death] = []
    outcome_of = RayExecutor._outcome

    def noted(executor: RayExecutor, task: object) -> bytes | Death:
        outcome = outcome_of(executor, task)
        if isinstance(outcome, Death):
            deaths.append(outcome)
        return outcome

    def kill_one(done: int, total: int, text: str) -> None:
        """In the midst of the searches; and again, should the worker have been done by then."""
        if text == "searches" and 2 <= done < total - 2 and not deaths:
            wait_until(at_work)
            for process in at_work()[:1]:
                os.kill(process, signal.SIGKILL)
                killed.append(process)

    monkeypatch.setattr(RayExecutor, "_outcome", noted)
    with on_ray(cluster.address) as executor:
        there = compare(spec, 3, None, kill_one, executor=executor, workers=2, reaches_folder=False, optimum=20)
    here = compare(spec, 3, optimum=20)

    assert killed
    assert not any(map(is_running, killed))
    assert {death.cause.partition(":")[0] for death in deaths} == {"WorkerCrashedError"}
    assert len(deaths) <= len(killed)  # of two, where another answer came before the first death was told
    assert len(there.runs) == len(spec.search.methods) * 2 * 2
    assert trials(there) == trials(here)
    assert there.arenas == here.arenas
    assert without_times(there.as_json()) == without_times(here.as_json())  # the curves, too


def test_the_command_has_the_same_numbers_with_ray(tmp_path):
    def compared(*options: str) -> dict:
        sets = [part for override in (*SMALL, "search.budget=10") for part in ("--set", override)]
        line = [sys.executable, "-m", "cimspec", "compare", str(TINY), *sets, "--json", *options]
        done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    here, there = compared("--out", "here"), compared("--executor", "ray", "--workers", "2", "--out", "there")
    assert without_times(there) == without_times(here)
    assert here["runs"]
    written = json.loads((tmp_path / "there/comparison.json").read_text())
    assert written == there
