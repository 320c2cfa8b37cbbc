"""Which finalist wins does not depend on what was made ahead."""

from concurrent.futures import Future
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cimspec.graph import Policy, Precision
from cimspec.pipeline import choosing
from cimspec.pipeline.choosing import choose
from cimspec.search.evaluation import Score, Trial
from cimspec.spec import Requirements

IMAGES = 100


def policy(bits: int) -> Policy:
    return Policy(("c",), (Precision(bits, bits),))


def trial(bits: int) -> Trial:
    return Trial((), policy(bits), (float(bits),), Score(0.0, 1.0, 0.0))


@dataclass
class Bench:
    """Candidates are made at once; one of `b` bits is wrong on `wrong[b]` of the images."""

    wrong: dict[int, int]
    cores: int
    graph: None = None
    started: list[int] = field(default_factory=list)
    is_stopped: bool = False

    @property
    def is_idle(self) -> bool:
        return len(set(self.started)) < self.cores

    @property
    def tuner(self) -> SimpleNamespace:
        return SimpleNamespace(stop=lambda: setattr(self, "is_stopped", True))

    def start(self, policy: Policy) -> Future[Any]:
        assert not self.is_stopped
        bits = policy.precisions[0].weight_bits
        self.started.append(bits)
        made: Future[Any] = Future()
        made.set_result(SimpleNamespace(validation_correct=(np.arange(IMAGES) >= self.wrong[bits])[None]))
        return made

    def candidate(self, policy: Policy) -> Any:
        return self.start(policy).result()


@pytest.fixture(autouse=True)
def eight_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing, "baseline_policy", lambda _graph: policy(8))


@pytest.mark.parametrize("cores", [1, 4, 99])
def test_the_first_that_loses_little_enough_wins_however_many_cores(cores: int):
    bench = Bench({2: 9, 3: 4, 4: 1, 5: 0, 8: 0}, cores)
    contenders = {"a": (trial(2), trial(3), trial(4), trial(5)), "b": (trial(3), trial(5)), "c": (trial(2),), "d": ()}
    chosen = choose(bench, contenders, Requirements(accuracy_loss_pp=1.0))  # type: ignore[arg-type]
    assert chosen == {"a": trial(4), "b": trial(5), "c": None, "d": None}
    assert bench.is_stopped


def test_where_8_bits_are_worse_the_required_accuracy_decides():
    # 8/8 bits are wrong on 20 of 100 images, so no policy here loses anything.
    contenders = {"a": (trial(2), trial(3), trial(4))}
    for required, bits in (
        (Requirements(accuracy_loss_pp=0.0), 2),
        (Requirements(accuracy=0.9), 3),
        (Requirements(accuracy=0.91), 4),
        (Requirements(accuracy_loss_pp=5.0, accuracy=0.9), 3),
        (Requirements(accuracy=1.0), None),
    ):
        bench = Bench({2: 19, 3: 10, 4: 1, 8: 20}, 1)
        chosen = choose(bench, contenders, required)  # type: ignore[arg-type]
        assert chosen == {"a": bits and trial(bits)}, required


def test_idle_cores_make_what_follows_and_busy_ones_do_not():
    contenders = {"a": (trial(2), trial(3), trial(4)), "b": (trial(5), trial(6), trial(7))}
    wrong = dict.fromkeys(range(2, 9), 0)
    busy, idle = Bench(wrong, 2), Bench(wrong, 4)
    for bench in (busy, idle):
        choose(bench, contenders, Requirements(accuracy_loss_pp=0.0))  # type: ignore[arg-type]
    assert busy.started == [2, 5, 8]
    assert idle.started == [2, 5, 3, 6, 8]  # the second ones of both, and no third one
