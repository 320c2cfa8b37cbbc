"""The compiled schedule: digital operations, and for each crossbar layer a nest of loops over what crossbars do.

    for wave 0..W                      blocks that do not fit at once come one after the other
      parallel crossbars N             N blocks at a time, one on each crossbar
        write blocks A..B              block A + wave * N + crossbar, if it is below B; 1 write time
        for invocation 0..P            output pixels
          for step 0..S                input bits, least significant first
            read groups G              G reads: rows that cannot be active together take turns
            shift_add                  codes * slice factor * step factor, into the partial sums of the row block
    accumulate                         row blocks in order: partial sums * lsb + lo, offset taken off, bias added

With `conversion = per_product` the loop over steps adds the reads' sums in analog, and what is converted is the last.

Its size depends neither on the image nor on the layer. Weights and multipliers are named; they travel beside it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from cimspec.compiler.layout import Layout
from cimspec.graph.layer import Shape
from cimspec.quant.ops import MatMul, VectorOp
from cimspec.spec.chip import Chip

VERSION = 1


@dataclass(frozen=True, slots=True)
class Write:
    """Program the crossbar with block `first + wave * crossbars + crossbar`; it stays idle from `stop` on."""

    first: int
    stop: int


@dataclass(frozen=True, slots=True)
class Read:
    """One step of one invocation: drive rows, convert all columns; `groups` reads, one for each set of active rows."""

    groups: int


@dataclass(frozen=True, slots=True)
class ShiftAdd:
    """Add the codes of the last read to the partial sums."""


@dataclass(frozen=True, slots=True)
class Accumulate:
    """Turn the layer's partial sums into its output."""


@dataclass(frozen=True, slots=True)
class Loop:
    """Repeat `body` for `variable` = start .. stop-1: `wave`, `invocation` or `step`."""

    variable: str
    start: int
    stop: int
    body: "tuple[Instruction, ...]"


@dataclass(frozen=True, slots=True)
class Parallel:
    """Do `body` on `crossbars` crossbars at once."""

    crossbars: int
    body: "tuple[Instruction, ...]"


Instruction = Write | Read | ShiftAdd | Accumulate | Loop | Parallel


@dataclass(frozen=True, slots=True)
class CrossbarLayer:
    """A product on crossbars. `full_scale` is the ADC's calibrated range, None for the one that the rows give."""

    op: MatMul
    full_scale: float | None
    body: tuple[Instruction, ...]

    @property
    def name(self) -> str:
        """The layer's name in the model."""
        return self.op.layer


ProgramItem = VectorOp | CrossbarLayer


@dataclass(frozen=True, slots=True)
class Program:
    """A schedule for one chip. `items` run in order; the tensor `input` comes from outside."""

    name: str
    chip: Chip
    input: str
    input_shape: Shape
    items: tuple[ProgramItem, ...]

    @property
    def output(self) -> str:
        """The tensor that the program computes."""
        last = self.items[-1]
        return last.op.dst if isinstance(last, CrossbarLayer) else last.dst

    @property
    def layers(self) -> Iterator[CrossbarLayer]:
        """Layers that run on crossbars, in execution order."""
        return (item for item in self.items if isinstance(item, CrossbarLayer))

    def layout(self, layer: CrossbarLayer) -> Layout:
        """Where the layer's weights lie."""
        return Layout(self.chip, layer.op.inputs, layer.op.outputs, layer.op.precision.weight_bits)
