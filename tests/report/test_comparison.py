"""Comparisons of methods: gains, regret, tests and effort, against figures worked out by hand."""

import io
import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from cimspec.report.comparison import Optimum, SearchRun
from cimspec.report.comparison_table import comparison_table, effort_table, goal_table, goal_title, notes
from cimspec.report.standing import Curve
from cimspec.report.view import view_of
from cimspec.search.goal import AccuracyLimit, DivergenceLimit, Goal
from tests.report.comparisons import BASELINE_NS, arena, comparison, large_comparison, search_run, trial


def two_methods(**changes):
    """Gains: rl 1, 2, 2, 4 and 1, 1, 3, 3; random 1, 1, 2, 2 and 1, 1, 1, 3."""
    runs = [
        search_run("rl", [1200, 600, 800, 300], (0, 0)),
        search_run("rl", [1200, 1200, 400, 400], (0, 1)),
        search_run("random", [1200, 1300, 600, 1200], (0, 0), seconds=4.0),
        search_run("random", [1200, 1200, 1300, 400], (0, 1), seconds=6.0),
    ]
    return comparison(runs, **changes)


def printed(renderable) -> str:
    console = Console(file=io.StringIO(), width=160)
    console.print(renderable)
    return console.file.getvalue()


def test_a_gain_is_the_best_feasible_one_so_far():
    (goal,) = arena().goals
    trials = (trial(1000, kl=0.05), trial(100, kl=0.11), trial(500, kl=0.1), trial(600), trial(400))
    curve = comparison([]).curve(goal, trials)
    # 100 ns diverge too much; 1200 / 1000, 1200 / 500, 1200 / 400
    assert curve.points == ((0, 1.0), (1, 1.2), (3, 2.4), (5, 3.0))
    assert [curve.at(count) for count in range(7)] == [1.0, 1.2, 1.2, 2.4, 2.4, 3.0, 3.0]


def test_nothing_feasible_leaves_8_8_bits():
    (result,) = comparison([SearchRun("rl", 0, 0, (trial(100, kl=0.2), trial(1500)), 1.0, 0.5)]).results()
    assert result.standings[0].gains(4) == (1.0,)


@given(st.lists(st.none() | st.floats(0.1, 10), max_size=30), st.integers(0, 40))
def test_a_curve_is_the_running_maximum(gains: list[float | None], count: int):
    assert Curve.of(gains).at(count) == max([1.0, *(gain for gain in gains[:count] if gain)])


def test_gains_regret_and_tests_by_hand():
    (result,) = two_methods().results()
    rl, random = result.standings
    assert [rl.gains(count) for count in (1, 2, 3, 4)] == [(1, 1), (2, 1), (2, 3), (4, 3)]
    assert [random.gains(count) for count in (2, 3, 4)] == [(1, 1), (2, 1), (2, 3)]
    assert result.uniform == (2.0,)  # 600 ns; 100 ns diverge too much
    (best,) = result.best
    assert (best.gain, best.is_proven, best.gap) == (4.0, False, None)
    assert rl.regrets == pytest.approx((0, 4 / 3 - 1))  # 300 ns is the best known
    assert random.regrets == pytest.approx((1, 4 / 3 - 1))
    assert rl.paired is None
    # Ratios 2/4 and 3/3: the tie says nothing, one difference is as likely of either sign.
    assert (random.paired.pairs, random.paired.ratio, random.paired.p) == (2, pytest.approx(math.sqrt(0.5)), 1.0)


def test_runs_are_paired_by_both_seeds():
    # random / rl: 2/4, 2/3, 3/3.5 and 3/6, always below; runs are not in the same order, and one has no partner.
    rl = {(0, 0): 300, (0, 1): 400, (1, 0): BASELINE_NS / 3.5, (1, 1): 200, (0, 2): 100}
    random = {(1, 1): 400, (1, 0): 400, (0, 1): 600, (0, 0): 600}
    runs = [search_run("rl", [time], seeds) for seeds, time in rl.items()]
    runs += [search_run("random", [time], seeds) for seeds, time in random.items()]
    (result,) = comparison(runs, [arena(0), arena(1)]).results()
    paired = result.standings[1].paired
    assert (paired.pairs, paired.p) == (4, 2 / 16)
    assert paired.ratio == pytest.approx((2 / 4 * 2 / 3 * 3 / 3.5 * 3 / 6) ** (1 / 4))


def test_regret_is_to_the_proven_optimum_where_there_is_one():
    proven, bounded = Optimum(240.0, 900, 240.0), Optimum(None, 900, 200.0)
    runs = [search_run("rl", [242.0], (0, 0)), search_run("rl", [240.0], (0, 1)), search_run("rl", [250.0], (1, 0))]
    (result,) = comparison(runs, [arena(0, proven), arena(1, bounded)]).results()
    known, unproven = result.best
    assert (known.gain, known.is_proven, known.gap) == (5.0, True, 0.0)
    assert (unproven.gain, unproven.is_proven, unproven.gap) == (4.8, False, pytest.approx(0.25))  # 250 over 200
    (rl,) = result.standings
    assert rl.regrets == pytest.approx((2 / 240, 0, 0))
    assert [run.is_best for run in rl.runs] == [False, True, True]
    assert all(run.is_near for run in rl.runs)
    text = " ".join(notes(comparison(runs, [arena(0, proven), arena(1, bounded)]), (result,)))
    assert "at most 25.0 % above the least" in text


def test_uniform_bits_may_be_the_best_known():
    (result,) = comparison([search_run("rl", [800])], [arena(uniform_ns=400)]).results()
    assert result.best[0].gain == 3.0
    assert result.standings[0].regrets == pytest.approx((1.0,))


def test_over_networks_each_one_counts_once():
    runs = [search_run("rl", [time], (0, seed)) for seed, time in enumerate([300, 300, 300])]
    runs.append(search_run("rl", [600], (1, 0)))
    (result,) = comparison(runs, [arena(0), arena(1)]).results()
    (rl,) = result.standings
    assert rl.over_runs(4).mean == (4 + 4 + 4 + 2) / 4
    assert rl.over_networks(4).mean == (4 + 2) / 2
    assert rl.over_networks(4).half_width == pytest.approx(12.7062)  # s / sqrt(2) = 1, one degree of freedom


def test_goals_of_each_network_are_its_own():
    """A limit on accuracy depends on the network's own 8/8 accuracy."""
    goals = [Goal(AccuracyLimit(least, 0.5), (1.0,)) for least in (0.96, 0.98)]
    arenas = [replace(arena(seed), goals=(goal,)) for seed, goal in enumerate(goals)]
    runs = [search_run("rl", [300], (seed, 0)) for seed in (0, 1)]  # accuracy 0.97
    (result,) = comparison(runs, arenas).results()
    assert result.standings[0].gains(4) == (4.0, 1.0)


def test_a_product_of_metrics_is_compared_by_its_powers():
    goal = Goal(DivergenceLimit(0.1), (1.0, 0.5))
    both = replace(trial(600), values=(600.0, 25.0))
    own = replace(arena(), goals=(goal,), uniform=(both,))
    report = comparison([], [own], metrics=("latency", "energy"), baseline_values=(1200.0, 100.0))
    assert report.gain(goal, both) == pytest.approx(2 * math.sqrt(4))


def test_with_trade_offs_goals_say_what_is_made_small():
    goals = tuple(Goal(DivergenceLimit(0.1), weights) for weights in ((1.0, 0.0), (0.5, 0.5)))
    both = replace(trial(600), values=(600.0, 25.0))
    own = replace(arena(), goals=goals, uniform=(both,), optima=(None, None))
    report = comparison(
        [SearchRun("rl", 0, 0, (both,), 1.0, 0.5)], [own], goal_names=("latency, a", "latency^0.5 * energy^0.5, a"),
        metrics=("latency", "energy"), baseline_values=(1200.0, 100.0),
    )  # fmt: skip
    assert [goal_title(report, result) for result in report.results()] == [
        "Gain over 8/8 bits, latency, a", "Gain over 8/8 bits, latency^0.5 * energy^0.5, a",
    ]  # fmt: skip
    assert [result.standings[0].gains(4) for result in report.results()] == [(2.0,), (pytest.approx(8**0.5),)]


def test_effort_by_hand():
    rl, random = view_of("", effort_table(two_methods())).rows
    # 4 evaluations in 2 s, a quarter of it scoring: 1.5 s / 4
    assert rl.cells == ("rl", "2", "4", "2.0", "375.0")
    assert random.cells == ("random", "2", "4", "5.0", "937.5")


def test_the_table_by_hand():
    report = two_methods(budget=70)
    (result,) = report.results()
    view = view_of("", goal_table(report, result))
    assert view.headers == (
        *("method", "after 60", "after 70", "regret (%)", "worst (%)", "at best known", "within 1 %", "/ rl", "p"),
    )
    interval = "3.50 ± 6.35"  # of 4 and 3: 12.706 * 0.5
    assert view.rows[0].cells == ("rl", interval, interval, "16.67", "33.33", "1 of 2", "1 of 2", "", "")
    random = ("random", "2.50 ± 6.35", "2.50 ± 6.35", "66.67", "100.00", "0 of 2", "0 of 2", "0.707", "1")
    assert view.rows[1].cells == random
    assert [row.cells[:3] for row in view.rows[2:]] == [("uniform bits", "", "2.00"), ("best known", "", "4.00")]
    assert [row.style for row in view.rows] == ["", "", "total", ""]


def test_the_terminal_says_what_figures_are():
    text = printed(comparison_table(two_methods()))
    assert "Gain over 8/8 bits in latency, divergence <= 0.1 nats" in text
    words = " ".join(text.split())
    assert "2 pairs cannot show less than 0.5" in words
    assert "All runs share one trained network" in words
    several = " ".join(printed(comparison_table(large_comparison(networks=2, searches=3, budget=150))).split())
    assert "over 2 networks" in several
    assert "runs are not independent of each other" in several
    assert "6 pairs cannot show less than 0.031" in several
    assert "an exhaustive search proved" in several


@pytest.mark.parametrize(
    ("budget", "readings"), [(4, (4,)), (60, (60,)), (300, (60, 150, 300)), (601, (60, 150, 300, 600, 601))]
)
def test_curves_are_read_off_up_to_the_budget(budget: int, readings: tuple[int, ...]):
    assert comparison([], budget=budget).readings == readings


def test_the_json_holds_everything():
    report = two_methods()
    found = json.loads(json.dumps(report.as_json(), allow_nan=False))
    assert found["schema"] == 1
    assert found["reference"] == "rl"
    assert (found["metrics"], found["baseline_values"]) == (["latency"], [1200.0])
    (goal,) = found["goals"]
    assert (goal["name"], goal["uniform_gain"], goal["best_gain"]) == ("divergence <= 0.1 nats", 2.0, 4.0)
    rl, random = goal["methods"]
    assert rl["gains"] == [{"evaluations": 4, "mean": 3.5, "half_width_95": pytest.approx(6.3531, rel=1e-4)}]
    assert (rl["runs"], rl["runs_at_best"], rl["runs_within_1_percent"], rl["against_reference"]) == (2, 1, 1, None)
    assert random["regret_percent"] == {"mean": pytest.approx(200 / 3), "worst": pytest.approx(100.0)}
    assert random["against_reference"] == {"pairs": 2, "ratio": pytest.approx(0.5**0.5), "p": 1.0, "least_p": 0.5}
    assert found["methods"][1] == {
        "method": "random", "evaluations": 4, "seconds": 5.0, "own_ms_per_evaluation": 937.5,
    }  # fmt: skip
    run = found["runs"][0]
    assert (run["method"], run["training_seed"], run["search_seed"], run["evaluations"]) == ("rl", 0, 0, 4)
    assert run["goals"][0]["curve"] == [[0, 1.0], [2, 2.0], [4, 4.0]]
    assert run["goals"][0]["best"]["values"] == [300]
    assert run["goals"][0]["best"]["policy"]["layers"] == [{"name": "c", "weight_bits": 4, "activation_bits": 4}]
    assert found["networks"][0]["goals"][0]["optimum"] is None


def test_proven_optima_are_in_the_json():
    found = comparison([search_run("rl", [300])], [arena(0, Optimum(None, 7, 200.0))]).as_json()
    assert found["networks"][0]["goals"][0]["optimum"] == {"value": None, "evaluations": 7, "lower_bound": 200.0}
    best = found["goals"][0]["networks"][0]["best"]
    assert best == {"gain": 4.0, "proven": False, "gap_percent": pytest.approx(50.0)}  # 300 over 200


def test_where_nothing_is_good_enough_there_is_no_gap():
    report = comparison([search_run("rl", [300])], [arena(0, Optimum(None, 7, float("inf")))])
    found = json.loads(json.dumps(report.as_json(), allow_nan=False))
    assert found["networks"][0]["goals"][0]["optimum"] == {"value": None, "evaluations": 7, "lower_bound": None}
    assert found["goals"][0]["networks"][0]["best"]["gap_percent"] is None
