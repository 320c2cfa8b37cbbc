"""Where a segment's operations run: on the tiles that hold the crossbars of the product before them.

Segment -> for each tensor its Home, and what share of it each tile has.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import isqrt

from cimspec.compiler.program import CrossbarLayer, Crossbars, Program, Segment, operation
from cimspec.compiler.slicing import ceil_divide
from cimspec.quant.ops import Codes, Requantize, sources
from cimspec.spec.chip import Chip


@dataclass(frozen=True)
class Home:
    """Crossbars, and the tiles that they are on."""

    crossbars: Crossbars
    per_tile: int

    @cached_property
    def shares(self) -> Mapping[int, float]:
        """Each tile's share of the crossbars; together 1."""
        counts: Counter[int] = Counter()
        for part in self.crossbars.ranges:
            for tile in range(part.start // self.per_tile, (part.stop - 1) // self.per_tile + 1):
                within = range(max(part.start, tile * self.per_tile), min(part.stop, (tile + 1) * self.per_tile))
                counts[tile] += len(within)
        return {tile: count / self.crossbars.total for tile, count in counts.items()}

    @property
    def largest_share(self) -> float:
        """Of the tile that has most."""
        return max(self.shares.values())

    def is_beside(self, other: "Home") -> bool:
        """Whether both are layers of one team: copy k of each lies beside that of the other."""
        own, others = self.crossbars, other.crossbars
        return own.count == others.count and own.stride == others.stride and abs(own.first - others.first) < own.stride


def crossbars_per_tile(chip: Chip) -> int:
    """Without tiles the chip is one."""
    return chip.tile.crossbars or chip.crossbars


def find_homes(program: Program, segment: Segment) -> dict[str, Home]:
    """The home of each tensor that a segment makes.

    A product's crossbars are its own. A digital operation runs where what it reads was made (of several operands
    the largest), or, where that came from outside, at the first product. Codes that are cut anew for a product are so
    on its side: what they are made of is sent to all its readers at once.
    """
    per_tile = crossbars_per_tile(program.chip)
    layers = [item for item in segment.items if isinstance(item, CrossbarLayer)]
    current = Home(layers[0].crossbars if layers else Crossbars(0, program.chip.crossbars), per_tile)
    own = {layer.op.dst: Home(layer.crossbars, per_tile) for layer in layers}
    types = {buffer.tensor.name: buffer.tensor for buffer in program.buffers}
    homes: dict[str, Home] = {}
    for item in segment.items:
        op = operation(item)
        if isinstance(item, CrossbarLayer):
            current = own[op.dst]
        else:
            known = sorted((-types[name].size * types[name].value_bits, name) for name in sources(op) if name in homes)
            reader = own.get(op.dst.partition(".")[0])
            if isinstance(op, Requantize) and isinstance(types[op.src].element, Codes) and reader:
                current = reader
            else:
                current = homes[known[0][1]] if known else current
        homes[op.dst] = current
    return homes


def hops(chip: Chip, one: Home, other: Home) -> int:
    """Steps between the furthest tiles of two homes, on a square mesh that is filled row by row."""
    tiles = ceil_divide(chip.crossbars, crossbars_per_tile(chip))
    side = isqrt(tiles - 1) + 1
    corners = [divmod(tile, side) for home in (one, other) for tile in (min(home.shares), max(home.shares))]
    rows, columns = zip(*corners, strict=True)
    return int(max(rows) - min(rows) + max(columns) - min(columns))
