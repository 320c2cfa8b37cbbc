"""Decides among finalists: each is fine-tuned, executed on the validation split, and compared with the 8/8 network."""

from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait

from cimspec.pipeline.costing import baseline_policy
from cimspec.pipeline.workbench import Candidate, Workbench
from cimspec.search.evaluation import Trial
from cimspec.search.finalists import Comparison


def choose(bench: Workbench, contenders: Mapping[str, tuple[Trial, ...]], allowed_pp: float) -> dict[str, Trial | None]:
    """For each contender the first of its trials, fastest first, that loses no more than allowed to the 8/8 network.

    Every contender without an answer has one trial in the making.
    """
    chosen: dict[str, Trial | None] = dict.fromkeys(contenders)
    untried = {name: list(trials) for name, trials in contenders.items()}
    making: dict[str, tuple[Trial, Future[Candidate]]] = {}

    def try_next(name: str) -> None:
        making.pop(name, None)
        if untried[name]:
            trial = untried[name].pop(0)
            making[name] = (trial, bench.start(trial.policy))

    for name in contenders:
        try_next(name)
    baseline = bench.candidate(baseline_policy(bench.graph))
    while making:
        wait([future for _, future in making.values()], return_when=FIRST_COMPLETED)
        for name, (trial, future) in tuple(making.items()):
            if not future.done():
                continue
            if Comparison.of(baseline.validation_correct, future.result().validation_correct).meets(allowed_pp):
                chosen[name] = trial
                del making[name]
            else:
                try_next(name)
    return chosen
