"""Cells as they come out: a layer's weights and a device -> conductances, in fixed point for integer kernels.

Conductances are in levels: one level is the range between off and on over `L = 2^cell_bits - 1`. Digit `d` conducts
`d + off_level` (or what the device table says), and then, in this order:

    programming   + N(0, sigma^2), the sigma of the range and that of the cell's own conductance together; not below 0
    drift         * (drift_time / drift_start)^-nu, nu ~ N(drift_nu, drift_nu_sigma^2), not below 0
    stuck cells   L + off_level, or off_level; they neither stray nor drift
    wires         * attenuation in the crossbar (wires.py)
    fixed point   rint(g * 2^fraction_bits)

Draws are those of the whole layer, by row and column, whatever part of it is asked for. All is float64; drift takes
`exp` from the platform, whose last bit can move a cell by one step of the fixed point, once in about 10^10 cells.

Rounding is off by 2^-(fraction_bits + 1) levels at most for each cell, so a column's sum of `n` cells times digits up
to `x` by `n * x * 2^-(fraction_bits + 1)` levels. `fraction_bits` follows from device and cell bits, never from data.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cimspec.compiler.layout import Layout
from cimspec.compiler.slicing import ceil_divide
from cimspec.sim.packing import SUMMED_ROWS
from cimspec.sim.random import Floats, Key, Purpose, cell_words, normals, stream_key, uniforms
from cimspec.sim.wires import attenuation
from cimspec.spec.chip import Chip, Encoding
from cimspec.spec.device import Device

Values = npt.NDArray[Any]
Reals = npt.NDArray[np.float64]

MOST_FRACTION_BITS = 12
LARGEST_VALUE = (1 << 15) - 1
LARGEST_SUMMED = LARGEST_VALUE // SUMMED_ROWS
"""Where cells are no larger, kernels can look up sums of some rows in 16 bits."""

UNSEEN_SHARE = 64
"""By this part of the programming error rounding may stray where fewer bits are faster: 0.03 % more variance."""

SIGMAS = 6
"""Programming errors up to here fit the fixed point; cells beyond are clipped."""

CHUNK_CELLS = 1 << 15
"""Cells worked on at once, in float64."""


@dataclass(frozen=True, slots=True, eq=False)
class ProgrammedCells:
    """A rectangle of a layer's cells. A cell conducts `values / 2^fraction_bits` levels, off cells `off_level`.

    Values are negative in rows driven with the opposite sign. Where columns or rows are subtracted the off levels
    cancel; elsewhere a column's sum holds `off_level * sum(inputs)` besides the product.
    """

    values: Values  # [rows, columns], int16; int8 where cells are exact and fit, as do differences of them
    fraction_bits: int
    off_level: float


@dataclass(frozen=True, slots=True, eq=False)
class States:
    """What the levels of a cell conduct. One level is `siemens`, which is None where nobody said."""

    mean: Reals  # [L + 1], in levels
    sigma: Reals  # [L + 1], in levels
    siemens: float | None

    @classmethod
    def of(cls, device: Device, cell_bits: int) -> "States":
        """The states of a device's cells."""
        top = (1 << cell_bits) - 1
        if device.table:
            table = np.array([device.table.mean_siemens, device.table.sigma_siemens])
            siemens = (table[0, -1] - table[0, 0]) / top
            mean: Reals = table[0] / siemens
            sigma = np.hypot(table[1] / siemens, device.program_sigma_relative * mean)
            return cls(mean, sigma, float(siemens))
        off_level = top / (device.on_off_ratio - 1) if device.on_off_ratio else 0.0
        mean = np.arange(top + 1, dtype=np.float64) + off_level
        sigma = np.hypot(device.program_sigma * top, device.program_sigma_relative * mean)
        on = device.on_resistance_ohm
        return cls(mean, sigma, 1 / on / (top + off_level) if on else None)

    @property
    def fraction_bits(self) -> int:
        """Bits behind the point: 12, or as many as let the largest conductance fit 16 bits with its sign.

        Fewer, so that sums of five do, where rounding to them is small against the programming error.
        """
        largest = float((self.mean + SIGMAS * self.sigma).max())
        finest, summed = (
            min(MOST_FRACTION_BITS, math.floor(math.log2(value / largest))) for value in (LARGEST_VALUE, LARGEST_SUMMED)
        )
        return summed if summed >= max(0, self._unseen_bits) else max(0, finest)

    @property
    def _unseen_bits(self) -> float:
        """From how many bits on rounding is small against the programming error."""
        seen = float(self.sigma.min()) * math.sqrt(12) / UNSEEN_SHARE
        return -math.log2(seen) if seen else math.inf


def programmed_cells(
    layout: Layout,
    weights: npt.NDArray[np.integer],
    device: Device,
    *,
    seed: int,
    layer: int,
    rows: range | None = None,
    columns: range | None = None,
) -> ProgrammedCells:
    """The cells of weights `[outputs, inputs]` as `device` holds them, keyed by `seed` and `layer` (its index).

    `rows` and `columns` cut a rectangle out of the layer; its cells are those of the whole. The unit column of the
    offset encoding is a column of ones like any other. A device whose cells are exact gives the plain digits.
    """
    rows = range(layout.rows) if rows is None else rows
    columns = range(layout.columns) if columns is None else columns
    fits_bytes = device.cells_are_exact and layout.chip.largest_cell <= np.iinfo(np.int8).max
    around = _whole_blocks(rows, layout.chip.crossbar.rows, layout.rows)
    digits = layout.cells(weights, np.int8 if fits_bytes else np.int16, around)
    is_whole = digits.shape == (len(rows), len(columns))
    if device.cells_are_exact:
        first = rows.start - around.start
        exact = digits if is_whole else digits[first : first + len(rows), columns.start : columns.stop].copy()
        return ProgrammedCells(exact, 0, 0.0)
    states = States.of(device, layout.chip.crossbar.cell_bits)
    fraction_bits = states.fraction_bits
    maker = _Maker(layout, digits, around.start, device, states, seed, layer)
    # Parts of the whole do without the digits of others, so they take the places of their own.
    values = digits if is_whole else np.empty((len(rows), len(columns)), np.int16)
    for part_rows, part_columns in _parts(layout, rows, columns, device):
        fixed = np.rint(maker.conductances(part_rows, part_columns) * (1 << fraction_bits))
        fixed = np.minimum(fixed, LARGEST_VALUE)
        if layout.encoding is Encoding.DIFFERENTIAL_ROWS:
            fixed *= np.where(np.arange(part_rows.start, part_rows.stop) % 2, -1, 1)[:, None]
        at_rows = slice(part_rows.start - rows.start, part_rows.stop - rows.start)
        values[at_rows, part_columns.start - columns.start : part_columns.stop - columns.start] = fixed
    return ProgrammedCells(values, fraction_bits, float(states.mean[0]))


def read_noise_levels(device: Device, chip: Chip) -> float:
    """Standard deviation of one cell's read noise, in levels.

    Each driven cell adds it times its row's digit `x`, anew with each step: a column's sum has N(0, sigma^2 sum(x^2)),
    independent for every physical column. Columns subtracted before the ADC double the variance; differential rows
    are on one column, whose `sum(x^2)` counts both rows of each input.
    """
    return device.read_sigma * ((1 << chip.crossbar.cell_bits) - 1)


@dataclass(frozen=True, slots=True, eq=False)
class _Maker:
    """Makes conductances of one layer."""

    layout: Layout
    digits: Values  # of whole crossbars, all columns
    first_row: int  # of the digits
    device: Device
    states: States
    seed: int
    layer: int

    def conductances(self, rows: range, columns: range) -> Reals:
        """All effects, in levels, for a part of one crossbar row (of one crossbar, where wires matter)."""
        device, states = self.device, self.states
        if device.wire_resistance_ohm is None:
            return self._cells(rows, columns)
        assert states.siemens is not None, "wires without conductances were reported"
        crossbar = self.layout.chip.crossbar
        block_rows = _whole_blocks(rows, crossbar.rows, self.layout.rows)
        block_columns = _whole_blocks(columns, crossbar.columns, self.layout.columns)
        cells = self._cells(block_rows, block_columns)
        # At most `active_rows` are driven at once, and `activity` of these.
        activity = device.activity * min(1.0, self.layout.chip.active_rows / len(block_rows))
        cells *= attenuation(cells * states.siemens, device.wire_resistance_ohm, activity)
        first_row, first_column = rows.start - block_rows.start, columns.start - block_columns.start
        return cells[first_row : first_row + len(rows), first_column : first_column + len(columns)]

    def _cells(self, rows: range, columns: range) -> Reals:
        """Programming, drift and stuck cells."""
        device, states = self.device, self.states
        first = rows.start - self.first_row
        digits = np.abs(self.digits[first : first + len(rows), columns.start : columns.stop])
        cells: Reals = states.mean[digits]
        if states.sigma.any():
            cells += states.sigma[digits] * self._normals(Purpose.PROGRAM, rows, columns)
            np.maximum(cells, 0, out=cells)
        if device.drifts:
            cells *= self._drift(rows, columns)
        if device.stuck_on or device.stuck_off:
            chance = uniforms(cell_words(self._key(Purpose.STUCK), rows, columns))
            cells[chance < device.stuck_on + device.stuck_off] = states.mean[0]
            cells[chance < device.stuck_on] = states.mean[-1]
        return cells

    def _drift(self, rows: range, columns: range) -> Reals | float:
        """What is left of a conductance after the time of drift."""
        device = self.device
        assert device.drift_time_ns is not None, "without a time nothing drifts"
        age = math.log(device.drift_time_ns / device.drift_start_ns)
        if device.drift_nu_sigma == 0:
            return math.exp(-device.drift_nu * age)
        nu = device.drift_nu + device.drift_nu_sigma * self._normals(Purpose.DRIFT, rows, columns).astype(np.float64)
        return np.asarray(np.exp(-age * np.maximum(nu, 0)))

    def _key(self, purpose: Purpose) -> Key:
        return stream_key(self.seed, self.layer, purpose)

    def _normals(self, purpose: Purpose, rows: range, columns: range) -> Floats:
        return cell_normals(self._key(purpose), rows, columns)


def cell_normals(key: Key, rows: range, columns: range) -> Floats:
    """A normal for each cell `[rows, columns]`, by the compiled kernel if it is there: numpy gives the same bits."""
    try:
        from cimspec._kernels import noise
    except ImportError:
        return normals(cell_words(key, rows, columns))
    found = np.empty((len(rows), len(columns)), np.float32)
    noise.cell_normals(*key, rows.start, columns.start, found, noise.instruction_sets()[0])
    return found


def _parts(layout: Layout, rows: range, columns: range, device: Device) -> Iterator[tuple[range, range]]:
    """The rectangle in pieces of bounded size, cut at crossbars where wires matter."""
    crossbar = layout.chip.crossbar
    if device.wire_resistance_ohm is None:
        height, width = max(1, CHUNK_CELLS // max(1, len(columns))), max(1, len(columns))
    else:
        height, width = crossbar.rows, crossbar.columns
    for part_rows in _cuts(rows, height):
        for part_columns in _cuts(columns, width):
            yield part_rows, part_columns


def _cuts(lines: range, size: int) -> Iterator[range]:
    """A range cut at multiples of `size`."""
    for block in range(lines.start // size, ceil_divide(lines.stop, size)):
        part = range(max(lines.start, block * size), min(lines.stop, (block + 1) * size))
        if len(part):
            yield part


def _whole_blocks(lines: range, size: int, stop: int) -> range:
    """The lines of the crossbars that hold `lines`."""
    return range(lines.start // size * size, min(stop, ceil_divide(lines.stop, size) * size))
