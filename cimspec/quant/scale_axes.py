"""Along which axes of a tensor its scale may change: sums over other axes add like to like.

A convolution's outputs have a scale for each channel, a linear layer's for each feature; codes have one for all.
"""

from collections.abc import Mapping

from cimspec.quant.ops import (
    AddCodes,
    IntegerOp,
    Joined,
    MatMul,
    PoolMax,
    PoolSum,
    Rectify,
    Requantize,
    Reshaped,
    Sliced,
    SumAxes,
    Tensor,
    Transposed,
    Wide,
)

Axes = frozenset[int]
NONE: Axes = frozenset()


def scale_axes(  # noqa: C901 (one case per operation)
    op: IntegerOp, types: Mapping[str, Tensor], axes: Mapping[str, Axes]
) -> Axes:
    """Those of what `op` makes, from those of what it reads."""
    match op:
        case MatMul(moving=True):
            return NONE
        case MatMul():
            return frozenset({0 if op.window else len(op.shape) - 1})
        case _ if types[op.dst].element is Wide.REALS:
            return NONE
        case Requantize() | AddCodes():
            return NONE
        case PoolSum():
            divides_unevenly = any(op.window.padding) and not op.counts_padding
            return axes[op.src] | ({1, 2} if divides_unevenly else NONE)
        case SumAxes():
            kept = [axis for axis in range(len(types[op.src].shape)) if axis not in op.axes]
            return frozenset(index for index, axis in enumerate(kept) if axis in axes[op.src])
        case Reshaped():
            return frozenset(range(len(op.shape))) if axes[op.src] else NONE
        case Transposed():
            return frozenset(index for index, axis in enumerate(op.axes) if axis in axes[op.src])
        case Joined():
            return frozenset({op.axis}).union(*(axes[part] for part in op.ordered))
        case Rectify() | PoolMax() | Sliced():
            return axes[op.src]
        case _:
            return NONE
