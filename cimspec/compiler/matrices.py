"""The matrices of a layer as crossbars hold them: groups of channels that fit share one, each in a corner of its own.

A convolution in groups has a matrix `[outputs, inputs]` for each group, a product of two activations one for each head.
Small groups (depthwise convolutions) are bundled: a crossbar holds several, on rows and columns of their own, and reads
them at once; the cells between them hold zero weights. Heads are not bundled: their weights are written one by one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cimspec.compiler.layout import Block, Layout
from cimspec.compiler.slicing import ceil_divide
from cimspec.quant.ops import Array, MatMul
from cimspec.spec.chip import Chip


@dataclass(frozen=True)
class Matrices:
    """Where the weights of one layer lie. Blocks are counted through all its matrices."""

    chip: Chip
    op: MatMul
    bundle: int  # groups that are stored as one matrix

    @classmethod
    def of(cls, chip: Chip, op: MatMul) -> "Matrices":
        """As many groups in one matrix as a crossbar has room for."""
        return cls(chip, op, 1 if op.moving or op.matrices == 1 else _fitting_groups(chip, op))

    @property
    def count(self) -> int:
        """Matrices that are stored."""
        return ceil_divide(self.op.matrices, self.bundle)

    @cached_property
    def first(self) -> Layout:
        """The layout of all matrices but the last, which may hold fewer groups."""
        return self._layout(self.bundle)

    def layout(self, matrix: int) -> Layout:
        """The layout of one matrix."""
        groups = len(self.groups(matrix))
        return self.first if groups == self.bundle else self._layout(groups)

    def _layout(self, groups: int) -> Layout:
        op = self.op
        return Layout(self.chip, groups * op.inputs, groups * op.outputs, op.precision.weight_bits)

    def groups(self, matrix: int) -> range:
        """The groups that a matrix holds."""
        return range(matrix * self.bundle, min(self.op.matrices, (matrix + 1) * self.bundle))

    @cached_property
    def blocks(self) -> int:
        """Crossbars that all matrices take. A bundle takes one."""
        return self.count * self.first.blocks

    def block(self, index: int) -> tuple[int, Block]:
        """Block `index`: its matrix, and its place in it."""
        matrix, own = divmod(index, self.first.blocks)
        return matrix, self.layout(matrix).block(own)

    def weights(self, matrix: int, weights: Array) -> Array:
        """The matrix `[outputs, inputs]`, of the layer's weights `[groups * outputs, inputs]`."""
        return self.bundled(matrix, weights[self.outputs(matrix)])

    def bundled(self, matrix: int, own: Array) -> Array:
        """The matrix `[outputs, inputs]` of its own groups' weights `[groups * outputs, inputs]`."""
        op, groups = self.op, len(self.groups(matrix))
        if groups == 1:
            return own
        whole = np.zeros((groups, op.outputs, groups, op.inputs), own.dtype)
        index = np.arange(groups)
        whole[index, :, index] = own.reshape(groups, op.outputs, op.inputs)
        return whole.reshape(groups * op.outputs, -1)

    def unbundled(self, matrix: int, whole: Array) -> Array:
        """What groups have of a matrix, in the form that `bundled` takes."""
        op, groups = self.op, len(self.groups(matrix))
        if groups == 1:
            return whole
        index = np.arange(groups)
        return whole.reshape(groups, op.outputs, groups, op.inputs)[index, :, index].reshape(-1, op.inputs)

    def inputs(self, matrix: int) -> slice:
        """Which of the inputs of all groups, one after the other, drive a matrix."""
        groups = self.groups(matrix)
        return slice(groups.start * self.op.inputs, groups.stop * self.op.inputs)

    def outputs(self, matrix: int) -> slice:
        """Which of the outputs of all groups a matrix makes."""
        groups = self.groups(matrix)
        return slice(groups.start * self.op.outputs, groups.stop * self.op.outputs)

    def runs(self) -> Iterator[tuple[int, int, int]]:
        """Runs of blocks that take the same number of reads: (first, stop, reads).

        Only the last row of blocks of a matrix takes fewer; where there are several matrices, all are read alike.
        """
        layout = self.first
        full = ceil_divide(len(layout.block(0).rows), self.chip.active_rows)
        last = ceil_divide(len(layout.block(layout.blocks - 1).rows), self.chip.active_rows)
        tail = self.blocks - layout.column_blocks
        if self.count > 1 or full == last or tail == 0:
            yield 0, self.blocks, full
        else:
            yield 0, tail, full
            yield tail, self.blocks, last

    @property
    def used_cells(self) -> int:
        """Cells that hold a part of a weight, or of the unit column."""
        layout, op = self.first, self.op
        units = layout.columns - layout.outputs * layout.columns_per_output
        rows = op.matrices * (layout.rows // self.bundle)
        return rows * (op.outputs * layout.columns_per_output + units)


def _fitting_groups(chip: Chip, op: MatMul) -> int:
    """How many groups one crossbar has room for, at least 1."""
    one, two = (Layout(chip, n * op.inputs, n * op.outputs, op.precision.weight_bits) for n in (1, 2))
    columns = two.columns - one.columns  # without the unit column, which a crossbar has once
    by_columns = (chip.crossbar.columns - (one.columns - columns)) // columns
    return max(1, min(chip.crossbar.rows // one.rows, by_columns, op.matrices))
