"""analog-cim-sim: its own outputs, its arithmetic by hand, and what holds for every configuration."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimspec.conventions import analog_cim_sim

CASES = json.loads(Path(__file__).with_name("analog_cim_sim.json").read_text())["cases"]
MODES = ["I_DIFF_W_DIFF_1XB", "I_DIFF_W_DIFF_2XB", "I_OFFS_W_DIFF", "I_TC_W_DIFF", "I_UINT_W_DIFF", "I_UINT_W_OFFS"]
BASE = {
    **{"M": 8, "N": 8, "SPLIT": [2, 2], "W_BIT": 4, "I_BIT": 4, "digital_only": False, "HRS": 5.0, "LRS": 30.0},
    **{"adc_type": "SYM_RANGE_ADC", "resolution": 7, "m_mode": "I_UINT_W_DIFF", "HRS_NOISE": 0.0, "LRS_NOISE": 0.0},
}


def config(mode: str = "I_UINT_W_DIFF", **changes) -> dict:
    adc_type = "POS_RANGE_ONLY_ADC" if mode == "I_UINT_W_OFFS" else "SYM_RANGE_ADC"
    return {**BASE, "m_mode": mode, "adc_type": adc_type, **changes}


@st.composite
def products(draw, largest_slice: int = 4, **changes) -> tuple[dict, np.ndarray, np.ndarray]:
    """A configuration with weights and a few vectors that fit it."""
    mode = draw(st.sampled_from(MODES))
    split = draw(st.lists(st.integers(1, largest_slice), min_size=1, max_size=3))
    weight_bits, input_bits = sum(split), draw(st.integers(1, 5))
    outputs, inputs = draw(st.integers(1, 8)), draw(st.integers(1, 8))
    half, input_half = 1 << (weight_bits - 1), 1 << (input_bits - 1)
    low, high = (0, 2 * input_half - 1) if "UINT" in mode else (-input_half, input_half - 1)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    weights = rng.integers(-half, half, (outputs, inputs))
    vectors = rng.integers(low, high + 1, (3, inputs))
    cfg = config(mode, SPLIT=split, W_BIT=weight_bits, I_BIT=input_bits, resolution=draw(st.integers(2, 12)))
    return {**cfg, **changes}, weights, vectors


@pytest.mark.parametrize("case", CASES, ids=[f"{c['cfg']['m_mode']}-{c['cfg']['W_BIT']}" for c in CASES])
def test_outputs_of_the_simulator_itself(case: dict):
    assert analog_cim_sim(case["cfg"], case["W"], case["x"]).tolist() == case["y"]


@pytest.mark.parametrize("case", CASES, ids=[f"{c['cfg']['m_mode']}-{c['cfg']['W_BIT']}" for c in CASES])
def test_the_digital_product_is_exact(case: dict):
    assert analog_cim_sim({**case["cfg"], "digital_only": True}, case["W"], case["x"]).tolist() == case["exact"]


def test_a_product_by_hand():
    # One 1-bit cell of 1 .. 2 uA, N = 2: range -2 .. 2, 2^2 - 2 = 2 intervals of 2 uA, levels -2, 0, 2.
    # Current 1 uA: (1 + 2) / 2 = 1.5, half away from zero: 2, so 2 uA. Scale 2^0 / 1: the result is 2, not 1.
    one_cell = config(N=2, SPLIT=[1], W_BIT=1, I_BIT=1, HRS=1.0, LRS=2.0, resolution=2)
    assert analog_cim_sim(one_cell, [[1]], [1]).tolist() == [2]
    # -1 uA: 0.5 rounds to 1, which is 0 uA: halves go up, since the range starts below them.
    assert analog_cim_sim(one_cell, [[-1]], [1]).tolist() == [0]


def test_an_offset_product_by_hand():
    # w = 0 is stored as 1 in one bit: 2 uA of N * LRS = 4, 2^2 - 1 = 3 intervals of 4/3: rint(1.5) = 2, so 8/3 uA.
    # out = round(8/3) = 3; the offset is x * (HRS/(LRS-HRS) * 1 + 2^0) = 2, and 3 - 2 = 1.
    one_cell = config("I_UINT_W_OFFS", N=2, SPLIT=[1], W_BIT=1, I_BIT=1, HRS=1.0, LRS=2.0, resolution=2)
    assert analog_cim_sim(one_cell, [[0]], [1]).tolist() == [1]
    # w = -1 is stored as 0: 1 uA, 0.75 rounds to 1, 4/3 uA, out = 1, and 1 - 2 = -1.
    assert analog_cim_sim(one_cell, [[-1]], [1]).tolist() == [-1]


def test_without_a_converter_each_addition_truncates():
    # A step of 0.7/3 uA on top of 0.3 uA is no float32: counts of 2 and 3 come out just below, and int32 cuts.
    cfg = config(SPLIT=[2], W_BIT=2, I_BIT=1, HRS=0.3, LRS=1.0, adc_type="INF_ADC")
    assert analog_cim_sim(cfg, [[1], [2], [3], [-1], [-2], [-3]], [1]).tolist() == [1, 1, 2, -1, -1, -2]


def test_the_range_counts_the_rows_of_the_crossbar_not_of_the_matrix():
    # 2 levels above zero at 3 bits, 3 intervals on each side of it: of 3 uA (N = 9), 1 uA (N = 3).
    few = config(N=3, SPLIT=[1], W_BIT=1, I_BIT=1, HRS=1.0, LRS=2.0, resolution=3)
    assert analog_cim_sim(few, [[1]], [1]).tolist() == [1]
    assert analog_cim_sim({**few, "N": 9}, [[1]], [1]).tolist() == [0]


def test_offset_inputs_have_one_bit_more():
    # 11 + 2^3 = 19 = 0b10011 needs 5 bits: 4-bit inputs reach 2^5 - 1 - 8 = 23 in this mode.
    fine = config("I_OFFS_W_DIFF", resolution=20)
    assert analog_cim_sim(fine, [[3]], [11]).tolist() == [33]
    with pytest.raises(ValueError, match=r"^inputs reach 24 .. 24; I_OFFS_W_DIFF with I_BIT = 4 holds -8 .. 23$"):
        analog_cim_sim(fine, [[3]], [24])


def test_a_split_that_ends_early_leaves_the_low_bits_out():
    # SPLIT [2] of 4 bits: 7 = 0b0111 -> 0b01 at shift 2, 4 * 3 = 12.
    assert analog_cim_sim(config(SPLIT=[2], digital_only=True), [[7]], [3]).tolist() == [12]


@given(products(digital_only=True))
def test_digital_products_are_exact(product):
    cfg, weights, vectors = product
    assert np.array_equal(analog_cim_sim(cfg, weights, vectors), vectors @ weights.T)


@given(products(largest_slice=2, resolution=20))
def test_a_fine_converter_loses_nothing_but_fractions_of_the_offset(product):
    # Half a level of 2^20 is at most 8 * 50 / 2^21 uA = 0.0002 uA. A count of the last slice and bit is worth at most
    # 2^(6 + 5) per step of 25 / 3 uA: 0.05 counts, which rounding takes away.
    cfg, weights, vectors = product
    error = np.abs(analog_cim_sim(cfg, weights, vectors) - vectors @ weights.T).max()
    if cfg["m_mode"] == "I_UINT_W_OFFS":  # HRS adds fractions to each count; rounding leaves up to a half per read
        assert error <= 0.5 * cfg["I_BIT"] * len(cfg["SPLIT"]) + 1
    else:
        assert error == 0


@given(products())
def test_vectors_and_outputs_do_not_influence_each_other(product):
    cfg, weights, vectors = product
    together = analog_cim_sim(cfg, weights, vectors)
    assert together.shape == (len(vectors), len(weights))
    for vector, row in zip(vectors, together, strict=True):
        assert np.array_equal(analog_cim_sim(cfg, weights, vector), row)
    assert np.array_equal(analog_cim_sim(cfg, weights[-1:], vectors), together[:, -1:])


@given(products())
def test_one_crossbar_or_two_differ_in_cost_only(product):
    cfg, weights, vectors = product
    vectors = np.abs(vectors) % (1 << (cfg["I_BIT"] - 1))
    sizes = {key: cfg[key] for key in ("SPLIT", "W_BIT", "I_BIT", "resolution")}
    one, two = (config(f"I_DIFF_W_DIFF_{count}XB", **sizes) for count in (1, 2))
    assert np.array_equal(analog_cim_sim(one, weights, vectors), analog_cim_sim(two, weights, vectors))


def test_rows_are_added_in_their_order_in_float32():
    # np.cumsum adds one by one, np.sum in pairs: in float32 the two differ, by more than a count of the 8-bit cells.
    rng = np.random.default_rng(4)
    cfg = config(N=200, SPLIT=[8], W_BIT=8, I_BIT=1, HRS=0.7, LRS=9.1, adc_type="INF_ADC", m_mode="I_UINT_W_OFFS")
    weights, ones = rng.integers(-128, 128, (8, 200)), np.ones(200, int)
    step = (np.float32(9.1) - np.float32(0.7)) / np.float32(255)
    cells = (weights + 128).astype(np.float32) * step + np.float32(0.7)
    in_order = np.array([np.cumsum(row)[-1] for row in cells])
    assert not np.array_equal(in_order, cells.sum(axis=1))
    offset = np.float32(0.7) / (np.float32(9.1) - np.float32(0.7)) * np.float32(255) + np.float32(128)
    expected = in_order * np.float32(1 / float(step)) - np.float32(200) * offset
    assert analog_cim_sim(cfg, weights, ones).tolist() == np.rint(expected).tolist()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"M": 1}, r"^weights have 2 outputs, M is 1$"),
        ({"N": 2}, r"^weights have 3 inputs, N is 2$"),
        ({"m_mode": "I_TC_W_OFFS"}, r"^unknown m_mode 'I_TC_W_OFFS'; it is one of I_DIFF_W_DIFF_1XB, .*I_UINT_W_OFFS$"),
        ({"adc_type": "SAR"}, r"^unknown adc_type 'SAR'; it is one of INF_ADC, SYM_RANGE_ADC, POS_RANGE_ONLY_ADC$"),
        ({"adc_type": "POS_RANGE_ONLY_ADC"}, r"^I_UINT_W_DIFF needs SYM_RANGE_ADC or INF_ADC, adc_type is POS"),
        ({"SPLIT": [3, 2]}, r"^SPLIT \[3, 2\] has 5 bits, W_BIT is 4$"),
        ({"SPLIT": [4, 0]}, r"^a width in SPLIT is 0; it must be a positive integer$"),
        ({"I_BIT": 2.5}, r"^I_BIT is 2.5; it must be a positive integer$"),
        ({"HRS": 30.0}, r"^HRS is 30.0, LRS is 30.0; currents need 0 <= HRS < LRS$"),
        ({"HRS_NOISE": 0.1}, r"^HRS_NOISE is 0.1; noise is random, so only 0 can be compared$"),
        ({"parasitics": True}, r"^parasitics is True; only False is modelled$"),
        ({"colums": 8}, r"^unknown key 'colums'; keys are M, N, W_BIT"),
        ({"resolution": 1}, r"^resolution is 1; SYM_RANGE_ADC takes 2 .. 30$"),
        ({"W_BIT": 2, "SPLIT": [2]}, r"^weights reach -4 .. 3; I_UINT_W_DIFF with W_BIT = 2 holds -3 .. 3$"),
        ({"I_BIT": 1}, r"^inputs reach 0 .. 2; I_UINT_W_DIFF with I_BIT = 1 holds 0 .. 1$"),
    ],
)
def test_what_does_not_fit_is_named(changes: dict, message: str):
    with pytest.raises(ValueError, match=message):
        analog_cim_sim(config(**{"mode": "I_UINT_W_DIFF", **changes}) | changes, [[1, 2, 3], [-4, 0, 1]], [0, 1, 2])


def test_missing_keys_are_listed():
    with pytest.raises(ValueError, match=r"^missing: M, N, W_BIT, I_BIT, SPLIT$"):
        analog_cim_sim({"m_mode": "I_UINT_W_DIFF"}, [[1]], [1])
    analog_keys = {key: value for key, value in BASE.items() if key not in ("HRS", "adc_type")}
    with pytest.raises(ValueError, match=r"^missing, as digital_only is false: HRS, adc_type$"):
        analog_cim_sim(analog_keys, [[1]], [1])


def test_a_sum_beyond_int32_is_refused():
    cfg = config(SPLIT=[16], W_BIT=16, I_BIT=16, digital_only=True)
    assert analog_cim_sim(cfg, [[32767]], [65535]).tolist() == [2147385345]
    with pytest.raises(ValueError, match="leaves 32 bits"):
        analog_cim_sim(cfg, [[32767, 2]], [65535, 65535])


@pytest.mark.parametrize(
    ("weights", "inputs", "message"),
    [
        ([1, 2], [1, 2], r"^weights have 1 dimensions"),
        ([[1, 2]], [[[1, 2]]], r"^inputs have 3 dimensions"),
        ([[1, 2]], [1], r"^weights have 2 inputs, inputs have 1$"),
        ([[1.5, 2]], [1, 2], r"^weights must be integers$"),
        ([[1, 2]], ["a", "b"], r"^inputs must be integers$"),
        (np.zeros((2, 0), int), np.zeros(0, int), r"^weights are empty: 2 outputs, 0 inputs$"),
    ],
)
def test_operands_are_checked(weights, inputs, message: str):
    with pytest.raises(ValueError, match=message):
        analog_cim_sim(config(), weights, inputs)
