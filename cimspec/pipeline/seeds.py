"""Whole runs of one spec with several seeds, in a folder of their own each, and what they come to together."""

import glob
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cimspec.diag import fail
from cimspec.pipeline.executors import Executor
from cimspec.pipeline.executors.counting import counter
from cimspec.pipeline.running import run
from cimspec.pipeline.writing import RESULT_FILE, make_folder, write_last
from cimspec.quant.optimize import Progress, no_progress
from cimspec.report.run_report import RunReport
from cimspec.report.seeds import SeedsReport
from cimspec.spec import Spec

SEEDS_FILE = "seeds.json"
SWEEP_FILE = "sweep.json"

LAST_FILES = (RESULT_FILE, SEEDS_FILE, SWEEP_FILE, "comparison.json")
"""A folder that has one of these is complete."""

SEED = "{seed}"

DATED = "[0-9]" * 8 + "-" + "[0-9]" * 6
"""How the command line names folders."""


@dataclass(frozen=True, slots=True, eq=False)
class SharedRun:
    """What the runs have in common."""

    spec: Spec
    folder: Path
    command: tuple[str, ...]  # words, of which `SEED` stands for the seed
    device: str
    progress: Progress = no_progress


def seed_folder(folder: Path, seed: int) -> Path:
    """Where the run with a seed leaves its results."""
    return folder / f"seed-{seed}"


def run_seed(shared: SharedRun, seed: int) -> RunReport:
    """One run, with the command line that gives it alone."""
    command = shlex.join(str(seed) if word == SEED else word for word in shared.command)
    return run(shared.spec, seed, seed_folder(shared.folder, seed), shared.progress, command, shared.device)


def run_seeds(
    shared: SharedRun, seeds: Sequence[int], executor: Executor, progress: Progress = no_progress
) -> SeedsReport:
    """Runs with all seeds, and their summary, which is written to `seeds.json`.

    Runs that are complete in the folder already are made again from what they kept. Raises `CimError` (CIM606) where
    the spec has no search or no data, and there is nothing that differs.
    """
    if shared.spec.search is None or shared.spec.data is None:
        fail("CIM606", "several seeds are of use where the spec has a `search` and `data`")
    folder = make_folder(shared.folder)
    count = counter(progress, len(seeds), "runs")
    report = SeedsReport.of(executor.run(run_seed, list(seeds), count, shared=shared))
    write_last(folder / SEEDS_FILE, report.as_json())
    return report


def unfinished(runs: Path, name: str) -> Path | None:
    """The newest folder of a spec's runs that has no result yet, for `--resume`."""
    folders = [each for each in runs.glob(f"{glob.escape(name)}-{DATED}") if each.is_dir()]
    left = [each for each in folders if not any((each / file).exists() for file in LAST_FILES)]
    return max(left, key=lambda each: each.name, default=None)
