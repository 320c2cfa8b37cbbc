"""Statistics of whole products, a million each, against closed forms: of what leaves the ADC, not of the generator.

Inputs are large, so that the ADC's step of 1 is small against the noise; its rounding adds a variance of 1/12. Limits
are five standard errors: of n draws the mean's is sigma / sqrt(n), the variance's sigma^2 sqrt(2 / n), a correlation's
1 / sqrt(n); one in 1.7 million is beyond by chance.
"""

import numpy as np
import pytest
from scipy import special

from cimspec.sim import mvm
from cimspec.spec.chip import Adc, AdcConversion, Chip, Crossbar, Dac, Encoding, Subtraction
from cimspec.spec.device import Device

MILLION = 1_000_000
ROUNDED = 1 / 12


def make_chip(device: Device, *, rows: int, encoding: Encoding = Encoding.OFFSET, dac_bits: int = 8, **adc) -> Chip:
    crossbar = Crossbar(
        rows=rows, columns=64, cell_bits=2, encoding=encoding, write_latency_ns=1.0, read_latency_ns=1.0
    )
    return Chip(name="test", crossbar=crossbar, adc=Adc(bits=16, **adc), dac=Dac(bits=dac_bits), device=device)


def check_normal(errors: np.ndarray, variance: float) -> None:
    """Integers of mean zero that are rounded normals of `variance`."""
    n = errors.size
    spread = variance + ROUNDED
    assert abs(errors.mean()) < 5 * np.sqrt(spread / n)
    assert abs(errors.var() - spread) < 5 * spread * np.sqrt(2 / n)
    # Kolmogorov and Smirnov, at the borders between integers, where rounding changes nothing: the probability of a
    # distance above 2.5 / sqrt(n) is 2 exp(-2 * 2.5^2) = 7e-6.
    values, counts = np.unique(errors, return_counts=True)
    distance = np.abs(np.cumsum(counts) / n - special.ndtr((values + 0.5) / np.sqrt(variance))).max()
    assert distance < 2.5 / np.sqrt(n)


def check_uncorrelated(errors: np.ndarray) -> None:
    """Neighbours in both directions, also as far apart as counters and groups of outputs are; their squares as well."""
    for values in (errors, errors**2):
        for lag in (1, 2, 16, 48, 64):
            for first, second in ((values[lag:], values[:-lag]), (values[:, lag:], values[:, :-lag])):
                correlation = np.corrcoef(first.ravel(), second.ravel())[0, 1]
                assert abs(correlation) < 5 / np.sqrt(first.size), lag


def programmed_errors(device: Device, digit: int) -> np.ndarray:
    """Errors `[vectors, outputs]` of a million column sums of 8 cells that hold `digit`, each cell in one sum only."""
    driven, outputs, vectors = 8, 2000, 500
    chip = make_chip(device, rows=128)  # 16 vectors drive a crossbar each; a column that none drives sums to exactly 0
    weights = np.full((outputs, driven * vectors), digit - 2)  # 2 bits: stored as w + 2, one slice
    inputs = np.kron(np.eye(vectors, dtype=int), np.full((1, driven), 255))
    # A full scale of 16 bits, so that the step is 1: sums are 8 * 4 * 255 = 8160 at most, and their errors.
    found = mvm(chip, weights, inputs, weight_bits=2, activation_bits=8, full_scale=65535, seed=1)
    return np.asarray(found - driven * 255 * (digit - 2))


@pytest.mark.parametrize(
    ("device", "digit", "sigma"),
    [
        (Device(program_sigma=0.04), 1, 0.12),  # levels: a share of the range, 3 levels
        (Device(program_sigma=0.04), 3, 0.12),
        (Device(program_sigma_relative=0.04, on_off_ratio=4.0), 3, 0.16),  # of 3 levels and the off level of 1
        (Device(program_sigma=0.04, program_sigma_relative=0.03, on_off_ratio=4.0), 2, 0.15),  # hypot(0.12, 0.09)
    ],
)
def test_programming_errors_of_column_sums(device: Device, digit: int, sigma: float):
    # A sum of 8 cells driven by 255 has the variance 8 (255 sigma)^2; the cells' fixed point adds next to nothing.
    errors = programmed_errors(device, digit)
    assert errors.size == MILLION
    check_normal(errors, 8 * (255 * sigma) ** 2)
    check_uncorrelated(errors)


def read_errors(chip: Chip, *, bits: int, weight_bits: int, value: int, seed: int = 2) -> np.ndarray:
    """Errors of a million products: 64 inputs of the same value, weights of all sizes, 100 outputs."""
    weights = np.random.default_rng(0).integers(0, 2 ** (weight_bits - 1), (100, 64))
    inputs = np.full((MILLION // 100, 64), value)
    found = mvm(chip, weights, inputs, weight_bits=weight_bits, activation_bits=bits, seed=seed)
    return np.asarray(found - inputs @ weights.T)


def test_read_noise_of_column_sums():
    # 64 rows driven by 15, noise of 0.1 * 3 levels in each: variance 64 (15 * 0.3)^2. M = 64 * 3 * 15 = 2880: step 1.
    # 2-bit weights 0 and 1 are stored as 2 and 3; sums of up to 2880 - some columns' are close to 2400: 13 sigma away.
    chip = make_chip(Device(read_sigma=0.1), rows=64, dac_bits=4)
    errors = read_errors(chip, bits=4, weight_bits=2, value=15)
    check_normal(errors, 64 * (15 * 0.3) ** 2)
    check_uncorrelated(errors)


VARIANCES = [
    # Weights of 5 bits, inputs of 8 bits in two steps of 4, all 0x9A: digits 10 and 9, factors 1 and 16.
    # One column: (10^2 + 16^2 9^2) times 64 rows (or 32 and 32). Slices have factors 1 and 4, so 1 + 16 in variance.
    # ADCs of 16 bits have a step of 1, and round each of the conversions, with the same factors.
    (Encoding.DIFFERENTIAL_COLUMNS, {}, 2 * 17, 2 * 17),
    (Encoding.DIFFERENTIAL_COLUMNS, {"subtraction": Subtraction.BEFORE_ADC}, 2 * 17, 17),  # both columns' noise
    (Encoding.DIFFERENTIAL_ROWS, {}, 2 * 17, 17),  # two rows for each input, one column
    (Encoding.OFFSET, {}, 1 + 16 + 256, 1 + 16 + 256),  # three slices
    (Encoding.TWOS_COMPLEMENT, {}, 17 + 256, 17 + 256),  # the sign slice
]


@pytest.mark.parametrize(("encoding", "adc", "noisy", "rounded"), VARIANCES)
@pytest.mark.parametrize("rows", [128, 32])
def test_variances_of_reads_add_up(encoding: Encoding, adc: dict, noisy: int, rounded: int, rows: int):
    # Empty columns' sums would be cut at zero: one level under each cell (ratio 4) lifts them off it, by 64 * 10 levels
    # in 128 rows: 7 sigma of 0.3 * 8 * 10 = 24 and more. In 32 rows: 9 sigma.
    chip = make_chip(Device(read_sigma=0.1, on_off_ratio=4.0), rows=rows, encoding=encoding, dac_bits=4, **adc)
    errors = read_errors(chip, bits=8, weight_bits=5, value=0x9A)
    sets = (2 if encoding is Encoding.DIFFERENTIAL_ROWS else 1) * 64 / rows if rows < 64 else 1
    variance = noisy * 64 * (10**2 + 16**2 * 9**2) * 0.3**2 + rounded * sets * (1 + 16**2) * ROUNDED
    assert abs(errors.mean()) < 5 * np.sqrt(variance / MILLION)
    assert abs(errors.var() - variance) < 5 * variance * np.sqrt(2 / MILLION)


def test_a_whole_product_has_one_draw():
    # Converted once: 64 rows driven by 0x9A = 154, each with 0.3 levels of noise. M = 64 * 3 * 255 = 48960: step 1.
    chip = make_chip(Device(read_sigma=0.1), rows=64, dac_bits=4, conversion=AdcConversion.PER_PRODUCT)
    check_normal(read_errors(chip, bits=8, weight_bits=2, value=0x9A), 64 * (154 * 0.3) ** 2)


def test_seeds_draw_apart():
    chip = make_chip(Device(read_sigma=0.1), rows=64, dac_bits=4)
    first, second = (read_errors(chip, bits=4, weight_bits=2, value=15, seed=seed) for seed in (1, 2))
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 5 / np.sqrt(MILLION)


def test_programming_errors_and_read_noise_add_up():
    # Cells stray once, reads each time: the mean over 2500 reads of a column keeps the programming error, variance
    # 64 (15 * 0.06)^2 over columns; what is left of each read is the noise.
    device = Device(program_sigma=0.02, read_sigma=0.1, on_off_ratio=4.0)
    chip = make_chip(device, rows=64, dac_bits=4)
    weights, inputs = np.zeros((400, 64), int), np.full((2500, 64), 15)
    found = mvm(chip, weights, inputs, weight_bits=2, activation_bits=4, seed=3)
    means = found.mean(axis=0)
    noise, programmed = 64 * (15 * 0.3) ** 2 + ROUNDED, 64 * (15 * 0.06) ** 2
    assert abs((found - means).var() * 2500 / 2499 - noise) < 5 * noise * np.sqrt(2 / found.size)
    expected = programmed + noise / 2500
    assert abs(means.var(ddof=1) - expected) < 5 * expected * np.sqrt(2 / 399)
