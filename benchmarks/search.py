"""How good and how fast searches are: the figures that a change to them is judged by.

    python benchmarks/search.py [optima] [methods] [speed] [--seeds 3] [--seed 0] [--workers 1]

optima:  specs/mlp.cim and specs/lenet.cim, no loss and 1 pp of loss allowed: gain of each `rl` run after 150 and 300
         evaluations as a share of the proven optimum's, and how many come within 1 % of it, and reach it.
methods: specs/vgg8.cim, half of the validation split scored, with limits on accuracy (0 and 1 pp) and on divergence
         (0.22 nats), each method from its own start and all from the same probes: mean gains after 150 / 300
         evaluations, and `rl` over evolution and nsga2 (150) and over ddpg (300). ddpg is last, it takes longest.
speed:   specs/vgg8.cim: 300 evaluations of `rl` on one core, divergence taken on 800, 400 and 200 images, and what
         the search takes of that itself.

All parts if none is named. A network is trained once and taken from the cache afterwards; gains are over 8/8 bits.
"""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from statistics import mean, median
from tempfile import TemporaryDirectory

from rich.console import Console

from cimspec import load_spec
from cimspec.data.load import load_data
from cimspec.pipeline.comparing import compare
from cimspec.pipeline.executors import Executor, in_processes
from cimspec.pipeline.searching import Contest
from cimspec.pipeline.workbench import Workbench
from cimspec.quant.evaluator import FakeQuantEvaluator
from cimspec.quant.optimize import no_progress
from cimspec.quant.threads import one_thread
from cimspec.report import ComparisonReport, rows_table
from cimspec.report.standing import Run
from cimspec.spec import Method

SPECS = Path(__file__).parents[1] / "specs"
PARTS = ("optima", "methods", "speed")
EARLY, BUDGET = 150, 300
"""Evaluations after which gains are read off."""

OPTIMUM_EVALUATIONS = 40_000
PROVEN_SPECS, LOSSES_PP = ("mlp", "lenet"), (0, 1)
LIMITS = {
    "accuracy, 0 pp": ("search.limit_on=accuracy", "search.require.accuracy_loss=0 pp"),
    "accuracy, 1 pp": ("search.limit_on=accuracy", "search.require.accuracy_loss=1 pp"),
    "divergence, 0.22 nats": ("search.limit_on=divergence", "search.kl_limits=[0.22]"),
}
STARTS = {"own": "search.shared_probes=false", "probes": "search.shared_probes=true"}
FAST = (Method.RL, Method.EVOLUTION, Method.NSGA2, Method.RANDOM, Method.GREEDY)
SCORED_IMAGES = (800, 400, 200)

Setting = tuple[str, str]
"""A limit and a start."""


class Benchmark:
    """The parts, with the options that they share. Rows are made as they are asked for."""

    def __init__(self, seed: int, seeds: int, executor: Executor | None, workers: int) -> None:
        self._seed, self._seeds = seed, seeds
        self._executor, self._workers = executor, workers

    def optima(self, summary: list[str]) -> Iterator[tuple[str, ...]]:
        """A row for each run; what they come to is added to `summary`."""
        every: list[Run] = []
        for name in PROVEN_SPECS:
            for loss in LOSSES_PP:
                report = self._compared(
                    name, (Method.RL,), (f"search.require.accuracy_loss={loss} pp",), optimum=OPTIMUM_EVALUATIONS
                )
                (arena,), (best,) = report.arenas, report.results()[0].best
                optimum = arena.optima[0]
                assert optimum
                proof = str(optimum.evaluations) if best.is_proven else "not; the best known"
                for run in runs(report, Method.RL):
                    every.append(run)
                    shares = (f"{100 * run.curve.at(count) / run.best:.2f} %" for count in (EARLY, BUDGET))
                    yield name, f"{loss} pp", str(run.search_seed), f"{run.best:.3f}x", proof, *shares
        near = sum(run.curve.at(EARLY) / run.best >= 0.99 for run in every)
        summary.append(f"within 1 % after {EARLY}: {near} of {len(every)}")
        summary.append(f"exact after {BUDGET}: {sum(run.is_best for run in every)} of {len(every)}")

    def methods(self, folder: Path, found: dict[Setting, ComparisonReport]) -> Iterator[tuple[str, ...]]:
        """A row for each limit and start: gains of the fast methods, and what `rl` gains over two of them."""
        for setting in settings():
            report = found[setting] = self._limited(setting, FAST, folder)
            gains = [f"{gain(report, method, EARLY):.3f} {gain(report, method, BUDGET):.3f}" for method in FAST]
            others = (Method.EVOLUTION, Method.NSGA2)
            yield *setting, *gains, *(ratio(report, report, other, EARLY) for other in others)

    def against_ddpg(self, folder: Path, found: dict[Setting, ComparisonReport]) -> Iterator[tuple[str, ...]]:
        """A row for each limit and start: gains of ddpg, and those of `rl` in `found` over them."""
        for setting in settings():
            report = self._limited(setting, (Method.DDPG,), folder)
            seconds = mean(run.seconds for run in report.runs)
            gains = (f"{gain(report, Method.DDPG, count):.3f}" for count in (EARLY, BUDGET))
            yield *setting, *gains, f"{seconds:.0f}", ratio(found[setting], report, Method.DDPG, BUDGET)

    def speed(self) -> Iterator[tuple[str, ...]]:
        """A row for each number of images: the median run of some."""
        spec = load_spec(SPECS / "vgg8.cim", (f"search.budget={BUDGET}",))
        assert spec.data
        assert spec.search
        with one_thread():
            bench = Workbench.prepare(spec, self._seed, None, no_progress)
            validation = load_data(spec.data).validation
            for images in SCORED_IMAGES:
                own = []
                for seed in range(self._seeds):
                    # A new evaluator: what another run left in its caches would count as speed.
                    seen = validation if images == len(validation) else validation.cut(images)[0]
                    bench.evaluator = FakeQuantEvaluator(bench.tables, seen, spec.training.temperature)
                    own.append(Contest.of(bench, spec.search, None).run(Method.RL, seed))
                seconds, ms = median(run.seconds for run in own), median(run.own_ms for run in own)
                yield str(images), str(len(own[0].trials)), f"{seconds:.2f}", f"{ms:.2f}"

    def _limited(self, setting: Setting, methods: Sequence[Method], folder: Path) -> ComparisonReport:
        """Methods on VGG-8; what is measured in `folder` is not measured again."""
        limit, start = setting
        return self._compared("vgg8", methods, (*LIMITS[limit], STARTS[start], "search.scored=50 %"), folder)

    def _compared(
        self, name: str, methods: Sequence[Method], sets: Iterable[str], folder: Path | None = None, optimum: int = 0
    ) -> ComparisonReport:
        own = (
            f"search.budget={BUDGET}",
            f"search.seeds={self._seeds}",
            f"search.methods=[{', '.join(methods)}]",
            "search.training_seeds=1",
        )
        return compare(
            load_spec(SPECS / f"{name}.cim", (*own, *sets)),
            self._seed,
            folder,
            executor=self._executor,
            workers=self._workers,
            optimum=optimum,
        )


def settings() -> list[Setting]:
    """Every limit with every start."""
    return [(limit, start) for limit in LIMITS for start in STARTS]


def runs(report: ComparisonReport, method: Method) -> tuple[Run, ...]:
    """All runs of a method under the first goal."""
    (standing,) = (each for each in report.results()[0].standings if each.method == method)
    return standing.runs


def gain(report: ComparisonReport, method: Method, evaluations: int) -> float:
    """Mean gain of a method's runs after so many evaluations."""
    return mean(run.curve.at(evaluations) for run in runs(report, method))


def ratio(mine: ComparisonReport, theirs: ComparisonReport, other: Method, evaluations: int) -> str:
    """Mean gain of `rl` over that of another method."""
    return f"{gain(mine, Method.RL, evaluations) / gain(theirs, other, evaluations):.3f}"


def main() -> None:
    """Print a table for each part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all if left out")
    parser.add_argument("--seed", type=int, default=0, help="training seed")
    parser.add_argument("--seeds", type=int, default=3, help="search seeds")
    parser.add_argument("--workers", type=int, default=1, help="searches at once; `speed` is always on one core")
    arguments = parser.parse_args()
    parts = arguments.parts or PARTS
    if unknown := set(parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    console = Console(width=160, highlight=False)

    def show(title: str, headers: Iterable[str], rows: Iterable[tuple[str, ...]]) -> None:
        console.print(f"\n{title}")
        console.print(rows_table(headers, list(rows)))

    with in_processes(arguments.workers) if arguments.workers > 1 else nullcontext() as executor:
        benchmark = Benchmark(arguments.seed, arguments.seeds, executor, arguments.workers)
        if "speed" in parts:
            columns = ["images", "evaluations", "seconds", "own ms an evaluation"]
            show(f"rl on VGG-8, one core, medians of {arguments.seeds}", columns, benchmark.speed())
        if "optima" in parts:
            summary: list[str] = []
            columns = [
                "network",
                "allowed loss",
                "seed",
                "optimum",
                "proven after",
                f"after {EARLY}",
                f"after {BUDGET}",
            ]
            show("rl: share of the optimum's gain", columns, benchmark.optima(summary))
            console.print("; ".join(summary))
        if "methods" in parts:
            found: dict[Setting, ComparisonReport] = {}
            with TemporaryDirectory() as folder:
                columns = ["limit", "start", *FAST, f"rl/evolution, {EARLY}", f"rl/nsga2, {EARLY}"]
                title = f"VGG-8: mean gains after {EARLY} and {BUDGET} evaluations"
                show(title, columns, benchmark.methods(Path(folder), found))
                columns = ["limit", "start", f"after {EARLY}", f"after {BUDGET}", "seconds a run", f"rl/ddpg, {BUDGET}"]
                show("VGG-8: mean gains of ddpg", columns, benchmark.against_ddpg(Path(folder), found))


if __name__ == "__main__":
    main()
