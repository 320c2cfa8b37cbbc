"""Which rows of its operands each row of a tensor needs: the granularity at which a pipeline hands results on.

An image `(channels, height, width)` is made row by row, a sequence `(tokens, features)` token by token, a vector at
once. Where an operation takes rows apart (flattening, attention's transposes, sums over rows), it waits for all.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from cimspec.cost.stage import Need, Rows, Whole
from cimspec.graph.layer import Shape
from cimspec.quant.ops import (
    Joined,
    Load,
    LocallyNormalized,
    MatMul,
    Normalized,
    PoolMax,
    PoolSum,
    Reshaped,
    Sliced,
    Softmaxed,
    SumAxes,
    Tensor,
    Transposed,
    VectorOp,
    sources,
)


@dataclass(frozen=True, slots=True)
class Cut:
    """A tensor in `rows` equal parts along an axis, which are made one after the other."""

    axis: int
    rows: int


WHOLE = Cut(0, 1)


def natural_cut(shape: Shape) -> Cut:
    """Rows of an image, tokens of a sequence (or of each head), a vector as a whole."""
    if len(shape) == 3:
        return Cut(1, shape[1])
    return Cut(0, shape[0]) if len(shape) == 2 else WHOLE


def result_cut(op: VectorOp | MatMul, types: Mapping[str, Tensor], cuts: Mapping[str, Cut]) -> Cut:
    """How what `op` makes is cut."""
    shape = types[op.dst].shape
    match op:
        case MatMul(window=None):
            own = cuts[op.src]
            return own if own.axis < len(shape) - 1 and own.rows > 1 else WHOLE
        case MatMul() | PoolMax() | PoolSum():
            return natural_cut(shape)
        case SumAxes() | Joined() | Load():
            return WHOLE if len(shape) == 1 else natural_cut(shape)
        case Reshaped():
            return _reshaped(types[op.src].shape, shape, cuts[op.src])
        case Transposed():
            own = cuts[op.src]
            return Cut(op.axes.index(own.axis), own.rows)
        case Sliced():
            return natural_cut(shape) if op.axis == cuts[op.src].axis else cuts[op.src]
        case _:
            return max((cuts[name] for name in sources(op)), key=lambda cut: cut.rows, default=WHOLE)


def _reshaped(before: Shape, after: Shape, own: Cut) -> Cut:
    """The same cut where the axes up to the cut one keep their place, or merge with what is inside of it."""
    kept = before[: own.axis] == after[: own.axis] and len(after) > own.axis
    if kept and own.rows > 1 and after[own.axis] % own.rows == 0:
        return own
    return natural_cut(after)


def needs(op: VectorOp | MatMul, types: Mapping[str, Tensor], cuts: Mapping[str, Cut]) -> tuple[Need, ...]:
    """What each row of the result waits for. `cuts` knows the result's too."""
    match op:
        case MatMul(window=None):
            waits: list[Need] = [_alike(op.src, op.dst, cuts)]
            return (*waits, Whole(op.weights)) if op.moving else tuple(waits)
        case MatMul() | PoolMax() | PoolSum():
            assert op.window is not None
            return (Rows.of(op.src, op.window) if cuts[op.src].axis == 1 else Whole(op.src),)
        case SumAxes() | Joined():
            return tuple(Whole(name) for name in dict.fromkeys(sources(op)))
        case Sliced() if op.axis == cuts[op.src].axis:
            return (Whole(op.src),)
        case Softmaxed() | Normalized() | LocallyNormalized() if _normalized_axis(op, types) == cuts[op.src].axis:
            return (Whole(op.src),)
        case Transposed():
            return (Rows(op.src),)
        case Reshaped():
            same = cuts[op.dst] == cuts[op.src] and _keeps(types[op.src].shape, types[op.dst].shape, cuts[op.src])
            return (Rows(op.src) if same else Whole(op.src),)
        case _:
            return tuple(_alike(name, op.dst, cuts) for name in dict.fromkeys(sources(op)))


def _normalized_axis(op: Softmaxed | Normalized | LocallyNormalized, types: Mapping[str, Tensor]) -> int:
    """The axis along which an operation looks at other values."""
    match op:
        case Softmaxed():
            return op.axis
        case Normalized():
            return len(types[op.src].shape) - 1
        case LocallyNormalized():
            return 0


def _keeps(before: Shape, after: Shape, own: Cut) -> bool:
    return before[: own.axis] == after[: own.axis]


def _alike(source: str, result: str, cuts: Mapping[str, Cut]) -> Need:
    """Row by row where both are cut into as many, else all at once."""
    return Rows(source) if cuts[source].rows == cuts[result].rows > 1 else Whole(source)
