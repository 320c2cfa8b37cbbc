"""What events and components take: counts times the chip's constants -> energy of one input (pJ), and area (um2).

A constant that the chip does not give is no number: its component is left out of the sum, and its field is named. Where
none is given there is no sum. So a sum is as complete as the chip's constants: clocks, control, buffers and leakage are
in it where a constant includes them, as `crossbar.read_energy` and `tile.area` may.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cimspec.compiler.slicing import ceil_divide
from cimspec.cost.events import Events
from cimspec.spec.chip import Chip

BYTE = 8


@dataclass(frozen=True, slots=True)
class Part:
    """What one component takes."""

    component: str
    amount: float


@dataclass(frozen=True, slots=True)
class Breakdown:
    """A sum over components: an energy in pJ, or an area in um2."""

    parts: tuple[Part, ...] = ()  # of the components whose constants are given
    missing: tuple[str, ...] = ()  # fields of the chip that are not given, though their components take something

    @property
    def total(self) -> float | None:
        """The sum over what is given; None where nothing is."""
        return sum(part.amount for part in self.parts) if self.parts else None

    @property
    def by_component(self) -> dict[str, float]:
        """Each component's amount, by its name."""
        return {part.component: part.amount for part in self.parts}


NOTHING = Breakdown()


@dataclass(frozen=True, slots=True)
class Constant:
    """What one event, or one piece of a component, takes; None where the chip does not say it in `field`."""

    component: str
    field: str
    amount: float | None


def energy_constants(chip: Chip) -> tuple[Constant, ...]:
    """pJ of one event of each kind, of one byte where bytes move."""
    return (
        Constant("crossbar_reads", "crossbar.read_energy", chip.crossbar.read_energy_pj),
        Constant("crossbar_writes", "crossbar.write_energy", chip.crossbar.write_energy_pj),
        Constant("adcs", "adc.energy", chip.adc.energy_pj),
        Constant("dacs", "dac.energy", chip.dac.energy_pj),
        Constant("digital", "digital.energy", chip.digital.energy_pj),
        Constant("digital_macs", "digital.mac_energy", chip.digital.mac_energy_pj),
        Constant("network", "network.energy_per_byte", chip.network.energy_per_byte_pj),
        Constant("memory", "memory.energy_per_byte", chip.memory.energy_per_byte_pj),
    )


def event_counts(events: Events) -> tuple[float, ...]:
    """How many there are of what `energy_constants` are for, in the same order."""
    return (
        events.reads,
        events.writes,
        events.conversions,
        events.row_drives,
        events.values,
        events.macs,
        events.network_bits / BYTE,
        events.memory_bits / BYTE,
    )


def crossbar_areas(chip: Chip) -> tuple[Constant, ...]:
    """um2 of one crossbar, of all of its ADCs and of all of its DACs."""
    adcs, field = chip.adc.area_um2, "adc.area"
    if adcs is not None and chip.adc.columns_per_adc is None:
        adcs, field = None, "adc.columns_per_adc"
    elif adcs is not None and chip.adc.columns_per_adc is not None:
        adcs *= ceil_divide(chip.crossbar.columns, chip.adc.columns_per_adc)
    dacs = None if chip.dac.area_um2 is None else chip.dac.area_um2 * chip.crossbar.rows
    return (
        Constant("crossbars", "crossbar.area", chip.crossbar.area_um2),
        Constant("adcs", field, adcs),
        Constant("dacs", "dac.area", dacs),
    )


def chip_area(chip: Chip, crossbars: int, tiles: int) -> Breakdown:
    """Area of so many crossbars with their converters, and of the tiles around them."""
    constants = (*crossbar_areas(chip), Constant("tiles", "tile.area", chip.tile.area_um2))
    return breakdown(constants, (crossbars, crossbars, crossbars, tiles))


def breakdown(constants: Sequence[Constant], counts: Sequence[float]) -> Breakdown:
    """Each component's count times its constant. What counts nothing takes nothing, and needs no constant."""
    parts: list[Part] = []
    missing: list[str] = []
    for constant, count in zip(constants, counts, strict=True):
        if count and constant.amount is None:
            missing.append(constant.field)
        elif count and constant.amount is not None:
            parts.append(Part(constant.component, count * constant.amount))
    return Breakdown(tuple(parts), tuple(missing))


def given_sum(constants: Iterable[Constant], counts: Iterable[float]) -> float:
    """The same as one number, over the constants that are given."""
    return sum(
        count * constant.amount
        for constant, count in zip(constants, counts, strict=True)
        if constant.amount is not None
    )
