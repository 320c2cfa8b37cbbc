"""The chip: crossbars, converters, and how weights and activations are cut to fit them."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from cimspec.spec.base import SpecModel
from cimspec.units import Bits, TimeNs

Lines = Annotated[int, Field(ge=1, le=16384)]


class Encoding(StrEnum):
    """How signed weights become non-negative cells."""

    DIFFERENTIAL_COLUMNS = "differential_columns"  # positive and negative part in neighbouring columns
    DIFFERENTIAL_ROWS = "differential_rows"  # in neighbouring rows, the second driven with the opposite sign
    OFFSET = "offset"  # w + 2^(w-1) in one column; the offset is taken off digitally (ISAAC)
    TWOS_COMPLEMENT = "twos_complement"  # the sign bit in a slice of its own, of weight -2^(w-1)


class Subtraction(StrEnum):
    """Where differential columns are subtracted."""

    AFTER_ADC = "after_adc"
    BEFORE_ADC = "before_adc"


class AdcRange(StrEnum):
    """What the ADC's full scale is taken from."""

    ROWS = "rows"  # the largest sum that `active_rows` rows can make
    CALIBRATED = "calibrated"  # a percentile of each layer's column sums on training inputs


class AdcStep(StrEnum):
    """How the ADC's step follows from its range."""

    EXACT = "exact"  # range / (2^bits - 1), at least 1
    POWER_OF_TWO = "power_of_two"  # the next power of two, so that conversion is a shift


class WeightMode(StrEnum):
    """Whether weights stay in their crossbars."""

    RELOADED = "reloaded"  # crossbars are written and read over and over, layer by layer


class SliceCount(StrEnum):
    """How many slices a weight is charged."""

    MAGNITUDE = "magnitude"  # what the encoding needs; a differential magnitude has one bit less
    FULL = "full"  # ceil(weight_bits / cell_bits) at least, as arXiv 2601.21737 charges


class StepCount(StrEnum):
    """How many steps an activation is charged."""

    EXACT = "exact"  # what the bits need; the sign has a step of its own
    FULL = "full"  # ceil(activation_bits / dac_bits) at least, as arXiv 2601.21737 charges


class Crossbar(SpecModel):
    """An array of memory cells: rows carry inputs, columns carry outputs."""

    rows: Lines = Field(description="wordlines; each carries one input")
    columns: Lines = Field(description="bitlines; each carries one output sum")
    active_rows: Lines | None = Field(default=None, description="rows read at once; all of them if left out")
    cell_bits: Annotated[Bits, Field(ge=1, le=8)] = Field(description="bits that one cell stores")
    encoding: Encoding = Field(description="how signed weights become cells")
    write_latency_ns: TimeNs = Field(description="time to write a whole crossbar")
    read_latency_ns: TimeNs = Field(description="time of one read: one step of the inputs, all columns converted")


class Adc(SpecModel):
    """The converter at the foot of the columns."""

    bits: Annotated[Bits, Field(ge=1, le=16)] = Field(description="resolution")
    range: AdcRange = Field(default=AdcRange.ROWS, description="what the full scale is taken from")
    percentile: Annotated[float, Field(gt=50, le=100)] = Field(
        default=99.9, description="of the column sums, for `range = calibrated`"
    )
    step: AdcStep = Field(default=AdcStep.EXACT, description="how the step follows from the range")
    subtraction: Subtraction = Field(
        default=Subtraction.AFTER_ADC, description="where differential columns are subtracted"
    )


class Dac(SpecModel):
    """The converter that drives the rows."""

    bits: Annotated[Bits, Field(ge=1, le=8)] = Field(default=1, description="input bits applied at once")


class Chip(SpecModel):
    """A computing-in-memory chip."""

    name: str
    crossbar: Crossbar
    adc: Adc
    dac: Dac = Dac()
    weights: WeightMode = Field(default=WeightMode.RELOADED, description="whether weights stay in their crossbars")
    crossbars: Annotated[int, Field(ge=1, le=1_000_000)] = Field(default=1, description="crossbars on the chip")
    slices: SliceCount = Field(default=SliceCount.MAGNITUDE, description="slices charged for a weight")
    steps: StepCount = Field(default=StepCount.EXACT, description="steps charged for an activation")

    @property
    def active_rows(self) -> int:
        """Rows read at once."""
        return self.crossbar.active_rows or self.crossbar.rows

    @property
    def largest_row_sum(self) -> int:
        """The most that one row adds to a column in one step: `(2^cell_bits-1) * (2^dac_bits-1)`."""
        return ((1 << self.crossbar.cell_bits) - 1) * ((1 << self.dac.bits) - 1)

    @property
    def largest_column_sum(self) -> int:
        """The largest sum that the active rows can make in one step."""
        return self.active_rows * self.largest_row_sum

    @property
    def converts_differences(self) -> bool:
        """Whether what reaches the ADC is positive minus negative cells, and can be negative."""
        encoding = self.crossbar.encoding
        subtracted = self.adc.subtraction is Subtraction.BEFORE_ADC and encoding is Encoding.DIFFERENTIAL_COLUMNS
        return subtracted or encoding is Encoding.DIFFERENTIAL_ROWS
