"""`cimspec run`: all that a spec describes, once or with several seeds."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cimspec.cli.boundary import show
from cimspec.cli.common import (
    AsJson,
    Device,
    OnDevice,
    Overrides,
    Seed,
    SpecPath,
    open_points,
    open_spec,
    print_json,
    print_table,
    progress_bars,
)
from cimspec.cli.workers import (
    Address,
    ExecutorName,
    Kind,
    Out,
    Resume,
    Workers,
    command_line,
    command_words,
    open_workers,
    result_folder,
)

if TYPE_CHECKING:
    from cimspec.report import RunReport


def run(
    spec: SpecPath,
    seed: Seed = 0,
    seeds: Annotated[
        int, typer.Option("--seeds", min=1, max=1000, help="runs with so many seeds, from `--seed` on, and their means")
    ] = 1,
    out: Out = None,
    resume: Resume = False,
    workers: Workers = 1,
    executor: Kind = ExecutorName.PROCESSES,
    address: Address = None,
    overrides: Overrides = None,
    device: OnDevice = Device.CPU,
    as_json: AsJson = False,
) -> None:
    """Do all that the spec describes: train, search, fine-tune, compile, execute, report; of a sweep, at each point.

    Example: cimspec run specs/quickstart.cim --seed 1 --out runs/first
    """
    opened = open_spec(spec, overrides, runs=True)
    loaded = opened.spec
    if opened.points and seeds > 1:
        raise typer.BadParameter("a sweep runs each of its points with one seed: leave out `--seeds`")
    folder = result_folder(loaded.name, out, resume=resume)
    from cimspec.quant.device import torch_device

    where = torch_device(device).type
    try:
        with open_workers(workers, executor, address) or nullcontext() as pool:
            if opened.points:
                from cimspec.pipeline.executors import in_this_process
                from cimspec.pipeline.points import PointRun, SharedSweep, run_points
                from cimspec.report import runs_as_json, runs_table

                words = command_words("run", spec, ["--seed", str(seed)], overrides, where)
                points = [
                    PointRun(number, settings, point.spec)
                    for number, (settings, point) in enumerate(open_points(spec, overrides, opened), start=1)
                ]
                with progress_bars() as progress:
                    swept = run_points(
                        SharedSweep(folder, seed, words, where), points, pool or in_this_process(), progress
                    )
                print_json(runs_as_json(swept)) if as_json else print_table(
                    runs_table(swept), f"\nresults are in {folder}"
                )
                return
            if seeds > 1:
                from cimspec.pipeline.executors import in_this_process
                from cimspec.pipeline.seeds import SEED, SharedRun, run_seeds
                from cimspec.report import seeds_table

                words = command_words("run", spec, ["--seed", SEED], overrides, where)
                with progress_bars() as progress:
                    shared = SharedRun(loaded, folder, words, where)
                    found = run_seeds(shared, range(seed, seed + seeds), pool or in_this_process(), progress)
                print_json(found.as_json()) if as_json else print_table(
                    seeds_table(found), f"\nresults are in {folder}"
                )
                return
            from cimspec.pipeline.running import run as run_spec

            command = command_line("run", spec, ["--seed", str(seed)], overrides, where)
            reaches = executor is ExecutorName.PROCESSES
            with progress_bars() as progress:
                report = run_spec(loaded, seed, folder, progress, command, where, executor=pool, reaches_folder=reaches)
    except KeyboardInterrupt:
        print(f"what was finished is in {folder}; `--out {folder}` takes it up again", file=sys.stderr)
        raise
    _show(report, folder, as_json=as_json)


def _show(report: "RunReport", folder: Path, *, as_json: bool) -> None:
    from cimspec.report import cost_table, run_table

    show(report.warnings)
    if "program" in report.artifacts and "onnx" not in report.artifacts:
        print("`model.onnx` is left out, it needs the package `onnx`: pip install 'cimspec[onnx]'", file=sys.stderr)
    if "report" not in report.artifacts:
        print(
            "`report.html` is left out, it needs jinja2 and matplotlib: pip install 'cimspec[report]'", file=sys.stderr
        )
    if as_json:
        print_json(report.as_json())
    elif report.baseline_accuracy is None:
        print_table(cost_table(report.baseline_cost, report.baseline_cost))
    else:
        print_table(run_table(report), f"\nresults are in {folder}")
