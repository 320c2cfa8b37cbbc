"""Programs on chips whose devices are not ideal: both engines, any batch, programmed once, and self-contained."""

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimspec.compiler import compile_program, load_program, parse_program, print_program, save_program
from cimspec.sim import Engine, execute, mvm
from cimspec.sim import layer as layer_module
from cimspec.sim import programmed as programmed_module
from cimspec.sim.execute import Machine
from cimspec.spec.chip import Adc, AdcRange, Chip, Crossbar, Encoding, WeightMode
from cimspec.spec.device import Device, DeviceTable
from tests.compiler.strategies import Case, cases
from tests.compiler.test_program import first_product, make_case, one_product, random_codes
from tests.sim.strategies import chips
from tests.sim.variants import KINDS, running

NOISY = Device(on_off_ratio=20.0, program_sigma=0.05, read_sigma=0.05, stuck_on=0.01, drift_nu=0.02, drift_time_ns=1e12)


def make_chip(encoding: Encoding = Encoding.OFFSET, device: Device = NOISY) -> Chip:
    crossbar = Crossbar(
        rows=8, columns=8, cell_bits=2, encoding=encoding, write_latency_ns=56000.0, read_latency_ns=1400.0
    )
    return Chip(name="noisy", crossbar=crossbar, adc=Adc(bits=5, range=AdcRange.ROWS_USED), device=device)


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(cases(), chips(noisy=True), st.integers(0, 2**32), st.sampled_from([None, 20, 300]))
def test_both_engines_and_the_shortcut_agree(case: Case, chip: Chip, seed: int, crossbars: int | None):
    """Where weights stay, every copy of a layer has cells of its own."""
    if crossbars:
        chip = chip.model_copy(update={"weights": WeightMode.RESIDENT, "crossbars": crossbars})
    program = compile_program(case.graph, case.policy, chip)
    constants, images = case.network.constants, case.images
    kernel = execute(program, constants, images, seed=seed)
    assert np.array_equal(kernel, execute(program, constants, images, seed=seed, shortcut=False))
    assert np.array_equal(kernel, execute(program, constants, images, seed=seed, engine=Engine.REFERENCE))


@settings(max_examples=20, deadline=None)
@given(cases(), chips(noisy=True), st.integers(0, 2**32))
def test_a_layer_cut_into_blocks_is_the_definition(case: Case, chip: Chip, seed: int):
    """The first layer's schedule against the definition, which goes through the layout column by column."""
    op = first_product(case)
    codes = random_codes(op)
    program, constants = one_product(op, chip, case.network.constants[op.weights][: min(op.outputs, 4)])
    expected = mvm(
        chip, constants["y.weights"], codes, weight_bits=op.precision.weight_bits,
        activation_bits=op.precision.activation_bits, signed_inputs=op.signed, engine="reference", seed=seed,
    )  # fmt: skip
    assert np.array_equal(execute(program, constants, codes, seed=seed), expected)


@settings(max_examples=40, deadline=None)
@given(cases(), chips(noisy=True))
def test_the_text_reads_back_to_the_same_program(case: Case, chip: Chip):
    program = compile_program(case.graph, case.policy, chip)
    assert parse_program(print_program(program)) == program


TABLE = DeviceTable(mean_siemens=(2e-6, 5e-6, 9e-6, 11e-6), sigma_siemens=(1e-7, 3e-7, 2e-7, 1e-7))


@pytest.mark.parametrize("device", [NOISY, Device(table=TABLE, wire_resistance_ohm=2.5, read_sigma=1 / 3)])
def test_a_saved_program_needs_neither_spec_nor_table(tmp_path, device):
    case = make_case()
    program = compile_program(case.graph, case.policy, make_chip(device=device))
    path, _ = save_program(program, case.network.constants, tmp_path / "net.cimp")
    loaded, constants = load_program(path)
    assert loaded == program
    expected = execute(program, case.network.constants, case.images, seed=3)
    assert np.array_equal(execute(loaded, constants, case.images, seed=3), expected)


@pytest.fixture
def batch():
    """A noisy program and twelve inputs: program, constants, images."""
    case = make_case()
    images = np.random.default_rng(1).random((12, 2, 5, 5))
    return compile_program(case.graph, case.policy, make_chip()), case.network.constants, images


@pytest.mark.parametrize("at_once", [1, 2, 5, 100])
@pytest.mark.parametrize("chunk", [1, 7, 512])
def test_outputs_do_not_depend_on_how_many_inputs_come_at_once(batch, at_once, chunk):
    program, constants, images = batch
    expected = execute(program, constants, images, seed=4)
    with (
        patch("cimspec.sim.execute.MOST_INPUTS", at_once),
        patch.object(layer_module, "MOST_VECTORS", chunk),
        patch.object(layer_module, "FEWEST_VECTORS", 1),
    ):
        assert np.array_equal(execute(program, constants, images, seed=4), expected)


def test_an_output_depends_on_its_input_and_index_only(batch):
    program, constants, images = batch
    machine = Machine.of(program, constants, seed=4)
    together = machine.run(images)
    for index in (11, 0, 5):  # in any order
        alone = machine.run(images[index : index + 1], first_input=index)
        assert np.array_equal(alone[0], together[index])
    others = images[::-1].copy()
    others[5] = images[5]
    assert np.array_equal(machine.run(others)[5], together[5])
    # At another place the same input meets other noise.
    assert not np.array_equal(machine.run(images[5:6], first_input=6)[0], together[5])


@pytest.mark.parametrize(("instructions", "form"), KINDS)
def test_every_instruction_set_gives_the_same_outputs(batch, instructions, form):
    program, constants, images = batch
    expected = execute(program, constants, images, engine=Engine.REFERENCE, seed=4)
    with running(instructions, form):
        assert np.array_equal(execute(program, constants, images, seed=4), expected)


def test_cells_are_programmed_once_for_each_layer_and_seed(batch):
    program, constants, images = batch
    with (
        patch("cimspec.sim.execute.MOST_INPUTS", 3),
        patch.object(programmed_module, "programmed_cells", wraps=programmed_module.programmed_cells) as programmed,
    ):
        execute(program, constants, images, seed=9)
    made = [(call.kwargs["layer"], call.kwargs["rows"]) for call in programmed.call_args_list]
    needed = [
        (index, rows) for index, layer in enumerate(program.layers) for rows in program.layout(layer).crossbar_rows()
    ]
    assert sorted(made, key=needed.index) == needed
    assert {call.kwargs["seed"] for call in programmed.call_args_list} == {9}


@pytest.mark.parametrize(
    "device", [Device(program_sigma=0.1), Device(read_sigma=0.1), Device(stuck_off=0.05, stuck_on=0.05)]
)
def test_a_seed_repeats_and_another_differs(device):
    case = make_case()
    program = compile_program(case.graph, case.policy, make_chip(device=device))
    first, again, other = (execute(program, case.network.constants, case.images, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
