"""Schedules: they compute what the integer network computes, and their text reads back."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings

from cimspec.compiler import (
    Program,
    compile_program,
    load_program,
    parse_program,
    print_program,
    save_program,
    schedule_layer,
    with_full_scales,
)
from cimspec.diag import CimError
from cimspec.graph import build_graph
from cimspec.quant.integer import integer_network
from cimspec.quant.ops import WHOLE_VECTOR, Requantize
from cimspec.quant.parameters import activation_range
from cimspec.sim import Engine, execute, mvm
from cimspec.spec.chip import Adc, Chip, Crossbar, Encoding
from cimspec.spec.workload import Conv2dSpec, InputSpec, LayerSpec, LinearSpec, ModelSpec, ReluSpec
from tests.compiler.strategies import Case, cases, random_parameters
from tests.sim.strategies import chips


@settings(max_examples=60, deadline=None)
@given(cases(), chips(lossless=True))
def test_an_executed_program_equals_the_integer_network_bit_for_bit(case: Case, chip: Chip):
    program = compile_program(case.graph, case.policy, chip)
    expected = case.network.run(case.images)
    assert np.array_equal(execute(program, case.network.constants, case.images), expected)
    assert np.array_equal(execute(program, case.network.constants, case.images, shortcut=False), expected)


@settings(max_examples=40, deadline=None)
@given(cases(), chips())
def test_with_a_lossy_adc_both_engines_and_the_shortcut_agree(case: Case, chip: Chip):
    program = compile_program(case.graph, case.policy, chip)
    program = with_full_scales(program, {case.policy.names[0]: 7.0})
    kernel = execute(program, case.network.constants, case.images)
    reference = execute(program, case.network.constants, case.images, engine=Engine.REFERENCE, shortcut=False)
    assert np.array_equal(kernel, reference)


@settings(max_examples=60, deadline=None)
@given(cases(), chips())
def test_cutting_a_layer_into_blocks_does_not_change_its_product(case: Case, chip: Chip):
    """The schedule's blocks, one after the other, against the definition, which knows no columns of blocks."""
    op = next(compile_program(case.graph, case.policy, chip).layers).op
    low, high = activation_range(op.precision.activation_bits, op.signed)
    codes = np.random.default_rng(0).integers(low, high, (3, op.inputs), endpoint=True)
    vector = dataclasses.replace(op, window=WHOLE_VECTOR, shape=(op.outputs,))
    program = Program("one", chip, "x", (op.inputs,), (
        Requantize(op.src, "x", "one", low, high),
        schedule_layer(vector, chip),
    ))  # fmt: skip
    weights = case.network.constants[op.weights]
    constants = {op.weights: weights, op.bias: np.zeros(op.outputs, np.int64), "one": np.ones(1)}
    expected = mvm(
        chip, weights, codes, weight_bits=op.precision.weight_bits,
        activation_bits=op.precision.activation_bits, signed_inputs=op.signed, engine="reference",
    )  # fmt: skip
    assert np.array_equal(execute(program, constants, codes), expected)


@settings(max_examples=60, deadline=None)
@given(cases(), chips())
def test_the_text_of_a_program_reads_back_to_the_same_program(case: Case, chip: Chip):
    program = with_full_scales(compile_program(case.graph, case.policy, chip), {case.policy.names[-1]: 12.5})
    assert parse_program(print_program(program)) == program


@pytest.fixture
def saved(tmp_path):
    """A small program on disk: its path."""
    case, chip = make_case(), make_chip()
    path = tmp_path / "net.cimp"
    save_program(compile_program(case.graph, case.policy, chip), case.network.constants, path)
    return path, case, chip


def test_a_saved_program_runs_without_its_spec(saved):
    path, case, _ = saved
    program, constants = load_program(path)
    assert np.array_equal(execute(program, constants, case.images), case.network.run(case.images))


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("cimspec program 1", "cimspec program 9", 1, "version `9`"),
        ("shift_add", "shift_sub", 13, "unknown instruction"),
        ("low=0", "low=zero", 5, "`zero` is no value for `low`"),
        ("inputs=18 ", "", 6, "field `inputs` is missing"),
        ("for wave 0..", "for wave -1..", 7, "`-1` is no value for `extent`"),
        ("requantize", "requantise", 5, "unknown operation `requantise`"),
    ],
)
def test_a_program_edited_wrongly_is_rejected_at_its_line(saved, old, new, line, message):
    path = saved[0]
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(CimError) as caught:
        load_program(path)
    (found,) = caught.value.diagnostics
    assert (found.code, found.span.line) == ("CIM501", line)
    assert message in found.message


def test_constants_of_another_program_are_rejected(saved):
    path, case, _ = saved
    np.savez(path.with_suffix(".npz"), **{name: array * 2 for name, array in case.network.constants.items()})
    with pytest.raises(CimError, match="other constants"):
        load_program(path)


def test_a_truncated_program_and_a_missing_one_are_rejected(saved):
    path = saved[0]
    text = path.read_text()
    path.write_text(text[: text.index("accumulate")])
    with pytest.raises(CimError, match="ends too early"):
        load_program(path)
    with pytest.raises(CimError, match="cannot read the program"):
        load_program(path.with_name("other.cimp"))


def make_chip() -> Chip:
    crossbar = Crossbar(
        rows=8, columns=8, cell_bits=2, encoding=Encoding.OFFSET, write_latency_ns=56000.0, read_latency_ns=1400.0
    )
    return Chip(name="small", crossbar=crossbar, adc=Adc(bits=16))


def make_case() -> Case:
    layers = (
        LayerSpec(name="x", inputs=(), op=InputSpec(shape=(2, 5, 5), signed=False)),
        LayerSpec(name="c", inputs=("x",), op=Conv2dSpec(channels=3, kernel=3)),
        LayerSpec(name="r", inputs=("c",), op=ReluSpec()),
        LayerSpec(name="f", inputs=("r",), op=LinearSpec(features=4)),
    )
    graph = build_graph(ModelSpec(name="net", layers=layers))
    policy = graph.uniform(4, 4)
    rng = np.random.default_rng(0)
    network = integer_network(graph, random_parameters(graph, policy, rng))
    return Case(graph, policy, network, rng.random((2, 2, 5, 5)))
