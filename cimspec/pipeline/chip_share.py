"""One simulated chip and the images that it sees: programs are executed on it one after the other.

Program + constants -> outputs. What a layer makes of the precisions before it is kept, and so are programmed cells.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from threading import Lock

from cimspec.compiler import CrossbarLayer, Program
from cimspec.compiler.program import ProgramItem, operation
from cimspec.graph import Policy, Precision
from cimspec.quant.apply import matmul
from cimspec.quant.cache import SizedCache
from cimspec.quant.ops import Array, Constants, MatMul, sources
from cimspec.sim.digital import apply_digital
from cimspec.sim.on_crossbars import How, OnCrossbars, distinct_copies, put_on_crossbars, run_moving
from cimspec.sim.programmed import Shelf

CELL_BYTES = 2
"""A programmed cell takes no more."""

Key = tuple[str, tuple[tuple[Precision, int], ...]]
"""A tensor, and the precisions and distinct copies of the layers that it depends on."""


@dataclass(frozen=True, eq=False)
class Execution:
    """A policy's Program, and what tells its tensors from those of other policies. Any thread may use it."""

    program: Program
    constants: Constants
    policy: Policy

    @cached_property
    def items(self) -> Mapping[str, ProgramItem]:
        """What makes each tensor."""
        return {operation(item).dst: item for item in self.program.items}

    @cached_property
    def places(self) -> Mapping[str, tuple[int, int]]:
        """Each layer's index among those on crossbars, and how many of its copies compute something of their own."""
        layers = enumerate(self.program.layers)
        return {layer.name: (index, distinct_copies(self.program, layer)) for index, layer in layers}

    @cached_property
    def keys(self) -> Mapping[str, Key]:
        """Of each tensor."""
        needs: dict[str, set[str]] = {self.program.input: set()}
        for name, item in self.items.items():
            needs[name] = set().union(*(needs[source] for source in sources(operation(item))))
            layer = name.partition(".")[0]  # codes are named after the layer whose precision they have
            if layer in self.policy.names:
                needs[name].add(layer)
        return {name: (name, tuple(map(self._variant, sorted(needed)))) for name, needed in needs.items()}

    def _variant(self, layer: str) -> tuple[Precision, int]:
        _, copies = self.places.get(layer, (0, 1))
        return self.policy[layer], copies


class ProgrammedChip:
    """A chip whose cells come out as `seed` says. Any thread may use it."""

    def __init__(self, seed: int, *, cache_bytes: int) -> None:
        """`cache_bytes`: of programmed layers, and half as many of cells before they were packed."""
        self.seed = seed
        self._shelf = Shelf(cache_bytes // 2)
        self._layers: SizedCache[tuple[str, tuple[Precision, int]], OnCrossbars] = SizedCache(cache_bytes, layer_bytes)
        self._looking = Lock()

    def layer(self, layer: CrossbarLayer, execution: Execution) -> OnCrossbars:
        """A layer whose weights lie in crossbars."""
        index, copies = execution.places[layer.name]
        key = (layer.name, (layer.op.precision, copies))
        with self._looking:  # its cells are made when they are first needed, outside
            known = self._layers.get(key)
            if known is None:
                known = put_on_crossbars(
                    execution.program, layer, execution.constants, seed=self.seed, index=index, shelf=self._shelf
                )
                self._layers.put(key, known)
            return known


class ChipShare:
    """A chip and the images that it sees, the first of which has index `first`. For one thread at a time."""

    def __init__(self, chip: ProgrammedChip, images: Array, first: int, *, cache_bytes: int) -> None:
        """`cache_bytes`: of what layers made."""
        self._chip, self._images, self._first = chip, images, first
        self._tensors: SizedCache[Key, Array] = SizedCache(cache_bytes, lambda tensor: int(tensor.nbytes))

    def run(self, execution: Execution) -> Array:
        """The network's output for each image."""
        values: dict[str, Array] = {}
        return self._value(execution.program.output, execution, values)

    def _value(self, tensor: str, execution: Execution, values: dict[str, Array]) -> Array:
        """A tensor: computed as it is asked for, unless an earlier policy left it."""
        if tensor == execution.program.input:
            return self._images
        if tensor not in values:
            key = execution.keys[tensor]
            known = self._tensors.get(key)
            if known is None:
                needed = sources(operation(execution.items[tensor]))
                operands = {source: self._value(source, execution, values) for source in needed}
                known = self._computed(tensor, execution, operands)
                self._tensors.put(key, known)
            values[tensor] = known
        return values[tensor]

    def _computed(self, tensor: str, execution: Execution, operands: Mapping[str, Array]) -> Array:
        match execution.items[tensor]:
            case CrossbarLayer() as layer:
                return self._layer_output(layer, execution, operands)
            case MatMul() as product:
                return matmul(product, operands[product.src], operands[product.weights], None)
            case vector:
                return apply_digital(vector, operands, execution.constants)

    def _layer_output(self, layer: CrossbarLayer, execution: Execution, operands: Mapping[str, Array]) -> Array:
        codes = operands[layer.op.src]
        if not layer.op.moving:
            return self._chip.layer(layer, execution).run(codes, self._first, How())
        matrices, stored = execution.program.matrices(layer), operands[layer.op.weights]
        index, _ = execution.places[layer.name]
        return run_moving(layer, matrices, codes, stored, self._first, seed=self._chip.seed, index=index, how=How())


def layer_bytes(layer: OnCrossbars) -> int:
    """What a programmed layer holds at most: its cells, and the weights that they are made of."""
    products = [each for copy in layer.copies for each in copy]
    cells = sum(each.layout.rows * each.layout.columns for each in products)
    return CELL_BYTES * cells + sum(int(each.programmed.weights.nbytes) for each in products)
