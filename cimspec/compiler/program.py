"""The compiled schedule: tensors in buffers, digital operations, and for each product what its crossbars do.

Reloaded weights:

    for wave 0..W                      blocks that do not fit at once come one after the other
      parallel crossbars A..B          one block on each crossbar
        write blocks F..L              block F + wave * (B - A) + place of the crossbar, if below L; 1 write time
        for turn 0..P                  output pixels
          for step 0..S                input bits, least significant first
            read groups G              G reads: rows that cannot be active together take turns
            shift_add                  codes * slice factor * step factor, into the partial sums of the row block
    accumulate                         row blocks in order: partial sums * lsb + lo, offset taken off, bias added

Resident weights: `place LAYER crossbars A..B` at the head of a segment writes all blocks of the layer, as often as
there are such ranges (`0..3+8x4`: four, every eight crossbars), and the layer's body begins at `parallel`; in a turn
each copy makes another output pixel. Segments follow each other: what the next one needs is written when the one before
has ended.

With `conversion = per_product` the loop over steps adds the reads' sums in analog, and what is converted is the last.

Its size depends neither on the image nor on the layer. Weights and scales are named; they travel beside it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from cimspec.compiler.layout import Layout
from cimspec.compiler.matrices import Matrices
from cimspec.graph.layer import Shape
from cimspec.quant.ops import MatMul, Tensor, VectorOp
from cimspec.spec.chip import Chip

VERSION = 2


@dataclass(frozen=True, slots=True)
class Crossbars:
    """`width` neighbouring crossbars, `count` times over, every `stride`."""

    first: int
    width: int
    count: int = 1
    stride: int = 0

    @property
    def stop(self) -> int:
        """Behind the last."""
        return self.first + (self.count - 1) * self.stride + self.width

    @property
    def total(self) -> int:
        """How many there are."""
        return self.width * self.count

    @property
    def ranges(self) -> tuple[range, ...]:
        """Neighbouring ones together."""
        starts = (self.first + index * self.stride for index in range(self.count))
        return tuple(range(start, start + self.width) for start in starts)


@dataclass(frozen=True, slots=True)
class Write:
    """Program the crossbar with block `first + wave * crossbars + place`; it stays idle from `stop` on."""

    first: int
    stop: int


@dataclass(frozen=True, slots=True)
class Read:
    """One step of one product: drive rows, convert all columns; `groups` reads, one for each set of active rows."""

    groups: int


@dataclass(frozen=True, slots=True)
class ShiftAdd:
    """Add the codes of the last read, times the factors of their slice and their step, to the partial sums."""

    slices: tuple[int, ...]
    steps: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Accumulate:
    """Turn the layer's partial sums into its output."""


@dataclass(frozen=True, slots=True)
class Loop:
    """Repeat `body` for `variable` = start .. stop-1: `wave`, `turn` or `step`."""

    variable: str
    start: int
    stop: int
    body: "tuple[Instruction, ...]"


@dataclass(frozen=True, slots=True)
class Parallel:
    """Do `body` on some crossbars at once."""

    crossbars: Crossbars
    body: "tuple[Instruction, ...]"


Instruction = Write | Read | ShiftAdd | Accumulate | Loop | Parallel


@dataclass(frozen=True, slots=True)
class Place:
    """All blocks of a layer, one copy on each of the ranges of crossbars."""

    layer: str
    crossbars: Crossbars

    @property
    def copies(self) -> int:
        """How many times the weights are there."""
        return self.crossbars.count


@dataclass(frozen=True, slots=True)
class CrossbarLayer:
    """A product on crossbars. `full_scale` is the ADC's calibrated range, None for the one that the rows give."""

    op: MatMul
    bundle: int  # groups that are stored as one matrix
    full_scale: float | None
    body: tuple[Instruction, ...]

    @property
    def name(self) -> str:
        """The layer's name in the model."""
        return self.op.layer

    @property
    def crossbars(self) -> Crossbars:
        """The crossbars that its body uses: those of its first loop; all others are the same ones."""
        return next(_parallels(self.body)).crossbars


def _parallels(body: tuple[Instruction, ...]) -> Iterator[Parallel]:
    for instruction in body:
        if isinstance(instruction, Parallel):
            yield instruction
        elif isinstance(instruction, Loop):
            yield from _parallels(instruction.body)


ProgramItem = VectorOp | CrossbarLayer | MatMul
"""Digital operations, products on crossbars, and products on the digital unit."""


@dataclass(frozen=True, slots=True)
class Buffer:
    """A tensor and how often it is read before its place is free again."""

    tensor: Tensor
    reads: int


@dataclass(frozen=True, slots=True)
class Segment:
    """What the chip does between two loads of weights. `items` run in order, or as a pipeline where weights stay."""

    places: tuple[Place, ...]
    items: tuple[ProgramItem, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """A schedule for one chip. The first buffer holds the network's input, the last its output."""

    name: str
    chip: Chip
    buffers: tuple[Buffer, ...]
    segments: tuple[Segment, ...]

    @property
    def input(self) -> str:
        """The tensor that comes from outside."""
        return self.buffers[0].tensor.name

    @property
    def input_shape(self) -> Shape:
        """Its shape."""
        return self.buffers[0].tensor.shape

    @property
    def output(self) -> str:
        """The tensor that the program computes."""
        return self.buffers[-1].tensor.name

    @property
    def items(self) -> Iterator[ProgramItem]:
        """All operations in execution order."""
        return (item for segment in self.segments for item in segment.items)

    @property
    def layers(self) -> Iterator[CrossbarLayer]:
        """Layers that run on crossbars, in execution order."""
        return (item for item in self.items if isinstance(item, CrossbarLayer))

    def copies(self, layer: CrossbarLayer) -> int:
        """How many times the layer's weights are placed; 1 where they are written as they are needed."""
        places = (place for segment in self.segments for place in segment.places)
        return next((place.copies for place in places if place.layer == layer.name), 1)

    def matrices(self, layer: CrossbarLayer) -> Matrices:
        """Where the layer's weights lie."""
        return Matrices(self.chip, layer.op, layer.bundle)

    def layout(self, layer: CrossbarLayer) -> Layout:
        """Where the weights of the layer's first matrix lie."""
        return self.matrices(layer).first


def operation(item: ProgramItem) -> VectorOp | MatMul:
    """The operation of the integer network that an item is."""
    return item.op if isinstance(item, CrossbarLayer) else item
