"""A layer of a Program on crossbars: its matrices, each programmed once (or for each input), and its outputs.

CrossbarLayer + constants -> OnCrossbars -> outputs of any number of inputs. What devices draw is keyed by seed, layer,
matrix, copy and (where weights are written anew) input, so it depends on nothing else.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from cimspec.compiler.body import steps_of
from cimspec.compiler.matrices import Matrices
from cimspec.compiler.program import CrossbarLayer, Program
from cimspec.graph.window import Window
from cimspec.quant.ops import Array, Constants
from cimspec.sim.layer import Engine, ProductLayer
from cimspec.sim.mvm import flat_inputs
from cimspec.sim.programmed import ProgrammedRows, Shelf
from cimspec.sim.row_set import Inputs

IntArray = npt.NDArray[Any]

LAYER_BITS, MATRIX_BITS, COPY_BITS = 12, 14, 14
"""Of the number that keys draws: the layer's index, the matrix and the copy; the input has the rest."""


@dataclass(frozen=True, slots=True)
class How:
    """How products are computed; neither changes a result."""

    engine: Engine = Engine.KERNEL
    shortcut: bool = True


def draw_number(layer: int, matrix: int, copy: int, first_input: int) -> int:
    """What keys the draws of one written matrix beside the seed."""
    number = first_input
    for value, bits in ((copy, COPY_BITS), (matrix, MATRIX_BITS), (layer, LAYER_BITS)):
        number = (number << bits) | (value & ((1 << bits) - 1))
    return number


@dataclass(frozen=True, slots=True, eq=False)
class OnCrossbars:
    """A layer whose weights lie in crossbars, `copies` times over. Any thread may use it."""

    layer: CrossbarLayer
    matrices: Matrices
    bias: Array
    copies: tuple[tuple[ProductLayer, ...], ...]
    """For each copy its matrices. Where cells hold what they should, all copies are the same one."""

    def run(self, codes: Array, first_input: int, how: How) -> Array:
        """The output `[batch, *shape]` for input codes `[batch, ...]`, the first of which has index `first_input`.

        Channels of images lie side by side in memory, as they are computed.
        """
        op = self.layer.op
        if len(self.copies) == 1:
            inputs = layer_inputs(codes, op.window, first_input * op.invocations)
            total = self._products(self.copies[0], inputs, how)
        else:
            total = np.concatenate([self._by_copies(codes[i : i + 1], first_input + i, how) for i in range(len(codes))])
        if op.window is None:
            return total.reshape(len(codes), *op.shape)
        return total.reshape(len(codes), *op.shape[1:], -1).transpose(0, 3, 1, 2)

    def _products(self, products: tuple[ProductLayer, ...], inputs: Inputs, how: How) -> IntArray:
        """Products `[vectors, outputs of all matrices]`, the bias added."""
        if len(products) == 1:
            return products[0].products(inputs, engine=how.engine, shortcut=how.shortcut, bias=self.bias)
        op, vectors = self.layer.op, len(inputs.origins)
        is_integer = all(each.is_integer for each in products)
        total = np.empty((vectors, op.matrices * op.outputs), np.int64 if is_integer else np.float64)
        for matrix, each in enumerate(products):
            own, outputs = inputs.restricted(self.matrices.inputs(matrix)), self.matrices.outputs(matrix)
            total[:, outputs] = each.products(own, engine=how.engine, shortcut=how.shortcut, bias=self.bias[outputs])
        return total

    def _by_copies(self, codes: Array, image: int, how: How) -> IntArray:
        """One input: copy k makes every n-th output pixel, beginning with pixel k."""
        turns = -(-self.layer.op.invocations // len(self.copies))
        inputs = layer_inputs(codes, self.layer.op.window, image * turns)
        parts = [self._products(own, inputs.every(k, len(self.copies)), how) for k, own in enumerate(self.copies)]
        total = np.empty((len(inputs.origins), parts[0].shape[1]), parts[0].dtype)
        for k, part in enumerate(parts):
            total[k :: len(parts)] = part
        return total


def put_on_crossbars(
    program: Program, layer: CrossbarLayer, constants: Constants, *, seed: int, index: int, shelf: Shelf | None = None
) -> OnCrossbars:
    """The cells that a layer's schedule reads, as they come out for `seed`; `index` is the layer's in the program.

    A `shelf` is for that seed, and for weights that differ in nothing but their bits.
    """
    matrices, op = program.matrices(layer), layer.op
    assert op.bias is not None, "what moves is written for each input"
    weights = constants[op.weights]
    products = tuple(
        tuple(
            product_layer(
                layer, matrices, matrix, matrices.weights(matrix, weights), seed, (index, matrix, copy, 0), shelf
            )
            for matrix in range(matrices.count)
        )
        for copy in range(distinct_copies(program, layer))
    )
    return OnCrossbars(layer, matrices, constants[op.bias], products)


def distinct_copies(program: Program, layer: CrossbarLayer) -> int:
    """How many copies of a layer compute something of their own: where cells hold what they should, all are one."""
    return 1 if program.chip.device.cells_are_exact else min(program.copies(layer), layer.op.invocations)


def product_layer(
    layer: CrossbarLayer,
    matrices: Matrices,
    matrix: int,
    weights: Array,
    seed: int,
    place: tuple[int, int, int, int],
    shelf: Shelf | None = None,
) -> ProductLayer:
    """One matrix of weights `[outputs, inputs]`; `place` are the arguments of `draw_number`."""
    rows = ProgrammedRows(
        matrices.layout(matrix),
        weights,
        steps_of(matrices.op, matrices.chip),
        layer.full_scale,
        seed=seed,
        layer=draw_number(*place),
        shelf=shelf,
    )
    return ProductLayer(rows)


def run_moving(
    layer: CrossbarLayer,
    matrices: Matrices,
    codes: Array,
    stored: Array,
    first_input: int,
    *,
    seed: int,
    index: int,
    how: How,
) -> Array:
    """The product of two activations `[batch, *shape]`: each input writes crossbars anew, once for each head."""
    op = layer.op
    driving = codes.reshape(len(codes), op.matrices, op.invocations, op.inputs)
    written = stored.reshape(len(stored), op.matrices, op.inputs, op.outputs)

    def heads(batch: int) -> Iterator[IntArray]:
        for head in range(op.matrices):
            place = (index, head, 0, first_input + batch)
            weights = np.ascontiguousarray(written[batch, head].T)
            products = product_layer(layer, matrices, head, weights, seed, place)
            yield products.products(flat_inputs(driving[batch, head]), engine=how.engine, shortcut=how.shortcut)

    return np.stack([np.stack(list(heads(batch))) for batch in range(len(codes))]).reshape(len(codes), *op.shape)


def layer_inputs(codes: Array, window: Window | None, first_vector: int) -> Inputs:
    """All windows of images `[batch, channels, h, w]`, or vectors `[batch, ..., inputs]`, without writing them out."""
    if window is None:
        return flat_inputs(codes.reshape(-1, codes.shape[-1]), first_vector)
    batch, channels, height, width = codes.shape
    top, left, _, _ = window.padding
    padded = np.zeros((batch, channels, *window.padded(height, width)), np.int16)
    padded[:, :, top : top + height, left : left + width] = codes
    return Inputs(padded.reshape(-1), *_window_places(padded.shape, window), first_vector)


@lru_cache(maxsize=64)
def _window_places(shape: tuple[int, ...], window: Window) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """Where windows begin in padded images of a shape, laid flat, and where their codes are from there."""
    batch, channels, height, width = shape
    rows, columns = (np.arange(size) * step for size, step in zip(window.kernel, window.dilation, strict=True))
    tops = np.arange(0, height - window.span[0] + 1, window.stride[0]) * width
    lefts = np.arange(0, width - window.span[1] + 1, window.stride[1])
    origins = (np.arange(batch) * (channels * height * width))[:, None, None] + tops[:, None] + lefts
    offsets = (np.arange(channels) * (height * width))[:, None, None] + (rows * width)[:, None] + columns
    places = origins.reshape(-1).astype(np.int64), offsets.reshape(-1).astype(np.int32)
    for each in places:
        each.flags.writeable = False  # others get the same
    return places
