"""ADC bits against hand-computed sums."""

import pytest

from cimspec.spec.checks import bits_for_sums, fitting_rows
from cimspec.spec.chip import AdcLevels
from tests.spec.conftest import CHIP, MODEL


@pytest.mark.parametrize(
    ("largest", "is_signed", "bits"),
    [
        (192, False, 8),  # 193 sums <= 2^8
        (255, False, 8),
        (256, False, 9),
        (3840, False, 12),
        (192, True, 9),  # -192..192: 385 sums <= 2^9
        (127, True, 8),  # 255 sums
        (128, True, 9),  # 257 sums
        (1, False, 1),
    ],
)
def test_bits_for_sums(largest, is_signed, bits):
    assert bits_for_sums(largest, is_signed) == bits


def test_sign_magnitude_has_one_code_less():
    # 0 .. 255 are 256 sums, one more than 2^8 - 1; -127 .. 127 are 255.
    assert bits_for_sums(255, False, AdcLevels.SIGN_MAGNITUDE) == 9
    assert bits_for_sums(254, False, AdcLevels.SIGN_MAGNITUDE) == 8
    assert bits_for_sums(127, True, AdcLevels.SIGN_MAGNITUDE) == 8


OFFSET = ["chip.crossbar.encoding=offset", "chip.crossbar.unit_column=true"]


@pytest.mark.parametrize(
    ("overrides", "needed", "rows"),
    [
        ([], None, None),  # 64 rows x 3 = 192 < 2^8
        (["chip.adc.bits=7"], 8, 42),  # 42 x 3 = 126 <= 127
        (["chip.dac.bits=2"], 10, 28),  # 64 x 3 x 3 = 576; 28 x 9 = 252 <= 255
        (["chip.crossbar.encoding=differential_rows"], 9, 42),  # signed: 42 x 3 = 126 <= 127
        (["chip.adc.subtraction=before_adc"], 9, 42),
        (["chip.crossbar.active_rows=32", "chip.adc.bits=7"], None, None),  # 32 x 3 = 96 < 2^7
        (["chip.adc.subtraction=before_adc", "chip.adc.levels=sign_magnitude"], 9, 42),  # 126 <= (2^8 - 2) / 2
        ([*OFFSET, "chip.adc.bits=7"], 8, 42),
        ([*OFFSET, "chip.crossbar.complement=true", "chip.adc.bits=7"], None, None),  # 192 / 2 = 96 < 2^7
        ([*OFFSET, "chip.crossbar.complement=true", "chip.adc.bits=6"], 7, 42),  # 42 x 3 / 2 = 63 < 2^6
        # 1-bit cells: 64 / 2 = 32, but the unit column reaches 64.
        ([*OFFSET, "chip.crossbar.complement=true", "chip.crossbar.cell=1 bit", "chip.adc.bits=6"], 7, 63),
    ],
)
def test_a_short_adc_is_a_warning_with_a_way_out(loaded, overrides, needed, rows):
    result = loaded(CHIP + MODEL, *overrides)
    if needed is None:
        assert result.warnings == ()
        return
    (warning,) = result.warnings
    assert warning.message.startswith(f"a column sum needs {needed} bits, ")
    assert warning.help == f"set `adc.bits = {needed}` or `active_rows = {rows}`"
    assert fitting_rows(result.spec.chip) == rows
    # The advice works.
    assert loaded(CHIP + MODEL, *overrides, f"chip.adc.bits={needed}").warnings == ()
    assert loaded(CHIP + MODEL, *overrides, f"chip.crossbar.active_rows={rows}").warnings == ()


def test_a_whole_product_is_checked_for_8_bit_inputs(loaded):
    # 64 rows x 3 x 255 = 48960 < 2^16; 12 bits: floor(4095 / 765) = 5 rows.
    overrides = ["chip.adc.conversion=per_product", "chip.adc.bits=12"]
    (warning,) = loaded(CHIP + MODEL, *overrides).warnings
    assert warning.message == "the product of 8-bit inputs needs 16 bits, `adc.bits` is 12"
    assert warning.help == "set `adc.bits = 16` or `active_rows = 5`"
    assert loaded(CHIP + MODEL, *overrides, "chip.adc.bits=16").warnings == ()
    assert loaded(CHIP + MODEL, *overrides, "chip.crossbar.active_rows=5").warnings == ()


def test_whole_products_may_be_many_bits_short(loaded):
    # 16384 rows x 3 x 255 = 12,533,760: 24 bits, 20 more than there are; per step that would be an error.
    overrides = ["chip.crossbar.rows=16384", "chip.adc.conversion=per_product", "chip.adc.bits=4"]
    (warning,) = loaded(CHIP + MODEL, *overrides).warnings
    assert warning.message == "the product of 8-bit inputs needs 24 bits, `adc.bits` is 4"
