"""CrossSim: its own outputs, its arithmetic by hand, and what holds for every core."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimspec.conventions import crosssim

KNOWN = json.loads(Path(__file__).with_name("crosssim.json").read_text())
CASES = KNOWN["cases"]
WEIGHTS, INPUTS = np.array(KNOWN["weights"]), np.array(KNOWN["inputs"])
EXACT = INPUTS @ WEIGHTS.T


@pytest.mark.parametrize("case", CASES, ids=[case["adc"] for case in CASES])
def test_outputs_of_the_simulator_itself(case: dict):
    assert crosssim(WEIGHTS, INPUTS, core=case["core"], adc=case["adc"]) == pytest.approx(case["y"], abs=1e-6)


@pytest.mark.parametrize(("case", "per_input_bit"), [(CASES[0], True), (CASES[1], False)])
@pytest.mark.parametrize("core", ["balanced", "Balanced core", "balanced, 3-bit cells", "balanced, weights of 4 bit"])
@pytest.mark.parametrize("adc_range", ["max", "MAX", "rows", "full scale = rows", "full_scale = rows"])
def test_the_same_in_names(case: dict, per_input_bit: bool, core: str, adc_range: str):
    outputs = crosssim(WEIGHTS, INPUTS, core=core, adc_bits=6, adc_range=adc_range, per_input_bit=per_input_bit)
    assert outputs == pytest.approx(case["y"], abs=1e-6)


@pytest.mark.parametrize(("case", "full_scale"), [(CASES[0], 4 * 7), (CASES[1], 4 * 7 * 7)])
def test_the_same_with_the_full_scale_as_a_number(case: dict, full_scale: int):
    outputs = crosssim(WEIGHTS, INPUTS, adc_bits=6, adc_range=full_scale, per_input_bit=full_scale == 28)
    assert outputs == pytest.approx(case["y"], abs=1e-6)


def test_a_balanced_product_by_hand():
    # 2 rows of 3-bit cells: FS = 14, 3 bits have 2^3 - 2 = 6 intervals of 28/6 = 14/3; levels are multiples of it.
    # x = [3, -1] in bits: [1, -1], [1, 0]. Sums 7 - 2 = 5 -> 1.07 levels -> 14/3; 7 -> 1.5 levels -> shifted by 3: 4.5,
    # to even: 4, 1 level -> 14/3. Together 14/3 + 2 * 14/3 = 14. (Half to even of 1.5 itself would give 2 levels.)
    assert crosssim([[7, 2]], [3, -1], adc_bits=3) == pytest.approx([14])
    # Once per product: FS = 2 * 7 * 7 = 98, intervals of 98/3; 19 is 0.58 of one, rounded to 1.
    assert crosssim([[7, 2]], [3, -1], adc_bits=3, per_input_bit=False) == pytest.approx([98 / 3])


def test_a_bit_sliced_offset_product_by_hand():
    # 4-bit weights in 2 slices of 2 bits, 3 magnitude bits. FS = 2 * 2^2 = 8.
    # 2^4 - 2 = 14 intervals of 8/7. w = [5, -3] is stored as [13, 5] = 3*4+1, 1*4+1. x = [1, 2]: two reads.
    # Low slice: 1 -> round(0.875) = 1 -> 8/7 in each; high slice: 3 -> round(2.625) = 3 -> 24/7, then 1 -> 8/7.
    # (8/7 + 2 * 8/7) + 4 * (24/7 + 2 * 8/7) - 8 * 3 = 24/7 + 160/7 - 24 = 16/7; exactly it would be -1.
    outputs = crosssim([[5, -3]], [1, 2], core="bit-sliced offset, 2 slices, cell 2 bit", adc_bits=4, adc_range="rows")
    assert outputs == pytest.approx([16 / 7])


def test_a_unit_column_by_hand():
    # As above, but the unit column holds [0, 2] and is converted too: 2 per read -> round(1.75) = 2 -> 16/7 each.
    # 24/7 + 4 * (24/7 - 16/7 + 2 * (8/7 - 16/7)) = 24/7 + 4 * -8/7 = -8/7.
    outputs = crosssim([[5, -3]], [1, 2], core="offset", unit_column=True, adc_bits=4)
    assert outputs == pytest.approx([-8 / 7])


def test_granular_levels_by_hand():
    # 3 magnitude bits: a level is 8/7. 3 bits reach +-3 levels = 24/7, so the sum 5 is clipped in both reads: 3 * 24/7.
    options = {"adc_bits": 3, "adc_range": "granular"}
    assert crosssim([[3, 2]], [3, 3], core="balanced, 2 slices, cell 2 bit", **options) == pytest.approx([72 / 7])
    # Once per product a level is 8: 5 * 3 = 15 -> 16.
    outputs = crosssim([[3, 2]], [3, 3], core="balanced", per_input_bit=False, adc_bits=6, adc_range="granular")
    assert outputs == pytest.approx([16])


def test_granular_levels_of_a_core_that_is_not_sliced_follow_its_weight_bits():
    # 1/2^4 of the normalized current is 7/16 of a cell step, times 8/7: 0.5. The sum 5 is 10 levels, exactly.
    options = {"adc_bits": 6, "adc_range": "granular", "weight_bits": 4}
    assert crosssim([[3, 2]], [1, 1], **options) == pytest.approx([5])
    assert crosssim([[3, 2]], [1, 1], adc_bits=6, adc_range="granular") == pytest.approx([4 * 8 / 7])


def test_rows_are_rounded_up_to_a_power_of_two_in_a_bit_sliced_offset_core():
    # 4-bit ADC: 5 rows count as 8, FS = 8 * 4 = 32, levels of 64/14 = 32/7. w = -7 is stored as 1 = 0*4+1, w = -4 as
    # 4 = 1*4+0; x is 1 throughout. Low slice: 3 -> round(0.656) = 1; high: 2 -> round(0.4375) = 0.
    outputs = crosssim([[-7, -7, -7, -4, -4]], [1] * 5, core="offset", adc_bits=4)
    assert outputs == pytest.approx([32 / 7 - 8 * 5])


def test_unsigned_inputs_of_an_offset_core_use_a_range_from_zero():
    # 4 magnitude bits, 4-bit ADC: FS = 2 * 4 = 8, 15 intervals of 8/15.
    # w = [7, 0] is stored as [15, 8] = 3*4+3, 2*4+0; x = [1, 1]: low 3 -> round(5.625) = 6, high 5 -> round(9.375) = 9.
    outputs = crosssim([[7, 0]], [1, 1], core="offset", adc_bits=4, signed_inputs=False)
    assert outputs == pytest.approx([(6 + 4 * 9) * 8 / 15 - 16])


@st.composite
def products(draw) -> tuple[np.ndarray, np.ndarray, dict]:
    weight_bits, input_bits = draw(st.integers(2, 8)), draw(st.integers(2, 8))
    signed, style = draw(st.booleans()), draw(st.sampled_from(["balanced", "offset"]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    limit, largest = 2 ** (weight_bits - 1) - 1, 2 ** (input_bits - signed) - 1
    outputs, rows = draw(st.integers(1, 4)), draw(st.integers(1, 40))
    weights = rng.integers(-limit, limit + 1, (outputs, rows))
    vectors = rng.integers(-largest if signed else 0, largest + 1, (3, rows))
    slices = draw(st.sampled_from([n for n in range(1, weight_bits) if n == 1 or weight_bits % n == 0]))
    options = {"core": style, "weight_bits": weight_bits, "slices": slices, "per_input_bit": draw(st.booleans())}
    options["unit_column"] = style == "offset" and draw(st.booleans())
    return weights, vectors, {**options, "input_bits": input_bits, "signed_inputs": signed}


@given(products())
def test_an_ideal_converter_loses_nothing(product):
    weights, vectors, options = product
    assert np.array_equal(crosssim(weights, vectors, adc_bits=0, **options), vectors @ weights.T)


@given(products())
def test_a_converter_of_32_bits_loses_nothing_but_fractions(product):
    weights, vectors, options = product
    # Sums reach 40 * 255 < 2^14 per input bit, 40 * 255 * 255 < 2^22 per product. Half a level is FS / 2^32, and reads,
    # slices and a unit column multiply it by at most 255 * 255 * 2 or 255 * 2: below 1/2.
    full_scale = 2**14 if options["per_input_bit"] else 2**22
    outputs = crosssim(weights, vectors, adc_bits=32, adc_range=full_scale, **options)
    assert np.array_equal(np.rint(outputs), vectors @ weights.T)


@given(products(), st.integers(2, 10), st.sampled_from(["max", "granular"]))
def test_vectors_and_outputs_do_not_influence_each_other(product, adc_bits: int, adc_range: str):
    weights, vectors, options = product
    options = {**options, "adc_bits": adc_bits, "adc_range": adc_range}
    together = crosssim(weights, vectors, **options)
    assert together.shape == (len(vectors), len(weights))
    for vector, row in zip(vectors, together, strict=True):
        assert np.array_equal(crosssim(weights, vector, **options), row)
    assert np.array_equal(crosssim(weights[-1:], vectors, **options), together[:, -1:])


@pytest.mark.parametrize(
    ("core", "numbers"),
    [
        ("offset", {}),
        ("bit-sliced offset", {}),
        ("bitsliced_offset", {"cell_bits": 2}),
        ("offset, digital offset", {"weight_bits": 4, "slices": 2, "cell_bits": 2}),
        ("bit-sliced offset core, 2 slices of 2 bit", {}),
        ("4-bit weights, offset, cells of 2 bits", {"unit_column": False}),
        ("offset", {"slices": [2, 2]}),
    ],
)
def test_phrases_and_numbers_of_one_core(core: str, numbers: dict):
    plain = crosssim(WEIGHTS, INPUTS, core="offset", weight_bits=4, slices=2, adc_bits=5)
    assert not np.array_equal(plain, EXACT)
    assert np.array_equal(crosssim(WEIGHTS, INPUTS, core=core, adc_bits=5, **numbers), plain)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"core": "balancd"}, r"^core 'balancd' is not understood at 'balancd'; it may name balanced, offset, .*"),
        ({"core": "cell 3 bit"}, r"^core 'cell 3 bit' must name one of balanced, offset$"),
        ({"core": "balanced, unit column"}, r"a unit column or digital offset belongs to an offset core$"),
        ({"core": "bit-sliced balanced, 1 slice"}, r"has 1 slice; a bit-sliced core has at least 2$"),
        ({"core": "balanced, cell 3 bit", "cell_bits": 2}, r"^cell_bits is given twice, as 3 and 2$"),
        (
            {"weight_bits": 8, "slices": 2, "cell_bits": 3},
            r"^cell_bits is 3; 8-bit weights in 2 slices have cells of 4$",
        ),
        ({"slices": [1, 3]}, r"^slices are \[1, 3\]; CrossSim's slices are equally wide$"),
        ({"weight_bits": 1}, r"^weight_bits is 1; it is 2 .. 31$"),
        ({"adc_bits": None}, r"^adc_bits is missing; 0 is an ideal converter$"),
        ({"adc_bits": 33}, r"^adc_bits is 33; it is 0 \(ideal\) .. 32$"),
        ({"adc_bits": 1}, r"^adc_bits is 1; this range of a sign-magnitude ADC has a level beside 0 from 2 bits on$"),
        (
            {"adc_range": "columns"},
            r"^adc_range 'columns' is not understood at 'columns'; it may name max \(full scale",
        ),
        ({"adc_range": -1.0}, r"^adc_range is -1.0; as a number it is a positive full scale$"),
        ({"adc": "granular, rows"}, r"^the ADC's range is given twice, as max and granular$"),
        ({"adc": "per bit, per product"}, r"^per_bit and per_product exclude each other$"),
        ({"adc": "8 bit"}, r"^adc_bits is given twice, as 8 and 6$"),
        (
            {"core": "offset", "signed_inputs": False, "input_bits": 3, "adc": "sign-magnitude"},
            r"^inputs reach -7 .. 5;",
        ),
        ({"input_bits": 3}, r"^inputs reach -7 .. 5; input_bits = 3, signed_inputs = True holds -3 .. 3$"),
        ({"weight_bits": 3}, r"^weights reach -7 .. 7; weight_bits = 3 holds -3 .. 3$"),
        ({"input_bits": 1}, r"^input_bits is 1; it is 2 .. 31$"),
    ],
)
def test_what_does_not_fit_is_named(options: dict, message: str):
    with pytest.raises(ValueError, match=message):
        crosssim(WEIGHTS, INPUTS, **{"adc_bits": 6, **options})


def test_a_sign_magnitude_converter_needs_a_symmetric_range():
    with pytest.raises(ValueError, match=r"^a sign-magnitude ADC needs a symmetric range"):
        crosssim([[1]], [1], core="offset", adc="sign-magnitude 4 bit", signed_inputs=False)
