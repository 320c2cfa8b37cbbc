"""Schedules: they compute what the integer network computes, and their text reads back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimspec.compiler import (
    Program,
    compile_program,
    load_program,
    parse_program,
    print_program,
    save_program,
    with_full_scales,
)
from cimspec.compiler.schedule import schedule
from cimspec.cost import program_cost
from cimspec.diag import CimError
from cimspec.graph import Graph
from cimspec.graph.layer import Conv2d, Input, Layer, Linear, Relu, Reshape
from cimspec.graph.window import Window
from cimspec.quant.integer import integer_network
from cimspec.quant.lower import Lowered
from cimspec.quant.ops import Codes, Dequantize, MatMul, Requantize, Tensor, Wide, scale_name
from cimspec.sim import Engine, execute, mvm
from cimspec.spec.chip import Adc, Attention, Chip, Crossbar, Encoding, WeightMode
from tests.compiler.strategies import Case, cases, random_parameters
from tests.sim.strategies import chips


@settings(max_examples=40, deadline=None)
@given(cases(), chips(lossless=True))
def test_an_executed_program_equals_the_integer_network_bit_for_bit(case: Case, chip: Chip):
    program = compile_program(case.graph, case.policy, chip)
    expected = case.network.run(case.images)
    assert np.array_equal(execute(program, case.network.constants, case.images), expected)
    assert np.array_equal(execute(program, case.network.constants, case.images, shortcut=False), expected)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(cases(), chips(lossless=True), st.integers(1, 400), st.booleans(), st.sampled_from(Attention))
def test_an_executed_program_whose_weights_stay_equals_the_integer_network(
    case: Case, chip: Chip, crossbars: int, copies: bool, attention: Attention
):
    chip = chip.model_copy(
        update={"weights": WeightMode.RESIDENT, "crossbars": crossbars, "copies": copies, "attention": attention}
    )
    program = compile_program(case.graph, case.policy, chip)
    assert np.array_equal(execute(program, case.network.constants, case.images), case.network.run(case.images))
    assert parse_program(print_program(program)) == program
    cost = program_cost(program)
    assert cost.latency_ns >= cost.interval_ns * (1 - 1e-9)


@pytest.mark.slow
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
    op = first_product(case)
    codes = random_codes(op)
    program, constants = one_product(op, chip, case.network.constants[op.weights][: op.outputs])
    expected = mvm(
        chip, constants["y.weights"], codes, weight_bits=op.precision.weight_bits,
        activation_bits=op.precision.activation_bits, signed_inputs=op.signed, engine="reference",
    )  # fmt: skip
    assert np.array_equal(execute(program, constants, codes), expected)


def first_product(case: Case) -> MatMul:
    """The first layer's product, of its first group."""
    return next(op for op in case.network.ops if isinstance(op, MatMul))


def random_codes(op: MatMul) -> np.ndarray:
    codes = Codes(op.precision.activation_bits, op.signed)
    return np.random.default_rng(0).integers(codes.low, codes.high, (3, op.inputs), endpoint=True)


def one_product(op: MatMul, chip: Chip, weights: np.ndarray) -> tuple[Program, dict[str, np.ndarray]]:
    """A network of one product of vectors, all scales 1: a program and its constants."""
    codes = Codes(op.precision.activation_bits, op.signed)
    outputs = len(weights)
    product = MatMul(
        "y", "y.codes", "y", "y.weights", "y.bias", None, 1, op.inputs, outputs, (outputs,), op.precision, op.signed
    )
    tensors = (
        Tensor("x", Wide.REALS, (op.inputs,)),
        Tensor("y.codes", codes, (op.inputs,)),
        Tensor("y", Wide.SUMS, (outputs,)),
        Tensor("logits", Wide.REALS, (outputs,)),
    )
    ops = (Requantize("y.codes", "x", codes), product, Dequantize("logits", "y"))
    one = np.ones(1)
    constants = {"y.weights": weights, "y.bias": np.zeros(outputs, np.int64)}
    constants |= {scale_name("y.codes"): one, scale_name("y"): one}
    return schedule("one", Lowered(ops, tensors), chip), constants


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


@pytest.mark.parametrize("suffix", [".cimp", ".json"])
def test_a_saved_program_runs_without_its_spec(tmp_path, suffix):
    case = make_case()
    path = tmp_path / f"net{suffix}"
    save_program(compile_program(case.graph, case.policy, make_chip()), case.network.constants, path)
    program, constants = load_program(path)
    assert np.array_equal(execute(program, constants, case.images), case.network.run(case.images))


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("cimspec program 2", "cimspec program 9", 1, "version `9`"),
        ("shift_add", "shift_sub", 20, "unknown instruction"),
        ("codes=u4", "codes=four", 12, "`four` is no value for `codes`"),
        ("inputs=18 ", "", 13, "field `inputs` is missing"),
        ("for wave 0..", "for wave -1..", 14, "`-1` is no value for `extent`"),
        ("requantize", "requantise", 12, "unknown operation `requantise`"),
        ("3x3/1x1", "3x3/2x2", 45, "edited after it was compiled"),
        ('"rows":8', '"rows":9', 45, "edited after it was compiled"),
        ("u4 2x5x5", "u4 2x5x0", 5, "`2x5x0` is no value for `shape`"),
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
    path.write_text(text.partition("# constants")[0])
    path.with_suffix(".npz").unlink()
    with pytest.raises(CimError, match="compiled without weights"):
        load_program(path)
    with pytest.raises(CimError, match="cannot read the program"):
        load_program(path.with_name("other.cimp"))


def make_chip() -> Chip:
    crossbar = Crossbar(
        rows=8, columns=8, cell_bits=2, encoding=Encoding.OFFSET, write_latency_ns=56000.0, read_latency_ns=1400.0
    )
    return Chip(name="small", crossbar=crossbar, adc=Adc(bits=16))


def make_case() -> Case:
    graph = Graph(
        "net",
        (
            Layer("x", Input(False), (), (2, 5, 5)),
            Layer("c", Conv2d(2, 3, Window.square(3)), ("x",), (3, 3, 3)),
            Layer("r", Relu(), ("c",), (3, 3, 3)),
            Layer("flat", Reshape(), ("r",), (27,)),
            Layer("f", Linear(27, 4), ("flat",), (4,)),
        ),
    )
    policy = graph.uniform(4, 4)
    rng = np.random.default_rng(0)
    parameters = random_parameters(graph, policy, rng)
    return Case(graph, policy, integer_network(graph, parameters), rng.random((2, 2, 5, 5)), parameters)
