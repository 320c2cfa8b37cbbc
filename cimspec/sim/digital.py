"""Digital operations between crossbars: those of quant/apply.py, bit for bit, the longest of them compiled.

Codes are made of values in one pass, and lie as these do: a layer's output is moved only once it is codes, when the
next layer takes its windows.
"""

import numpy as np
import numpy.typing as npt

from cimspec.compiler.slicing import ceil_divide
from cimspec.quant.apply import Tensors, apply_vector, rescaling
from cimspec.quant.ops import AddCodes, Array, Codes, Constants, Requantize, VectorOp, code_type

FACTORS = 512
"""At least so many values are multiplied by one list of factors."""


def apply_digital(op: VectorOp, tensors: Tensors, constants: Constants) -> Array:
    """What `apply_vector` gives."""
    found = None
    if isinstance(op, Requantize):
        found = requantized(tensors[op.src], rescaling(op.src, op.dst, tensors, constants), op.codes)
    elif isinstance(op, AddCodes):
        a_factor, b_factor = (rescaling(name, op.dst, tensors, constants) for name in (op.a, op.b))
        found = added(tensors[op.a], tensors[op.b], a_factor, b_factor, op.codes)
    return apply_vector(op, tensors, constants) if found is None else found


def requantized(values: Array, factor: Array, codes: Codes) -> Array | None:
    """`clip(rint(values * factor))`, or None where memory is in no order that one pass could follow.

    That takes values without gaps, whatever the order of axes, and one factor, or one for each place on the axis that
    changes fastest.
    """
    from cimspec._kernels import digital

    axes = _axes_in_memory(values)
    ordered, factors = values.transpose(axes), _repeated(factor, values, axes)
    if factors is None or not _are_taken(ordered, codes):
        return None
    found = np.empty(ordered.shape, np.int16)
    digital.requantize(ordered.reshape(-1), factors, codes.low, codes.high, found.reshape(-1))
    return found.transpose(np.argsort(axes))


def added(a: Array, b: Array, a_factor: Array, b_factor: Array, codes: Codes) -> Array | None:
    """`clip(rint(a * a_factor + b * b_factor))` of values in the same order, or None as above."""
    from cimspec._kernels import digital

    if a.shape != b.shape:
        return None
    axes = _axes_in_memory(a)
    first, second = a.transpose(axes), b.transpose(axes)
    if not (_are_taken(first, codes) and _are_taken(second, codes)):
        return None
    a_factors, b_factors = (_repeated(factor, a, axes) for factor in np.broadcast_arrays(a_factor, b_factor))
    if a_factors is None or b_factors is None:
        return None
    found = np.empty(first.shape, np.int16)
    left, right = (each.reshape(-1).astype(np.float64, copy=False) for each in (first, second))
    digital.add_codes(left, right, a_factors, b_factors, codes.low, codes.high, found.reshape(-1))
    return found.transpose(np.argsort(axes))


def _axes_in_memory(values: Array) -> npt.NDArray[np.intp]:
    """Axes in the order of their strides, the one that changes fastest last."""
    return np.argsort([-stride for stride in values.strides], kind="stable")


def _are_taken(ordered: Array, codes: Codes) -> bool:
    kinds = (np.int16, np.int64, np.float64)
    return ordered.dtype in kinds and ordered.flags.c_contiguous and code_type(codes) is np.int16


def _repeated(factor: Array, values: Array, axes: npt.NDArray[np.intp]) -> Array | None:
    """Factors of values as they lie in memory, over and over; None where they differ along other axes than the last."""
    if factor.ndim > values.ndim or not factor.size:
        return None
    factors = factor.reshape((1,) * (values.ndim - factor.ndim) + factor.shape).transpose(axes)
    if factors.size != factors.shape[-1] or factors.size not in (1, values.shape[axes[-1]]):
        return None
    return np.tile(factors.reshape(-1), ceil_divide(FACTORS, factors.size))
