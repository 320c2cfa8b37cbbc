"""Comparisons: the same trials whoever makes them, nothing measured twice, and what is announced before they start."""

import re
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from cimspec import load_spec
from cimspec.graph import Policy
from cimspec.pipeline.comparing import compare, estimate
from cimspec.pipeline.executors import in_processes
from cimspec.pipeline.tasks import Network, Shared, train_network
from cimspec.pipeline.workbench import Workbench
from cimspec.report import ComparisonReport
from cimspec.search.evaluation import Score
from cimspec.spec import Spec

pytestmark = pytest.mark.slow

TINY = Path(__file__).parents[2] / "specs/tiny.cim"


def small(*overrides: str) -> Spec:
    return load_spec(TINY, (
        "training.epochs=1", "search.budget=8", "search.methods=[rl, random]", "search.seeds=2",
        "search.training_seeds=2", "search.weight_bits=[3, 5, 8]", "search.activation_bits=[3, 8]",
        "search.kl_limits=[0.5]", *overrides,
    ))  # fmt: skip


def timed(network: Network, seconds: float) -> Network:
    """The network, as if an evaluation took so long."""
    return replace(network, seconds_per_evaluation=seconds)


def found(report: ComparisonReport) -> tuple:
    """All but times."""
    runs = [(run.method, run.training_seed, run.search_seed, run.trials) for run in report.runs]
    return runs, report.arenas, report.baseline_values, report.goal_names


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, Policy]]:
    """Seed and policy of each measurement that this process makes."""
    made = []
    score = Workbench.score

    def counted(bench: Workbench, policy: Policy) -> Score:
        made.append((bench.seed, policy))
        return score(bench, policy)

    monkeypatch.setattr(Workbench, "score", counted)
    return made


def test_every_method_runs_with_every_seed_on_every_network():
    report = compare(small(), seed=5)
    runs = [(run.method, run.training_seed, run.search_seed) for run in report.runs]
    assert runs == [(method, training, seed) for method in ("rl", "random") for training in (5, 6) for seed in (0, 1)]
    assert [arena.training_seed for arena in report.arenas] == [5, 6]
    assert all(1 <= len({trial.policy for trial in run.trials}) == len(run.trials) <= 8 for run in report.runs)
    # Networks differ, and so do draws: neither seed repeats another one's trials.
    by_seeds = {(run.training_seed, run.search_seed): run.trials for run in report.runs_of("random")}
    assert len({tuple(trial.choice for trial in trials) for trials in by_seeds.values()}) == 4
    assert report.arenas[0].uniform != report.arenas[1].uniform
    assert [arena.optima for arena in report.arenas] == [(None,), (None,)]


def test_workers_find_what_one_process_finds(tmp_path):
    with in_processes(2) as executor:
        shared = compare(small(), out=tmp_path / "shared", executor=executor, workers=2, optimum=30)
        apart = compare(small(), out=tmp_path / "apart", executor=executor, reaches_folder=False, optimum=30)
    alone = compare(small(), optimum=30)
    assert found(shared) == found(apart) == found(alone)
    assert all(optimum.evaluations <= 30 for arena in alone.arenas for optimum in arena.optima)
    assert (tmp_path / "shared/evaluations.sqlite").exists()
    assert not (tmp_path / "apart/evaluations.sqlite").exists()


def test_nothing_is_measured_twice(measured: list, tmp_path):
    first = compare(small(), out=tmp_path)
    assert len(measured) == len(set(measured)) > 0
    with sqlite3.connect(tmp_path / "evaluations.sqlite") as database:
        assert database.execute("SELECT COUNT(*) FROM scores").fetchone() == (len(measured),)
    database.close()
    measured.clear()
    again = compare(small(), out=tmp_path)
    assert measured == []
    assert found(again) == found(first)
    assert all(run.scoring_seconds == 0 for run in again.runs)


def test_what_other_images_scored_is_measured_again(tmp_path):
    few, more = (small("search.training_seeds=1", f"search.scored={share} %") for share in (25, 50))
    compare(few, out=tmp_path)
    assert found(compare(more, out=tmp_path)) == found(compare(more))


@pytest.mark.parametrize(("networks", "prepared"), [(1, [0]), (2, [0, 1, 0, 1])])
def test_a_network_is_searched_on_by_whoever_trained_it_last(monkeypatch, networks: int, prepared: list):
    seeds = []
    prepare = Workbench.prepare.__func__

    def noted(cls: type, spec: Spec, seed: int, *arguments: object, **options: object) -> Workbench:
        seeds.append(seed)
        return prepare(cls, spec, seed, *arguments, **options)

    monkeypatch.setattr(Workbench, "prepare", classmethod(noted))
    compare(small(f"search.training_seeds={networks}"))
    assert seeds == prepared  # two are trained, then the first one is searched on


def test_a_budget_counts_what_another_method_measured_already(tmp_path):
    # The same trials, whether their scores were there before or not.
    whole = compare(small("search.methods=[random, rl]", "search.training_seeds=1"), out=tmp_path)
    alone = compare(small("search.methods=[rl]", "search.training_seeds=1"))
    assert [run.trials for run in whole.runs_of("rl")] == [run.trials for run in alone.runs_of("rl")]


def test_what_it_may_take_is_announced_once_networks_are_trained_and_nothing_is_searched():
    events = []
    compare(small(), announce=events.append, progress=lambda done, total, text: events.append((text, done, total)))
    (announced,) = (each for each in events if isinstance(each, str))
    assert re.fullmatch(r"8 searches of 8 evaluations, \d+ ms each, 1 at a time: about \d+ s at most", announced)
    place = events.index(announced)
    assert ("networks", 2, 2) in events[:place]
    assert not {"rl", "random", "searches"} & {each[0] for each in events[:place]}
    assert ("searches", 8, 8) in events[place:]


def test_the_estimate_is_the_sum_of_all_searches_shared_among_workers():
    spec = small("search.methods=[random, ddpg]", "search.budget=1000", "search.seeds=5", "search.training_seeds=3")
    network = train_network(Shared(small(), small().search, "cpu", None), 0)
    fast, slow = (timed(network, seconds) for seconds in (0.1, 0.3))
    # (0.2 s + 1 ms) + (0.2 s + 60 ms) for each of 1000 evaluations, 5 seeds, 3 networks: 6915 s by two workers.
    wanted = "30 searches of 1000 evaluations, 200 ms each, 2 at a time: about 58 min at most"
    assert estimate(spec.search, [fast, slow, timed(network, 0.2)], workers=2) == wanted
    assert estimate(spec.search, [timed(network, 0.0)] * 3, workers=8).endswith("about 114 s at most")


def test_an_optimum_is_proven_or_bounded():
    report = compare(small("search.training_seeds=1", "search.kl_limits=[0.5, 0.000001]"), optimum=1000)
    (arena,) = report.arenas
    easy, hopeless = arena.optima
    goal = arena.goals[0]
    best = min(goal.objective(trial.values) for run in report.runs for trial in goal.feasible(run.trials))
    assert easy.value == easy.lower_bound <= best
    assert (hopeless.value, hopeless.lower_bound) == (None, float("inf"))
    given_up = compare(small("search.training_seeds=1"), optimum=1).arenas[0].optima[0]
    if given_up.value is None:
        assert (given_up.evaluations, given_up.lower_bound <= easy.value) == (1, True)
