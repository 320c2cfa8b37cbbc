"""Programs as JSON: they read back to the same program, and what is wrong with them is said."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimspec.compiler import compile_program, with_full_scales
from cimspec.compiler.json_form import program_as_json, program_from_json
from cimspec.diag import CimError
from cimspec.spec.chip import Chip, WeightMode
from tests.compiler.strategies import Case, cases
from tests.compiler.test_program import make_case, make_chip
from tests.sim.strategies import chips


@settings(max_examples=40, deadline=None)
@given(cases(), chips(noisy=True), st.booleans())
def test_json_reads_back_to_the_same_program(case: Case, chip: Chip, resident: bool):
    if resident:
        chip = chip.model_copy(update={"weights": WeightMode.RESIDENT, "crossbars": 50})
    program = with_full_scales(compile_program(case.graph, case.policy, chip), {case.policy.names[-1]: 12.5})
    assert program_from_json(json.dumps(program_as_json(program))) == program


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda program: program.update(version=1), "has version `1`"),
        (lambda program: program.update(format="onnx"), "this is no cimspec program"),
        (lambda program: program.pop("buffers"), "`buffers` is missing"),
        (lambda program: program["buffers"][0].update(reads="many"), "`many` is no whole number"),
        (lambda program: program["segments"][0]["items"][1]["body"].append({"jump": 1}), "unknown instruction"),
        (lambda program: program["chip"]["crossbar"].update(rows=0), "the chip is not valid"),
        (lambda program: program["chip"]["crossbar"].update(rows=9), "edited after it was compiled"),
        (lambda program: program["segments"][0]["items"][1].update(window="2x2/1x1/0x0x0x0/1x1"), "edited after"),
    ],
)
def test_an_edited_program_is_rejected(edit, message):
    case = make_case()
    program = program_as_json(compile_program(case.graph, case.policy, make_chip()))
    edit(program)
    with pytest.raises(CimError, match="CIM501") as caught:
        program_from_json(json.dumps(program))
    assert message in caught.value.diagnostics[0].message


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"format": "cimspec program"}', "[" * 100_000])
def test_what_is_no_program_is_rejected(text):
    with pytest.raises(CimError, match="CIM501"):
        program_from_json(text)
