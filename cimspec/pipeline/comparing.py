"""What `cimspec compare` does: every method of the spec on one trained network, over several search seeds."""

import time
from functools import partial
from pathlib import Path

from cimspec.cost import program_cost
from cimspec.diag import fail
from cimspec.pipeline.costing import compile_spec
from cimspec.pipeline.running import folder_or_scratch
from cimspec.pipeline.workbench import Workbench
from cimspec.quant.optimize import Progress, no_progress
from cimspec.quant.threads import one_thread
from cimspec.report import ComparisonReport
from cimspec.search.evaluation import Account, Store, Trial
from cimspec.search.methods import search_method
from cimspec.search.space import build_space
from cimspec.search.uniform import uniform_trials
from cimspec.spec import Spec


def compare(spec: Spec, seed: int = 0, out: Path | None = None, progress: Progress = no_progress) -> ComparisonReport:
    """Trials of every method for the search seeds 0 .. seeds-1 on the network trained with `seed`.

    All methods have the same budget of distinct evaluations; what one of them measured is not measured again for
    another, but counts for both. Raises `CimError` where the spec has no search or no data.
    """
    search = spec.search
    if search is None:
        fail("CIM606", "the spec has no `search`, and there is nothing to compare")
    with one_thread(), folder_or_scratch(out) as folder:
        bench = Workbench.prepare(spec, seed, folder, progress)
        space = build_space(bench.graph, spec.chip, search)
        trials: dict[str, tuple[tuple[Trial, ...], ...]] = {}
        seconds: dict[str, float] = {}
        with Store(folder / "evaluations.sqlite", bench.digest) as store:
            score = partial(store.score, measure=bench.score)
            for method in search.methods:
                start = time.perf_counter()
                runs = []
                for search_seed in range(search.seeds):
                    account = Account(space, score, search.budget)
                    search_method(method)(account, search.kl_limits, search_seed)
                    runs.append(account.trials)
                    progress(search_seed + 1, search.seeds, f"{method.value}, search seeds")
                trials[method.value] = tuple(runs)
                seconds[method.value] = round(time.perf_counter() - start, 2)
            uniform = uniform_trials(bench.graph, spec.chip, search, score)
    return ComparisonReport(
        spec.name,
        spec.digest,
        seed,
        search.minimize,
        program_cost(compile_spec(spec)),
        space.size,
        search.budget,
        search.kl_limits,
        trials,
        uniform,
        seconds,
    )
