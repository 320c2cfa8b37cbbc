"""What fine-tuning sees of a chip is what the simulator does there."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cimspec.compiler import compile_program
from cimspec.graph import Graph, Policy, open_model
from cimspec.graph.layer import Conv2d, GlobalAvgPool, Input, Layer, Linear, Relu
from cimspec.graph.window import Window
from cimspec.pipeline.chip_ranges import ChipRanges
from cimspec.pipeline.policy_errors import PolicyErrors
from cimspec.pipeline.tuning_chips import TuningChips, compile_network
from cimspec.quant.calibrate import calibrate
from cimspec.quant.execute import Plan, to_weights
from cimspec.quant.integer import integer_network
from cimspec.quant.student import Student
from cimspec.quant.tables import Tables, quantize
from cimspec.quant.train import initial_tensors
from cimspec.sim import execute
from cimspec.sim.on_crossbars import How, put_on_crossbars
from cimspec.spec import Adc, AdcConversion, Chip, Device, load_spec
from tests.pipeline.test_chip_evaluator import LOSSLESS, NOISY, SHORT, make_chip
from tests.quant.nets import random_images, random_weights, residual_net

SEEDS = (11, 12)
SPECS = Path(__file__).parents[2] / "specs"


def depthwise_net() -> Graph:
    """A convolution, a depthwise one whose groups share crossbars, ten classes."""
    return Graph(
        "depthwise",
        (
            Layer("x", Input(False), (), (1, 8, 8)),
            Layer("c", Conv2d(1, 6, Window.square(3, 1, 1)), ("x",), (6, 8, 8)),
            Layer("r", Relu(), ("c",), (6, 8, 8)),
            Layer("d", Conv2d(6, 6, Window.square(3, 1, 1), groups=6), ("r",), (6, 8, 8)),
            Layer("rd", Relu(), ("d",), (6, 8, 8)),
            Layer("p", GlobalAvgPool(), ("rd",), (6,)),
            Layer("f", Linear(6, 10), ("p",), (10,)),
        ),
    )


def make_tables(graph: Graph) -> Tables:
    return calibrate(graph, random_weights(graph), random_images(64))


@pytest.fixture(scope="module")
def tables() -> Tables:
    return make_tables(residual_net(normalized=False))


def make_errors(tables: Tables, chip: Chip, policy: Policy) -> PolicyErrors:
    return PolicyErrors(ChipRanges.of(tables, chip, random_images(32, seed=3)), policy, SEEDS)


def test_a_chip_that_computes_exactly_adds_nothing(tables: Tables):
    policy = tables.graph.uniform(4, 4)
    errors = make_errors(tables, make_chip(LOSSLESS), policy)
    for name, own in quantize(tables, policy).layers.items():
        assert errors.weights(name, own.weight_codes, 0) is None
        assert errors.outputs(name) is None


def test_an_adc_alone_moves_no_weights(tables: Tables):
    policy = tables.graph.uniform(4, 4)
    errors = make_errors(tables, make_chip(SHORT), policy)
    own = quantize(tables, policy).layers["cb"]
    assert errors.weights("cb", own.weight_codes, 0) is None
    found = errors.outputs("cb")
    assert found is not None
    assert found.shape == (8,)
    assert found.min() >= 0
    assert found.max() > 0.1


@pytest.mark.parametrize("graph", [residual_net(normalized=False), depthwise_net()], ids=lambda graph: graph.name)
def test_strayed_weights_explain_simulated_products(graph: Graph):
    """Chip by chip; of groups that share crossbars all but what the cells between them add."""
    tables, policy = make_tables(graph), graph.uniform(5, 8)
    chip = make_chip(Adc(bits=16, conversion=AdcConversion.PER_PRODUCT), Device(program_sigma=0.1, stuck_on=0.02))
    errors = make_errors(tables, chip, policy)
    program = compile_program(graph, policy, chip)
    constants = integer_network(graph, quantize(tables, policy)).constants
    rng = np.random.default_rng(0)
    for index, layer in enumerate(program.layers):
        codes, op = constants[layer.op.weights], layer.op
        inputs = rng.integers(0, 127 if op.signed else 255, (60, *graph[graph[layer.name].inputs[0]].shape))
        for number, seed in enumerate(SEEDS):
            strayed = errors.weights(layer.name, codes, number)
            assert strayed is not None
            simulated = put_on_crossbars(program, layer, constants, seed=seed, index=index).run(inputs, 0, How())
            found = simulated - bias_of(graph, layer.name, constants) - products(graph, layer.name, inputs, codes)
            explained = products(graph, layer.name, inputs, strayed)
            assert np.corrcoef(found.ravel(), explained.ravel())[0, 1] > (0.999 if op.matrices == 1 else 0.3)
            between = errors.outputs(layer.name)
            assert between is not None
            left = (found - explained).std()
            assert left / 3 < np.sqrt((between**2).mean()) < 3 * left  # measured on other inputs


@pytest.mark.parametrize("adc", [SHORT, Adc(bits=5)], ids=["calibrated", "rows"])
def test_the_spread_of_outputs_is_that_of_other_images(tables: Tables, adc: Adc):
    graph, policy = tables.graph, tables.graph.uniform(6, 6)
    chip = make_chip(adc, Device(read_sigma=0.05))
    errors, ranges = make_errors(tables, chip, policy), ChipRanges.of(tables, chip, random_images(32, seed=3))
    program = compile_program(graph, policy, chip)
    network = integer_network(graph, quantize(tables, policy))
    layer = next(iter(program.layers))
    layer = replace(layer, full_scale=ranges.full_scale(program, layer, network.constants))
    step = tables.layers["c1"].input_steps[6]
    codes = np.clip(np.rint(random_images(200, seed=9) / step), 0, 63).astype(np.int64)
    simulated = put_on_crossbars(program, layer, network.constants, seed=99, index=0).run(codes, 0, How())
    expected = products(graph, "c1", codes, network.constants["c1.weights"]) + bias_of(graph, "c1", network.constants)
    measured = np.sqrt(((simulated - expected) ** 2).mean((0, 2, 3)))
    np.testing.assert_allclose(errors.outputs("c1"), measured, rtol=0.35)


@pytest.mark.parametrize("attention", ["crossbars", "digital"])
def test_attention_errs_where_it_is_on_crossbars(attention: str):
    """What two activations make is stored anew for each image: there are no weights that could stray."""
    resident = ("chip.weights=resident", "chip.crossbars=500", f"chip.attention={attention}")
    spec = load_spec(SPECS / "attention.cim", (*resident, "chip.device.program_sigma=5%"))
    graph = open_model(spec).graph
    weights = to_weights(initial_tensors(graph, torch.Generator().manual_seed(0)))
    images = np.random.default_rng(0).random((32, *graph.layers[0].shape), dtype=np.float32)
    tables = calibrate(graph, weights, images)
    policy = graph.uniform(4, 4)
    errors = PolicyErrors(ChipRanges.of(tables, spec.chip, images), policy, SEEDS)
    student = Student.of(tables, policy)
    student.meet(errors, 0)
    outputs = Plan.of(graph).run(torch.from_numpy(images[:4]), student.function(torch.Generator().manual_seed(0)))
    assert outputs.isfinite().all()
    for name in ("a1_qk", "a1_av"):
        assert errors.weights(name, np.zeros((0, 0), np.int16), 0) is None
        assert (errors.outputs(name) is None) == (attention == "digital")
    assert student.errors["a1_q"].weights is not None


def test_networks_are_compared_on_a_chip_of_their_own(tables: Tables):
    chip, images = make_chip(SHORT, NOISY), random_images(40, seed=3)
    chips = TuningChips.of(tables, chip, images, seeds=SEEDS, judged_seed=13)
    parameters = quantize(tables, tables.graph.uniform(4, 4))
    program, constants = compile_network(tables.graph, parameters, chip, images)
    assert all(layer.full_scale for layer in program.layers)
    found = chips.outputs(parameters, images[:7])
    assert np.array_equal(found, execute(program, constants, images[:7], seed=13))
    assert not np.array_equal(found, execute(program, constants, images[:7], seed=SEEDS[0]))


def products(graph: Graph, name: str, inputs: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """A layer's products with real weights, in numpy."""
    op = graph[name].op
    if isinstance(op, Linear):
        return inputs @ weights.T
    kernel, padding = op.window.kernel[0], op.window.padding[0]
    padded = np.pad(inputs, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel), axis=(2, 3))
    weights = weights.reshape(op.out_channels, -1, kernel, kernel)
    if op.groups > 1:
        return np.einsum("bcyxij,cij->bcyx", windows, weights[:, 0])
    return np.einsum("bcyxij,ocij->boyx", windows, weights)


def bias_of(graph: Graph, name: str, constants) -> np.ndarray:
    bias = constants[f"{name}.bias"]
    return bias if isinstance(graph[name].op, Linear) else bias[:, None, None]
