"""What a run leaves behind: the files of its folder."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cimspec.compiler import Program, save_program
from cimspec.diag import fail
from cimspec.graph import Graph, policy_as_json
from cimspec.pipeline.workbench import WEIGHTS_FILE, Candidate
from cimspec.quant.onnx_export import export_qcdq, has_onnx, save_onnx
from cimspec.report.files import write_text
from cimspec.report.page import render_page
from cimspec.report.run_report import RunReport
from cimspec.report.timeline import write_timeline
from cimspec.report.view import has_page_packages

RESULT_FILE = "result.json"
"""Written last: a folder that has it is complete."""


@contextmanager
def folder_or_scratch(out: Path | None) -> Iterator[Path]:
    """The folder `out`, made if need be, or one that is removed afterwards."""
    if out:
        yield make_folder(out)
    else:
        with TemporaryDirectory() as scratch:
            yield Path(scratch)


def make_folder(path: Path) -> Path:
    """The folder, made if need be. Raises `CimError` (CIM903) where that cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fail("CIM903", f"cannot write into `{path}`: {error.strerror}", help="choose another folder with `--out`")
    return path


def write_last(path: Path, content: Mapping[str, Any]) -> None:
    """Write the JSON file that makes its folder complete. Raises `CimError` (CIM903) where that cannot be."""
    try:
        write_text(path, json.dumps(content, indent=2) + "\n")
    except OSError as error:
        fail(
            "CIM903", f"cannot write into `{path.parent}`: {error.strerror}", help="choose another folder with `--out`"
        )


def write_run(
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
    folder = make_folder(out)
    artifacts = {"result": str(folder / RESULT_FILE)}
    try:
        if graph and best:
            text, arrays = save_program(best.program, best.constants, folder / "program.cimp")
            policy = folder / "policy.json"
            policy.write_text(json.dumps(policy_as_json(best.policy), indent=2) + "\n", encoding="utf-8")
            artifacts |= {"policy": str(policy), "program": str(text), "constants": str(arrays)}
            if has_onnx():
                artifacts["onnx"] = str(save_onnx(export_qcdq(graph, best.parameters), folder / "model.onnx"))
        if (folder / WEIGHTS_FILE).exists():
            artifacts["weights"] = str(folder / WEIGHTS_FILE)
        if (folder / "evaluations.sqlite").exists():
            artifacts["evaluations"] = str(folder / "evaluations.sqlite")
        artifacts["timeline"] = str(write_timeline(program, folder / "timeline.json"))
        if has_page_packages():
            artifacts["report"] = str(write_text(folder / "report.html", render_page(report, program)))
    except OSError as error:
        fail("CIM903", f"cannot write into `{folder}`: {error.strerror}", help="choose another folder with `--out`")
    report = replace(report, artifacts=artifacts)
    write_last(folder / RESULT_FILE, report.as_json())
    return report
