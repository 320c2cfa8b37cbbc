"""Several runs of one spec in one table."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from cimspec.graph import Policy, Precision
from cimspec.report.seeds import SeedsReport, seeds_table
from cimspec.search.finalists import Comparison
from tests.report.programs import small_program
from tests.report.test_page import costed, outcome, searched

PROGRAM = small_program(2)
POLICY = Policy(("c", "f"), (Precision(4, 4), Precision(4, 4)))


def run(seed: int, speedup: float, gained: int, lost: int, draws: int = 1, **changes):
    """The best is that of rl; evolution always finds 2.25x at 6 of 1000 images lost net."""
    best = replace(
        outcome("rl", speedup, POLICY), test=Comparison(1000, gained, lost, draws), accuracy_by_draw=(0.97,) * draws
    )
    methods = {"rl": best, "evolution": outcome("evolution", 2.25, POLICY)}
    return replace(searched(PROGRAM), seed=seed, best=best, methods=methods, **changes)


def three() -> SeedsReport:
    return SeedsReport.of([run(0, 2.0, 3, 9), run(4, 3.0, 5, 1), run(7, 4.0, 2, 2, uniform=None)])


def test_lines_by_hand():
    report = three()
    assert report.seeds == (0, 4, 7)
    assert [line.name for line in report.lines] == ["best", "uniform", "rl", "evolution"]
    best, uniform, rl, _ = report.lines
    assert [each.loss_pp for each in best.outcomes] == pytest.approx([0.6, -0.4, 0.0])
    assert rl.outcomes == best.outcomes
    assert (best.slowest.seed, best.worst.seed) == (0, 0)
    assert uniform.outcomes[2] is None
    assert [each.seed for each in uniform.found] == [0, 4]


def test_the_table_by_hand():
    console = Console(file=io.StringIO(), width=160)
    console.print(seeds_table(three()))
    lines = [" ".join(line.split()) for line in console.file.getvalue().splitlines()]
    assert lines[0] == (
        "latency speedup by seed mean least (seed) test loss by seed (pp) mean largest (seed) images gained and lost"
    )
    # s = 1: 4.303 / sqrt(3); losses 0.6, -0.4, 0.0: mean 0.067, s = 0.503
    assert lines[1] == "best 2.00 3.00 4.00 3.00 ± 2.48 2.00 (0) +0.6 -0.4 +0.0 0.07 ± 1.25 +0.6 (0) +3-9 +5-1 +2-2"
    assert lines[2] == "uniform 2.00 2.00 - 2.00 ± 0.00 2.00 (0) +0.6 +0.6 - 0.60 ± 0.00 +0.6 (0) +3-9 +3-9 -"
    assert "8/8 test accuracy by seed (%): 97.6 97.6 97.6; mean 97.60 ± 0.00." in lines
    assert any("means are over the others" in line for line in lines)


def test_images_are_means_over_chips():
    (best, *_) = SeedsReport.of([run(0, 2.0, 6, 15, draws=3)]).lines
    assert (best.outcomes[0].gained, best.outcomes[0].lost) == (2.0, 5.0)
    assert best.outcomes[0].loss_pp == pytest.approx(0.3)


def test_the_json_by_hand():
    found = json.loads(json.dumps(three().as_json(), allow_nan=False))
    assert (found["schema"], found["seeds"], found["minimize"]) == (1, [0, 4, 7], "latency")
    assert found["baseline_accuracy"]["mean"] == pytest.approx(0.976)
    best, uniform, *_ = found["lines"]
    assert best["speedup"] == {"mean": 3.0, "half_width_95": pytest.approx(2.4841, rel=1e-4)}
    assert (best["found"], best["seed_of_least_speedup"], best["seed_of_largest_loss"]) == (3, 0, 0)
    assert uniform["found"] == 2
    assert uniform["by_seed"][2] is None
    assert best["by_seed"][1] == {
        "seed": 4, "speedup": 3.0, "accuracy_loss_pp": pytest.approx(-0.4), "images_gained": 5, "images_lost": 1,
    }  # fmt: skip


def test_a_method_that_never_found_anything_has_a_line():
    methods = {"rl": None}
    report = SeedsReport.of([replace(run(seed, 2.0, 0, 0), methods=methods) for seed in (0, 1)])
    assert report.lines[2].as_json()["speedup"] is None
    console = Console(file=io.StringIO(), width=160)
    console.print(seeds_table(report))
    assert any(line.split()[:3] == ["rl", "none", "-"] for line in console.file.getvalue().splitlines())


@pytest.mark.parametrize(
    ("reports", "reason"),
    [
        ([run(0, 2.0, 0, 0), run(1, 2.0, 0, 0, spec_digest="other")], "not of one spec"),
        ([], "not of one spec"),
        ([run(1, 2.0, 0, 0), run(1, 2.0, 0, 0)], "twice: 1, 1"),
        ([costed(PROGRAM)], "no data"),
    ],
)
def test_runs_that_do_not_belong_together_are_refused(reports, reason: str):
    with pytest.raises(ValueError, match=reason):
        SeedsReport.of(reports)
