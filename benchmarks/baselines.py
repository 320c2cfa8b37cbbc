"""Crossbar products without cimspec: what numpy and torch can do on one thread, blocked and in place.

`encoding = offset`, unsigned 8-bit inputs one bit at a time, an ADC that rounds to `highest + 1` codes. All slices of a
set of rows are multiplied at once, the ADC works in place, and codes are shifted and added in place from the most
significant step down. Integers wherever they are exact.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

IntArray = npt.NDArray[Any]
Product = Callable[[IntArray], IntArray]

STEPS = 8
"""Input bits."""


@dataclass(frozen=True, eq=False)
class Work:
    """One product: weights `[outputs, inputs]` of 8 bits on crossbars of `rows` rows and `cell_bits` a cell."""

    weights: IntArray
    rows: int
    cell_bits: int
    lsb: float
    is_shift: bool  # whether the ADC rounds half up by a shift; else half to even
    highest: int = 255

    @property
    def outputs(self) -> int:
        """Of the product."""
        return len(self.weights)

    @property
    def slices(self) -> int:
        """Of each weight."""
        return 8 // self.cell_bits

    def row_sets(self) -> Iterator[tuple[slice, IntArray]]:
        """Rows read at once, and their cells `[rows, slices * outputs]`."""
        stored = self.weights.T + 128
        for start in range(0, len(stored), self.rows):
            part = stored[start : start + self.rows]
            cells = [part >> self.cell_bits * index & ((1 << self.cell_bits) - 1) for index in range(self.slices)]
            yield slice(start, start + len(part)), np.concatenate(cells, axis=1)

    def integer_adc(self) -> tuple[int, int, int] | None:
        """Factor, offset and shift of `(sum * factor + offset) >> shift`, tried on every sum; None where none do."""
        if self.is_shift:
            return 1, int(self.lsb) >> 1, int(self.lsb).bit_length() - 1
        sums = np.arange(self.rows * ((1 << self.cell_bits) - 1) + 1)
        codes = np.rint(sums.astype(np.float32) * np.float32(1 / self.lsb)).astype(np.int64)
        for shift in range(8, 23):
            factor = round((1 << shift) / self.lsb)
            for offset in ((1 << shift) // 2, (1 << shift) // 2 - 1, (1 << shift) // 2 + 1):
                if np.array_equal((sums * factor + offset) >> shift, codes):
                    return factor, offset, shift
        return None

    def values(self, codes: IntArray, inputs: IntArray) -> IntArray:
        """What added codes stand for, the offset taken off."""
        offsets = inputs.sum(axis=1, dtype=np.int32)[:, None] * 128
        return codes * (int(self.lsb) if self.is_shift else self.lsb) - offsets


def numpy_product(work: Work, block: int) -> Product:
    """float32 products in BLAS, `block` vectors at a time."""
    sets = [(rows, cells.astype(np.float32)) for rows, cells in work.row_sets()]
    factors = np.exp2(np.arange(STEPS)).astype(np.float32)
    sums = np.empty((STEPS * block, work.slices * work.outputs), np.float32)

    def product(inputs: IntArray) -> IntArray:
        total = np.zeros((len(inputs), work.outputs), np.int32)
        for start in range(0, len(inputs), block):
            part = inputs[start : start + block]
            for rows, cells in sets:
                found = np.matmul(_float_digits(part[:, rows]), cells, out=sums[: STEPS * len(part)])
                numpy_convert(found, work)
                added = (factors @ found.reshape(STEPS, -1)).reshape(len(part), work.slices, work.outputs)
                for index in range(work.slices):
                    total[start : start + block] += added[:, index].astype(np.int32) << work.cell_bits * index
        return work.values(total, inputs)

    return product


def noisy_numpy_product(work: Work, block: int, program_sigma: float, read_sigma: float, seed: int) -> Product:
    """The same with programming error, and noise in each sum: shares of a full cell."""
    rng = np.random.default_rng(seed)
    levels = np.float32((1 << work.cell_bits) - 1)
    sets = []
    for rows, cells in work.row_sets():
        error = rng.standard_normal(cells.shape, np.float32) * np.float32(program_sigma) * levels
        sets.append((rows, np.maximum(cells.astype(np.float32) + error, 0)))
    factors = np.exp2(np.arange(STEPS)).astype(np.float32)
    sums = np.empty((STEPS * block, work.slices * work.outputs), np.float32)
    noise = np.empty_like(sums)

    def product(inputs: IntArray) -> IntArray:
        total = np.zeros((len(inputs), work.outputs), np.int32)
        for start in range(0, len(inputs), block):
            part = inputs[start : start + block]
            for rows, cells in sets:
                digits = _float_digits(part[:, rows])
                found, drawn = sums[: len(digits)], noise[: len(digits)]
                np.matmul(digits, cells, out=found)
                rng.standard_normal(out=drawn, dtype=np.float32)
                drawn *= np.sqrt(np.einsum("ij,ij->i", digits, digits))[:, None] * np.float32(read_sigma) * levels
                found += drawn
                np.maximum(found, 0, out=found)
                numpy_convert(found, work)
                added = (factors @ found.reshape(STEPS, -1)).reshape(len(part), work.slices, work.outputs)
                for index in range(work.slices):
                    total[start : start + block] += added[:, index].astype(np.int32) << work.cell_bits * index
        return work.values(total, inputs)

    return product


def _float_digits(inputs: IntArray) -> npt.NDArray[np.float32]:
    """Steps of inputs `[vectors, rows]`: `[steps * vectors, rows]`."""
    shifts = np.arange(STEPS, dtype=np.uint8)[:, None, None]
    return (inputs >> shifts & 1).astype(np.float32).reshape(-1, inputs.shape[1])


def numpy_convert(sums: npt.NDArray[np.float32], work: Work) -> None:
    """Sums to codes, in place."""
    np.multiply(sums, np.float32(1 / work.lsb), out=sums)
    if work.is_shift:
        np.add(sums, np.float32(0.5), out=sums)
        np.floor(sums, out=sums)
    else:
        np.rint(sums, out=sums)
    np.minimum(sums, np.float32(work.highest), out=sums)


def torch_product(work: Work, block: int) -> Product:
    """float32 products in torch, `block` vectors at a time."""
    sets = [(rows, torch.from_numpy(cells.astype(np.float32))) for rows, cells in work.row_sets()]
    factors = torch.exp2(torch.arange(STEPS)).float()
    sums = torch.empty((STEPS * block, work.slices * work.outputs))

    def product(inputs: IntArray) -> IntArray:
        total = torch.zeros((len(inputs), work.outputs), dtype=torch.int32)
        for start in range(0, len(inputs), block):
            part = torch.from_numpy(inputs[start : start + block])
            for rows, cells in sets:
                found = torch.mm(_torch_digits(part[:, rows]).float(), cells, out=sums[: STEPS * len(part)])
                found.mul_(float(np.float32(1 / work.lsb)))
                (found.add_(0.5).floor_() if work.is_shift else found.round_()).clamp_(max=work.highest)
                added = (factors @ found.view(STEPS, -1)).view(len(part), work.slices, work.outputs).int()
                _add_slices(total[start : start + block], added, work)
        return work.values(total.numpy(), inputs)

    return product


def torch_integer_product(work: Work, block: int) -> Product:
    """8-bit integer products in torch (`_int_mm`) and an ADC of 32-bit integers, `block` vectors at a time.

    The ADC takes float32 where integers would not round as it does.
    """
    sets = [(rows, torch.from_numpy(cells.astype(np.int8))) for rows, cells in work.row_sets()]
    integers = work.integer_adc()
    sums = torch.empty((STEPS * block, work.slices * work.outputs), dtype=torch.int32)
    reals = torch.empty_like(sums, dtype=torch.float32)

    def product(inputs: IntArray) -> IntArray:
        total = torch.zeros((len(inputs), work.outputs), dtype=torch.int32)
        for start in range(0, len(inputs), block):
            part = torch.from_numpy(inputs[start : start + block])
            for rows, cells in sets:
                found = torch._int_mm(_torch_digits(part[:, rows]), cells, out=sums[: STEPS * len(part)])
                _torch_convert(found, work, integers, reals[: len(found)])
                by_step = found.view(STEPS, len(part), work.slices, work.outputs)
                for step in range(STEPS - 2, -1, -1):
                    by_step[step].add_(by_step[step + 1], alpha=2)
                _add_slices(total[start : start + block], by_step[0], work)
        return work.values(total.numpy(), inputs)

    return product


def _torch_convert(sums: torch.Tensor, work: Work, integers: tuple[int, int, int] | None, reals: torch.Tensor) -> None:
    """int32 sums to codes, in place."""
    if integers is None:
        sums.copy_(reals.copy_(sums).mul_(float(np.float32(1 / work.lsb))).round_())
    else:
        factor, offset, shift = integers
        if factor != 1:
            sums.mul_(factor)
        if shift:
            sums.add_(offset).bitwise_right_shift_(shift)
    sums.clamp_(max=work.highest)


def _torch_digits(inputs: torch.Tensor) -> torch.Tensor:
    """Steps of inputs `[vectors, rows]` uint8: `[steps * vectors, rows]` int8."""
    digits = torch.empty((STEPS, *inputs.shape), dtype=torch.int8)
    codes = inputs.contiguous().view(torch.int8)
    for step in range(STEPS):
        torch.bitwise_right_shift(codes, step, out=digits[step]).bitwise_and_(1)
    return digits.view(-1, inputs.shape[1])


def _add_slices(total: torch.Tensor, added: torch.Tensor, work: Work) -> None:
    """Add codes `[vectors, slices, outputs]` to `total`."""
    for index in range(work.slices):
        total.add_(added[:, index], alpha=1 << work.cell_bits * index)
