"""What each option of crossbar, ADC and DAC computes, by hand; both engines."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimspec.compiler.layout import Layout
from cimspec.sim import mvm
from cimspec.spec.chip import (
    Adc,
    AdcConversion,
    AdcLevels,
    AdcRange,
    Chip,
    Crossbar,
    Dac,
    Encoding,
    Rounding,
    SignedInputs,
)
from tests.sim.strategies import Product, products


def make_chip(
    adc: Adc, *, rows: int, cell_bits: int = 2, signed=SignedInputs.TWOS_COMPLEMENT,
    encoding=Encoding.DIFFERENTIAL_COLUMNS, **crossbar,
) -> Chip:  # fmt: skip
    crossbar = Crossbar(
        rows=rows, columns=8, cell_bits=cell_bits, encoding=encoding,
        write_latency_ns=56000.0, read_latency_ns=1400.0, **crossbar,
    )  # fmt: skip
    return Chip(name="test", crossbar=crossbar, adc=adc, dac=Dac(signed=signed))


def both(chip: Chip, weights, inputs, **options) -> list[list[float]]:
    """The product by the reference, after checking that the kernel says the same."""
    reference = mvm(chip, weights, inputs, engine="reference", **options)
    kernel = mvm(chip, weights, inputs, engine="kernel", **options)
    assert reference.dtype == kernel.dtype
    assert np.array_equal(reference, kernel)
    return reference.tolist()


@pytest.mark.parametrize(("taken", "product"), [(AdcRange.ROWS, 20), (AdcRange.ROWS_USED, 18)])
def test_the_last_set_of_rows_has_a_finer_step_with_rows_used(taken: AdcRange, product: int):
    # 6 inputs on 4 rows, all cells 3, 2 bits. First set: S = 12 = M, lsb 4, value 12. Last set: S = 6.
    # `rows`: rint(6 / 4) = 2 (half to even), value 8. `rows_used`: M = 6, lsb 2, code 3, value 6.
    chip = make_chip(Adc(bits=2, range=taken), rows=4)
    assert both(chip, np.full((1, 6), 3), np.ones((1, 6), int), weight_bits=3, activation_bits=1) == [[product]]


def test_rows_used_decides_for_each_set_whether_values_are_integers():
    # 7 inputs on 4 rows, 2 bits: M = 12, lsb 4; last set M = 9, lsb 3, S = 3: code 1. 12 + 3 = 15, all integers.
    chip = make_chip(Adc(bits=2, range=AdcRange.ROWS_USED), rows=4)
    weights, inputs = np.full((1, 7), 3), np.array([[1, 1, 1, 1, 1, 0, 0]])
    product = mvm(chip, weights, inputs, weight_bits=3, activation_bits=1)
    assert (product.tolist(), product.dtype) == ([[15]], np.int64)
    # 3 bits: lsb 12 / 7 and 9 / 7. S = 12: code 7, value 12; S = 3: rint(2.33) = 2, value 18 / 7.
    chip = make_chip(Adc(bits=3, range=AdcRange.ROWS_USED), rows=4)
    assert both(chip, weights, inputs, weight_bits=3, activation_bits=1) == [[pytest.approx(12 + 18 / 7)]]


def test_a_whole_product_is_converted_once():
    # 2 rows, cells and inputs up to 3: M = 2 * 3 * 3 = 18, 3 bits: lsb 18 / 7. Weights (3, 1), inputs (3, 2): 11.
    # rint(11 * 7 / 18) = rint(4.28) = 4, value 72 / 7. Per step: M = 6, lossless; 3 + 2 * 4 = 11.
    chip = make_chip(Adc(bits=3, conversion=AdcConversion.PER_PRODUCT), rows=2)
    options = {"weight_bits": 3, "activation_bits": 2}
    assert both(chip, [[3, 1]], [[3, 2]], **options) == [[pytest.approx(72 / 7)]]
    assert both(make_chip(Adc(bits=3), rows=2), [[3, 1]], [[3, 2]], **options) == [[11]]


@pytest.mark.parametrize("signed", SignedInputs)
@pytest.mark.parametrize(("levels", "product"), [(AdcLevels.FULL, -90 / 7 - 18 / 7), (AdcLevels.SIGN_MAGNITUDE, -12.0)])
def test_whole_products_of_signed_inputs_have_a_symmetric_range(levels, product, signed):
    # Inputs of 3 bits reach +-3: M = 18, range [-18, 18], 3 bits. Weights (3, 1), inputs (-3, -2): -11; the negative
    # columns sum to 0.
    # full: lsb 36 / 7; -11: rint(7 * 7 / 36) = rint(1.36) = 1, value 36 / 7 - 18 = -90 / 7;
    #       0: rint(3.5) = 4, value 144 / 7 - 18 = 18 / 7, which is subtracted.
    # sign_magnitude: lsb 36 / 6 = 6; -11: rint(7 / 6) = 1, value -12; 0: code 3, value 0.
    adc = Adc(bits=3, conversion=AdcConversion.PER_PRODUCT, levels=levels)
    chip = make_chip(adc, rows=2, signed=signed)
    options = {"weight_bits": 3, "activation_bits": 3, "signed_inputs": True}
    assert both(chip, [[3, 1]], [[-3, -2]], **options) == [[pytest.approx(product)]]


@pytest.mark.parametrize(
    ("rounding", "products"),
    [
        (None, [0, 4, 8]),
        (Rounding.HALF_EVEN, [0, 4, 8]),
        (Rounding.HALF_UP, [4, 4, 8]),
        (Rounding.HALF_AWAY, [4, 4, 8]),
        (Rounding.DOWN, [0, 0, 4]),
    ],
)
def test_codes_are_rounded_as_named(rounding: Rounding | None, products: list[int]):
    # M = 12, 2 bits: lsb 4. S = 2, 3, 6: 0.5, 0.75 and 1.5 steps.
    chip = make_chip(Adc(bits=2, rounding=rounding), rows=4)
    inputs = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 1, 1, 0]]
    results = both(chip, [[2, 3, 3, 0]], inputs, weight_bits=3, activation_bits=1)
    assert results == [[product] for product in products]


def test_the_unit_column_goes_through_the_adc():
    # Weights (1, -1) of 2 bits are stored as (3, 1). 2 rows, M = 6, 2 bits: lsb 2. Inputs (1, 0): S = 3:
    # rint(1.5) = 2, value 4; the sum of inputs, 1: rint(0.5) = 0, value 0. y = 4 - 2 * 0; digitally 4 - 2 * 1.
    options = {"weight_bits": 2, "activation_bits": 1}
    for unit_column, product in ((True, 4), (False, 2)):
        chip = make_chip(Adc(bits=2), rows=2, encoding=Encoding.OFFSET, unit_column=unit_column)
        assert both(chip, [[1, -1]], [[1, 0]], **options) == [[product]]


def test_a_column_of_more_than_half_is_stored_complemented():
    # 2 rows of 2-bit cells, at most 6 together. Weights (1, 0) are stored as 3, 2: 5 > 3, so complemented: 0, 1.
    # Weights (-1, 0) are stored as 1, 2: 3 is half, and stays.
    chip = make_chip(Adc(bits=1), rows=2, encoding=Encoding.OFFSET, unit_column=True, complement=True)
    layout = Layout(chip, 2, 2, 2)
    weights = np.array([[1, 0], [-1, 0]])
    assert layout.cells(weights).tolist() == [[0, 1, 1], [1, 2, 1]]  # two columns and the unit column
    assert layout.flipped(weights)[range(2)].tolist() == [True, False, False]
    # V(column) = 3 * V(unit) - V(stored), less the offset 2 * V(unit): one unit; and -2 units for the other column.
    assert layout.unit_factors(layout.flipped(weights)[range(2)]).tolist() == [3 - 2, -2]
    # M = max(floor(6 / 2), 2) = 3, 1 bit: lsb 3. Inputs (1, 1): unit 2: rint(0.67) = 1, value 3.
    # First: stored 1: rint(0.33) = 0; 3 * 3 - 0 - 2 * 3 = 3. Second: 3: code 1, value 3; 3 - 2 * 3 = -3.
    assert both(chip, weights, [[1, 1]], weight_bits=2, activation_bits=1) == [[3, -3]]


@pytest.mark.parametrize(
    ("cell_bits", "complement", "bits"),
    [
        (2, False, 4),  # M = 4 * 3 = 12
        (2, True, 3),  # floor(12 / 2) = 6: ceil(log2(7))
        (1, False, 3),  # M = 4
        (1, True, 3),  # the columns would need 2 bits, but the unit column reaches 4
    ],
)
def test_complements_save_a_bit_where_cells_have_several(cell_bits: int, complement: bool, bits: int):
    """All 2-bit weights on 4 rows, all 1-bit inputs: exact with these bits, somewhere wrong with one fewer."""
    weights = np.array(list(itertools.product([-1, 0, 1], repeat=4)))
    inputs = np.array(list(itertools.product([0, 1], repeat=4)))
    for adc_bits, exact in ((bits, True), (bits - 1, False)):
        chip = make_chip(
            Adc(bits=adc_bits), rows=4, cell_bits=cell_bits, encoding=Encoding.OFFSET,
            unit_column=True, complement=complement,
        )  # fmt: skip
        product = both(chip, weights, inputs, weight_bits=2, activation_bits=1)
        assert np.array_equal(product, inputs @ weights.T) == exact


@pytest.mark.parametrize(
    ("signed", "product"), [(SignedInputs.TWOS_COMPLEMENT, 8), (SignedInputs.POSITIVE_NEGATIVE, 20)]
)
def test_signed_inputs_drive_rows_as_bits_or_as_two_parts(signed: SignedInputs, product: int):
    # Weights 3, inputs (3, 3, -1) of 3 bits; M = 4 * 3 = 12, 2 bits: lsb 4.
    # Two's complement 011, 011, 111: S = 9 (code 2, value 8), 9 (8), sign step 3 (code 1, value 4):
    # 8 + 2 * 8 - 4 * 4 = 8.
    # Parts 3, 3, 0 and 0, 0, 1: S = 6 (code 2, value 8), 6 (8); 3 (4), 0: 8 + 2 * 8 - 4 = 20. The product is 15.
    chip = make_chip(Adc(bits=2), rows=4, signed=signed)
    options = {"weight_bits": 3, "activation_bits": 3, "signed_inputs": True}
    assert both(chip, [[3, 3, 3]], [[3, 3, -1]], **options) == [[product]]


@settings(max_examples=100, deadline=None)
@given(products(), st.integers(1, 3))
def test_rows_used_is_rows_where_all_sets_are_full(case: Product, sets: int):
    rows = 2 * case.chip.active_rows  # even, since an input may take two rows
    crossbar = case.chip.crossbar.model_copy(update={"rows": rows, "active_rows": None})
    inputs = sets * rows // (2 if crossbar.encoding is Encoding.DIFFERENTIAL_ROWS else 1)
    weights = np.resize(case.weights, (len(case.weights), inputs))
    vectors = np.resize(case.inputs, (len(case.inputs), inputs))
    results = []
    for taken in (AdcRange.ROWS, AdcRange.ROWS_USED):
        adc = case.chip.adc.model_copy(update={"range": taken})
        chip = case.chip.model_copy(update={"crossbar": crossbar, "adc": adc})
        results.append(mvm(chip, weights, vectors, engine="reference", **case.options))
    assert np.array_equal(*results)


@settings(max_examples=100, deadline=None)
@given(products())
def test_both_signed_inputs_agree_where_whole_products_are_converted(case: Product):
    """The analog sum is the same, whatever the steps were."""
    adc = case.chip.adc.model_copy(update={"conversion": AdcConversion.PER_PRODUCT})
    results = []
    for signed in SignedInputs:
        dac = case.chip.dac.model_copy(update={"signed": signed})
        chip = case.chip.model_copy(update={"adc": adc, "dac": dac})
        results.append(mvm(chip, case.weights, case.inputs, engine="reference", **case.options))
    assert np.array_equal(*results)


def test_whole_products_beyond_float32_are_refused():
    # 512 rows * 255 * 255 = 33,292,800 > 2^24.
    chip = make_chip(Adc(bits=8, conversion=AdcConversion.PER_PRODUCT), rows=512, cell_bits=8)
    with pytest.raises(ValueError, match="column sums reach 33292800"):
        mvm(chip, [[1]], [[1]], weight_bits=8, activation_bits=8)


def test_one_level_is_refused():
    chip = make_chip(Adc(bits=1, levels=AdcLevels.SIGN_MAGNITUDE), rows=4)
    with pytest.raises(ValueError, match="it needs 2 bits"):
        mvm(chip, [[1]], [[1]], weight_bits=2, activation_bits=1)
