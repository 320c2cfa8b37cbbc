"""What a name of an ONNX graph stands for while it is read: a constant, an activation, or part of a pattern.

Activations keep their shape as ONNX sees it, for one image: the batch is an axis of size 1 somewhere, the first to
begin with. Layers know no batch, so an axis of ONNX is not always the same axis of the layer.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cimspec.graph.layer import Shape
from cimspec.graph.onnx.node import Array, Problem, Real

MAX_AXES = 16


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """A tensor that does not depend on the input."""

    array: Array
    name: str

    def real(self) -> Real:
        """As float numbers. Raises `Problem` (CIM426) if one is NaN or infinite."""
        if self.array.dtype.kind not in "fiub" and self.array.dtype.name != "bfloat16":
            raise Problem(f"reads the tensor `{self.name}`, which holds {self.array.dtype.name} and no numbers")
        with np.errstate(over="ignore", invalid="ignore"):
            array: Real = self.array.astype(np.float64 if self.array.dtype == np.float64 else np.float32, copy=False)
            if not np.isfinite(array).all():
                raise Problem(f"reads the tensor `{self.name}`, which holds NaN or infinite values", code="CIM426")
        return array


@dataclass(frozen=True, slots=True, eq=False)
class Coding:
    """What a constant was before DequantizeLinear: its codes less their zero points, and what is known of them."""

    codes: npt.NDArray[np.int64]
    step: Real  # [1], or one for each index of some axis
    low: int  # what the codes' type, or a Clip, keeps them within
    high: int

    def is_same(self, other: "Coding") -> bool:
        """Whether another one says the same."""
        return np.array_equal(self.step, other.step) and np.array_equal(self.codes, other.codes)


@dataclass(frozen=True, slots=True)
class Moving:
    """The output of a layer.

    `batch` is the place of the batch axis in `shape`. Where a reshape has merged it with another axis, `shape` lacks
    it, and `batch` is the axis that it stood in front of.
    """

    layer: str
    shape: Shape
    batch: int = 0
    merged: bool = False

    @property
    def inner(self) -> Shape:
        """The layer's shape: without the batch."""
        return self.shape if self.merged else self.shape[: self.batch] + self.shape[self.batch + 1 :]

    @property
    def rank(self) -> int:
        """Number of axes, as ONNX counts."""
        return len(self.shape)

    def checked(self, axis: int) -> int:
        """An axis of ONNX that may count from the end, counted from the start."""
        if not -self.rank <= axis < self.rank:
            raise Problem(f"there is no axis {axis} of {spell(self.shape)}")
        return axis % self.rank

    def is_batch(self, axis: int) -> bool:
        """Whether an axis of ONNX is the batch."""
        return not self.merged and self.checked(axis) == self.batch

    def axis(self, axis: int) -> int:
        """The layer's axis for one of ONNX. Raises `Problem` (CIM429) if it is the batch."""
        axis = self.checked(axis)
        if self.is_batch(axis):
            raise mixes_batch(f"works along axis {axis}, which is the batch")
        return axis - 1 if not self.merged and axis > self.batch else axis

    def placed(self, shape: Shape, prefer: int | None = None) -> "Moving":
        """The same values in another shape, with the batch where it is then.

        The batch stays where as many values come before it. Raises `Problem` (CIM429) if that is inside of an axis.
        """
        if len(shape) > MAX_AXES:
            raise Problem(f"makes a tensor with {len(shape)} axes, more than {MAX_AXES}")
        prefer = self.batch if prefer is None else prefer
        before = math.prod(self.shape[: self.batch])
        places = [place for place in range(len(shape) + 1) if math.prod(shape[:place]) == before]
        if not places:
            raise mixes_batch(f"reshapes {spell(self.shape)} to {spell(shape)}, which mixes the batch into an axis")
        single = [place for place in places if place < len(shape) and shape[place] == 1]
        if prefer in single:
            return Moving(self.layer, shape, prefer)
        return Moving(self.layer, shape, single[0]) if single else Moving(self.layer, shape, places[0], merged=True)


@dataclass(frozen=True, slots=True)
class RowMean:
    """The mean over the last axis, which is kept with size 1."""

    of: Moving


@dataclass(frozen=True, slots=True)
class Centered:
    """`x` less its mean over the last axis."""

    of: Moving


@dataclass(frozen=True, slots=True)
class SquaredCentered:
    """The square of that."""

    of: Moving


@dataclass(frozen=True, slots=True)
class Variance:
    """The mean of those squares, with `epsilon` added."""

    of: Moving
    epsilon: float = 0.0


@dataclass(frozen=True, slots=True)
class Deviation:
    """The root of that, or one over the root."""

    of: Moving
    epsilon: float
    inverted: bool = False


@dataclass(frozen=True, slots=True)
class Padded:
    """An image with zeros around it: top, left, bottom, right."""

    of: Moving
    sides: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Coded:
    """Codes of an activation. Less their zero point they lie between `low` and `high`, in units of `step`."""

    of: Moving
    step: float
    zero_point: int
    low: int
    high: int


Partial = RowMean | Centered | SquaredCentered | Variance | Deviation | Padded | Coded
"""What is no layer yet: only certain operators go on with it."""

Value = Known | Moving | Partial


def mixes_batch(what: str) -> Problem:
    """The problem of a node that combines several images."""
    return Problem(what, code="CIM429", help="each image must be computed by itself; keep the batch as the first axis")


def spell(shape: Shape) -> str:
    """`1 x 28 x 28`."""
    return " x ".join(map(str, shape)) or "a single value"


def known(value: Value | None, what: str) -> Known:
    """An operand that must be constant."""
    match value:
        case Known():
            return value
        case None:
            raise Problem(f"its {what} is left out")
        case _:
            raise Problem(f"its {what} depends on the input; it has to be constant")


def known_wholes(value: Value | None, what: str) -> tuple[int, ...]:
    """A constant operand that is a list of whole numbers."""
    array = known(value, what).array
    if array.ndim > 1 or not np.issubdtype(array.dtype, np.integer):
        raise Problem(f"its {what} is no list of whole numbers")
    return tuple(int(item) for item in array.reshape(-1))


def known_scalar(value: Value | None, what: str) -> float:
    """A constant operand that is one number."""
    array = known(value, what).array
    if array.size != 1:
        raise Problem(f"its {what} is a tensor of {spell(array.shape)}; it has to be one number")
    return shortest(float(array.reshape(-1)[0])) if array.dtype == np.float32 else float(array.reshape(-1)[0])


def shortest(value: float) -> float:
    """A float32 number as it was written: 1e-05 for 9.99999974737875e-06."""
    return float(str(np.float32(value)))
