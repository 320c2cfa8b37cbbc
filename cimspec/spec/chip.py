"""The chip: crossbars, converters, and how weights and activations are cut to fit them."""

from typing import Annotated

from pydantic import Field

from cimspec.spec.base import Option, SpecModel
from cimspec.spec.device import Device
from cimspec.spec.tile import Digital, Memory, Network, Tile
from cimspec.units import AreaUm2, ArrayEnergyPj, Bits, EnergyPj, TimeNs

Lines = Annotated[int, Field(ge=1, le=16384)]

LARGEST_EXACT_SUM = 1 << 24
"""Column sums up to here are exact in float32, in which an ADC's codes are computed."""

WIDEST_INPUT = 255
"""The largest activation code: those of networks have 8 bits at most."""


class Encoding(Option):
    """How signed weights become non-negative cells."""

    DIFFERENTIAL_COLUMNS = (
        "differential_columns",
        "positive and negative part in neighbouring columns, whose sums are subtracted; `ceil((w-1)/cell)` slices",
    )
    DIFFERENTIAL_ROWS = (
        "differential_rows",
        "positive and negative part in neighbouring rows, the second driven with the opposite sign; "
        "`ceil((w-1)/cell)` slices",
    )
    OFFSET = (
        "offset",
        "`w + 2^(w-1)` in one column, the offset taken off afterwards; `ceil(w/cell)` slices "
        "(ISAAC: Shafiee et al., ISCA 2016)",
    )
    TWOS_COMPLEMENT = (
        "twos_complement",
        "the sign bit in a slice of its own, of weight `-2^(w-1)`; `1 + ceil((w-1)/cell)` slices",
    )


class Subtraction(Option):
    """Where differential columns are subtracted."""

    AFTER_ADC = "after_adc", "each column is converted, the codes are subtracted"
    BEFORE_ADC = "before_adc", "the currents of a pair are subtracted, and the difference is converted"


class AdcRange(Option):
    """What the ADC's full scale is taken from."""

    ROWS = "rows", "the largest sum that `active_rows` rows can make"
    ROWS_USED = "rows_used", "the largest sum of the rows that a block really reads at once"
    CALIBRATED = "calibrated", "each layer's column sums on training inputs; rarer ones are clipped"


class AdcCalibration(Option):
    """How a calibrated full scale is chosen from the column sums that occur."""

    PERCENTILE = "percentile", "a percentile of their magnitudes"
    MSE = "mse", "the one with the least squared error of converted sums"


class AdcConversion(Option):
    """What is converted."""

    PER_STEP = "per_step", "each step's sum; codes are shifted and added"
    PER_PRODUCT = "per_product", "the steps' sums, weighted and added in analog: one conversion for each slice"


class AdcLevels(Option):
    """How many codes there are."""

    FULL = "full", "`2^bits`"
    SIGN_MAGNITUDE = "sign_magnitude", "`2^bits - 1`, so that zero is a level of a symmetric range"


class AdcStep(Option):
    """How the ADC's step follows from its range."""

    EXACT = "exact", "`range / (2^bits - 1)`, at least 1"
    POWER_OF_TWO = "power_of_two", "the next power of two, so that conversion is a shift"


class Rounding(Option):
    """Which code a sum between two levels gets."""

    HALF_EVEN = "half_even", "the nearest; of two, the even one"
    HALF_UP = "half_up", "the nearest; of two, the upper one"
    HALF_AWAY = "half_away", "the nearest; of two, the one further from code 0"
    DOWN = "down", "the one below"


class SignedInputs(Option):
    """How signed inputs drive the rows."""

    TWOS_COMPLEMENT = "twos_complement", "the sign bit in a step of its own: `1 + ceil((a-1)/dac)` steps"
    POSITIVE_NEGATIVE = (
        "positive_negative",
        "steps of `max(x, 0)`, then of `max(-x, 0)`, whose codes are subtracted: `2 * ceil((a-1)/dac)` steps",
    )


class WeightMode(Option):
    """Whether weights stay in their crossbars."""

    RELOADED = "reloaded", "crossbars are written and read over and over, layer by layer (arXiv 2601.21737)"
    RESIDENT = "resident", "weights stay, layers run as a pipeline, spare crossbars hold copies"


class Attention(Option):
    """Where products of two activations run on a chip whose weights stay."""

    DIGITAL = "digital", "on the digital unit"
    CROSSBARS = "crossbars", "on crossbars set aside, which are written for each input"


class SliceCount(Option):
    """How many slices a weight is charged."""

    MAGNITUDE = "magnitude", "what the encoding needs; a differential magnitude has one bit less"
    FULL = "full", "`ceil(weight_bits / cell)` at least, as arXiv 2601.21737 charges"


class StepCount(Option):
    """How many steps an activation is charged."""

    EXACT = "exact", "what the bits need; the sign has a step of its own"
    FULL = "full", "`ceil(activation_bits / dac.bits)` at least, as arXiv 2601.21737 charges"


class Crossbar(SpecModel):
    """An array of memory cells: rows carry inputs, columns carry outputs."""

    rows: Lines = Field(description="wordlines; each carries one input")
    columns: Lines = Field(description="bitlines; each carries one output sum")
    active_rows: Lines | None = Field(default=None, description="rows read at once; all of them if left out")
    cell_bits: Annotated[Bits, Field(ge=1, le=8)] = Field(description="bits that one cell stores")
    encoding: Encoding = Field(description="how signed weights become cells")
    unit_column: bool = Field(
        default=False,
        description="with `encoding = offset`: read the sum of inputs from a column of ones through the ADC",
    )
    complement: bool = Field(
        default=False,
        description="with `unit_column`: store columns complemented whose cells sum to more than half",
    )
    write_latency_ns: TimeNs = Field(description="time to write a whole crossbar")
    read_latency_ns: TimeNs = Field(
        description="time of one read: one step of the inputs, all columns converted; "
        "`adc.conversion_latency` and `dac.latency`, where given, are not part of it"
    )
    pipelined: bool = Field(
        default=False,
        description="whether DAC, crossbar and ADC work at once, each on a read of its own, or one after the other",
    )
    read_energy_pj: ArrayEnergyPj | None = Field(
        default=None,
        description="energy of one read of the array, whatever it holds: one step of the inputs, `active_rows` at "
        "most; without DACs and ADCs",
    )
    write_energy_pj: ArrayEnergyPj | None = Field(default=None, description="energy to write a whole crossbar")
    area_um2: AreaUm2 | None = Field(default=None, description="area of one array, without DACs and ADCs")

    @property
    def reads_unit_column(self) -> bool:
        """Whether the sum of inputs that an offset needs is read through the ADC."""
        return self.unit_column and self.encoding is Encoding.OFFSET

    @property
    def complements(self) -> bool:
        """Whether columns may be stored complemented."""
        return self.complement and self.reads_unit_column


class Adc(SpecModel):
    """The converter at the foot of the columns."""

    bits: Annotated[Bits, Field(ge=1, le=16)] = Field(description="resolution")
    range: AdcRange = Field(default=AdcRange.ROWS, description="what the full scale is taken from")
    calibration: AdcCalibration = Field(
        default=AdcCalibration.PERCENTILE, description="how `range = calibrated` chooses the full scale"
    )
    percentile: Annotated[float, Field(gt=50, le=100)] = Field(
        default=99.9, description="of the column sums, for `calibration = percentile`"
    )
    conversion: AdcConversion = Field(default=AdcConversion.PER_STEP, description="what is converted")
    step: AdcStep = Field(default=AdcStep.EXACT, description="how the step follows from the range")
    levels: AdcLevels = Field(default=AdcLevels.FULL, description="how many codes there are")
    rounding: Rounding | None = Field(
        default=None,
        description="which code a sum between two levels gets; if left out half_even, or half_up with `power_of_two`",
    )
    subtraction: Subtraction = Field(
        default=Subtraction.AFTER_ADC, description="where differential columns are subtracted"
    )
    columns_per_adc: Lines | None = Field(
        default=None, description="columns that share one ADC; it converts them, or their differences, one by one"
    )
    conversion_latency_ns: TimeNs | None = Field(
        default=None, description="time of one conversion; part of `crossbar.read_latency` if left out"
    )
    energy_pj: EnergyPj | None = Field(
        default=None, description="energy of one conversion: of a column's sum, or of a difference of two"
    )
    area_um2: AreaUm2 | None = Field(
        default=None, description="area of one ADC; `columns_per_adc` says how many a crossbar has"
    )

    @property
    def codes(self) -> int:
        """How many codes there are."""
        return (1 << self.bits) - (self.levels is AdcLevels.SIGN_MAGNITUDE)

    @property
    def code_rounding(self) -> Rounding:
        """The rounding that is written, or the one that goes with the step."""
        return self.rounding or (Rounding.HALF_EVEN if self.step is AdcStep.EXACT else Rounding.HALF_UP)


class Dac(SpecModel):
    """The converter that drives the rows."""

    bits: Annotated[Bits, Field(ge=1, le=8)] = Field(default=1, description="input bits applied at once")
    signed: SignedInputs = Field(default=SignedInputs.TWOS_COMPLEMENT, description="how signed inputs drive the rows")
    latency_ns: TimeNs | None = Field(
        default=None, description="time to drive the rows once; part of `crossbar.read_latency` if left out"
    )
    energy_pj: EnergyPj | None = Field(
        default=None, description="energy to drive one row for one step, whatever its digit"
    )
    area_um2: AreaUm2 | None = Field(default=None, description="area of one row's DAC")


class Chip(SpecModel):
    """A computing-in-memory chip."""

    name: str = Field(description="the word after `chip`, by which `extends` finds it")
    crossbar: Crossbar = Field(description="the array of memory cells")
    adc: Adc = Field(description="the converter at the foot of the columns")
    dac: Dac = Field(default=Dac(), description="the converter that drives the rows")
    device: Device = Field(default=Device(), description="the memory cell as it is; ideal unless written")
    weights: WeightMode = Field(default=WeightMode.RELOADED, description="whether weights stay in their crossbars")
    crossbars: Annotated[int, Field(ge=1, le=1_000_000)] = Field(default=1, description="crossbars on the chip")
    slices: SliceCount = Field(default=SliceCount.MAGNITUDE, description="slices charged for a weight")
    steps: StepCount = Field(default=StepCount.EXACT, description="steps charged for an activation")
    # The rest is for weights that stay.
    copies: bool = Field(default=True, description="whether spare crossbars hold copies of layers")
    batch: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=1, description="inputs that run through one segment of a network before the next one is loaded"
    )
    attention: Attention = Field(default=Attention.DIGITAL, description="where products of two activations run")
    tile: Tile = Field(default=Tile(), description="crossbars with a buffer and a digital unit of their own")
    digital: Digital = Field(default=Digital(), description="the digital unit of one tile")
    network: Network = Field(default=Network(), description="the mesh between tiles")
    memory: Memory = Field(default=Memory(), description="the way out of the chip")

    @property
    def read_ns(self) -> float:
        """Time of one read: of the slowest of DAC, crossbar and ADC where they are pipelined, else of all three."""
        converting_ns = self.conversions_per_adc * (self.adc.conversion_latency_ns or 0.0)
        times = (self.dac.latency_ns or 0.0, self.crossbar.read_latency_ns, converting_ns)
        return max(times) if self.crossbar.pipelined else sum(times)

    @property
    def conversions_per_adc(self) -> int:
        """Conversions of one ADC in one read; 0 where it is not said how many columns share it."""
        columns = self.adc.columns_per_adc or 0
        return -(-columns // 2) if self.subtracts_columns else columns

    @property
    def active_rows(self) -> int:
        """Rows read at once."""
        return self.crossbar.active_rows or self.crossbar.rows

    @property
    def largest_cell(self) -> int:
        """What a full cell stores."""
        return (1 << self.crossbar.cell_bits) - 1

    @property
    def largest_digit(self) -> int:
        """The largest input that is applied at once."""
        return (1 << self.dac.bits) - 1

    @property
    def largest_column_sum(self) -> int:
        """The largest sum that the active rows can make in one step."""
        return self.largest_sum(self.active_rows, self.largest_digit)

    def largest_sum(self, rows: int, largest_input: int) -> int:
        """The largest sum that one column of `rows` rows can make, each driven with up to `largest_input`.

        With complements a column's cells sum to half at most, but those of the unit column to `rows`.
        """
        cells = rows * self.largest_cell
        if self.crossbar.complements:
            cells = max(cells // 2, rows)
        return cells * largest_input

    @property
    def converts_products(self) -> bool:
        """Whether the ADC converts whole products, the sum over all steps."""
        return self.adc.conversion is AdcConversion.PER_PRODUCT

    @property
    def subtracts_columns(self) -> bool:
        """Whether neighbouring columns are subtracted before the ADC."""
        is_paired = self.crossbar.encoding is Encoding.DIFFERENTIAL_COLUMNS
        return is_paired and self.adc.subtraction is Subtraction.BEFORE_ADC

    @property
    def converts_differences(self) -> bool:
        """Whether what reaches the ADC is positive minus negative cells, and can be negative."""
        return self.subtracts_columns or self.crossbar.encoding is Encoding.DIFFERENTIAL_ROWS
