"""Each `cases/NAME.cim` holds a mistake, `NAME.txt` what is said about it; read the two side by side."""

from pathlib import Path

import pytest

from cimspec.diag import CODES, CimError, Diagnostic, render
from cimspec.spec import load

CASES = Path(__file__).parent / "cases"
NAMES = sorted(path.stem for path in CASES.glob("*.cim"))

# Codes that no spec can raise, and who raises them.
FROM_THE_COMMAND_LINE = {"CIM108", "CIM207"}  # overrides: tests/spec/test_overrides.py
FROM_THE_FILE_SYSTEM = {"CIM114", "CIM117"}  # tests/spec/test_files.py
FROM_LATER_STEPS = {
    *("CIM401", "CIM404", "CIM405"),  # graph and data
    *("CIM501", "CIM502"),  # compiler
    *("CIM601", "CIM602", "CIM603", "CIM604", "CIM605", "CIM606"),  # policies and search
    *("CIM901", "CIM902", "CIM903", "CIM904"),  # environment
}
FROM_FUTURE_RULES = {"CIM219"}  # validators of the models: tests/spec/test_blocks.py


def findings(name: str) -> tuple[Diagnostic, ...]:
    try:
        return load(f"{name}.cim").warnings
    except CimError as error:
        return error.diagnostics


@pytest.mark.parametrize("name", NAMES)
def test_what_is_said_about(name, golden, monkeypatch):
    monkeypatch.chdir(CASES)
    found = findings(name)
    assert found, "a case holds a mistake"
    golden(render(found), CASES / f"{name}.txt")


def test_every_code_has_a_case_and_every_case_a_code(monkeypatch):
    monkeypatch.chdir(CASES)
    raised = {found.code for name in NAMES for found in findings(name)}
    elsewhere = FROM_THE_COMMAND_LINE | FROM_THE_FILE_SYSTEM | FROM_LATER_STEPS | FROM_FUTURE_RULES
    assert raised | elsewhere == set(CODES)
    assert not raised & elsewhere
