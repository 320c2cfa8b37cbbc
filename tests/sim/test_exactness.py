"""The kernels equal the definition bit for bit: numbered random products, by every way through the kernels.

`pytest tests/sim --cases 10000` tries more of them than the usual run.
"""

import numpy as np
import pytest

from cimspec.compiler.layout import Layout
from cimspec.compiler.slicing import input_steps
from cimspec.sim import Engine, mvm
from cimspec.sim.layer import ProductLayer
from cimspec.sim.mvm import flat_inputs
from cimspec.sim.packing import Form
from cimspec.sim.programmed import ProgrammedRows
from cimspec.sim.reference import reference_mvm
from cimspec.spec.chip import (
    Adc,
    AdcConversion,
    AdcLevels,
    AdcStep,
    Chip,
    Crossbar,
    Encoding,
    Rounding,
    SignedInputs,
    Subtraction,
)
from cimspec.spec.device import Device
from tests.sim.cases import Case, case
from tests.sim.variants import KINDS, draw_variants, running

CASES_A_TEST = 50


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "numbers" in metafunc.fixturenames:
        count = metafunc.config.getoption("--cases")
        starts = range(0, count, CASES_A_TEST)
        numbers = [range(start, min(count, start + CASES_A_TEST)) for start in starts]
        metafunc.parametrize("numbers", numbers, ids=[f"{part.start}-{part.stop - 1}" for part in numbers])


def test_kernels_equal_the_definition(numbers: range):
    for number in numbers:
        check(case(number))


def check(product: Case) -> None:
    expected = product.expected()
    rng = np.random.default_rng(product.number)
    layer, inputs = product.layer(), product.vectors()
    found = {
        "mvm": mvm(product.chip, product.weights, product.inputs, **product.options),
        "numpy": layer.products(inputs, engine=Engine.REFERENCE),
    }
    for variant in draw_variants(rng, 3):
        found[str(variant)] = variant.products(layer, product.vectors(scattered=bool(rng.integers(2))))
    for name, products in found.items():
        assert products.dtype == expected.dtype, (product.number, name)
        assert np.array_equal(products, expected), (product.number, name)


def test_the_cases_reach_every_form_and_numpy():
    taken = {}
    for instructions, form in KINDS:
        with running(instructions, form) as forms:
            for product in map(case, range(60)):
                product.layer().products(product.vectors())
        taken[instructions, form] = forms
    assert all(form in forms for (_, form), forms in taken.items())


def test_the_cases_hold_every_option():
    chips = [product.chip for product in map(case, range(300))]
    for options, kind in (
        ([chip.crossbar.encoding for chip in chips], Encoding),
        ([chip.adc.code_rounding for chip in chips], Rounding),
        ([chip.adc.step for chip in chips], AdcStep),
        ([chip.adc.levels for chip in chips], AdcLevels),
        ([chip.adc.conversion for chip in chips], AdcConversion),
        ([chip.adc.subtraction for chip in chips], Subtraction),
        ([chip.dac.signed for chip in chips], SignedInputs),
    ):
        assert set(options) == set(kind)
    assert {chip.crossbar.cell_bits for chip in chips} == set(range(1, 9))
    assert {chip.adc.bits for chip in chips} == set(range(1, 17))
    assert {chip.dac.bits for chip in chips} == set(range(1, 9))
    assert {chip.crossbar.complements for chip in chips} == {False, True}
    devices = [chip.device for chip in chips]
    for name, usual in Device().model_dump().items():
        if name not in ("drift_start_ns", "activity"):
            assert any(getattr(device, name) != usual for device in devices), name


@pytest.mark.parametrize("read_sigma", [0.0, 0.02])
@pytest.mark.parametrize("rows", [1, 4, 5, 9, 10, 11, 63, 160, 161])
def test_any_number_of_lines_and_rows_can_be_looked_up(rows, read_sigma):
    # 16 lines are summed side by side, and 128 together; from 128 on they are looked up at all.
    device = Device(program_sigma=0.05, read_sigma=read_sigma)
    crossbar = Crossbar(
        rows=rows, columns=64, cell_bits=2, encoding=Encoding.OFFSET, write_latency_ns=1.0, read_latency_ns=1.0
    )
    chip = Chip(name="c", crossbar=crossbar, adc=Adc(bits=6, step=AdcStep.EXACT), device=device)
    rng = np.random.default_rng(rows)
    count = rows + 1 + rows // 2  # two sets of rows
    weights = rng.integers(-7, 7, (37, count), endpoint=True)
    inputs = rng.integers(0, 31, (61, count), endpoint=True)
    options = {"weight_bits": 4, "activation_bits": 5, "signed_inputs": False, "full_scale": None, "seed": 3}
    expected = reference_mvm(chip, weights, inputs, **options)
    layer = ProductLayer(ProgrammedRows(Layout(chip, count, 37, 4), weights, input_steps(chip, 5, False), None, seed=3))
    for vectors in (1, 3, 25, 26, 27, 29, 32, 33, 52, 61):
        found = layer.products(flat_inputs(inputs[:vectors]))
        assert np.array_equal(found, expected[:vectors]), vectors


@pytest.mark.parametrize("encoding", [Encoding.OFFSET, Encoding.DIFFERENTIAL_COLUMNS])
@pytest.mark.parametrize("cell_bits", [1, 2, 3, 4])
@pytest.mark.parametrize("rows", [1, 7, 31, 33, 64, 255, 700, 1023])
def test_sums_of_any_distribution_of_cells_are_exact(encoding, cell_bits, rows):
    # Columns of one value, of few values that are not 0, and of all values: their digits are counted from 0 or from 2.
    crossbar = Crossbar(
        rows=rows, columns=64, cell_bits=cell_bits, encoding=encoding, write_latency_ns=1.0, read_latency_ns=1.0
    )
    chip = Chip(name="c", crossbar=crossbar, adc=Adc(bits=8, step=AdcStep.POWER_OF_TWO))
    rng = np.random.default_rng(rows)
    same = np.repeat(np.array([-127, -86, -44, -1, 0, 8, 42, 85, 127])[:, None], rows, axis=1)
    mixed = rng.integers(-127, 127, (9, rows), endpoint=True)
    sparse = np.where(rng.random(mixed.shape) < 0.1, mixed, 0)
    weights = np.concatenate([same, mixed, sparse, same | mixed, np.maximum(same & mixed, -127)])
    inputs = rng.integers(0, 255, (70, rows), endpoint=True)
    inputs[0], inputs[1] = 0, 255
    options = {"weight_bits": 8, "activation_bits": 8, "signed_inputs": False, "full_scale": None}
    expected = reference_mvm(chip, weights, inputs, **options)
    assert np.array_equal(mvm(chip, weights, inputs, **options), expected)
    for instructions, form in KINDS:
        if form in (Form.TABLES, Form.NIBBLES, Form.ADDERS):
            with running(instructions, form):
                assert np.array_equal(mvm(chip, weights, inputs, **options), expected), form


@pytest.mark.parametrize("unit_column", [False, True])
@pytest.mark.parametrize("encoding", Encoding)
def test_threads_that_share_sets_of_rows_add_up_the_same(encoding, unit_column):
    crossbar = Crossbar(
        rows=8, columns=64, cell_bits=2, encoding=encoding, unit_column=unit_column and encoding is Encoding.OFFSET,
        write_latency_ns=1.0, read_latency_ns=1.0,
    )  # fmt: skip
    chip = Chip(name="c", crossbar=crossbar, adc=Adc(bits=3))
    rng = np.random.default_rng(0)
    weights = rng.integers(-7, 7, (21, 100), endpoint=True)  # 13 sets of rows
    inputs = rng.integers(0, 15, (70, 100), endpoint=True)
    options = {"weight_bits": 4, "activation_bits": 4, "signed_inputs": False, "full_scale": None}
    expected = reference_mvm(chip, weights, inputs, **options)
    layer = ProductLayer(ProgrammedRows(Layout(chip, 100, 21, 4), weights, input_steps(chip, 4, False), None))
    for threads in (1, 2, 3, 4):
        assert np.array_equal(layer.products(flat_inputs(inputs), threads=threads), expected), threads
