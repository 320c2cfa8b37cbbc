"""Each `cases/NAME.cim` holds a mistake, `NAME.txt` what is said about it; read the two side by side.

Networks are written as ONNX's own text in `cases/parts/NAME.onnx.txt`; a case names them `parts/NAME.onnx`. Weights are
lines of `parts/NAME.safetensors.txt`: a tensor's name, its type, its value everywhere, and its shape.
"""

import re
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
import safetensors.numpy

from cimspec.diag import CODES, CimError, Diagnostic, render
from cimspec.graph import open_model
from cimspec.spec import Chip, load
from cimspec.spec.fields import Block, entries
from cimspec.validation import check_search, check_weights

CASES = Path(__file__).parent / "cases"
NAMES = sorted(path.stem for path in CASES.glob("*.cim"))

# Codes that no spec can raise, and who raises them.
FROM_THE_COMMAND_LINE = {"CIM108"}  # overrides: tests/spec/test_overrides.py
FROM_THE_FILE_SYSTEM = {"CIM114", "CIM117"}  # tests/spec/test_files.py
FROM_LATER_STEPS = {
    *("CIM404", "CIM405"),  # graph and data
    *(f"CIM45{number}" for number in range(10)),  # data in files: tests/data
    "CIM431",  # torch: tests/quant/test_from_torch.py
    "CIM432",  # quantized models: tests/quant/test_onnx_codes.py
    *("CIM501", "CIM502", "CIM503", "CIM504"),  # compiler
    *("CIM601", "CIM602", "CIM603", "CIM604", "CIM606"),  # policies
    *("CIM605", "CIM610", "CIM613"),  # searches: tests/pipeline/test_refused.py
    *("CIM611", "CIM612"),  # methods of others: tests/search/test_methods.py, tests/cli/test_search.py
    *("CIM901", "CIM902", "CIM903", "CIM904", "CIM905", "CIM906", "CIM907", "CIM908"),  # environment
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A copy of the cases with their networks as ONNX files."""
    copy = tmp_path_factory.mktemp("cases") / "cases"
    shutil.copytree(CASES, copy)
    for text in copy.glob("parts/*.onnx.txt"):
        network = onnx.parser.parse_model(text.read_text(encoding="utf-8"))
        text.with_suffix("").write_bytes(network.SerializeToString())
    for text in copy.glob("parts/*.safetensors.txt"):
        lines = [line.split() for line in text.read_text(encoding="utf-8").splitlines()]
        tensors = {name: np.full(list(map(int, shape)), float(value), kind) for name, kind, value, *shape in lines}
        safetensors.numpy.save_file(tensors, text.with_suffix(""))
    return copy


@cache
def findings(name: str) -> tuple[Diagnostic, ...]:
    try:
        loaded = load(f"{name}.cim")
        graph = open_model(loaded.spec, loaded.spans).graph
        check_search(loaded, graph)
        return (*loaded.warnings, *check_weights(loaded, graph))
    except CimError as error:
        return error.diagnostics


@pytest.mark.parametrize("name", NAMES)
def test_what_is_said_about(name, golden, folder, monkeypatch):
    monkeypatch.chdir(folder)
    found = findings(name)
    assert found, "a case holds a mistake"
    golden(render(found), CASES / f"{name}.txt")


def test_there_are_many_kinds_of_wrong_files_and_all_but_a_few_show_a_place(folder, monkeypatch):
    """Line and column of each are in its golden file; some are told of whole files, which have none."""
    monkeypatch.chdir(folder)
    first = {name: findings(name)[0] for name in NAMES}
    assert len(NAMES) >= 250
    assert len({(found.code, found.message) for found in first.values()}) >= 200
    assert {name for name, found in first.items() if found.span is None} == {"empty", "no_chip"}


def test_every_answer_says_what_to_change(folder, monkeypatch):
    monkeypatch.chdir(folder)
    silent = {
        (name, found.code, found.message)
        for name in NAMES
        for found in findings(name)
        if not found.label and not found.help
    }
    assert silent == set()


def test_statements_and_blocks_have_wrong_cases():
    """Every kind of statement, every block of a chip, every source of data stands in some wrong file."""
    texts = "\n".join((CASES / f"{name}.cim").read_bytes().decode("utf-8", "replace") for name in NAMES)
    words = {*re.findall(r"\w+", texts)}
    blocks = {entry.key for entry in entries(Chip) if isinstance(entry.type, Block)}
    sources = {"builtin", "npz", "idx", "cifar", "folder", "onnx", "library"}
    statements = {"import", "let", "block", "repeat", "sweep", "chip", "model", "data", "training", "search"}
    assert words >= blocks | sources | statements | {"require", "keep", "minimize", "pareto", "extends", "from", "at"}


def test_every_code_has_a_case_and_every_case_a_code(folder, monkeypatch):
    monkeypatch.chdir(folder)
    raised = {found.code for name in NAMES for found in findings(name)}
    elsewhere = FROM_THE_COMMAND_LINE | FROM_THE_FILE_SYSTEM | FROM_LATER_STEPS
    assert raised | elsewhere == set(CODES)
    assert not raised & elsewhere
