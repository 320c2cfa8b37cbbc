"""Whole runs of the points of a sweep, in a folder of their own each."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cimspec.pipeline.executors import Executor
from cimspec.pipeline.executors.counting import counter
from cimspec.pipeline.running import run
from cimspec.pipeline.seeds import SWEEP_FILE
from cimspec.pipeline.writing import make_folder, write_last
from cimspec.quant.optimize import Progress, no_progress
from cimspec.report import runs_as_json
from cimspec.report.run_report import RunReport
from cimspec.spec import Spec


@dataclass(frozen=True, slots=True, eq=False)
class PointRun:
    """The run of one point; its number counts from 1."""

    number: int
    settings: Mapping[str, str]
    spec: Spec

    @property
    def overrides(self) -> tuple[str, ...]:
        """The settings as words of a command line."""
        return tuple(word for path, value in self.settings.items() for word in ("--set", f"{path}={value}"))


@dataclass(frozen=True, slots=True, eq=False)
class SharedSweep:
    """What the runs have in common."""

    folder: Path
    seed: int
    command: tuple[str, ...]  # words, without the settings of the point
    device: str
    progress: Progress = no_progress


def point_folder(folder: Path, number: int) -> Path:
    """Where the run of a point leaves its results."""
    return folder / f"point-{number}"


def run_point(shared: SharedSweep, point: PointRun) -> RunReport:
    """One run, with the command line that gives it alone."""
    command = shlex.join((*shared.command, *point.overrides))
    folder = point_folder(shared.folder, point.number)
    return run(point.spec, shared.seed, folder, shared.progress, command, shared.device)


def run_points(
    shared: SharedSweep, points: Sequence[PointRun], executor: Executor, progress: Progress = no_progress
) -> list[tuple[Mapping[str, str], RunReport]]:
    """The runs of all points, with their settings, which are written to `sweep.json`.

    Runs that are complete in the folder already are made again from what they kept.
    """
    folder = make_folder(shared.folder)
    count = counter(progress, len(points), "points")
    reports = executor.run(run_point, list(points), count, shared=shared)
    found = [(point.settings, report) for point, report in zip(points, reports, strict=True)]
    write_last(folder / SWEEP_FILE, runs_as_json(found))
    return found
