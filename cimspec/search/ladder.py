"""Actions in 0..1 for the options of a layer: first the weight width, then the activation width that goes with it."""

from dataclasses import dataclass

from cimspec.graph import Precision
from cimspec.search.environment import widest_bits
from cimspec.search.space import Option, Space

STEPS = 2
"""For each layer: weights, activations."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """A layer's options, as widths of weights, and for each the widths of activations that go with it.

    An action stands for one of `n` widths in equal strides: the first for 0 .. 1/n, the last for (n-1)/n .. 1.
    """

    weight_bits: tuple[int, ...]  # ascending
    rungs: tuple[tuple[tuple[int, int], ...], ...]  # for each, (activation bits, index of the option), ascending
    widest: Precision  # in the whole space

    def weights(self, action: float) -> tuple[int, float]:
        """The place of the weight width that `action` stands for, and that width relative to the widest."""
        place = _stride(action, len(self.weight_bits))
        return place, self.weight_bits[place] / self.widest.weight_bits

    def activations(self, place: int, action: float) -> tuple[int, float]:
        """The option that `action` stands for at the weight width in `place`, and its activation width, relative."""
        bits, option = self.rungs[place][_stride(action, len(self.rungs[place]))]
        return option, bits / self.widest.activation_bits

    def actions(self, option: int) -> tuple[float, float]:
        """What leads to `option`: the middle of its strides."""
        places = ((place, rung) for place, rung in enumerate(self.rungs) if option in dict(rung).values())
        place, rung = next(places)
        index = [each for _, each in rung].index(option)
        return (place + 0.5) / len(self.rungs), (index + 0.5) / len(rung)


def ladders(space: Space) -> tuple[Ladder, ...]:
    """The ladder of each layer."""
    widest = widest_bits(space)
    return tuple(_ladder(options, widest) for options in space.options)


def _ladder(options: tuple[Option, ...], widest: Precision) -> Ladder:
    by_weights: dict[int, list[tuple[int, int]]] = {}
    for index, option in enumerate(options):
        by_weights.setdefault(option.precision.weight_bits, []).append((option.precision.activation_bits, index))
    weight_bits = tuple(sorted(by_weights))
    return Ladder(weight_bits, tuple(tuple(sorted(by_weights[bits])) for bits in weight_bits), widest)


def _stride(action: float, count: int) -> int:
    return min(int(action * count), count - 1)
