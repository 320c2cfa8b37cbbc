"""What is around the crossbars of a chip whose weights stay: tiles, digital units, network and memory.

A number that is not given is not modelled: what it would limit takes no time, or has all the space that it needs. What
takes energy or area by a number that is not given is left out of their sums, and named beside them.
"""

from typing import Annotated

from pydantic import Field

from cimspec.spec.base import SpecModel
from cimspec.units import AreaUm2, Bits, Bytes, EnergyPj, TimeNs

Count = Annotated[int, Field(ge=1, le=1_000_000)]
Width = Annotated[Bits, Field(ge=1, le=1_000_000)]


class Tile(SpecModel):
    """Crossbars with a buffer, a digital unit and a place in the network of their own."""

    crossbars: Count | None = Field(default=None, description="crossbars of one tile; all of the chip if left out")
    buffer_bytes: Bytes | None = Field(default=None, description="what one tile's buffer holds; anything if left out")
    area_um2: AreaUm2 | None = Field(
        default=None, description="area of one tile without its crossbars, their DACs and ADCs"
    )


class Digital(SpecModel):
    """The digital unit of one tile: requantization, sums of tensors, pooling, functions."""

    lanes: Count | None = Field(default=None, description="values handled in a cycle; all at once if left out")
    macs: Count | None = Field(
        default=None, description="multiply-accumulates in a cycle, for `attention = digital`; all at once if left out"
    )
    cycle_ns: TimeNs | None = Field(default=None, description="time of one cycle; needed for `lanes` and `macs`")
    energy_pj: EnergyPj | None = Field(default=None, description="energy of one value handled in a lane")
    mac_energy_pj: EnergyPj | None = Field(
        default=None, description="energy of one multiply-accumulate, for `attention = digital`"
    )


class Network(SpecModel):
    """The square mesh between tiles."""

    width_bits: Width | None = Field(default=None, description="what one tile sends, and what it receives, in a cycle")
    cycle_ns: TimeNs | None = Field(default=None, description="time of one cycle; needed for `width`")
    hop_ns: TimeNs | None = Field(default=None, description="delay from a tile to the next; none if left out")
    energy_per_byte_pj: EnergyPj | None = Field(
        default=None, description="energy of one byte that a tile receives from others, however far they are"
    )


class Memory(SpecModel):
    """The way out of the chip: inputs, outputs, and what one segment of a network leaves for the next."""

    width_bits: Width | None = Field(default=None, description="what is read or written in a cycle")
    cycle_ns: TimeNs | None = Field(default=None, description="time of one cycle; needed for `width`")
    energy_per_byte_pj: EnergyPj | None = Field(default=None, description="energy of one byte read or written")
