"""Decides among finalists: each is fine-tuned, executed on the validation split, and compared with the 8/8 network."""

from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from itertools import chain, zip_longest

from cimspec.pipeline.costing import baseline_policy
from cimspec.pipeline.workbench import Candidate, Workbench
from cimspec.search.evaluation import Trial
from cimspec.search.finalists import is_good_enough
from cimspec.spec.search import Requirements


def choose(
    bench: Workbench, contenders: Mapping[str, tuple[Trial, ...]], required: Requirements
) -> dict[str, Trial | None]:
    """For each contender the first of its trials, fastest first, that is as accurate as is required.

    Every contender without an answer has one trial in the making; cores that are idle when one is decided make those
    that follow.
    What is still being made at the end is stopped, and the bench makes no other candidates.
    """
    chosen: dict[str, Trial | None] = dict.fromkeys(contenders)
    attempts = _Attempts(bench, {name: list(trials) for name, trials in contenders.items()})
    for name in contenders:
        attempts.go_on(name)
    attempts.look_ahead()
    baseline = bench.candidate(baseline_policy(bench.graph))
    while attempts.making:
        attempts.look_ahead()
        for name, trial, candidate in attempts.finished():
            if is_good_enough(required, baseline.validation_correct, candidate.validation_correct):
                chosen[name] = trial
                del attempts.making[name]
            else:
                attempts.go_on(name)
    bench.tuner.stop()
    return chosen


@dataclass(slots=True)
class _Attempts:
    """The trial that each contender waits for, and those that follow."""

    bench: Workbench
    untried: dict[str, list[Trial]]
    making: dict[str, tuple[Trial, Future[Candidate]]] = field(default_factory=dict)

    def go_on(self, name: str) -> None:
        """Take up the next trial of a contender, if there is one."""
        self.making.pop(name, None)
        if self.untried[name]:
            trial = self.untried[name].pop(0)
            self.making[name] = (trial, self.bench.start(trial.policy))

    def look_ahead(self) -> None:
        """Let idle cores make what may be needed next: each contender's second trial, then the third ones."""
        for trial in chain.from_iterable(zip_longest(*(self.untried[name] for name in self.making))):
            if not self.bench.is_idle:
                return
            if trial:
                self.bench.start(trial.policy)

    def finished(self) -> list[tuple[str, Trial, Candidate]]:
        """Contenders whose trial is made; waits for the first one."""
        wait([future for _, future in self.making.values()], return_when=FIRST_COMPLETED)
        return [(name, trial, future.result()) for name, (trial, future) in self.making.items() if future.done()]
