"""A network: layers in execution order, every input made before it is read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from cimspec.graph.layer import Input, Layer, Shape
from cimspec.graph.precision import Policy


@dataclass(frozen=True)
class Graph:
    """Layers in execution order; the first is the input, the last the output."""

    name: str
    layers: tuple[Layer, ...]
    _index: Mapping[str, Layer] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        index: dict[str, Layer] = {}
        for layer in self.layers:
            unknown = [name for name in layer.inputs if name not in index]
            if unknown:
                raise ValueError(f"layer {layer.name} reads {unknown[0]}, which no earlier layer makes")
            if layer.name in index:
                raise ValueError(f"two layers are called {layer.name}")
            index[layer.name] = layer
        if not self.layers or not isinstance(self.layers[0].op, Input):
            raise ValueError("a graph starts with its input")
        object.__setattr__(self, "_index", index)

    def __getitem__(self, name: str) -> Layer:
        return self._index[name]

    @property
    def input_shape(self) -> Shape:
        """Shape of one input."""
        return self.layers[0].shape

    @property
    def signed_input(self) -> bool:
        """Whether input values can be negative."""
        op = self.layers[0].op
        return isinstance(op, Input) and op.signed

    @property
    def output(self) -> Layer:
        """The layer whose output is the network's."""
        return self.layers[-1]

    @cached_property
    def crossbar_layers(self) -> tuple[Layer, ...]:
        """Layers that run on crossbars, in execution order: a policy has one precision for each."""
        return tuple(layer for layer in self.layers if layer.runs_on_crossbars)

    def uniform(self, weight_bits: int, activation_bits: int) -> Policy:
        """The policy that gives every crossbar layer the same precision."""
        return Policy.uniform(tuple(layer.name for layer in self.crossbar_layers), weight_bits, activation_bits)

    def consumers(self, name: str) -> tuple[Layer, ...]:
        """Layers that read the output of `name`."""
        return tuple(layer for layer in self.layers if name in layer.inputs)
