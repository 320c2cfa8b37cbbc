"""ADC bits against hand-computed sums."""

import pytest

from cimspec.spec.checks import bits_for_sums, fitting_rows
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


@pytest.mark.parametrize(
    ("overrides", "needed", "rows"),
    [
        ([], None, None),  # 64 rows x 3 = 192 < 2^8
        (["chip.adc.bits=7"], 8, 42),  # 42 x 3 = 126 <= 127
        (["chip.dac.bits=2"], 10, 28),  # 64 x 3 x 3 = 576; 28 x 9 = 252 <= 255
        (["chip.crossbar.encoding=differential_rows"], 9, 42),  # signed: 42 x 3 = 126 <= 127
        (["chip.adc.subtraction=before_adc"], 9, 42),
        (["chip.crossbar.active_rows=32", "chip.adc.bits=7"], None, None),  # 32 x 3 = 96 < 2^7
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
