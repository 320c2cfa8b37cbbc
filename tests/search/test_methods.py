"""Search methods: they keep their budget, repeat for a seed, and find what can be found."""

import random
from functools import cache

import numpy as np
import pytest

from cimspec.diag import CimError
from cimspec.search.damage import DamageModel
from cimspec.search.evaluation import Account, Score
from cimspec.search.goal import AccuracyLimit, DivergenceLimit, Goal
from cimspec.search.methods import search_method
from cimspec.search.probes import probe, probe_choices, start_from_probes
from cimspec.spec.search import Method, Metric
from tests.search.toy import (
    LIMIT,
    account,
    every_choice,
    goal,
    optimum,
    toy_pipeline,
    toy_score,
    toy_space,
    two_metrics,
)

THREE_LAYERS = toy_space(3)
QUICK = [method for method in Method if method not in (Method.DDPG, Method.MASKABLE_PPO)]
DRAWING = [Method.RL, Method.EVOLUTION, Method.NSGA2, Method.RANDOM]


FOUR_LAYERS = toy_space(4)  # 390,625 policies


@cache
def least_time_of_four() -> float:
    return optimum(FOUR_LAYERS)


def best_time(mine: Account, limit: float = LIMIT) -> float:
    return goal(limit).best(mine.trials).values[0]


@pytest.mark.parametrize("method", QUICK)
@pytest.mark.parametrize("budget", [1, 7, 60])
def test_a_method_keeps_its_budget_of_distinct_evaluations(method: Method, budget: int):
    mine = account(THREE_LAYERS, budget)
    search_method(method)(mine, (goal(LIMIT), goal(2 * LIMIT)), 0)
    assert 1 <= mine.spent <= budget
    assert len({trial.policy for trial in mine.trials}) == mine.spent


@pytest.mark.parametrize("method", DRAWING)
def test_a_search_repeats_for_its_seed_and_leaves_shared_generators_alone(method: Method):
    random.seed(5)
    state = random.getstate()
    runs = []
    for _ in range(2):
        mine = account(THREE_LAYERS, 60)
        search_method(method)(mine, (goal(),), 3)
        runs.append([trial.choice for trial in mine.trials])
        assert random.getstate() == state
    assert runs[0] == runs[1]
    other = account(THREE_LAYERS, 60)
    search_method(method)(other, (goal(),), 4)
    assert [trial.choice for trial in other.trials] != runs[0]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_the_agent_finds_the_optimum_of_a_small_problem(seed: int):
    mine = account(FOUR_LAYERS, 150)
    search_method(Method.RL)(mine, (goal(),), seed)
    assert best_time(mine) == least_time_of_four()


@pytest.mark.parametrize("seed", range(3))
def test_the_agent_finds_the_optimum_under_a_limit_on_accuracy(seed: int):
    least = toy_score(THREE_LAYERS.policy(THREE_LAYERS.widest())).accuracy - 0.04
    mine = account(THREE_LAYERS, 150)
    wanted = Goal(AccuracyLimit(least, 4.0), (1.0,))
    search_method(Method.RL)(mine, (wanted,), seed)
    feasible = [c for c in every_choice(THREE_LAYERS) if toy_score(THREE_LAYERS.policy(c)).accuracy >= least]
    assert wanted.best(mine.trials).values == min(THREE_LAYERS.values(choice) for choice in feasible)


def test_evolution_finds_the_optimum_of_a_small_problem():
    mine = account(THREE_LAYERS, 600)
    search_method(Method.EVOLUTION)(mine, (goal(),), 0)
    assert best_time(mine) == optimum(THREE_LAYERS)


def test_nsga2_comes_close_to_the_optimum_while_it_spreads_along_the_front():
    mine = account(THREE_LAYERS, 600)
    search_method(Method.NSGA2)(mine, (goal(),), 0)
    assert optimum(THREE_LAYERS) <= best_time(mine) <= 1.25 * optimum(THREE_LAYERS)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "budget"),
    [(Method.RL, 60), (Method.EVOLUTION, 300), (Method.EXACT, 729), (Method.RANDOM, 729)],
)
@pytest.mark.parametrize("crossbars", [5, 12, 40])
def test_the_optimum_of_a_pipeline_is_found(method: Method, budget: int, crossbars: int):
    # 5 crossbars hold no copy of all layers, 12 only where weights are narrow, 40 always. There are 9^3 = 729 policies.
    space = toy_pipeline(crossbars)
    mine = account(space, budget)
    search_method(method)(mine, (goal(),), 0)
    assert best_time(mine) == optimum(space)


@pytest.mark.parametrize("method", [Method.EVOLUTION, Method.GREEDY, Method.RL])
def test_searching_beats_drawing_at_random(method: Method):
    space = toy_space(4)

    def mean_latency(which: Method) -> float:
        found = []
        for seed in range(3):
            mine = account(space, 150)
            search_method(which)(mine, (goal(),), seed)
            found.append(best_time(mine))
        return float(np.mean(found))

    assert mean_latency(method) < mean_latency(Method.RANDOM)


def test_random_search_covers_a_space_smaller_than_its_budget():
    mine = account(toy_space(1), 1000)
    search_method(Method.RANDOM)(mine, (goal(),), 0)
    assert mine.spent == 25
    assert best_time(mine) == optimum(toy_space(1))


@pytest.mark.parametrize("method", QUICK)
def test_a_search_ends_where_the_whole_space_is_known(method: Method):
    mine = account(toy_space(1), 1000)
    search_method(method)(mine, (goal(),), 0)
    assert mine.spent <= 25
    if method is not Method.GREEDY:  # which stops in the first dead end
        assert best_time(mine) == optimum(toy_space(1))


@pytest.mark.parametrize("method", [Method.RL, Method.EVOLUTION, Method.EXACT])
def test_products_of_metrics_are_made_small(method: Method):
    space = two_metrics(3)
    wanted = Goal(DivergenceLimit(LIMIT), (1.0, 0.5))
    mine = Account(space, toy_score, {Method.RL: 150, Method.EXACT: 20_000}.get(method, 900))
    search_method(method)(mine, (wanted,), 1)
    feasible = [choice for choice in every_choice(space) if toy_score(space.policy(choice)).kl <= LIMIT]
    least = min(wanted.objective(space.values(choice)) for choice in feasible)
    assert wanted.objective(wanted.best(mine.trials).values) == pytest.approx(least)


def test_probes_narrow_one_layer_at_a_time():
    widest, *others = [choice for _, choice in probe_choices(THREE_LAYERS)]
    assert THREE_LAYERS.policy(widest).precisions == ((8, 8),) * 3
    # Four weight widths below 8, and 2 and 4 bits of activations, in each of three layers.
    assert len(others) == len(set(others)) == 3 * (4 + 2)
    for choice in others:
        changed = [each for each in THREE_LAYERS.policy(choice).precisions if each != (8, 8)]
        assert len(changed) == 1
        assert 8 in changed[0]


def test_shared_probes_count_and_are_the_same_for_all():
    runs = []
    for method in (Method.RL, Method.EVOLUTION):
        mine = account(THREE_LAYERS, 60)
        start_from_probes(mine, (goal(),))
        started = mine.trials
        assert 19 < len(started) <= 19 + 12
        search_method(method)(mine, (goal(),), 0)
        assert mine.trials[: len(started)] == started
        runs.append(started)
    assert runs[0] == runs[1]


def test_the_agent_learns_from_what_others_evaluated():
    mine = account(THREE_LAYERS, 60)
    _, prior = probe(mine)
    model = DamageModel(THREE_LAYERS, prior, mine.trials[0].score)
    for trial in mine.trials:
        model.observe(trial)
    drawn = model.sample(np.random.default_rng(0))
    assert [len(table) for table in drawn] == [25, 25, 25]


def test_trade_offs_between_two_metrics_are_found():
    space = two_metrics(2)
    goals = tuple(Goal(DivergenceLimit(LIMIT), weights) for weights in ((1.0, 0.0), (0.5, 0.5), (0.0, 1.0)))
    mine = Account(space, toy_score, 200)
    search_method(Method.RL)(mine, goals, 0)
    feasible = [choice for choice in every_choice(space) if toy_score(space.policy(choice)).kl <= LIMIT]
    for wanted in goals:
        least = min(wanted.objective(space.values(choice)) for choice in feasible)
        assert wanted.objective(wanted.best(mine.trials).values) == pytest.approx(least)
    assert space.metrics == (Metric.LATENCY, Metric.ENERGY)


@pytest.mark.parametrize("method", QUICK)
def test_a_goal_that_nothing_meets_ends_and_leaves_nothing_feasible(method: Method):
    mine = Account(THREE_LAYERS, lambda policy: Score(1.0 + toy_score(policy).kl, 0.1), 80)
    search_method(method)(mine, (goal(),), 0)
    assert goal().best(mine.trials) is None
    assert mine.spent <= 80


def test_an_unknown_method_is_a_diagnostic():
    with pytest.raises(CimError, match="CIM611"):
        search_method("evolutoin")
