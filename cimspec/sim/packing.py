"""Pack planes for the compiled kernels: once, when cells are programmed.

Forms (kernels/crossbar.h): adders for adding up bits, bits for counting them, tables and nibbles for looking up what
bits of inputs make of a few small cells, sums for the same of wide cells, bytes for 8-bit and words for 16-bit dot
products, both also as tiles of AMX.
Which of them an instruction set has, and which is fastest there, is decided here.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from cimspec.compiler.slicing import ceil_divide
from cimspec.diag import fail
from cimspec.sim.lookups import NO_LOOKUPS, Lookups, lookups
from cimspec.sim.planes import IntArray, Plane

TILE = 16
BITS_TILE = 32
"""Outputs side by side."""

TABLE_ROWS = 6
NIBBLE_ROWS = 4
"""Rows that one table holds."""

LINE_BYTES = 64
"""Of a cache line."""

SUMMED_ROWS = 5
"""Rows whose sums are looked up together."""

INSTRUCTIONS_VARIABLE = "CIMSPEC_INSTRUCTIONS"
"""Environment variable that names the instruction set to use: `amx`, `avx512`, `avx2` or `portable`."""

MOST_COUNTED_PLANES = 4
"""Bits of a cell, times signs, up to which counting bits is faster than 8-bit dot products."""

MOST_PADDED = 1.5
"""Rows of AMX's tiles for each real one, up to which they are worth their memory and time."""

FEWEST_LOOKED_UP = 32
"""Vectors from which on looking up sums of 64 vectors at once pays, or adding their bits."""

MOST_ADDED_ROWS = 1023
"""Rows that adders can tell apart."""


class Form(StrEnum):
    """How cells and inputs are packed."""

    BITS = "bits"
    BYTES = "bytes"
    WORDS = "words"
    TABLES = "tables"
    NIBBLES = "nibbles"
    SUMS = "sums"
    AMX_BYTES = "amx_bytes"
    AMX_WORDS = "amx_words"
    ADDERS = "adders"

    @property
    def holds_columns(self) -> bool:
        """Whether columns are packed one by one, not in tiles."""
        return self in (Form.TABLES, Form.NIBBLES, Form.ADDERS)


ROWS_OF_TABLES = {Form.TABLES: TABLE_ROWS, Form.NIBBLES: NIBBLE_ROWS}

ROWS_TOGETHER = {Form.BITS: 16, Form.BYTES: 4, Form.WORDS: 2, Form.SUMS: 2, Form.AMX_BYTES: 64, Form.AMX_WORDS: 64}
"""What rows of tiles are padded to a multiple of."""


@cache
def instruction_set() -> str:
    """The fastest instruction set of this machine, or the one that `CIMSPEC_INSTRUCTIONS` asks for."""
    known = kernels().instruction_sets()
    asked = os.environ.get(INSTRUCTIONS_VARIABLE)
    if asked is None:
        return str(known[0])
    if asked not in known:
        fail("CIM901", f"this machine has no instruction set `{asked}`", help=f"set one of: {', '.join(known)}")
    return asked


@cache
def kernels() -> Any:
    """The compiled module."""
    try:
        from cimspec._kernels import crossbar
    except ImportError as error:
        fail("CIM901", f"the compiled kernels cannot be loaded: {error}", help="run `pip install -e .` in the checkout")
    return crossbar


@dataclass(frozen=True, slots=True)
class Extent:
    """What planes of cells and the digits that meet them can be."""

    lowest_cell: int
    highest_cell: int
    largest_digit: int
    has_negative_digits: bool
    rows: int
    set_bits: float = 0.0
    """Of a cell's magnitude, in the mean."""

    @classmethod
    def of(cls, planes: Sequence[Plane], largest_digit: int, *, has_negative_digits: bool) -> "Extent":
        """The extent of some planes."""
        lowest = min(int(plane.cells.min(initial=0)) for plane in planes)
        highest = max(int(plane.cells.max(initial=0)) for plane in planes)
        bits = sum(int(np.bitwise_count(plane.cells).sum()) for plane in planes)  # of magnitudes
        cells = sum(plane.cells.size for plane in planes)
        return cls(lowest, highest, largest_digit, has_negative_digits, planes[0].cells.shape[0], bits / max(1, cells))

    @property
    def cell_bits(self) -> int:
        """Bits of the largest magnitude of a cell, 1 at least."""
        return max(1, -self.lowest_cell, self.highest_cell).bit_length()

    @property
    def fits_sums(self) -> bool:
        """Whether five cells add up within 16 bits."""
        return SUMMED_ROWS * max(-self.lowest_cell, self.highest_cell) < 1 << 15

    @property
    def has_small_cells(self) -> bool:
        """Whether cells have few bits, and digits are bits."""
        return self.cell_bits <= 4 and self.largest_digit <= 1 and not self.has_negative_digits

    @property
    def fits_adders(self) -> bool:
        """Whether bits of these cells can be added up."""
        return self.has_small_cells and self.rows <= MOST_ADDED_ROWS

    @property
    def fits_bytes(self) -> bool:
        """Whether one of cells and digits is an unsigned byte, and the other a signed one."""
        return self.has_byte_cells and self.largest_digit <= (255 if self.highest_cell <= 127 else 127)

    @property
    def has_byte_cells(self) -> bool:
        """Whether all cells are signed bytes, or all unsigned ones."""
        return self.lowest_cell >= -128 and self.highest_cell <= (127 if self.lowest_cell < 0 else 255)

    @property
    def fills_amx(self) -> bool:
        """Whether AMX's tiles, of so many rows, have little room to spare."""
        together = ROWS_TOGETHER[Form.AMX_BYTES]
        return ceil_divide(self.rows, together) * together <= MOST_PADDED * self.rows

    @property
    def signs(self) -> int:
        """2 where cells count negative, too."""
        return 2 if self.lowest_cell < 0 else 1


def possible_forms(instructions: str, extent: Extent, *, is_short: bool, terms: int | None = None) -> tuple[Form, ...]:
    """The forms that an instruction set reads and that hold the cells and digits of `extent`.

    `is_short`: there is a conversion for 16-bit sums, which counting and looking up need. `terms`: of the conversion by
    additions, which adders need; None where there is none.
    """
    known = kernels().forms(instructions)
    is_positive = not extent.has_negative_digits
    one_bit = is_positive and extent.largest_digit <= 1
    fits_bits = is_short and extent.has_small_cells
    has_byte_digits = is_positive and extent.largest_digit <= 255
    fits = {
        Form.TABLES: fits_bits,
        Form.NIBBLES: fits_bits,
        Form.BITS: fits_bits,
        Form.ADDERS: terms is not None and extent.fits_adders,
        Form.SUMS: one_bit and extent.fits_sums,
        Form.BYTES: is_positive and extent.fits_bytes,
        Form.AMX_BYTES: has_byte_digits and extent.has_byte_cells,
        Form.AMX_WORDS: has_byte_digits,
        Form.WORDS: True,
    }
    return tuple(form for form, holds in fits.items() if holds and form in known)


def fastest_form(instructions: str, extent: Extent, vectors: int, *, is_short: bool, terms: int | None = None) -> Form:
    """How to pack cells that some `vectors` will meet."""
    possible = possible_forms(instructions, extent, is_short=is_short, terms=terms)
    fastest = _fastest_of_bits(possible, extent, terms or 0) if vectors >= FEWEST_LOOKED_UP else None
    if fastest is Form.ADDERS and (instructions != "amx" or extent.cell_bits == 1):
        return fastest
    if extent.fills_amx and Form.AMX_WORDS in possible:
        return Form.AMX_BYTES if Form.AMX_BYTES in possible else Form.AMX_WORDS
    if fastest is not None:
        return fastest
    if Form.NIBBLES in possible and vectors >= FEWEST_LOOKED_UP:
        return Form.NIBBLES
    if Form.BITS in possible and extent.cell_bits * extent.signs <= MOST_COUNTED_PLANES:
        return Form.BITS
    if Form.SUMS in possible:
        return Form.SUMS
    return Form.BYTES if Form.BYTES in possible else Form.WORDS


def _fastest_of_bits(possible: Sequence[Form], extent: Extent, terms: int) -> Form | None:
    """Of the forms for inputs bit by bit, for many vectors: by what a column of 512 bits of inputs takes.

    Clocks of a Zen 4, fitted to products of 32 to 256 rows of 1- to 4-bit cells, both kinds of ADC steps; no other
    processor's are known.
    """
    parts = extent.cell_bits * extent.signs
    # Rows for each row; of two bits of a cell at a time, where all are as likely, three quarters.
    added = extent.set_bits
    if extent.signs == 1:
        added = min(added, 0.75 * (extent.cell_bits // 2) + 0.5 * (extent.cell_bits % 2))
    clocks = {
        Form.ADDERS: 50 + 25 * parts + 2.05 * added * extent.rows + 65 * terms,
        Form.TABLES: 85 + (1.5 + 0.25 * parts) * extent.rows + (50 if terms else 0),
        Form.BITS: 100 + 1.65 * parts * extent.rows,
    }
    own = [form for form in clocks if form in possible]
    return min(own, key=lambda form: clocks[form]) if own else None


@dataclass(frozen=True, slots=True, eq=False)
class PackedPlanes:
    """Planes as the kernels read them."""

    cells: npt.NDArray[np.uint8]  # of all planes, one after the other, on a cache line
    factors: npt.NDArray[np.int32]
    table: npt.NDArray[np.int64]  # [planes, 5]: offset of cells, first output, outputs, offset of factors, number
    lookups: Lookups


def pack_planes(form: Form, planes: Sequence[Plane], extent: Extent) -> PackedPlanes:
    """`planes` in one of the forms of crossbar.h."""
    parts = [_pack_plane(form, plane, extent.cell_bits, extent.signs) for plane in planes]
    factors = [_pack_factors(form, plane) for plane in planes]
    packed = on_cache_line((sum(part.nbytes for part in parts),), np.uint8)
    table = np.zeros((len(planes), 5), np.int64)
    cell, factor = 0, 0
    for row, plane, part, own in zip(table, planes, parts, factors, strict=True):
        row[:] = cell, plane.first_output, plane.cells.shape[1], factor, plane.number
        packed[cell : cell + part.nbytes] = part.view(np.uint8).ravel()
        cell, factor = cell + part.nbytes, factor + len(own)
    looked_up = lookups(planes, ROWS_OF_TABLES[form]) if form in ROWS_OF_TABLES else NO_LOOKUPS
    return PackedPlanes(packed, np.concatenate(factors).astype(np.int32), table, looked_up)


def _pack_factors(form: Form, plane: Plane) -> npt.NDArray[np.int64]:
    """Factors of each tile's outputs, 0 where the plane has none."""
    if form.holds_columns:
        return plane.factors
    tile = BITS_TILE if form is Form.BITS else TILE
    before = plane.first_output % tile
    padded = np.zeros(ceil_divide(before + len(plane.factors), tile) * tile, np.int64)
    padded[before : before + len(plane.factors)] = plane.factors
    return padded


def _pack_plane(form: Form, plane: Plane, cell_bits: int, signs: int) -> npt.NDArray[Any]:
    """Tiles of outputs that begin at multiples of a tile's: `[tiles, ...]`, as crossbar.h orders each form."""
    if form is Form.TABLES:
        return _pack_columns(plane.cells, cell_bits, signs, TABLE_ROWS)
    if form is Form.NIBBLES:
        pairs = _pack_columns(plane.cells, 2 * ceil_divide(cell_bits, 2), signs, NIBBLE_ROWS)
        return np.ascontiguousarray(pairs[:, :, ::2] | pairs[:, :, 1::2] << NIBBLE_ROWS)
    if form is Form.ADDERS:
        return _pack_rows(plane.cells, cell_bits, signs)
    rows, outputs = plane.cells.shape
    tile, group = BITS_TILE if form is Form.BITS else TILE, ROWS_TOGETHER[form]
    before = plane.first_output % tile
    tiles = ceil_divide(before + outputs, tile)
    padded = np.zeros((ceil_divide(rows, group) * group, tiles * tile), np.int16)
    padded[:rows, before : before + outputs] = plane.cells
    if form is Form.BITS:
        return _pack_bits(padded, tiles, cell_bits, signs)
    has_words = form in (Form.WORDS, Form.SUMS)
    grouped = padded.reshape(-1, 2 if has_words else 4, tiles, TILE).transpose(2, 0, 3, 1)
    if has_words:
        return np.ascontiguousarray(grouped)
    if form is Form.AMX_WORDS:
        grouped = np.stack([grouped >> 8, grouped], axis=1)
    return np.ascontiguousarray(grouped & 0xFF, np.uint8)  # signed ones as two's complement


def _pack_bits(padded: npt.NDArray[np.int16], tiles: int, cell_bits: int, signs: int) -> npt.NDArray[np.uint16]:
    parts = [np.maximum(padded, 0), np.maximum(-padded, 0)][:signs]
    planes = np.stack([(part >> bit) & 1 for bit in range(cell_bits) for part in parts], axis=1)
    octets = np.packbits(planes.astype(np.uint8), axis=0, bitorder="little")  # [rows / 8, bits * signs, outputs]
    words = octets.reshape(-1, 2, cell_bits * signs, tiles, BITS_TILE).transpose(3, 0, 2, 4, 1)
    return np.ascontiguousarray(words).view("<u2")[..., 0].astype(np.uint16)


def _pack_rows(cells: IntArray, cell_bits: int, signs: int) -> npt.NDArray[np.uint8]:
    """Rows that have each bit set: `[outputs, signs, cell_bits, rows / 8]`, 32 rows at a time."""
    rows, outputs = cells.shape
    padded = np.zeros((ceil_divide(rows, 32) * 32, outputs), np.int16)
    padded[:rows] = cells
    octets = np.packbits(_bits(padded, cell_bits, signs), axis=2, bitorder="little")
    return np.ascontiguousarray(octets.transpose(3, 0, 1, 2))


def _bits(cells: IntArray, cell_bits: int, signs: int) -> npt.NDArray[np.uint8]:
    """Bits of the cells' magnitudes: `[signs, cell_bits, rows, outputs]`, those of negative cells behind the others."""
    parts = [np.maximum(cells, 0), np.maximum(-cells, 0)][:signs]
    return np.stack([[(part >> bit) & 1 for bit in range(cell_bits)] for part in parts]).astype(np.uint8)


def _pack_columns(cells: IntArray, cell_bits: int, signs: int, table_rows: int) -> npt.NDArray[np.uint8]:
    """Patterns of a table's rows: `[outputs, signs, cell_bits, rows / table_rows]`."""
    rows, outputs = cells.shape
    padded = np.zeros((ceil_divide(rows, table_rows) * table_rows, outputs), np.int16)
    padded[:rows] = cells
    grouped = _bits(padded, cell_bits, signs).reshape(signs, cell_bits, -1, table_rows, outputs)
    patterns = (grouped << np.arange(table_rows, dtype=np.uint8)[:, None]).sum(axis=3)
    return np.ascontiguousarray(patterns.transpose(3, 0, 1, 2), np.uint8)


def on_cache_line(shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """An array that begins on a cache line, whatever it holds."""
    size = prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(size + LINE_BYTES, np.uint8)
    start = -memory.ctypes.data % LINE_BYTES
    return memory[start : start + size].view(dtype).reshape(shape)
