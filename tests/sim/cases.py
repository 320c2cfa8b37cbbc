"""Numbered random products: any chip, device, shape and option, the extremes among them.

`case(number)` is the same at any time and on any machine, so that a number is all a failure needs to say.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cimspec.compiler.layout import Layout
from cimspec.compiler.slicing import Part, input_steps
from cimspec.sim.adc import Converter
from cimspec.sim.layer import ProductLayer
from cimspec.sim.mvm import flat_inputs
from cimspec.sim.programmed import ProgrammedRows
from cimspec.sim.reference import reference_mvm
from cimspec.sim.row_set import Inputs
from cimspec.spec.chip import (
    LARGEST_EXACT_SUM,
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

EDGES = (1, 2, 3, 5, 6, 7, 12, 13, 15, 16, 17, 31, 32, 33, 47, 63, 64, 65, 66, 97, 127, 128, 129)
"""Sizes around those that kernels pad to: 2, 4, 6, 16, 32 and 64; and some primes."""

MOST_ROW_SETS = 60
MOST_PRODUCTS = 2_000_000
"""Of a case, counted for each step and plane: the definition is slow."""

MOST_DRAWS = 200_000
"""Random numbers of a case: the definition draws one column at a time, and all columns before it."""


@dataclass(frozen=True)
class Case:
    """One product and what the definition makes of it."""

    number: int
    chip: Chip
    weights: np.ndarray
    inputs: np.ndarray
    weight_bits: int
    activation_bits: int
    signed_inputs: bool
    full_scale: float | None
    seed: int
    layout: Layout = field(init=False)

    def __post_init__(self) -> None:
        outputs, inputs = self.weights.shape
        object.__setattr__(self, "layout", Layout(self.chip, inputs, outputs, self.weight_bits))

    @property
    def options(self) -> dict[str, Any]:
        """Keyword arguments of `mvm`."""
        names = ("weight_bits", "activation_bits", "signed_inputs", "full_scale", "seed")
        return {name: getattr(self, name) for name in names}

    @property
    def steps(self) -> tuple[Part, ...]:
        return input_steps(self.chip, self.activation_bits, self.signed_inputs)

    def expected(self) -> np.ndarray:
        """What the definition says."""
        return reference_mvm(self.chip, self.weights, self.inputs, **self.options)

    def layer(self) -> ProductLayer:
        """The product's cells, programmed."""
        return ProductLayer(ProgrammedRows(self.layout, self.weights, self.steps, self.full_scale, seed=self.seed))

    def vectors(self, *, scattered: bool = False) -> Inputs:
        """The inputs side by side, or in windows that are strewn over a larger array, in any order."""
        if not scattered:
            return flat_inputs(self.inputs)
        rng = np.random.default_rng(self.number)
        plain = flat_inputs(self.inputs)
        count, inputs = self.inputs.shape
        width = inputs + int(rng.integers(1, 5))
        offsets = rng.permutation(width)[:inputs].astype(np.int32)
        origins = rng.permutation(count).astype(np.int64) * width
        codes = rng.integers(0, 2, count * width).astype(plain.codes.dtype)
        codes[origins[:, None] + offsets] = self.inputs
        return Inputs(codes, origins, offsets, 0)


def case(number: int) -> Case:
    """The random product of this number."""
    return _Maker(np.random.default_rng([2026, number]), number).make()


@dataclass
class _Maker:
    rng: np.random.Generator
    number: int

    def make(self) -> Case:
        is_wide = self.chance(0.1)  # more bits than networks have
        weight_bits = self.integer(9, 15) if is_wide else self.integer(2, 8)
        activation_bits = self.integer(9, 16) if self.chance(0.1) else self.integer(1, 8)
        signed = activation_bits > 1 and self.chance(0.4)
        device = Device() if self.chance(0.5) else self.device()
        vectors, inputs, outputs = self.size(150), self.size(300), self.size(130)
        chip = self.chip(inputs, activation_bits, device)
        vectors, outputs = self.affordable(chip, vectors, inputs, outputs, weight_bits, activation_bits, signed)
        steps = input_steps(chip, activation_bits, signed)
        limit = 2 ** (weight_bits - 1) - 1
        low, high = (-(2 ** (activation_bits - 1)) + 1, 2 ** (activation_bits - 1) - 1) if signed else (0, None)
        high = 2**activation_bits - 1 if high is None else high
        return Case(
            self.number,
            chip,
            self.integers(-limit, limit, (outputs, inputs)),
            self.integers(low, high, (vectors, inputs)),
            weight_bits,
            activation_bits,
            signed,
            self.full_scale(Converter.of(chip, None, rows=chip.active_rows, steps=steps).high),
            self.integer(0, 2**32),
        )

    def chip(self, inputs: int, activation_bits: int, device: Device) -> Chip:
        encoding = self.one_of(Encoding)
        cell_bits = self.table_bits(device) or (self.integer(1, 4) if self.chance(0.75) else self.integer(5, 8))
        dac_bits = 1 if self.chance(0.5) else self.integer(2, 8)
        conversion = AdcConversion.PER_PRODUCT if self.chance(0.25) else AdcConversion.PER_STEP
        digit = 2 ** (activation_bits if conversion is AdcConversion.PER_PRODUCT else dac_bits) - 1
        most = max(1, LARGEST_EXACT_SUM // (digit * (2**cell_bits - 1)))
        fewest = -(-2 * inputs // MOST_ROW_SETS)
        rows = max(fewest, self.integer(1, 2 * inputs + 40))
        active_rows = None if self.chance(0.6) else self.integer(min(fewest, rows), rows)
        if (active_rows or rows) > most:
            active_rows = most
        has_unit = encoding is Encoding.OFFSET and self.chance(0.6)
        crossbar = Crossbar(
            rows=rows, columns=2 * self.integer(1, 64), active_rows=active_rows, cell_bits=cell_bits,
            encoding=encoding, unit_column=has_unit, complement=has_unit and self.chance(0.6),
            write_latency_ns=1.0, read_latency_ns=1.0,
        )  # fmt: skip
        levels = self.one_of(AdcLevels)
        before = encoding is Encoding.DIFFERENTIAL_COLUMNS and self.chance(0.5)
        adc = Adc(
            bits=self.integer(1 if levels is AdcLevels.FULL else 2, 16),
            range=self.one_of([AdcRange.ROWS, AdcRange.ROWS_USED]),
            conversion=conversion,
            step=self.one_of(AdcStep),
            levels=levels,
            rounding=None if self.chance(0.4) else self.one_of(Rounding),
            subtraction=Subtraction.BEFORE_ADC if before else Subtraction.AFTER_ADC,
        )
        return Chip(
            name="random", crossbar=crossbar, adc=adc, dac=Dac(bits=dac_bits, signed=self.one_of(SignedInputs)),
            device=device, slices=self.one_of(SliceCount), steps=self.one_of(StepCount),
        )  # fmt: skip

    def device(self) -> Device:
        """Any of the effects, each in half of the devices."""
        fields: dict[str, Any] = {}
        with_table = self.chance(0.2)
        effects: list[tuple[str, Callable[[], float]]] = [
            ("on_off_ratio", lambda: float(1.1 + 10 ** self.rng.uniform(-1, 4))),
            ("program_sigma", lambda: self.rng.uniform(0, 0.3) if self.chance(0.7) else self.one_of([1e-9, 1e-3, 1.0])),
            ("program_sigma_relative", lambda: self.rng.uniform(0, 0.3)),
            ("read_sigma", lambda: self.rng.uniform(0, 0.3)),
            ("drift_nu", lambda: self.rng.uniform(0, 0.2)),
            ("drift_nu_sigma", lambda: self.rng.uniform(0, 0.1)),
            ("stuck_on", lambda: self.one_of([1.0, 0.02])),
            ("stuck_off", lambda: self.rng.uniform(0, 0.2)),
        ]
        for name, draw in effects:
            if self.chance(0.4):
                fields[name] = float(draw())
        if fields.get("stuck_on") == 1.0:
            fields.pop("stuck_off", None)
        if self.chance(0.7):
            fields["drift_time_ns"] = float(10 ** self.rng.uniform(9, 15))
        if with_table:
            for name in ("on_off_ratio", "program_sigma"):
                fields.pop(name, None)
            levels = 2 ** self.integer(1, 4)
            means = np.sort(self.rng.uniform(0, 1e-4, levels)) + np.linspace(0, 1e-5, levels)
            fields["table"] = DeviceTable(
                mean_siemens=tuple(means.tolist()), sigma_siemens=tuple(self.rng.uniform(0, 1e-6, levels).tolist())
            )
        if self.chance(0.2):
            fields["wire_resistance_ohm"] = float(self.rng.uniform(0.1, 20))
            if not with_table:
                fields["on_resistance_ohm"] = float(10 ** self.rng.uniform(3, 6))
        return Device(**fields)

    @staticmethod
    def table_bits(device: Device) -> int | None:
        """Bits of the cells that a device's table describes."""
        return len(device.table.mean_siemens).bit_length() - 1 if device.table else None

    def affordable(
        self, chip: Chip, vectors: int, inputs: int, outputs: int, weight_bits: int, activation_bits: int, signed: bool
    ) -> tuple[int, int]:
        """Vectors and outputs, fewer where the definition would take too long."""
        steps = len(input_steps(chip, activation_bits, signed))
        # A few cases may take longer, so that many vectors meet many outputs.
        patience = 20 if self.chance(0.03) else 1
        while True:
            layout = Layout(chip, inputs, outputs, weight_bits)
            products = vectors * steps * layout.rows * layout.columns
            draws = 0
            if not chip.device.is_ideal:
                sets = sum(1 for _ in layout.row_sets())
                # A column costs about as much as 2000 draws, whatever it holds.
                noise = vectors * steps * outputs if chip.device.read_sigma else 0
                draws = sets * layout.columns * (noise + 2000)
            if products <= patience * MOST_PRODUCTS and draws <= patience * MOST_DRAWS:
                return vectors, outputs
            if outputs > 1 and (outputs > vectors or vectors == 1):
                outputs = outputs * 2 // 3
            elif vectors > 1:
                vectors = vectors * 2 // 3
            else:
                return 1, 1

    def full_scale(self, largest: float) -> float | None:
        """Mostly the chip's own; else whole numbers, halves, powers of two, and any others."""
        if self.chance(0.6):
            return None
        scale = float(np.exp(self.rng.uniform(0, np.log(4 * largest + 2))))
        if self.chance(0.3):
            return scale
        if self.chance(0.3):
            return float(2 ** round(np.log2(scale)))
        return max(1.0, float(round(2 * scale) / 2 if self.chance(0.5) else round(scale)))

    def integers(self, low: int, high: int, shape: tuple[int, int]) -> np.ndarray:
        """Any, only the ends, one value everywhere, few that are not zero, or close to an end."""
        match self.integer(0, 7):
            case 0:
                return self.rng.choice([low, high], shape)
            case 1:
                return np.full(shape, self.one_of([low, high, max(low, 0), min(1, high)]))
            case 2:
                return np.where(self.rng.random(shape) < 0.05, self.rng.integers(low, high, shape, endpoint=True), 0)
            case 3:
                return np.clip(np.rint(self.rng.normal(0, max(1, high / 8), shape)), low, high).astype(np.int64)
            case _:
                return self.rng.integers(low, high, shape, endpoint=True)

    def size(self, most: int) -> int:
        match self.integer(0, 3):
            case 0:
                return self.integer(1, min(12, most))
            case 1:
                return min(most, self.one_of(EDGES))
            case _:
                return int(np.exp(self.rng.uniform(0, np.log(most + 1))))

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def integer(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high, endpoint=True))

    def one_of(self, choices: Any) -> Any:
        choices = tuple(choices)
        return choices[self.integer(0, len(choices) - 1)]
