"""What a chip does to one policy's network while it is fine-tuned: drawn and measured as the simulator has it.

Weights stray as the simulated cells do, in the mean over a layer's copies. What else a chip adds (conversion, read
noise, what copies differ by, cells between bundled groups) is measured on some inputs: the offset of simulated products
from those of the strayed weights, and their spread about it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cimspec.compiler import CrossbarLayer, Matrices, Program, compile_program
from cimspec.graph import Policy
from cimspec.pipeline.chip_ranges import ChipRanges
from cimspec.quant.chip_errors import ProductErrors
from cimspec.quant.ops import Array
from cimspec.quant.parameters import FloatArray, WeightCodes
from cimspec.sim.calibrate import Seen
from cimspec.sim.effective import effective_weights
from cimspec.sim.mvm import flat_inputs
from cimspec.sim.on_crossbars import distinct_copies, draw_number, product_layer

MOST_COPIES = 4
"""Copies of a layer that are looked at."""


class PolicyErrors:
    """Implements `ChipErrors`. Chip number n is drawn with `seeds[n % len(seeds)]`; what is digital has no errors."""

    def __init__(self, ranges: ChipRanges, policy: Policy, seeds: Sequence[int]) -> None:
        self._ranges = ranges
        self._program = compile_program(ranges.tables.graph, policy, ranges.chip)
        self._layers = {layer.name: (place, layer) for place, layer in enumerate(self._program.layers)}
        self._seeds = seeds

    def product_errors(self, layer: str, codes: WeightCodes, chip: int) -> ProductErrors | None:
        """Errors of the products of weight codes `[outputs, inputs]`; None if there are none."""
        if layer not in self._layers:
            return None
        place, own = self._layers[layer]
        own = replace(own, full_scale=self._ranges.full_scale(self._program, own))
        drawn = _DrawnLayer(self._ranges, self._program, own, place, self._seeds[chip % len(self._seeds)])
        return drawn.of_stored_activations() if own.op.moving else drawn.of_weights(codes)


@dataclass(frozen=True, slots=True)
class _DrawnLayer:
    """One layer on one chip."""

    ranges: ChipRanges
    program: Program
    layer: CrossbarLayer
    place: int  # among the program's layers
    seed: int

    @property
    def matrices(self) -> Matrices:
        return self.program.matrices(self.layer)

    @property
    def copies(self) -> range:
        return range(min(MOST_COPIES, distinct_copies(self.program, self.layer)))

    def of_weights(self, codes: WeightCodes) -> ProductErrors | None:
        """Of weight codes `[outputs, inputs]`."""
        matrices, cells_are_exact = self.matrices, self.ranges.chip.device.cells_are_exact
        strayed: list[FloatArray] = []
        left: list[FloatArray] = []
        for matrix, seen in enumerate(self.ranges.seen(self.program, self.layer, codes)):
            whole = seen.weights if cells_are_exact else self._strayed(matrix, seen)
            own = matrices.unbundled(matrix, whole)
            exact = _exact(seen.vectors, matrices.bundled(matrix, own))
            strayed.append(own)
            left.append(np.stack([self._products(matrix, seen, copy) for copy in self.copies]) - exact)
        return _summed(None if cells_are_exact else np.concatenate(strayed) - codes, left)

    def of_stored_activations(self) -> ProductErrors | None:
        """Of all heads of some images, alike for all outputs: what is stored changes from image to image."""
        seen = self.ranges.seen(self.program, self.layer, None)
        left = [
            self._products(number, each, 0) - _exact(each.vectors, each.weights) for number, each in enumerate(seen)
        ]
        return _summed(None, [np.concatenate(left).reshape(1, -1, 1)])

    def _strayed(self, matrix: int, seen: Seen) -> FloatArray:
        """The matrix `[outputs, inputs]` as its copies hold it in the mean."""
        numbers = (draw_number(self.place, matrix, copy, 0) for copy in self.copies)
        copies = [effective_weights(seen.layout, seen.weights, seed=self.seed, layer=number) for number in numbers]
        mean: FloatArray = np.mean(copies, axis=0)
        return mean

    def _products(self, number: int, seen: Seen, copy: int) -> FloatArray:
        """Simulated products `[vectors, outputs]`."""
        matrices, place = self.matrices, (self.place, number, copy, 0)
        layer = product_layer(self.layer, matrices, number % matrices.count, seen.weights, self.seed, place)
        return layer.products(flat_inputs(seen.vectors)).astype(np.float64)


def _exact(vectors: Array, weights: Array) -> FloatArray:
    return np.asarray(vectors.astype(np.float64) @ weights.T.astype(np.float64))


def _summed(weights: FloatArray | None, left: list[FloatArray]) -> ProductErrors | None:
    """Errors of weights, and for each matrix what they leave `[copies, vectors, outputs]`."""
    offset, deviation = (np.concatenate([measure(each, axis=(0, 1)) for each in left]) for measure in (np.mean, np.std))
    if weights is None and not offset.any() and not deviation.any():
        return None
    return ProductErrors(weights, offset, deviation)
