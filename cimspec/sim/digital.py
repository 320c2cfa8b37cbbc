"""Digital operations between crossbars: those of quant/apply.py, bit for bit, the longest of them compiled.

Codes are made of values in one pass, and lie as these do: a layer's output is moved only once it is codes, when the
next layer takes its windows.
"""

import numpy as np

from cimspec.compiler.slicing import ceil_divide
from cimspec.quant.apply import Tensors, apply_vector, rescaling
from cimspec.quant.ops import Array, Codes, Constants, Requantize, VectorOp, code_type

FACTORS = 512
"""At least so many values are multiplied by one list of factors."""


def apply_digital(op: VectorOp, tensors: Tensors, constants: Constants) -> Array:
    """What `apply_vector` gives."""
    if isinstance(op, Requantize) and code_type(op.codes) is np.int16:
        codes = requantized(tensors[op.src], rescaling(op.src, op.dst, tensors, constants), op.codes)
        if codes is not None:
            return codes
    return apply_vector(op, tensors, constants)


def requantized(values: Array, factor: Array, codes: Codes) -> Array | None:
    """`clip(rint(values * factor))`, or None where memory is in no order that one pass could follow.

    That takes int64 or float64 without gaps, whatever the order of axes, and one factor, or one for each place on the
    axis that changes fastest.
    """
    from cimspec._kernels import digital

    axes = np.argsort([-stride for stride in values.strides], kind="stable")
    ordered = values.transpose(axes)
    if values.dtype not in (np.int64, np.float64) or not ordered.flags.c_contiguous or factor.ndim > values.ndim:
        return None
    factors = factor.reshape((1,) * (values.ndim - factor.ndim) + factor.shape).transpose(axes)
    if (
        factors.size not in (1, factors.shape[-1])
        or factors.shape[-1] not in (1, ordered.shape[-1])
        or not factors.size
    ):
        return None
    found = np.empty(ordered.shape, np.int16)
    repeated = np.tile(factors.reshape(-1), ceil_divide(FACTORS, factors.size))
    digital.requantize(ordered.reshape(-1), repeated, codes.low, codes.high, found.reshape(-1))
    return found.transpose(np.argsort(axes))
