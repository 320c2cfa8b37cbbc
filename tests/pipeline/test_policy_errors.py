"""What fine-tuning sees of a chip is what the simulator does there."""

from pathlib import Path

import numpy as np
import pytest
import torch

from cimspec.compiler import CrossbarLayer, compile_program
from cimspec.graph import Graph, Policy, open_model
from cimspec.graph.layer import Conv2d, GlobalAvgPool, Input, Layer, Linear, Relu
from cimspec.graph.window import Window
from cimspec.pipeline.chip_ranges import ChipRanges
from cimspec.pipeline.drawn_chips import (
    CHIPS_OF_A_SEED,
    DECIDED_CHIPS,
    JUDGED_CHIP,
    REPORTED_CHIPS,
    SEARCHED_CHIPS,
    TUNED_CHIPS,
)
from cimspec.pipeline.policy_errors import PolicyErrors
from cimspec.pipeline.tuning_chips import TuningChips, compile_network
from cimspec.quant.calibrate import calibrate
from cimspec.quant.execute import Plan, float_function, to_tensors, to_weights
from cimspec.quant.integer import integer_network
from cimspec.quant.ops import Codes
from cimspec.quant.student import Student
from cimspec.quant.tables import Tables, quantize
from cimspec.quant.train import initial_tensors
from cimspec.sim import execute
from cimspec.sim.on_crossbars import How, put_on_crossbars
from cimspec.spec import Adc, Chip, Dac, Device, Encoding, WeightMode, load_spec
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
        assert errors.product_errors(name, own.weight_codes, 0) is None


KINDS = [
    {"encoding": Encoding.DIFFERENTIAL_COLUMNS},
    {"encoding": Encoding.DIFFERENTIAL_ROWS},
    {"encoding": Encoding.OFFSET},
    {"encoding": Encoding.OFFSET, "unit_column": True, "complement": True},
    {"encoding": Encoding.TWOS_COMPLEMENT},
]


@pytest.mark.parametrize("copies", [False, True], ids=["reloaded", "copies"])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "_".join(map(str, kind.values())))
@pytest.mark.parametrize("graph", [residual_net(normalized=False), depthwise_net()], ids=lambda graph: graph.name)
def test_errors_are_those_of_simulated_products(graph: Graph, kind: dict, copies: bool):
    """Chip by chip and output by output: means and spread of what a layer gives, and which inputs it errs on."""
    tables, policy = make_tables(graph), graph.uniform(5, 6)
    chip = make_chip(Adc(bits=7), Device(program_sigma=0.1, stuck_on=0.02, read_sigma=0.02))
    chip = chip.model_copy(update={"crossbar": chip.crossbar.model_copy(update=kind), "dac": Dac(bits=2)})
    if copies:
        chip = chip.model_copy(update={"weights": WeightMode.RESIDENT, "crossbars": 120})
    errors = make_errors(tables, chip, policy)
    program = compile_program(graph, policy, chip)
    constants = integer_network(graph, quantize(tables, policy)).constants
    for index, layer in enumerate(program.layers):
        op, codes = layer.op, constants[layer.op.weights]
        inputs = coded_inputs(graph, tables, layer)
        seed = SEEDS[1]
        simulated = put_on_crossbars(program, layer, constants, seed=seed, index=index).run(inputs, 0, How())
        found = simulated - bias_of(graph, layer.name, constants) - products(graph, layer.name, inputs, codes)
        given = errors.product_errors(layer.name, codes, 1)
        assert given is not None
        explained = products(graph, layer.name, inputs, given.weights)
        left = np.moveaxis(found - explained, 1, -1).reshape(-1, found.shape[1])
        spread = np.sqrt((given.deviation**2).mean())
        assert spread / 1.7 < left.std(axis=0).mean() < 1.7 * spread  # measured on other images
        assert np.abs(left.mean(axis=0) - given.offset).mean() < 0.5 * spread
        if op.matrices == 1 and not copies:
            assert np.corrcoef(found.ravel(), explained.ravel())[0, 1] > 0.5


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
    student = Student.of(tables, policy)
    errors = student.on_chip(PolicyErrors(ChipRanges.of(tables, spec.chip, images), policy, SEEDS), 0)
    generator = torch.Generator().manual_seed(0)
    outputs = Plan.of(graph).run(torch.from_numpy(images[:4]), student.function(errors, generator))
    assert outputs.isfinite().all()
    for name in ("a1_qk", "a1_av"):
        found = errors[name]
        assert (found is None) == (attention == "digital")
        assert found is None or found.weights is None
    assert errors["a1_q"].weights is not None


def test_networks_are_compared_on_a_chip_of_their_own(tables: Tables):
    chip, images = make_chip(SHORT, NOISY), random_images(40, seed=3)
    chips = TuningChips(ChipRanges.of(tables, chip, images), images, SEEDS, judged_seed=13)
    parameters = quantize(tables, tables.graph.uniform(4, 4))
    program, constants = compile_network(tables.graph, parameters, chip, images)
    assert all(layer.full_scale for layer in program.layers)
    found = chips.network_outputs(parameters, images[:7])
    assert np.array_equal(found, execute(program, constants, images[:7], seed=13))
    assert not np.array_equal(found, execute(program, constants, images[:7], seed=SEEDS[0]))


def test_no_chip_serves_two_purposes():
    drawn = [*SEARCHED_CHIPS, *DECIDED_CHIPS, *REPORTED_CHIPS, JUDGED_CHIP, *TUNED_CHIPS]
    assert len(set(drawn)) == len(drawn)
    assert max(drawn) < CHIPS_OF_A_SEED


def coded_inputs(graph: Graph, tables: Tables, layer: CrossbarLayer) -> np.ndarray:
    """What the float network makes of other images, coded: `[images, *shape]`."""
    plan, live = Plan.of(graph), {graph.layers[0].name: torch.from_numpy(random_images(60, seed=8))}
    source = graph[layer.name].inputs[0]
    names = [each.name for each in graph.layers]
    function = float_function(to_tensors(tables.weights))
    if source != graph.layers[0].name:
        plan.advance(live, plan.layers[: names.index(source)], function)
    step = tables.layers[layer.name].input_steps[layer.op.precision.activation_bits]
    codes = Codes(layer.op.precision.activation_bits, layer.op.signed)
    return np.clip(np.rint(live[source].numpy() / step), codes.low, codes.high).astype(np.int64)


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
