"""What `cimspec run` does: train, search, fine-tune, compile, execute, report.

spec -> Workbench -> trials of every method -> finalists -> fine-tuned candidates -> the fastest that is good enough
     -> its Program on the test split -> RunReport and files
"""

import json
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from cimspec.compiler import Program, save_program
from cimspec.diag import fail
from cimspec.graph import Graph, Policy, policy_as_json
from cimspec.pipeline.costing import baseline_policy, compile_spec, evaluate
from cimspec.pipeline.workbench import REPORTED_CHIPS, Candidate, Workbench
from cimspec.quant.onnx_export import export_qcdq, has_onnx, save_onnx
from cimspec.quant.onnx_import import open_quantized
from cimspec.quant.optimize import Progress, no_progress
from cimspec.quant.threads import one_thread
from cimspec.report.files import write_text
from cimspec.report.page import has_page_packages, render_page
from cimspec.report.run_report import Outcome, RunReport
from cimspec.report.timeline import write_timeline
from cimspec.search.evaluation import Account, Score, Store, Trial
from cimspec.search.finalists import Comparison, Correct, finalists
from cimspec.search.methods import search_method
from cimspec.search.objective import objective_ns
from cimspec.search.space import Space, build_space
from cimspec.search.uniform import uniform_finalists, uniform_trials
from cimspec.spec import Method, Objective, SearchSpec, Spec

AS_GIVEN = "as given"
"""What stands for a method where a file says the policy."""


def run(
    spec: Spec, seed: int = 0, out: Path | None = None, progress: Progress = no_progress, command: str = ""
) -> RunReport:
    """Do as much as the spec describes: no data, cost only; no search, the 8/8 network, or a quantized one as it is.

    Writes into the folder `out` (nothing is kept if it is None): evaluations as they are made, results at the end; a
    second run into the same folder takes up what the first one finished. `command` is the command line that gives these
    results, for the report. Raises `CimError` for what the spec lacks.
    """
    minimize = spec.search.minimize if spec.search else Objective.LATENCY
    cost = evaluate(spec).cost
    report = RunReport(spec.name, spec.digest, seed, _versions(), cost, minimize=minimize, command=command)
    if spec.data is None:
        return _written(report, out, compile_spec(spec))
    with one_thread(), folder_or_scratch(out) as folder:
        return _Run(spec, seed, out, folder, progress, report).finish()


@contextmanager
def folder_or_scratch(out: Path | None) -> Iterator[Path]:
    """The folder `out`, made if need be, or one that is removed afterwards."""
    if out:
        yield _folder(out)
    else:
        with TemporaryDirectory() as scratch:
            yield Path(scratch)


@dataclass(slots=True)
class _Run:
    spec: Spec
    seed: int
    out: Path | None
    folder: Path
    progress: Progress
    report: RunReport
    seconds: dict[str, float] = field(default_factory=dict)

    def finish(self) -> RunReport:
        model = None if self.spec.search else open_quantized(self.spec.model)
        with self._timed("training"):
            bench = Workbench.prepare(self.spec, self.seed, self.folder, self.progress)
        with bench:
            if self.spec.search:
                return self._search(bench, self.spec.search)
            baseline = bench.candidate(baseline_policy(bench.graph))
            correct = bench.test_correct(baseline)
            report = self._with_baseline(bench, correct)
            if model is None:
                return _written(report, self.out, baseline.program, bench.graph, baseline)
            given = bench.given(model)
            outcome = self._compared(AS_GIVEN, bench, given, baseline, correct)
            report = replace(report, best=outcome, methods={AS_GIVEN: outcome})
            return _written(report, self.out, given.program, model.graph, given)

    def _search(self, bench: Workbench, search: SearchSpec) -> RunReport:
        space = build_space(bench.graph, self.spec.chip, search)
        with Store(self.folder / "evaluations.sqlite", bench.digest) as store:
            score = partial(store.score, measure=bench.score)
            uniform = uniform_trials(bench.graph, self.spec.chip, search, score)
            contenders = {"uniform": uniform_finalists(uniform, search.kl_limits)}
            for policy in (baseline_policy(bench.graph), *(trial.policy for trial in contenders["uniform"][:1])):
                bench.start(policy)  # needed whatever the methods find
            trials = {}
            for method in search.methods:
                with self._timed(method.value):
                    trials[method] = search_trials(bench, space, search, method, self.seed, score)
        evaluations = {method.value: len(found) for method, found in trials.items()} | {"uniform": len(uniform)}
        contenders |= {method.value: finalists(found, search.kl_limits) for method, found in trials.items()}
        with self._timed("fine-tuning"):
            chosen = choose(bench, contenders, search.require.accuracy_loss_pp)
        with self._timed("execution"):
            baseline = bench.candidate(baseline_policy(bench.graph))
            correct = bench.test_correct(baseline)
            outcomes = {
                name: self._outcome(name, bench, baseline, correct, trial, evaluations[name]) if trial else None
                for name, trial in chosen.items()
            }
            stands = self._outcome("baseline", bench, baseline, correct, None, 0)
        report = replace(
            self._with_baseline(bench, correct),
            uniform=outcomes.pop("uniform"),
            best=max((each for each in outcomes.values() if each), key=lambda each: each.speedup, default=stands),
            methods=outcomes,
            space_size=space.size,
            allowed_loss_pp=search.require.accuracy_loss_pp,
        )
        assert report.best
        best = bench.candidate(report.best.policy)
        return _written(report, self.out, best.program, bench.graph, best)

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
        before_ns, after_ns = (objective_ns(each.cost, self.report.minimize) for each in (baseline, candidate))
        return Outcome(
            method=name,
            policy=candidate.policy,
            latency_us=candidate.cost.latency_ns / 1e3,
            interval_us=candidate.cost.interval_ns / 1e3,
            speedup=before_ns / after_ns,
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
            test_images=correct.shape[1],
            float_accuracy=bench.float_accuracy(),
            seconds=dict(self.seconds),
        )

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[stage] = round(time.perf_counter() - start, 2)


def search_trials(
    bench: Workbench, space: Space, search: SearchSpec, method: Method, seed: int, score: Callable[[Policy], Score]
) -> tuple[Trial, ...]:
    """What one method tries within its budget, in order."""
    account = Account(space, score, search.budget, lambda: bench.progress(account.spent, search.budget, method.value))
    search_method(method)(account, search.kl_limits, seed)
    bench.progress(search.budget, search.budget, method.value)
    return account.trials


def by_draw(correct: Correct) -> tuple[float, ...]:
    """The accuracy on each chip that was drawn."""
    return tuple(map(float, correct.mean(axis=1)))


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


def _folder(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fail("CIM903", f"cannot write into `{path}`: {error.strerror}", help="choose another folder with `--out`")
    return path


def _written(
    report: RunReport,
    out: Path | None,
    program: Program,
    graph: Graph | None = None,
    best: Candidate | None = None,
) -> RunReport:
    """The report with its files: `result.json` last, so that a folder that has one is complete.

    `program` has its timeline written, and `report.html` where the packages that make it are there. `best`, a candidate
    for `graph`, is written as a Program, and as `model.onnx` where the package `onnx` is there.
    """
    if out is None:
        return report
    folder = _folder(out)
    artifacts = {"result": str(folder / "result.json")}
    try:
        if graph and best:
            text, arrays = save_program(best.program, best.constants, folder / "program.cimp")
            policy = folder / "policy.json"
            policy.write_text(json.dumps(policy_as_json(best.policy), indent=2) + "\n", encoding="utf-8")
            artifacts |= {"policy": str(policy), "program": str(text), "constants": str(arrays)}
            if has_onnx():
                artifacts["onnx"] = str(save_onnx(export_qcdq(graph, best.parameters), folder / "model.onnx"))
        if (folder / "evaluations.sqlite").exists():
            artifacts["evaluations"] = str(folder / "evaluations.sqlite")
        artifacts["timeline"] = str(write_timeline(program, folder / "timeline.json"))
        if has_page_packages():
            artifacts["report"] = str(write_text(folder / "report.html", render_page(report, program)))
        report = replace(report, artifacts=artifacts)
        (folder / "result.json").write_text(json.dumps(report.as_json(), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        fail("CIM903", f"cannot write into `{folder}`: {error.strerror}", help="choose another folder with `--out`")
    return report


def _versions() -> dict[str, str]:
    packages = ("cimspec", "numpy", "torch", "deap")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}
