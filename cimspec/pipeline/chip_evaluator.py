"""The quality of many policies on the simulated chip: ADC, cells and noise included, without fine-tuning.

Tables + chip + Split -> Policy -> Quality. The integer network is executed as its Program would be, layer by layer;
what a layer makes of the precisions before it is kept, and so are programmed cells. Several chips are made, each of
which sees its share of the images, so that a policy is not fitted to one chip's errors.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import torch

from cimspec.compiler import CrossbarLayer, Program, compile_program
from cimspec.compiler.program import ProgramItem, operation
from cimspec.data.cores import cores
from cimspec.data.dataset import Split
from cimspec.graph import Policy, Precision
from cimspec.pipeline.chip_ranges import ChipRanges
from cimspec.quant.apply import apply_vector, matmul
from cimspec.quant.cache import SizedCache
from cimspec.quant.convolve import channels_last
from cimspec.quant.execute import float_outputs
from cimspec.quant.integer import integer_network
from cimspec.quant.ops import Array, Constants, MatMul, sources
from cimspec.quant.quality import Quality, measure
from cimspec.quant.tables import Tables, quantize
from cimspec.sim.on_crossbars import How, OnCrossbars, distinct_copies, put_on_crossbars, run_moving
from cimspec.spec.chip import Chip

CACHE_BYTES = 256 * 1024 * 1024
"""Of what layers made, and as many again of programmed layers."""

CELL_BYTES = 2
"""A programmed cell takes no more."""

Key = tuple[str, tuple[tuple[Precision, int], ...]]
"""A tensor, and the precisions and distinct copies of the layers that it depends on."""


class ChipEvaluator:
    """Measures policies on a chip, divergence at `temperature`. Not for several threads at once."""

    def __init__(
        self,
        tables: Tables,
        chip: Chip,
        split: Split,
        temperature: float,
        ranges: ChipRanges,
        *,
        seeds: tuple[int, ...],
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        """`seeds` key the chips, one for each."""
        self._tables = tables
        self._chip = chip
        # No chip without an image.
        self._seeds = seeds[: 1 if chip.device.cells_are_exact else max(1, len(split))]
        self.images = split.images.astype(np.float64)
        self._labels = torch.from_numpy(split.labels)
        self._temperature = temperature
        images = channels_last(torch.from_numpy(split.images))
        self._float_outputs = float_outputs(tables.graph, tables.weights, images).flatten(1)
        self._ranges = ranges
        self._layers: SizedCache[tuple[str, Precision, int, int], OnCrossbars] = SizedCache(cache_bytes, layer_bytes)
        self.tensors: SizedCache[Key, Array] = SizedCache(cache_bytes, lambda tensor: int(tensor.nbytes))
        self._threads = ThreadPoolExecutor(cores())

    def quality(self, policy: Policy) -> Quality:
        """The quality of the network quantized to `policy`, on the chip, without fine-tuning."""
        outputs = torch.from_numpy(self.outputs(policy)).float()
        return measure(outputs, self._float_outputs, self._labels, self._temperature)

    def outputs(self, policy: Policy) -> Array:
        """What the network gives for each image: `[images, classes]`."""
        network = integer_network(self._tables.graph, quantize(self._tables, policy))
        program = compile_program(self._tables.graph, policy, self._chip)
        values = _Evaluation(self, program, network.constants, policy).value(program.output)
        return values.reshape(len(values), -1)

    def layer_output(
        self, program: Program, layer: CrossbarLayer, constants: Constants, operands: list[Array]
    ) -> Array:
        """One layer's output on all chips, each with its share of the images.

        `operands`: the codes that drive its rows, and those that are stored, where they are activations.
        """
        shares = np.array_split(np.arange(len(operands[0])), len(self._seeds))
        index = [each.name for each in program.layers].index(layer.name)
        layer = replace(layer, full_scale=self._ranges.full_scale(program, layer))
        if layer.op.moving:

            def run(seed: int, share: npt.NDArray[np.int64]) -> Array:
                codes, stored = (operand[share] for operand in operands)
                matrices = program.matrices(layer)
                return run_moving(layer, matrices, codes, stored, int(share[0]), seed=seed, index=index, how=How())

        else:
            # Programmed one after the other: the cache is not for several threads at once.
            programmed = {seed: self._programmed(program, layer, constants, seed, index) for seed in self._seeds}

            def run(seed: int, share: npt.NDArray[np.int64]) -> Array:
                return programmed[seed].run(operands[0][share], int(share[0]), How())

        return np.concatenate(list(self._threads.map(run, self._seeds, shares)))

    def _programmed(
        self, program: Program, layer: CrossbarLayer, constants: Constants, seed: int, index: int
    ) -> OnCrossbars:
        key = (layer.name, layer.op.precision, seed, distinct_copies(program, layer))
        known = self._layers.get(key)
        if known is None:
            known = put_on_crossbars(program, layer, constants, seed=seed, index=index)
            self._layers.put(key, known)
        return known


def layer_bytes(layer: OnCrossbars) -> int:
    """What a programmed layer holds at most: its cells, and the weights that they are made of."""
    products = [each for copy in layer.copies for each in copy]
    cells = sum(each.layout.rows * each.layout.columns for each in products)
    return CELL_BYTES * cells + sum(int(each.programmed.weights.nbytes) for each in products)


@dataclass(slots=True)
class _Evaluation:
    """One policy: tensors are computed as they are asked for, unless an earlier policy left them."""

    evaluator: ChipEvaluator
    program: Program
    constants: Constants
    policy: Policy
    items: Mapping[str, ProgramItem] = field(init=False)
    keys: dict[str, tuple[str, ...]] = field(default_factory=dict)  # crossbar layers that each tensor depends on
    values: dict[str, Array] = field(default_factory=dict)
    copies: Mapping[str, int] = field(init=False)

    def __post_init__(self) -> None:
        items = {}
        self.keys[self.program.input] = ()
        for item in self.program.items:
            op = operation(item)
            items[op.dst] = item
            needed = {name for source in sources(op) for name in self.keys[source]} | set(self._own_layer(op.dst))
            self.keys[op.dst] = tuple(name for name in self.policy.names if name in needed)
        self.items = items
        self.copies = {layer.name: distinct_copies(self.program, layer) for layer in self.program.layers}

    def _own_layer(self, tensor: str) -> tuple[str, ...]:
        """The layer whose precision a tensor has: its output, or its codes, which are named after it."""
        name = tensor.partition(".")[0]
        return (name,) if name in self.policy.names else ()

    def value(self, tensor: str) -> Array:
        if tensor == self.program.input:
            return self.evaluator.images
        if tensor not in self.values:
            key = (tensor, tuple((self.policy[name], self.copies.get(name, 1)) for name in self.keys[tensor]))
            known = self.evaluator.tensors.get(key)
            if known is None:
                known = self._computed(tensor)
                self.evaluator.tensors.put(key, known)
            self.values[tensor] = known
        return self.values[tensor]

    def _computed(self, tensor: str) -> Array:
        item = self.items[tensor]
        operands = [self.value(source) for source in sources(operation(item))]
        match item:
            case CrossbarLayer():
                return self.evaluator.layer_output(self.program, item, self.constants, operands)
            case MatMul():
                return matmul(item, operands[0], operands[1], None)
            case _:
                return apply_vector(item, dict(zip(sources(item), operands, strict=True)), self.constants)
