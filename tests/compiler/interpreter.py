"""Does what a Program's instructions say, one after the other, and knows nothing else.

The simulator computes products from a layer's weights; here they come from what crossbars hold when they are read, from
which rows take part and by what factors sums are added. Buffers are freed after as many reads as they declare. Inputs
run through a segment one after the other, so what one leaves in a crossbar is what the next one finds.

For ADCs that tell all sums apart: a code is the sum itself, and everything is an integer.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np

from cimspec.compiler.body import steps_of
from cimspec.compiler.matrices import Matrices
from cimspec.compiler.program import (
    Accumulate,
    CrossbarLayer,
    Crossbars,
    Instruction,
    Loop,
    Parallel,
    Place,
    Program,
    ProgramItem,
    Read,
    ShiftAdd,
    Write,
    operation,
)
from cimspec.quant.apply import apply_vector, matmul, matrix_inputs, outputs_of
from cimspec.quant.ops import Array, Codes, Constants, MatMul, Tensor, Wide, sources


class MisbehavedError(Exception):
    """An instruction cannot be done."""


def interpret(program: Program, constants: Constants, images: Array, memo: dict[Any, Array] | None = None) -> Array:
    """Outputs of `images`, which enter each segment one after the other. `memo` keeps what was computed before."""
    return _Machine(program, constants, {} if memo is None else memo).run(images)


@dataclass(frozen=True, slots=True)
class Held:
    """What a crossbar holds: a block of a layer's weights, for one of its copies."""

    layer: str
    block: int
    copy: int
    copies: int


@dataclass(frozen=True, slots=True)
class Added:
    """Sums of one step that are added to each other: with which factors, and for which output pixels."""

    step: int
    factors: ShiftAdd
    pixels: tuple[int, ...]


@dataclass(slots=True)
class _Machine:
    program: Program
    constants: Constants
    memo: dict[Any, Array]
    crossbars: dict[int, Held] = field(default_factory=dict)

    def run(self, images: Array) -> Array:
        buffers = [_Buffers(self.program, image[None]) for image in images]
        for segment in self.program.segments:
            for place in segment.places:
                self._place(place)
            for own in buffers:
                for item in segment.items:
                    op = operation(item)
                    tensors = {name: own.read(name) for name in sources(op)}
                    own.write(op.dst, self._compute(item, tensors))
        return np.concatenate([own.output() for own in buffers])

    def _check_chip(self, crossbars: Crossbars) -> None:
        if not 0 <= crossbars.first < crossbars.stop <= self.program.chip.crossbars:
            raise MisbehavedError(f"there are no crossbars {crossbars}")

    def _place(self, place: Place) -> None:
        self._check_chip(place.crossbars)
        for copy, crossbars in enumerate(place.crossbars.ranges):
            for block, crossbar in enumerate(crossbars):
                self.crossbars[crossbar] = Held(place.layer, block, copy, place.copies)

    def _compute(self, item: ProgramItem, tensors: Mapping[str, Array]) -> Array:
        if isinstance(item, CrossbarLayer):
            weights = tensors[item.op.weights] if item.op.moving else self.constants[item.op.weights]
            self._check_chip(item.crossbars)
            walked = walk(item, tuple(sorted(self.crossbars.items())))
            self.crossbars = dict(walked.crossbars)
            arrays = (tensors[item.op.src], weights)
            key = (item.op, item.bundle, walked.added, *(array.tobytes() for array in arrays))
            if key not in self.memo:
                self.memo[key] = self._product(item, walked.added, *arrays)
            return self.memo[key]
        if isinstance(item, MatMul):
            return matmul(item, tensors[item.src], tensors[item.weights], None)
        return apply_vector(item, tensors, self.constants)

    def _product(self, layer: CrossbarLayer, added: "AddedBlocks", codes: Array, weights: Array) -> Array:
        op = layer.op
        crossbar = self.program.chip.crossbar.model_copy(update={"complement": False})  # same sums, simpler cells
        chip = self.program.chip.model_copy(update={"crossbar": crossbar})
        matrices = Matrices(chip, op, layer.bundle)
        if op.moving:
            weights = np.swapaxes(weights.reshape(op.matrices, op.inputs, op.outputs), 1, 2)
            weights = weights.reshape(-1, op.inputs)
        inputs = matrix_inputs(op, codes)[0].transpose(1, 0, 2).reshape(op.invocations, -1).astype(np.int64)
        total = np.zeros((op.invocations, op.matrices * op.outputs), np.int64)
        for what, blocks in added:
            digits = steps_of(op, chip)[what.step].digits(inputs)
            pixels, times = np.unique(what.pixels, return_counts=True)
            for matrix in range(matrices.count):
                own = [(index % matrices.first.blocks, group) for index, group in blocks
                       if index // matrices.first.blocks == matrix]  # fmt: skip
                cells = _cells(matrices, matrix, weights, own, what.factors.slices)
                rows = digits[np.ix_(pixels, range(*matrices.inputs(matrix).indices(inputs.shape[1])))]
                sums = rows @ cells * (what.factors.steps[what.step] * times[:, None])
                total[pixels, matrices.outputs(matrix)] += sums
        for matrix in range(matrices.count):  # zero weights between bundled groups have the offset too
            own_inputs = inputs[:, matrices.inputs(matrix)].sum(axis=1, keepdims=True)
            total[:, matrices.outputs(matrix)] -= matrices.first.offset * own_inputs
        if op.bias is not None:
            total += self.constants[op.bias]
        return outputs_of(op, total.reshape(op.invocations, op.matrices, op.outputs).transpose(1, 0, 2)[None])


def _cells(
    matrices: Matrices, matrix: int, weights: Array, blocks: list[tuple[int, int]], slices: tuple[int, ...]
) -> Array:
    """What each input adds to each output of a matrix `[inputs, outputs]`, through some sets of rows of some blocks."""
    layout = matrices.layout(matrix)
    cells = layout.cells(matrices.weights(matrix, weights)).astype(np.int64)
    signs = (1, -1)[: layout.columns_per_slice]
    factors = np.zeros((layout.columns, layout.outputs), np.int64)
    own = np.array([factor * sign for factor in slices for sign in signs])
    for output in range(layout.outputs):
        factors[output * len(own) : (output + 1) * len(own), output] = own
    total = np.zeros((layout.rows, layout.outputs), np.int64)
    for index, group in blocks:
        block = layout.block(index)
        for rows in list(layout.row_groups(block.rows))[group : group + 1]:
            part = cells[rows.start : rows.stop, block.columns.start : block.columns.stop]
            total[rows.start : rows.stop] += part @ factors[block.columns.start : block.columns.stop]
    return total.reshape(layout.inputs, -1, layout.outputs).sum(axis=1)


AddedBlocks = tuple[tuple[Added, tuple[tuple[int, int], ...]], ...]
"""What is added, and of which blocks and sets of rows."""


@dataclass(frozen=True, slots=True)
class Walked:
    """What is in the accumulated output of a layer, and what crossbars hold afterwards."""

    added: AddedBlocks
    crossbars: tuple[tuple[int, Held], ...]


@lru_cache(maxsize=4096)
def walk(layer: CrossbarLayer, crossbars: tuple[tuple[int, Held], ...]) -> Walked:
    """Do a layer's instructions, on crossbars that hold what they hold."""
    return _Walk(layer, dict(crossbars)).run()


@dataclass(slots=True)
class _Walk:
    layer: CrossbarLayer
    crossbars: dict[int, Held]
    variables: dict[str, int] = field(default_factory=dict)
    active: tuple[int, ...] = ()
    groups: int | None = None  # of the last read
    sums: dict[tuple[int, ShiftAdd, int, int], Counter[int]] = field(default_factory=dict)
    accumulated: AddedBlocks | None = None

    def run(self) -> Walked:
        self._do(self.layer.body)
        if self.accumulated is None:
            raise MisbehavedError("nothing is accumulated")
        return Walked(self.accumulated, tuple(sorted(self.crossbars.items())))

    def _do(self, body: tuple[Instruction, ...]) -> None:
        for instruction in body:
            match instruction:
                case Loop(variable, start, stop, inner):
                    for value in range(start, stop):
                        self.variables[variable] = value
                        self._do(inner)
                case Parallel(crossbars, inner):
                    self.active = tuple(chain.from_iterable(crossbars.ranges))
                    self._do(inner)
                case Write(first, stop):
                    self._write(first, stop)
                case Read(groups):
                    self.groups = groups
                case ShiftAdd():
                    self._shift_add(instruction)
                case Accumulate():
                    if self.accumulated is not None:
                        raise MisbehavedError("accumulated twice")
                    self.accumulated = self._all_added()

    def _write(self, first: int, stop: int) -> None:
        for place, crossbar in enumerate(self.active):
            block = first + self.variables["wave"] * len(self.active) + place
            self.crossbars.pop(crossbar, None)
            if block < stop:
                self.crossbars[crossbar] = Held(self.layer.name, block, 0, 1)

    def _shift_add(self, factors: ShiftAdd) -> None:
        if self.groups is None:
            raise MisbehavedError("nothing was read")
        for crossbar in self.active:
            held = self.crossbars.get(crossbar)
            if held is None:
                continue
            if held.layer != self.layer.name:
                raise MisbehavedError(f"crossbar {crossbar} holds {held}")
            pixel = self.variables["turn"] * held.copies + held.copy
            if pixel < self.layer.op.invocations:
                for group in range(self.groups):
                    key = (self.variables["step"], factors, held.block, group)
                    self.sums.setdefault(key, Counter())[pixel] += 1
        self.groups = None

    def _all_added(self) -> AddedBlocks:
        together: dict[Added, list[tuple[int, int]]] = {}
        for (step, factors, block, group), pixels in self.sums.items():
            added = Added(step, factors, tuple(sorted(pixels.elements())))
            together.setdefault(added, []).append((block, group))
        return tuple((added, tuple(blocks)) for added, blocks in together.items())


class _Buffers:
    """The tensors of one input; each is there until it was read as often as its buffer says."""

    def __init__(self, program: Program, image: Array) -> None:
        self.declared = {buffer.tensor.name: buffer.tensor for buffer in program.buffers}
        self.reads = {buffer.tensor.name: buffer.reads for buffer in program.buffers}
        self.last = program.output
        self.tensors: dict[str, Array] = {}
        self.write(program.input, image)

    def write(self, name: str, tensor: Array) -> None:
        if name in self.tensors:
            raise MisbehavedError(f"{name} is still to be read")
        if not _holds(self.declared[name], tensor):
            raise MisbehavedError(f"{name} does not fit {self.declared[name]}")
        if self.reads[name]:
            self.tensors[name] = tensor

    def read(self, name: str) -> Array:
        if name not in self.tensors:
            raise MisbehavedError(f"{name} is not there")
        self.reads[name] -= 1
        return self.tensors.pop(name) if self.reads[name] == 0 else self.tensors[name]

    def output(self) -> Array:
        found = self.read(self.last)
        if self.tensors:
            raise MisbehavedError(f"{sorted(self.tensors)} are never freed")
        return found


def _holds(declared: Tensor, tensor: Array) -> bool:
    """Whether a tensor's buffer has room for it."""
    if tensor.shape[1:] != declared.shape or (tensor.dtype.kind == "f") != (declared.element is Wide.REALS):
        return False
    codes = declared.element
    return not isinstance(codes, Codes) or bool(codes.low <= tensor.min() and tensor.max() <= codes.high)
