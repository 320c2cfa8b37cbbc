"""Units convert exactly, and quantities are spelled as a person writes them."""

from fractions import Fraction

import pytest

from cimspec.units import UNITS, Dimension, convert, spell


@pytest.mark.parametrize(
    ("number", "unit", "nanoseconds"),
    [
        ("56", "us", 56000.0),
        ("1.4", "us", 1400.0),
        ("0.3", "us", 300.0),
        ("4.35", "ms", 4_350_000.0),
        ("7", "ps", 0.007),
    ],
)
def test_times_are_exact(number, unit, nanoseconds):
    assert float(convert(number, UNITS[unit])) == nanoseconds


def test_every_decimal_of_a_microsecond_is_exact():
    # 1000 ns in a microsecond, so k / 1000 us is k ns; in floats 1.001 * 1e3 is not 1001.
    assert all(convert(f"{k / 1000:.3f}", UNITS["us"]) == k for k in range(1, 5000))


@pytest.mark.parametrize(
    ("number", "unit", "byte_count"),
    [
        ("64", "KiB", 65536),
        ("64", "kB", 64000),
        ("1.5", "MiB", 3 << 19),
        ("2", "GiB", 1 << 31),
        ("0.5", "GB", 5 * 10**8),
    ],
)
def test_bytes_by_thousands_and_by_1024(number, unit, byte_count):
    assert convert(number, UNITS[unit]) == byte_count


@pytest.mark.parametrize(
    ("number", "unit", "own"),
    [
        ("1.83", "fJ", Fraction("0.00183")),
        ("1.5625", "pJ", Fraction("1.5625")),
        ("676", "nJ", 676_000),
        ("0.001", "uJ", 1000),
        ("2.5", "mJ", 2_500_000_000),
        ("0.167", "um2", Fraction("0.167")),
        ("0.372", "mm2", 372_000),
    ],
)
def test_energies_are_kept_in_pj_and_areas_in_um2(number, unit, own):
    assert convert(number, UNITS[unit]) == own


@pytest.mark.parametrize(
    ("quantity", "dimension", "text"),
    [
        (1400.0, Dimension.TIME, "1.4 us"),
        (0, Dimension.TIME, "0 ns"),
        (0.5, Dimension.TIME, "500 ps"),
        (1e12, Dimension.TIME, "1000 s"),
        (8, Dimension.BITS, "8 bit"),
        (65536, Dimension.BYTES, "64 KiB"),
        (64000, Dimension.BYTES, "62.5 KiB"),
        (12, Dimension.BYTES, "12 B"),
        (0.086, Dimension.LOSS, "0.086 pp"),
        (0.00183, Dimension.ENERGY, "1.83 fJ"),
        (21125.0, Dimension.ENERGY, "21.125 nJ"),
        (1200, Dimension.AREA, "1200 um2"),
        (372000, Dimension.AREA, "372000 um2"),
        (85400000, Dimension.AREA, "85.4 mm2"),
        (16384, None, "16384"),
        (99.9, None, "99.9"),
    ],
)
def test_spell(quantity, dimension, text):
    assert spell(quantity, dimension) == text


def test_each_dimension_has_a_unit_of_its_own():
    for dimension in set(Dimension) - {Dimension.SHARE}:  # a share is a plain number
        assert any(unit.dimension is dimension and unit.factor == Fraction(1) for unit in UNITS.values())
