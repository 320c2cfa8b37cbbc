"""The quality of many policies of one network on one split: Tables + Split -> Policy -> Quality.

Two caches make it fast: quantized layers by (layer, precision), and live activations by the precisions of the
layers before, least recently used first out. Neither changes a result.
"""

import torch
from torch import Tensor

from cimspec.data.dataset import Split
from cimspec.graph.layer import Layer
from cimspec.graph.precision import Policy, Precision
from cimspec.quant.cache import SizedCache
from cimspec.quant.convolve import channels_last
from cimspec.quant.device import CPU
from cimspec.quant.execute import Plan, float_outputs, to_tensors
from cimspec.quant.fake import FakeLayer, fake_function, fake_layer
from cimspec.quant.quality import Quality, measure
from cimspec.quant.tables import Tables, quantize_layer
from cimspec.quant.weights import digital_weights

Values = dict[str, Tensor]
CACHE_BYTES = 256 * 1024 * 1024


class FakeQuantEvaluator:
    """Measures policies without fine-tuning, divergence at `temperature`. Not for several threads at once."""

    def __init__(
        self,
        tables: Tables,
        split: Split,
        temperature: float,
        *,
        device: torch.device = CPU,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self._tables = tables
        self._plan = Plan.of(tables.graph, {name for name, table in tables.layers.items() if not table.input_signed})
        self._device = device
        self._images = channels_last(torch.from_numpy(split.images).to(device))
        self._labels = torch.from_numpy(split.labels).to(device)
        self._temperature = temperature
        self._float_outputs = float_outputs(tables.graph, tables.weights, self._images).flatten(1)
        self._digital = to_tensors(digital_weights(tables.graph, tables.weights), device)
        self._segments = _segments(self._plan.layers)
        self._layers: dict[tuple[str, Precision], FakeLayer] = {}
        self._prefixes = PrefixCache(cache_bytes)

    def quality(self, policy: Policy) -> Quality:
        """The quality of the network quantized to `policy`, without fine-tuning."""
        with torch.no_grad():
            outputs = self._outputs(policy).flatten(1)
        return measure(outputs, self._float_outputs, self._labels, self._temperature)

    def _outputs(self, policy: Policy) -> Tensor:
        tables = self._tables
        apply = fake_function(
            tables.graph, tables.add_scales, self._digital, lambda name: self._layer(name, policy[name])
        )
        precisions = tuple(policy[segment[0].name] for segment in self._segments[1:])
        known, values = self._prefixes.longest(precisions[:-1])
        if known == 0:
            values = {self._tables.graph.layers[0].name: self._images}
            self._plan.advance(values, self._segments[0], apply)
        for index in range(known, len(precisions)):
            self._plan.advance(values, self._segments[index + 1], apply)
            if index + 1 < len(precisions):
                self._prefixes.put(precisions[: index + 1], values)
        return values[self._tables.graph.output.name]

    def _layer(self, name: str, precision: Precision) -> FakeLayer:
        key = (name, precision)
        if key not in self._layers:
            parameters = quantize_layer(self._tables, name, precision)
            self._layers[key] = fake_layer(self._tables.graph[name], parameters, self._device)
        return self._layers[key]


class PrefixCache:
    """Live values after the first k crossbar layers, by those layers' precisions; bounded in bytes."""

    def __init__(self, limit_bytes: int) -> None:
        self._entries: SizedCache[tuple[Precision, ...], Values] = SizedCache(limit_bytes, _size_bytes)

    def longest(self, precisions: tuple[Precision, ...]) -> tuple[int, Values]:
        """The largest k with an entry for the first k precisions, and a copy of that entry."""
        for length in range(len(precisions), 0, -1):
            entry = self._entries.get(precisions[:length])
            if entry is not None:
                return length, dict(entry)
        return 0, {}

    def put(self, key: tuple[Precision, ...], values: Values) -> None:
        """Keep `values`."""
        self._entries.put(key, dict(values))


def _size_bytes(values: Values) -> int:
    return sum(value.element_size() * value.nelement() for value in values.values())


def _segments(layers: tuple[Layer, ...]) -> tuple[tuple[Layer, ...], ...]:
    """The layers, cut before each crossbar layer; the first piece has none."""
    pieces: list[list[Layer]] = [[]]
    for layer in layers:
        if layer.runs_on_crossbars:
            pieces.append([])
        pieces[-1].append(layer)
    return tuple(map(tuple, pieces))
