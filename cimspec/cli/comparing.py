"""`cimspec compare`: the search methods of a spec side by side."""

import sys
from contextlib import nullcontext
from typing import Annotated

import typer

from cimspec.cli.common import (
    AsJson,
    Device,
    OnDevice,
    Overrides,
    Seed,
    SpecPath,
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
    open_workers,
    result_folder,
)


def compare(
    spec: SpecPath,
    seed: Seed = 0,
    out: Out = None,
    resume: Resume = False,
    optimum: Annotated[
        int,
        typer.Option(
            "--optimum", min=0, metavar="N", help="look for each goal's proven optimum, in up to N evaluations more"
        ),
    ] = 0,
    workers: Workers = 1,
    executor: Kind = ExecutorName.PROCESSES,
    address: Address = None,
    overrides: Overrides = None,
    device: OnDevice = Device.CPU,
    as_json: AsJson = False,
) -> None:
    """Compare the search methods at equal budgets of distinct evaluations, over the spec's seeds.

    Example: cimspec compare specs/quickstart.cim --set search.seeds=5 --workers 2
    """
    loaded = open_spec(spec, overrides, runs=True).spec
    from cimspec.pipeline.comparing import compare as compare_spec
    from cimspec.quant.device import torch_device
    from cimspec.report import comparison_table, write_comparison

    where = torch_device(device).type
    options = ["--seed", str(seed), *(["--optimum", str(optimum)] if optimum else [])]
    folder = result_folder(f"{loaded.name}-compare", out, resume=resume)
    try:
        with open_workers(workers, executor, address) or nullcontext() as pool, progress_bars() as progress:
            report = compare_spec(
                loaded,
                seed,
                folder,
                progress,
                where,
                executor=pool,
                workers=workers,
                reaches_folder=executor is ExecutorName.PROCESSES,
                optimum=optimum,
                announce=lambda text: print(text, file=sys.stderr),
                command=command_line("compare", spec, options, overrides, where),
            )
    except KeyboardInterrupt:
        print(f"what was finished is in {folder}; `--out {folder}` takes it up again", file=sys.stderr)
        raise
    write_comparison(report, folder)
    if as_json:
        print_json(report.as_json())
    else:
        print_table(comparison_table(report), f"\nresults are in {folder}")
