"""Search methods: they keep their budget, repeat for a seed, and find what can be found."""

import random

import numpy as np
import pytest

from cimspec.search.evaluation import fastest_under
from cimspec.search.methods import search_method
from cimspec.spec.search import Method
from tests.search.toy import LIMIT, account, optimum, toy_pipeline, toy_space

THREE_LAYERS = toy_space(3)


@pytest.mark.parametrize("method", Method)
@pytest.mark.parametrize("budget", [1, 7, 60])
def test_a_method_keeps_its_budget_of_distinct_evaluations(method: Method, budget: int):
    mine = account(THREE_LAYERS, budget)
    search_method(method)(mine, (LIMIT, 2 * LIMIT), 0)
    assert 1 <= mine.spent <= budget
    assert len({trial.policy for trial in mine.trials}) == mine.spent


@pytest.mark.parametrize("method", Method)
def test_a_search_repeats_for_its_seed_and_leaves_shared_generators_alone(method: Method):
    random.seed(5)
    state = random.getstate()
    runs = []
    for _ in range(2):
        mine = account(THREE_LAYERS, 60)
        search_method(method)(mine, (LIMIT,), 3)
        runs.append([trial.choice for trial in mine.trials])
        assert random.getstate() == state
    assert runs[0] == runs[1]
    other = account(THREE_LAYERS, 60)
    search_method(method)(other, (LIMIT,), 4)
    assert [trial.choice for trial in other.trials] != runs[0]


@pytest.mark.parametrize("seed", range(3))
def test_the_agent_finds_the_optimum_of_a_small_problem(seed: int):
    space = toy_space(4)  # 390,625 policies
    mine = account(space, 150)
    search_method(Method.RL)(mine, (LIMIT,), seed)
    assert fastest_under(mine.trials, LIMIT).time_ns == optimum(space)


def test_evolution_finds_the_optimum_of_a_small_problem():
    mine = account(THREE_LAYERS, 600)
    search_method(Method.EVOLUTION)(mine, (LIMIT,), 0)
    assert fastest_under(mine.trials, LIMIT).time_ns == optimum(THREE_LAYERS)


@pytest.mark.parametrize(("method", "budget"), [(Method.RL, 40), (Method.EVOLUTION, 300), (Method.RANDOM, 729)])
@pytest.mark.parametrize("crossbars", [5, 12, 40])
def test_the_optimum_of_a_pipeline_is_found(method: Method, budget: int, crossbars: int):
    # 5 crossbars hold no copy of all layers, 12 only where weights are narrow, 40 always. There are 9^3 = 729 policies.
    space = toy_pipeline(crossbars)
    mine = account(space, budget)
    search_method(method)(mine, (LIMIT,), 0)
    assert fastest_under(mine.trials, LIMIT).time_ns == optimum(space)


@pytest.mark.parametrize("method", [Method.EVOLUTION, Method.RL])
def test_searching_beats_drawing_at_random(method: Method):
    space = toy_space(4)

    def mean_latency(which: Method) -> float:
        found = []
        for seed in range(3):
            mine = account(space, 150)
            search_method(which)(mine, (LIMIT,), seed)
            found.append(fastest_under(mine.trials, LIMIT).time_ns)
        return float(np.mean(found))

    assert mean_latency(method) < mean_latency(Method.RANDOM)


def test_random_search_covers_a_space_smaller_than_its_budget():
    space = toy_space(1)
    mine = account(space, 1000)
    search_method(Method.RANDOM)(mine, (LIMIT,), 0)
    assert mine.spent == space.size == 25
