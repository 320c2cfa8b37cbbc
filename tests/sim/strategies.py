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
from cimspec.spec.device import Device, DeviceTable


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
def devices(draw, cell_bits: int) -> Device:
    """Any device of such cells: usually one or two effects, at times all."""
    share, exponent = st.floats(0, 0.3), st.floats(0, 0.3)
    effects = {
        "program_sigma_relative": share,
        "read_sigma": share,
        "drift_nu": exponent,
        "drift_nu_sigma": exponent,
        "drift_time_ns": st.floats(1, 1e16),
        "stuck_on": st.sampled_from([0.02, 0.5, 1.0]),
        "activity": st.floats(0.1, 1),
    }
    with_table = draw(st.booleans())
    if not with_table:
        effects |= {"on_off_ratio": st.floats(1.1, 1e6), "program_sigma": share}
    names = draw(st.lists(st.sampled_from(sorted(effects)), unique=True, max_size=4))
    fields = {name: draw(effects[name]) for name in names}
    if with_table:
        levels = 1 << cell_bits
        steps = st.lists(st.floats(1e-7, 1e-5), min_size=levels, max_size=levels)
        sigmas = st.lists(st.floats(0, 1e-6), min_size=levels, max_size=levels)
        means = tuple(np.cumsum(draw(steps)).tolist())
        fields["table"] = DeviceTable(mean_siemens=means, sigma_siemens=tuple(draw(sigmas)))
    if draw(st.booleans()):
        fields["wire_resistance_ohm"] = draw(st.floats(0.01, 100))
        if not with_table:
            fields["on_resistance_ohm"] = draw(st.floats(1e3, 1e6))
    return Device(**fields)


@st.composite
def chips(draw, *, lossless: bool = False, noisy: bool = False) -> Chip:
    """Any chip of up to 40 x 40 cells; `lossless` gives it an ADC that tells all sums apart, `noisy` any device."""
    rows, columns = draw(st.integers(1, 40)), draw(st.integers(1, 20)) * 2
    encoding = draw(st.sampled_from(Encoding))
    conversion = draw(st.sampled_from(AdcConversion))
    active_rows = draw(st.none() | st.integers(1, rows))
    if lossless and conversion is AdcConversion.PER_PRODUCT:
        active_rows = min(active_rows or rows, LOSSLESS_PRODUCT_ROWS)
    unit_column = encoding is Encoding.OFFSET and draw(st.booleans())
    cell_bits = draw(st.integers(1, 4))
    crossbar = Crossbar(
        rows=rows,
        columns=columns,
        active_rows=active_rows,
        cell_bits=cell_bits,
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
        device=draw(devices(cell_bits)) if noisy else Device(),
        crossbars=draw(st.integers(1, 5)),
        slices=draw(st.sampled_from(SliceCount)),
        steps=draw(st.sampled_from(StepCount)),
    )


@st.composite
def products(draw, *, lossless: bool = False, noisy: bool = False) -> Product:
    """A chip, codes within their bits (extremes included) and the options of `mvm`."""
    weight_bits, activation_bits = draw(st.integers(2, 8)), draw(st.integers(2, 8))
    signed = draw(st.booleans())
    # The definition takes noisy products column by column.
    most_inputs, most_outputs = (20, 4) if noisy else (90, 12)
    vectors, inputs, outputs = (
        draw(st.integers(1, 5)),
        draw(st.integers(1, most_inputs)),
        draw(st.integers(1, most_outputs)),
    )
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
    if noisy:
        options["seed"] = draw(st.integers(0, 2**64))
    return Product(draw(chips(lossless=lossless, noisy=noisy)), weights, codes, options)
