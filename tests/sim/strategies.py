"""Random chips, products and networks for property tests."""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from cimspec.spec.chip import (
    Adc,
    AdcConversion,
    AdcLevels,
    AdcRange,
    AdcStep,
    Chip,
    Crossbar,
    Dac,
    Encoding,
    Rounding,
    SignedInputs,
    SliceCount,
    StepCount,
    Subtraction,
)


@dataclass(frozen=True)
class Product:
    """Arguments of `mvm`."""

    chip: Chip
    weights: np.ndarray
    inputs: np.ndarray
    options: dict


LOSSLESS_PRODUCT_ROWS = 8
"""Rows whose products 16 bits tell apart, differences of 4-bit cells and 8-bit inputs: 2 * 8 * 15 * 255 < 2^16."""


@st.composite
def chips(draw, *, lossless: bool = False) -> Chip:
    """Any chip of up to 40 x 40 cells; `lossless` gives it an ADC that tells all sums apart."""
    rows, columns = draw(st.integers(1, 40)), draw(st.integers(1, 20)) * 2
    encoding = draw(st.sampled_from(Encoding))
    conversion = draw(st.sampled_from(AdcConversion))
    active_rows = draw(st.none() | st.integers(1, rows))
    if lossless and conversion is AdcConversion.PER_PRODUCT:
        active_rows = min(active_rows or rows, LOSSLESS_PRODUCT_ROWS)
    unit_column = encoding is Encoding.OFFSET and draw(st.booleans())
    crossbar = Crossbar(
        rows=rows,
        columns=columns,
        active_rows=active_rows,
        cell_bits=draw(st.integers(1, 4)),
        encoding=encoding,
        unit_column=unit_column,
        complement=unit_column and draw(st.booleans()),
        write_latency_ns=56000.0,
        read_latency_ns=1400.0,
    )
    before = encoding is Encoding.DIFFERENTIAL_COLUMNS and draw(st.booleans())
    levels = draw(st.sampled_from(AdcLevels))
    adc = Adc(
        bits=16 if lossless else draw(st.integers(1 if levels is AdcLevels.FULL else 2, 9)),
        range=draw(st.sampled_from([AdcRange.ROWS, AdcRange.ROWS_USED])),
        conversion=conversion,
        step=draw(st.sampled_from(AdcStep)),
        levels=levels,
        rounding=draw(st.none() | st.sampled_from(Rounding)),
        subtraction=Subtraction.BEFORE_ADC if before else Subtraction.AFTER_ADC,
    )
    return Chip(
        name="random",
        crossbar=crossbar,
        adc=adc,
        dac=Dac(bits=draw(st.integers(1, 3)), signed=draw(st.sampled_from(SignedInputs))),
        crossbars=draw(st.integers(1, 5)),
        slices=draw(st.sampled_from(SliceCount)),
        steps=draw(st.sampled_from(StepCount)),
    )


@st.composite
def products(draw, *, lossless: bool = False) -> Product:
    """A chip, codes within their bits (extremes included) and the options of `mvm`."""
    weight_bits, activation_bits = draw(st.integers(2, 8)), draw(st.integers(2, 8))
    signed = draw(st.booleans())
    vectors, inputs, outputs = draw(st.integers(1, 5)), draw(st.integers(1, 90)), draw(st.integers(1, 12))
    limit = 2 ** (weight_bits - 1) - 1
    low, high = (
        (-(2 ** (activation_bits - 1)) + 1, 2 ** (activation_bits - 1) - 1) if signed else (0, 2**activation_bits - 1)
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    if draw(st.booleans()):
        weights = rng.integers(-limit, limit, (outputs, inputs), endpoint=True)
        codes = rng.integers(low, high, (vectors, inputs), endpoint=True)
    else:
        weights = rng.choice([-limit, limit], (outputs, inputs))
        codes = rng.choice([low, high], (vectors, inputs))
    full_scale = None if lossless else draw(st.none() | st.floats(0.5, 200))
    options = {
        "weight_bits": weight_bits,
        "activation_bits": activation_bits,
        "signed_inputs": signed,
        "full_scale": full_scale,
    }
    return Product(draw(chips(lossless=lossless)), weights, codes, options)
