"""What a chip does to one policy's network while it is fine-tuned: drawn and measured as the simulator has it.

Weights stray as the simulated cells do. What else the chip adds (conversion, read noise, cells between bundled groups)
is measured once for each layer: the spread of its simulated products about those of the strayed weights.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from cimspec.compiler import CrossbarLayer, Matrices, compile_program
from cimspec.compiler.body import steps_of
from cimspec.graph import Policy
from cimspec.pipeline.chip_ranges import ChipRanges
from cimspec.quant.integer import integer_network
from cimspec.quant.ops import Array
from cimspec.quant.parameters import FloatArray, WeightCodes
from cimspec.quant.tables import quantize
from cimspec.sim.effective import effective_weights
from cimspec.sim.layer import ProductLayer
from cimspec.sim.mvm import flat_inputs
from cimspec.sim.on_crossbars import draw_number
from cimspec.sim.programmed import ProgrammedRows


class PolicyErrors:
    """Implements `ChipErrors`. Chip number n is drawn with `seeds[n % len(seeds)]`; what is digital has no errors."""

    def __init__(self, ranges: ChipRanges, policy: Policy, seeds: Sequence[int]) -> None:
        graph = ranges.tables.graph
        network = integer_network(graph, quantize(ranges.tables, policy))
        self._ranges = ranges
        self._program = compile_program(graph, policy, ranges.chip)
        self._constants = network.constants
        self._layers = {layer.name: (place, layer) for place, layer in enumerate(self._program.layers)}
        self._seeds = seeds
        self._measured: dict[str, FloatArray | None] = {}

    def weights(self, layer: str, codes: WeightCodes, chip: int) -> FloatArray | None:
        """Errors of weights `[outputs, inputs]`, in codes; None where cells hold what they should, or inputs."""
        if layer not in self._layers or self._ranges.chip.device.cells_are_exact:
            return None
        place, own = self._layers[layer]
        if own.op.moving:
            return None
        matrices = self._program.matrices(own)
        strayed = [
            matrices.unbundled(matrix, self._strayed(matrices, matrix, codes, chip, place))
            for matrix in range(matrices.count)
        ]
        return np.concatenate(strayed) - codes

    def outputs(self, layer: str) -> FloatArray | None:
        """Standard deviations `[outputs]` of what weights do not explain, `[1]` where inputs are stored; or None."""
        if layer not in self._measured:
            place = self._layers.get(layer)
            self._measured[layer] = self._deviation(*place) if place else None
        return self._measured[layer]

    def _deviation(self, place: int, layer: CrossbarLayer) -> FloatArray | None:
        variance = np.concatenate([(each**2).mean(axis=0) for each in self._unexplained(layer, place)])
        if layer.op.moving:
            variance = variance.mean(keepdims=True)
        return np.sqrt(variance) if variance.any() else None

    def _unexplained(self, layer: CrossbarLayer, place: int) -> Iterator[FloatArray]:
        """For each matrix what simulated products `[vectors, outputs]` differ by from the weights'."""
        matrices = self._program.matrices(layer)
        full_scale = self._ranges.full_scale(self._program, layer, self._constants)
        for number, seen in enumerate(self._ranges.seen(self._program, layer, self._constants)):
            key = draw_number(place, number, 0, 0)
            rows = ProgrammedRows(
                seen.layout,
                seen.weights,
                steps_of(layer.op, self._ranges.chip),
                full_scale,
                seed=self._seeds[0],
                layer=key,
            )
            products = ProductLayer(rows).products(flat_inputs(seen.vectors))
            weights = seen.weights
            if not layer.op.moving:
                strayed = effective_weights(seen.layout, seen.weights, seed=self._seeds[0], layer=key)
                weights = matrices.bundled(number, matrices.unbundled(number, strayed))
            yield products - seen.vectors @ weights.T

    def _strayed(self, matrices: Matrices, matrix: int, codes: WeightCodes, chip: int, place: int) -> Array:
        return effective_weights(
            matrices.layout(matrix),
            matrices.weights(matrix, codes),
            seed=self._seeds[chip % len(self._seeds)],
            layer=draw_number(place, matrix, 0, 0),
        )
