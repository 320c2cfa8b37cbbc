"""Products on devices: by hand, and what a result may depend on. Both engines, every kernel."""

import dataclasses
import math

import numpy as np
import pytest

from cimspec.sim import Engine, mvm
from cimspec.sim.random import Purpose, normals, philox, stream_key
from cimspec.spec.chip import Adc, AdcConversion, AdcRange, Chip, Crossbar, Dac, Encoding, Rounding, Subtraction
from cimspec.spec.device import Device
from tests.sim.cases import Case
from tests.sim.variants import KINDS, Variant


def make_chip(
    device: Device, *, encoding: Encoding = Encoding.OFFSET, rows: int = 4, adc: Adc | None = None, dac_bits: int = 1,
    cell_bits: int = 2, **crossbar,
) -> Chip:  # fmt: skip
    made = Crossbar(
        rows=rows,
        columns=64,
        cell_bits=cell_bits,
        encoding=encoding,
        write_latency_ns=1.0,
        read_latency_ns=1.0,
        **crossbar,
    )
    return Chip(name="test", crossbar=made, adc=adc or Adc(bits=16), dac=Dac(bits=dac_bits), device=device)


def both(chip: Chip, weights, inputs, *, weight_bits: int, activation_bits: int = 1, seed: int = 0) -> np.ndarray:
    """The product by the definition, after checking that every kernel says the same."""
    case = Case(0, chip, np.array(weights), np.array(inputs), weight_bits, activation_bits, False, None, seed)
    expected = case.expected()
    for instructions, form in KINDS:
        found = Variant(instructions, form).products(case.layer(), case.vectors())
        assert found.dtype == expected.dtype
        assert np.array_equal(found, expected)
    return expected


@pytest.mark.parametrize(
    ("encoding", "product"),
    [
        # Cells of 2 bits, all 3; three of four rows driven: every column sums to 9.
        (Encoding.OFFSET, 9 - 4 * 3 + 4 * 9),  # 3 bits: slices of factor 1 and 4, less 2^2 times the sum of inputs
        (Encoding.DIFFERENTIAL_COLUMNS, 9 - 9),
        (Encoding.DIFFERENTIAL_ROWS, 0),  # each input drives a positive and a negative row
        (Encoding.TWOS_COMPLEMENT, 9 - 4 * 9),  # the sign bit, too, is stored in a cell of 2 bits
    ],
)
def test_cells_that_are_all_stuck_on_forget_their_weights(encoding: Encoding, product: int):
    chip = make_chip(Device(stuck_on=1.0), encoding=encoding, rows=8)
    found = both(chip, [[3, -3, 0, 1], [0, 0, 0, 0]], [[1, 1, 0, 1]], weight_bits=3)
    assert found.tolist() == [[product, product]]


def test_cells_that_are_all_stuck_off_leave_the_offset():
    # Ratio 4: an empty cell conducts 3 / (4 - 1) = 1 level, which is taken off digitally. Weights of 2 bits: u = w + 2
    # in one slice. What is left is -2 times the sum of inputs, 3.
    chip = make_chip(Device(stuck_off=1.0, on_off_ratio=4.0))
    assert both(chip, [[1, -1, 0, 1]], [[1, 1, 0, 1]], weight_bits=2).tolist() == [[-6.0]]


@pytest.mark.parametrize("conversion", AdcConversion)
@pytest.mark.parametrize(
    "crossbar",
    [
        {"encoding": Encoding.OFFSET},
        {"encoding": Encoding.OFFSET, "unit_column": True},
        {"encoding": Encoding.OFFSET, "unit_column": True, "complement": True},
        {"encoding": Encoding.TWOS_COMPLEMENT},
        {"encoding": Encoding.DIFFERENTIAL_COLUMNS},
        {"encoding": Encoding.DIFFERENTIAL_ROWS},
    ],
)
def test_a_finite_ratio_alone_loses_nothing(crossbar, conversion):
    # Ratio 4: one level under every cell. It cancels, or is taken off digitally: of the unit column and of complemented
    # columns as well. 16 rows of at most 4 levels, times at most 15: far below 2^16.
    rng = np.random.default_rng(0)
    chip = make_chip(Device(on_off_ratio=4.0), rows=16, adc=Adc(bits=16, conversion=conversion), **crossbar)
    weights, inputs = rng.integers(-7, 8, (5, 40)), rng.integers(0, 16, (6, 40))
    assert np.array_equal(both(chip, weights, inputs, weight_bits=4, activation_bits=4), inputs @ weights.T)


def test_a_finite_ratio_widens_the_range():
    # 2 rows; weights (1, -1) are stored as 3, 1 and conduct 4, 2 levels. M = 2 * (3 + 1) = 8, 2 bits: lsb 8 / 3.
    # Inputs (1, 1): S = 6: rint(2.25) = 2, value 16 / 3; less 2 * 2 of the offset and 1 * 2 of empty cells: -2 / 3.
    chip = make_chip(Device(on_off_ratio=4.0), rows=2, adc=Adc(bits=2))
    assert both(chip, [[1, -1]], [[1, 1]], weight_bits=2).tolist() == [[pytest.approx(-2 / 3)]]


def test_complemented_columns_have_a_range_that_holds_their_empty_cells():
    # 2 rows of 2-bit cells: digits of a column sum to 3 at most, empty cells add 2 * 1. M = 3 + 2 = 5, 1 bit: lsb 5.
    # Weights (1, 0) are stored as 3, 2, complemented 0, 1: S = 0 + 1 + 2 = 3, code rint(0.6) = 1, value 5.
    # Unit column: S = 1 + 1 + 2 = 4, code 1, value 5. y = -5 + (3 - 2) * 5 - off level of (-1 + 1) codes = 0.
    chip = make_chip(Device(on_off_ratio=4.0), rows=2, adc=Adc(bits=1), unit_column=True, complement=True)
    assert both(chip, [[1, 0]], [[1, 1]], weight_bits=2).tolist() == [[0.0]]


@pytest.mark.parametrize(("rounding", "products"), [(Rounding.HALF_EVEN, [4, 2, 3]), (Rounding.DOWN, [4, 1, 3])])
def test_drift_to_one_half(rounding: Rounding, products: list[int]):
    # (1024 s / 1 s)^-0.1 = 2^-1: cells of 3 and 2 conduct 1.5 and 1, to the last bit of the fixed point.
    # Inputs (1, 1, 1): 1.5 + 1 + 1.5 = 4; (1, 0, 0): 1.5, half even 2; (1, 0, 1): 3.
    device = Device(drift_nu=0.1, drift_start_ns=1e9, drift_time_ns=1.024e12)
    chip = make_chip(device, encoding=Encoding.DIFFERENTIAL_COLUMNS, adc=Adc(bits=8, rounding=rounding))
    found = both(chip, [[3, 2, 3]], [[1, 1, 1], [1, 0, 0], [1, 0, 1]], weight_bits=3)
    assert found.tolist() == [[product] for product in products]


def test_wires_by_hand():
    # One row, one column of differential pairs: full cells of 1 kohm at the end of a row. The first column's only wire
    # is none; the second of the pair lies one wire of 100 ohm further.
    # Positive weight: the cell is in the first column, factor 1 / (1 + 0) = 1: 3. Negative weight: second column. Drop:
    # current of its own cell over one wire, 100 ohm * 1 mS * 1 = 0.1; factor 1 / 1.1: 3 / 1.1 = 2.727.
    device = Device(wire_resistance_ohm=100.0, on_resistance_ohm=1000.0, activity=1.0)
    chip = make_chip(device, encoding=Encoding.DIFFERENTIAL_COLUMNS, rows=1, adc=Adc(bits=8))
    assert both(chip, [[3]], [[1]], weight_bits=3).tolist() == [[3]]
    assert both(chip, [[-3]], [[1]], weight_bits=3).tolist() == [[-3]]  # rint(2.727)
    down = make_chip(device, encoding=Encoding.DIFFERENTIAL_COLUMNS, rows=1, adc=Adc(bits=8, rounding=Rounding.DOWN))
    assert both(down, [[-3]], [[1]], weight_bits=3).tolist() == [[-2]]


@pytest.mark.parametrize("subtraction", Subtraction)
def test_read_noise_is_the_documented_draw(subtraction: Subtraction):
    # Output 20 of a layer of 21, second vector, second set of rows (from row 2 on), slice 0: counter
    # (20 % 16, vector 1, row 2, plane * 256 + step), word (20 % 64) // 16 = 1. The positive column is plane 0.
    seed = 7
    device = Device(read_sigma=0.5)
    adc = Adc(bits=12, subtraction=subtraction)
    chip = make_chip(device, encoding=Encoding.DIFFERENTIAL_COLUMNS, rows=2, adc=adc, dac_bits=2)
    weights, inputs = np.zeros((21, 4), int), np.array([[0, 0, 0, 0], [0, 0, 3, 2]])
    weights[20] = [0, 0, 3, 1]
    found = both(chip, weights, inputs, weight_bits=3, activation_bits=2, seed=seed)[1, 20]

    def draw(plane: int) -> float:
        counter = np.array([20 % 16, 1, 2, plane * 256], np.uint32)[:, None]
        return float(normals(philox(counter, stream_key(seed, 0, Purpose.READ)))[1, 0])

    # S = 3 * 3 + 1 * 2 = 11; a cell's noise is 0.5 * 3 levels, times sqrt(3^2 + 2^2). M = 2 * 3 * 3 = 18: lsb 1.
    noise = 1.5 * math.sqrt(13)
    if subtraction is Subtraction.BEFORE_ADC:  # both columns' noise at once
        assert found == np.clip(round(11 + math.sqrt(2) * noise * draw(0)), -18, 18)
    else:
        assert found == np.clip(round(11 + noise * draw(0)), 0, 18) - np.clip(round(noise * draw(1)), 0, 18)


NOISY = Device(on_off_ratio=30.0, program_sigma=0.05, read_sigma=0.1)


def noisy_case(encoding: Encoding = Encoding.OFFSET, vectors: int = 150, device: Device = NOISY) -> Case:
    rng = np.random.default_rng(3)
    chip = make_chip(device, encoding=encoding, rows=16, adc=Adc(bits=6, range=AdcRange.ROWS_USED))
    weights, inputs = rng.integers(-7, 8, (70, 40)), rng.integers(0, 16, (vectors, 40))
    return Case(0, chip, weights, inputs, 4, 4, False, None, 5)


@pytest.mark.parametrize("device", [Device(), NOISY])
@pytest.mark.parametrize("encoding", Encoding)
def test_products_depend_neither_on_chunks_nor_on_threads(encoding: Encoding, device: Device):
    case = noisy_case(encoding, device=device)
    layer, inputs = case.layer(), case.vectors()
    expected = layer.products(inputs)
    for instructions, form in KINDS:
        for chunk, threads in ((512, 1), (64, 2), (7, 3), (1, 2)):
            variant = Variant(instructions, form, threads=threads, chunk=chunk)
            assert np.array_equal(variant.products(layer, inputs), expected)


@pytest.mark.parametrize("engine", Engine)
def test_a_vector_depends_on_itself_and_its_index(engine: Engine):
    case = noisy_case(vectors=20)
    layer, inputs = case.layer(), case.vectors()
    together = layer.products(inputs, engine=engine)
    for index in (19, 0, 7):
        alone = layer.products(inputs.part(slice(index, index + 1)), engine=engine)
        assert np.array_equal(alone[0], together[index])
    # Others may change; at another index, noise does.
    others = case.inputs[::-1].copy()
    others[7] = case.inputs[7]
    moved = layer.products(dataclasses.replace(case, inputs=others).vectors(), engine=engine)
    assert np.array_equal(moved[7], together[7])
    shifted = dataclasses.replace(inputs, first_vector=1)
    assert not np.array_equal(layer.products(shifted, engine=engine)[7], together[7])


@pytest.mark.parametrize("first_vector", [0, 2**32 - 3, 2**39])
def test_engines_agree_on_vectors_of_any_index(first_vector: int):
    case = noisy_case(vectors=6)
    layer, inputs = case.layer(), dataclasses.replace(case.vectors(), first_vector=first_vector)
    expected = layer.products(inputs, engine=Engine.REFERENCE)
    for instructions, form in KINDS:
        assert np.array_equal(Variant(instructions, form).products(layer, inputs), expected)


def test_without_read_noise_the_order_of_vectors_is_free():
    case = noisy_case(device=Device(program_sigma=0.1, stuck_on=0.02))
    order = np.random.default_rng(0).permutation(len(case.inputs))
    shuffled = dataclasses.replace(case, inputs=case.inputs[order])
    layer = case.layer()
    assert np.array_equal(layer.products(shuffled.vectors()), layer.products(case.vectors())[order])


def test_a_seed_repeats_and_another_differs():
    case = noisy_case(vectors=3)
    first, again, other = (
        mvm(case.chip, case.weights, case.inputs, **{**case.options, "seed": seed}) for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert np.mean(first != other) > 0.9


@pytest.mark.parametrize("cell_bits", [1, 4, 7])
def test_cells_that_stray_far_keep_their_value(cell_bits: int):
    # Conductances of many levels, in steps of a whole level or so: beyond what 8 bits hold.
    device = Device(on_off_ratio=1.1, program_sigma=1.0)
    chip = make_chip(device, rows=16, adc=Adc(bits=8), cell_bits=cell_bits)
    rng = np.random.default_rng(0)
    weights, inputs = rng.integers(-127, 128, (5, 50)), rng.integers(0, 16, (5, 50))
    both(chip, weights, inputs, weight_bits=8, activation_bits=4)
