"""What `cimspec run` does: train, search, fine-tune, compile, execute, report.

spec -> Workbench -> trials of every method -> finalists -> fine-tuned candidates -> the fastest that is good enough
     -> its Program on the test split -> RunReport and files
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from cimspec.pipeline.choosing import choose
from cimspec.pipeline.costing import baseline_policy, compile_spec, evaluate
from cimspec.pipeline.drawn_chips import REPORTED_CHIPS, chip_is_exact, finetuned_on
from cimspec.pipeline.executors import Executor
from cimspec.pipeline.infeasible import check_feasible
from cimspec.pipeline.searching import Contest, check_search
from cimspec.pipeline.tasks import SearchTask, Shared, run_search
from cimspec.pipeline.versions import versions
from cimspec.pipeline.workbench import Candidate, Workbench
from cimspec.pipeline.writing import folder_or_scratch, write_run
from cimspec.quant.device import full_precision
from cimspec.quant.onnx_import import open_quantized
from cimspec.quant.optimize import Progress, no_progress
from cimspec.quant.threads import one_thread
from cimspec.report.run_report import Outcome, RunReport
from cimspec.search.evaluation import Store, Trial
from cimspec.search.finalists import Comparison, Correct, finalists, is_good_enough
from cimspec.search.goal import Goal, front
from cimspec.search.objective import gain, metric_values
from cimspec.search.uniform import uniform_finalists
from cimspec.spec import Metric, SearchSpec, Spec
from cimspec.spec.search import LATENCY

AS_GIVEN = "as given"
"""What stands for a method where a file says the policy."""


def run(
    spec: Spec,
    seed: int = 0,
    out: Path | None = None,
    progress: Progress = no_progress,
    command: str = "",
    device: str = "cpu",
    *,
    executor: Executor | None = None,
    reaches_folder: bool = True,
) -> RunReport:
    """Do as much as the spec describes: no data, cost only; no search, the 8/8 network, or a quantized one as it is.

    Writes into the folder `out` (nothing is kept if it is None): evaluations as they are made, results at the end; a
    second run into the same folder takes up what the first one finished. `command` is the command line that gives these
    results, for the report. `device` is where torch computes: `cpu`, `cuda` or `auto`. `executor` runs the methods side
    by side, if it is given; `reaches_folder` says whether its workers see the same files. Raises `CimError` for what
    the spec lacks.
    """
    if spec.search:
        check_search(spec, spec.search)
    minimize = spec.search.minimize if spec.search else LATENCY
    cost = evaluate(spec).cost
    report = RunReport(spec.name, spec.digest, seed, versions(), cost, minimize=minimize, command=command)
    if spec.data is None:
        return write_run(report, out, compile_spec(spec))
    with one_thread(), full_precision(), folder_or_scratch(out) as folder:
        return _Run(spec, seed, out, folder, progress, report, device, executor, reaches_folder).finish()


@dataclass(slots=True)
class _Run:
    spec: Spec
    seed: int
    out: Path | None
    folder: Path
    progress: Progress
    report: RunReport
    device: str
    executor: Executor | None
    reaches_folder: bool
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What is told of every policy: what the search looked at, or its latency."""
        return self.spec.search.metrics if self.spec.search else (Metric.LATENCY,)

    def finish(self) -> RunReport:
        model = None if self.spec.search else open_quantized(self.spec.model)
        with self._timed("training"):
            bench = Workbench.prepare(self.spec, self.seed, self.folder, self.progress, self.device)
        with bench:
            if self.spec.search:
                return self._search(bench, self.spec.search)
            baseline = bench.candidate(baseline_policy(bench.graph))
            correct = bench.test_correct(baseline)
            report = self._with_baseline(bench, correct)
            if model is None:
                return write_run(report, self.out, baseline.program, bench.graph, baseline)
            given = bench.given(model)
            outcome = self._compared(AS_GIVEN, bench, given, baseline, correct)
            report = replace(report, best=outcome, methods={AS_GIVEN: outcome})
            return write_run(report, self.out, given.program, model.graph, given)

    def _search(self, bench: Workbench, search: SearchSpec) -> RunReport:
        with Store(self.folder / "evaluations.sqlite", bench.digest) as store:
            contest = Contest.of(bench, search, store, self.progress)
            goals, uniform = contest.goals, contest.uniform()
            check_feasible(contest, uniform)
            contenders = {"uniform": uniform_finalists(uniform, goals)}
            for policy in (baseline_policy(bench.graph), *(trial.policy for trial in contenders["uniform"][:1])):
                bench.start(policy)  # needed whatever the methods find
            trials = self._trials(contest, search)
        evaluations = {method: len(found) for method, found in trials.items()} | {"uniform": len(uniform)}
        contenders |= {method: finalists(found, _main(goals)) for method, found in trials.items()}
        traded = trade_off_contenders(trials, goals)
        with self._timed("fine-tuning"):
            chosen = choose(bench, contenders | traded, search.require)
        with self._timed("execution"):
            baseline = bench.candidate(baseline_policy(bench.graph))
            correct = bench.test_correct(baseline)
            outcomes = {
                name: self._outcome(name, bench, baseline, correct, chosen[name], evaluations[name])
                if chosen[name]
                else None
                for name in contenders
            }
            stands = self._outcome("baseline", bench, baseline, correct, None, 0)
            traded_off = [trial for name in traded if (trial := chosen[name])]
            trade_offs = tuple(
                self._outcome("trade-off", bench, baseline, correct, trial, sum(evaluations.values()))
                for trial in front(traded_off)
            )
        report = replace(
            self._with_baseline(bench, correct),
            uniform=outcomes.pop("uniform"),
            best=max((each for each in outcomes.values() if each), key=lambda each: each.speedup, default=stands),
            methods=outcomes,
            trade_offs=trade_offs,
            space_size=contest.space.size,
            allowed_loss_pp=search.require.accuracy_loss_pp,
            least_accuracy=search.require.accuracy,
            baseline_suffices=is_good_enough(search.require, baseline.validation_correct, baseline.validation_correct),
        )
        assert report.best
        best = bench.candidate(report.best.policy)
        return write_run(report, self.out, best.program, bench.graph, best)

    def _trials(self, contest: Contest, search: SearchSpec) -> dict[str, tuple[Trial, ...]]:
        """What each method tries: here, one after the other, or by the workers of an executor.

        Here, a method's first finalist is fine-tuned while the next method searches.
        """
        if self.executor is None:
            trials = {}
            for method in search.methods:
                with self._timed(method):
                    trials[method] = contest.run(method, self.seed).trials
                for finalist in finalists(trials[method], _main(contest.goals))[:1]:
                    contest.bench.start(finalist.policy)
            return trials
        weights = {self.seed: contest.bench.float_weights}
        shared = Shared(self.spec, search, self.device, self.folder if self.reaches_folder else None, weights)
        tasks = [SearchTask(self.seed, method, self.seed) for method in search.methods]
        runs = self.executor.run(run_search, tasks, shared=shared)
        if contest.scores.store is not None and not self.reaches_folder:
            for run in runs:
                contest.scores.store.keep(run.trials)
        self.seconds |= {run.method: round(run.seconds, 2) for run in runs}
        return {run.method: run.trials for run in runs}

    def _outcome(
        self, name: str, bench: Workbench, baseline: Candidate, correct: Correct, trial: Trial | None, evaluations: int
    ) -> Outcome:
        """What a trial's policy comes to; None stands for the 8/8 network itself."""
        candidate = bench.candidate(trial.policy) if trial else baseline
        outcome = self._compared(name, bench, candidate, baseline, correct)
        return replace(outcome, evaluations=evaluations, kl=trial.score.kl if trial else None)

    def _compared(
        self, name: str, bench: Workbench, candidate: Candidate, baseline: Candidate, correct: Correct
    ) -> Outcome:
        """What a candidate comes to beside the 8/8 network, whose test images are `correct`."""
        mine = correct if candidate is baseline else bench.test_correct(candidate)
        return Outcome(
            method=name,
            policy=candidate.policy,
            latency_us=candidate.cost.latency_ns / 1e3,
            interval_us=candidate.cost.interval_ns / 1e3,
            values=dict(zip(self.metrics, metric_values(candidate.cost, self.metrics), strict=True)),
            speedup=gain(baseline.cost, candidate.cost, self.report.minimize),
            accuracy=float(mine.mean()),
            accuracy_by_draw=by_draw(mine),
            test=Comparison.of(correct, mine),
            validation=Comparison.of(baseline.validation_correct, candidate.validation_correct),
            evaluations=0,
            fine_tuned=candidate.fine_tuned,
            kl=None,
        )

    def _with_baseline(self, bench: Workbench, correct: Correct) -> RunReport:
        return replace(
            self.report,
            baseline_accuracy=float(correct.mean()),
            baseline_accuracy_by_draw=by_draw(correct),
            chip_seeds=bench.seeds_of(REPORTED_CHIPS),
            evaluated_on=bench.evaluated_on.value if self.spec.search else None,
            finetuned_on=tuned_on.value if (tuned_on := finetuned_on(self.spec)) else None,
            chip_is_exact=chip_is_exact(self.spec),
            test_images=correct.shape[1],
            float_accuracy=bench.float_accuracy(),
            warnings=bench.warnings,
            seconds=dict(self.seconds),
        )

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[stage] = round(time.perf_counter() - start, 2)


def trade_off_contenders(
    trials: Mapping[str, tuple[Trial, ...]], goals: tuple[Goal, ...]
) -> dict[str, tuple[Trial, ...]]:
    """For each mixture of metrics that is traded off the finalists of all methods."""
    mixtures = list(dict.fromkeys(goal.weights for goal in goals))[1:]
    everything = tuple({trial.policy: trial for found in trials.values() for trial in found}.values())
    return {
        f"trade-off {number}": finalists(everything, tuple(goal for goal in goals if goal.weights == weights))
        for number, weights in enumerate(mixtures, 1)
    }


def _main(goals: tuple[Goal, ...]) -> tuple[Goal, ...]:
    """The goals of `minimize` itself."""
    return tuple(goal for goal in goals if goal.weights == goals[0].weights)


def by_draw(correct: Correct) -> tuple[float, ...]:
    """The accuracy on each chip that was drawn."""
    return tuple(map(float, correct.mean(axis=1)))
