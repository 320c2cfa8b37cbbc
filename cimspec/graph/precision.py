"""How many bits each crossbar layer gets."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple


class Precision(NamedTuple):
    """Bits of one layer's weights and of the activations that enter it."""

    weight_bits: int
    activation_bits: int

    def covers(self, other: "Precision") -> bool:
        """Whether this has at least the other's bits in both."""
        return self.weight_bits >= other.weight_bits and self.activation_bits >= other.activation_bits


@dataclass(frozen=True, slots=True)
class Policy:
    """A `Precision` for every crossbar layer, in execution order. Hashable, so evaluations can be keyed by it."""

    names: tuple[str, ...]
    precisions: tuple[Precision, ...]

    def __post_init__(self) -> None:
        if len(self.names) != len(self.precisions):
            raise ValueError(f"{len(self.names)} layers but {len(self.precisions)} precisions")

    @classmethod
    def uniform(cls, names: tuple[str, ...], weight_bits: int, activation_bits: int) -> "Policy":
        """The policy that gives every layer in `names` the same precision."""
        return cls(names, (Precision(weight_bits, activation_bits),) * len(names))

    @classmethod
    def of(cls, precisions: Mapping[str, Precision]) -> "Policy":
        """The policy of a mapping from layer name to precision, in the mapping's order."""
        return cls(tuple(precisions), tuple(precisions.values()))

    def __getitem__(self, name: str) -> Precision:
        return self.precisions[self.names.index(name)]

    def __iter__(self) -> Iterator[tuple[str, Precision]]:
        return iter(zip(self.names, self.precisions, strict=True))

    def __len__(self) -> int:
        return len(self.names)
