"""The matrix-vector product of analog-cim-sim (github.com/rpelke/analog-cim-sim), to the last integer.

Written after its C++ sources (mappers `int_i` .. `int_v`, `adc.cpp`); no code is shared. Where a description of its
rules leaves a choice, the sources decided:

- All analog arithmetic is float32, each operation rounded on its own (its default build has no fused multiply-add).
- A column adds its rows one after another; rows beyond the matrix take no part, but the ADC's range counts all `N`.
- The ADC's value is multiplied by one float32 factor, `2^(shift+bit) / step`, rounded before that product.
- `round` takes halves away from zero. Without a converter (`INF_ADC`) there is no rounding, only the truncation below.
- Differential weights: the result is an int32 and each addition is `trunc(float32(result) + out)`, slices in order.
- Offset weights: the result is a float32, rounded once at the end, after the correction for the offset.
- A read in which no input bit is set is converted too; `I_OFFS` has one bit more than the inputs.
- `1XB` and `2XB` differ in cost only.
- `M` and `N` count outputs and inputs, as in the release that the known cases come from; later ones count cells.

Values that the bits of a mode cannot hold, silently cut by the simulator, are refused here, as is a sum beyond int32.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, assert_never

import numpy as np
import numpy.typing as npt

from cimspec.conventions.analog_cim_sim_config import AdcType, Config, Mode
from cimspec.conventions.operands import IntArray, Operands, check_range

FloatArray = npt.NDArray[np.float32]
f32 = np.float32


def analog_cim_sim(cfg: Mapping[str, Any], weights: npt.ArrayLike, inputs: npt.ArrayLike) -> IntArray:
    """The product `inputs @ weights.T` as analog-cim-sim computes it under `cfg`, its JSON configuration as a dict.

    `weights [outputs, inputs]` and `inputs [inputs]` or `[vectors, inputs]` are integers; returns int64 `[outputs]` or
    `[vectors, outputs]`. Vectors do not influence each other. With `digital_only` the product is exact.
    Raises `ValueError` for a configuration that is incomplete, unknown or random, operands that do not fit `M`, `N` or
    the bits, and results beyond int32.
    """
    config = Config.of(cfg)
    operands = Operands.of(weights, inputs)
    _check_operands(config, operands)
    multiply = _multiply_digital if config.digital_only else _multiply_analog
    result = multiply(config, operands)
    if config.mode is Mode.I_OFFS_W_DIFF:
        result = result - (operands.weights.sum(axis=1) << (config.input_bits - 1))
    return _int32(operands.shaped(result))


@dataclass(frozen=True, slots=True)
class Read:
    """One bit of all inputs, applied to the rows at once."""

    bits: IntArray  # [vectors, inputs], 0 or 1
    position: int
    sign: int

    @property
    def factor(self) -> int:
        """What a count of one is worth."""
        return self.sign << self.position


def _reads(config: Config, inputs: IntArray) -> Iterator[Read]:
    for values, positions, sign in _parts(config.mode, config.input_bits, inputs):
        for position in positions:
            yield Read((values >> position) & 1, position, sign)


def _parts(mode: Mode, bits: int, inputs: IntArray) -> list[tuple[IntArray, range, int]]:
    """What is applied in order: values, the bits of them that are used, and the sign they count with."""
    match mode:
        case Mode.I_UINT_W_DIFF | Mode.I_UINT_W_OFFS:
            return [(inputs, range(bits), 1)]
        case Mode.I_TC_W_DIFF:
            return [(inputs, range(bits - 1), 1), (inputs, range(bits - 1, bits), -1)]
        case Mode.I_DIFF_W_DIFF_1XB | Mode.I_DIFF_W_DIFF_2XB:
            return [(np.maximum(inputs, 0), range(bits - 1), 1), (np.maximum(-inputs, 0), range(bits), -1)]
        case Mode.I_OFFS_W_DIFF:
            return [(inputs + (1 << (bits - 1)), range(bits + 1), 1)]
        case _:
            assert_never(mode)


def _check_operands(config: Config, operands: Operands) -> None:
    outputs, inputs = operands.weights.shape
    if outputs > config.columns:
        raise ValueError(f"weights have {outputs} outputs, M is {config.columns}")
    if inputs > config.rows:
        raise ValueError(f"weights have {inputs} inputs, N is {config.rows}")
    half = 1 << (config.weight_bits - 1)
    low, high = (-half, half - 1) if config.is_offset else (1 - 2 * half, 2 * half - 1)
    check_range("weights", operands.weights, low, high, f"{config.mode} with W_BIT = {config.weight_bits}")
    low, high = _input_range(config.mode, 1 << (config.input_bits - 1))
    check_range("inputs", operands.inputs, low, high, f"{config.mode} with I_BIT = {config.input_bits}")


def _input_range(mode: Mode, half: int) -> tuple[int, int]:
    """What the bits of a mode hold; `half` is the weight of the highest bit."""
    match mode:
        case Mode.I_UINT_W_DIFF | Mode.I_UINT_W_OFFS:
            return 0, 2 * half - 1
        case Mode.I_TC_W_DIFF:
            return -half, half - 1
        case Mode.I_DIFF_W_DIFF_1XB | Mode.I_DIFF_W_DIFF_2XB:
            return 1 - 2 * half, half - 1
        case Mode.I_OFFS_W_DIFF:
            return -half, 3 * half - 1
        case _:
            assert_never(mode)


def _digits(config: Config, values: IntArray) -> IntArray:
    """Non-negative weights `[outputs, inputs]` cut into slices `[slices, outputs, inputs]`."""
    pairs = zip(config.shifts, config.split, strict=True)
    return np.stack([(values >> shift) & ((1 << width) - 1) for shift, width in pairs])


def _multiply_digital(config: Config, operands: Operands) -> IntArray:
    offset = 1 << (config.weight_bits - 1) if config.is_offset else 0
    positive, negative = _digits(config, _positive(config, operands)), _digits(config, _negative(config, operands))
    shifts = np.array(config.shifts)[:, None, None]
    stored = ((positive - negative) << shifts).sum(axis=0)
    total = sum(read.factor * (read.bits @ stored.T) for read in _reads(config, operands.inputs))
    return np.asarray(total - offset * operands.inputs.sum(axis=1, keepdims=True))


def _positive(config: Config, operands: Operands) -> IntArray:
    if config.is_offset:
        return operands.weights + (1 << (config.weight_bits - 1))
    return np.maximum(operands.weights, 0)


def _negative(config: Config, operands: Operands) -> IntArray:
    return np.zeros_like(operands.weights) if config.is_offset else np.maximum(-operands.weights, 0)


def _multiply_analog(config: Config, operands: Operands) -> IntArray:
    steps = [(f32(config.lrs) - f32(config.hrs)) / f32((1 << width) - 1) for width in config.split]
    currents = _currents(config, operands, steps)
    converter = _Converter.of(config)
    total: npt.NDArray[Any] = np.zeros((len(operands.inputs), len(operands.weights)), f32 if config.is_offset else int)
    for read in _reads(config, operands.inputs):
        for shift, step, slice_currents in zip(config.shifts, steps, currents, strict=True):
            scale = f32((read.factor << shift) / float(step))
            out = converter.convert(_column_sums(slice_currents, read.bits), scale)
            total = total + out if config.is_offset else _int32(np.trunc(total.astype(f32) + out))
    return _without_offset(config, operands, total) if config.is_offset else total


def _currents(config: Config, operands: Operands, steps: list[np.float32]) -> FloatArray:
    """What each cell, or pair of cells, adds to its column: `[slices, outputs, inputs]`."""
    hrs, by_slice = f32(config.hrs), np.array(steps, f32)[:, None, None]
    positive = _digits(config, _positive(config, operands)).astype(f32) * by_slice + hrs
    if config.is_offset:
        return positive
    negative = _digits(config, _negative(config, operands)).astype(f32) * by_slice + hrs
    return np.asarray(positive - negative)


def _column_sums(currents: FloatArray, bits: IntArray) -> FloatArray:
    """Sums `[vectors, outputs]` over the rows, in their order: float32 sums depend on it."""
    sums = np.zeros((len(bits), len(currents)), f32)
    for current, bit in zip(currents.T, bits.T, strict=True):
        sums += current * bit[:, None].astype(f32)
    return sums


@dataclass(frozen=True, slots=True)
class _Converter:
    """An ADC from column currents to scaled counts; `interval` None is the ideal one."""

    low: np.float32
    high: np.float32
    interval: np.float32 | None

    @classmethod
    def of(cls, config: Config) -> "_Converter":
        hrs, lrs, rows = f32(config.hrs), f32(config.lrs), f32(config.rows)
        match config.adc_type:
            case AdcType.INF_ADC:
                return cls(f32(0), f32(0), None)
            case AdcType.SYM_RANGE_ADC:  # one level fewer, so that zero is one
                high = rows * (lrs - hrs)
                return cls(-high, high, (high + high) / f32((1 << config.resolution) - 2))
            case AdcType.POS_RANGE_ONLY_ADC:
                high = rows * lrs
                return cls(f32(0), high, high / f32((1 << config.resolution) - 1))
            case _:
                assert_never(config.adc_type)

    def convert(self, currents: FloatArray, scale: np.float32) -> FloatArray:
        if self.interval is None:
            return currents * scale
        clipped = np.clip(currents, self.low, self.high)
        value = _round((clipped - self.low) / self.interval) * self.interval + self.low
        return _round(value * scale)


def _round(values: FloatArray) -> FloatArray:
    """To the nearest integer, halves away from zero. Exact: adding 0.5 first would round a second time."""
    whole = np.trunc(values)
    return np.asarray(whole + np.sign(values) * (np.abs(values - whole) >= f32(0.5)), f32)


def _without_offset(config: Config, operands: Operands, total: FloatArray) -> IntArray:
    """Takes off what the offset and the cells' lowest current added, both proportional to the sum of the inputs."""
    full = f32(0)
    for shift, width in zip(config.shifts, config.split, strict=True):
        full += f32(((1 << width) - 1) << shift)
    per_input = f32(config.hrs) / (f32(config.lrs) - f32(config.hrs)) * full + f32(1 << (config.weight_bits - 1))
    input_sums = operands.inputs.sum(axis=1, keepdims=True).astype(f32)
    return _int32(_round(total - input_sums * per_input))


def _int32(values: npt.NDArray[Any]) -> IntArray:
    if values.size and np.abs(values).max() >= 1 << 31:
        raise ValueError("a result leaves 32 bits, which the simulator accumulates in")
    return values.astype(np.int64)
