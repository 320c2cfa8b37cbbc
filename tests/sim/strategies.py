"""Random chips, products and networks for property tests."""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from cimspec.spec.chip import (
    Adc,
    AdcStep,
    Chip,
    Crossbar,
    Dac,
    Encoding,
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


@st.composite
def chips(draw, *, lossless: bool = False) -> Chip:
    """Any chip of up to 40 x 40 cells; `lossless` gives it an ADC that tells all sums apart."""
    rows, columns = draw(st.integers(1, 40)), draw(st.integers(1, 20)) * 2
    encoding = draw(st.sampled_from(Encoding))
    crossbar = Crossbar(
        rows=rows,
        columns=columns,
        active_rows=draw(st.none() | st.integers(1, rows)),
        cell_bits=draw(st.integers(1, 4)),
        encoding=encoding,
        write_latency_ns=56000.0,
        read_latency_ns=1400.0,
    )
    before = encoding is Encoding.DIFFERENTIAL_COLUMNS and draw(st.booleans())
    adc = Adc(
        bits=16 if lossless else draw(st.integers(1, 9)),
        step=draw(st.sampled_from(AdcStep)),
        subtraction=Subtraction.BEFORE_ADC if before else Subtraction.AFTER_ADC,
    )
    return Chip(
        name="random",
        crossbar=crossbar,
        adc=adc,
        dac=Dac(bits=draw(st.integers(1, 3))),
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
