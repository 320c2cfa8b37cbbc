"""Commands that train and search: `run` and `compare`."""

import shlex
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from cimspec.cli.common import AsJson, Overrides, Seed, SpecPath, open_spec, print_json, print_table, progress_bars

Out = Annotated[
    Path | None,
    typer.Option(
        "--out", metavar="DIR", help="folder for results; a second run into it takes up what the first finished"
    ),
]


def run(spec: SpecPath, seed: Seed = 0, out: Out = None, overrides: Overrides = None, as_json: AsJson = False) -> None:
    """Do all that the spec describes: train, search, fine-tune, compile, execute, report.

    Example: cimspec run specs/quickstart.cim --seed 1 --out runs/first
    """
    loaded = open_spec(spec, overrides).spec
    folder = out or Path("runs") / f"{loaded.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    from cimspec.pipeline.running import run as run_spec
    from cimspec.report import cost_table, run_table

    try:
        with progress_bars() as progress:
            report = run_spec(loaded, seed, folder, progress, _command_line(spec, seed, overrides))
    except KeyboardInterrupt:
        print(f"what was finished is in {folder}; `--out {folder}` takes it up again", file=sys.stderr)
        raise
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


def _command_line(spec: str, seed: int, overrides: list[str] | None) -> str:
    """What gives the same results again, wherever they are written."""
    options = [part for override in overrides or () for part in ("--set", override)]
    return shlex.join(["cimspec", "run", spec, "--seed", str(seed), *options])


def compare(
    spec: SpecPath, seed: Seed = 0, out: Out = None, overrides: Overrides = None, as_json: AsJson = False
) -> None:
    """Compare the search methods at equal budgets of distinct evaluations, over the spec's `seeds`.

    Example: cimspec compare specs/quickstart.cim --set search.seeds=5
    """
    loaded = open_spec(spec, overrides).spec
    from cimspec.pipeline.comparing import compare as compare_spec
    from cimspec.report import comparison_table

    with progress_bars() as progress:
        report = compare_spec(loaded, seed, out, progress)
    if as_json:
        print_json(report.as_json())
    else:
        print_table(comparison_table(report))
