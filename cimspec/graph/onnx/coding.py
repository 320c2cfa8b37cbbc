"""Quantized tensors as files have them: QuantizeLinear, perhaps a Clip, DequantizeLinear (QDQ and QCDQ).

Those of constants are computed. Those of activations are left out of the float network, but for the clip that codes
without a sign amount to: onnxruntime leaves out relus before them. Where the builder is to keep codes, they are
`Quantize` layers, behind a relu. What the codes are is noted beside: of a constant under its name, of an activation
under the layer's number.
"""

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from cimspec.graph.layer import Clip, Quantize, Relu
from cimspec.graph.onnx import functions
from cimspec.graph.onnx.builder import Origin
from cimspec.graph.onnx.call import Call, Handler
from cimspec.graph.onnx.node import Array, Problem
from cimspec.graph.onnx.value import Coded, Coding, Known, Moving, Value, spell

SYMMETRIC = (
    'in onnxruntime `extra_options={"ActivationSymmetric": True, "WeightSymmetric": True}`,'
    " in Brevitas `narrow_range=True`"
)
FEWEST_BITS, MOST_BITS = 2, 8
MOST_STORED = 255  # codes up to which less zero points are kept in 16 bits
BOUNDS = {"int4": (-8, 7), "uint4": (0, 15), "int2": (-2, 1), "uint2": (0, 3)}  # types that numpy itself lacks

_Number = TypeVar("_Number", bound=np.generic)


@dataclass(frozen=True, slots=True, eq=False)
class Narrowed(Known):
    """Integers that a Clip keeps within fewer bits than their type has."""

    low: int
    high: int


def quantize(call: Call) -> Value:
    """QuantizeLinear: `rint(x / step) + zero point` within the type of the zero point."""
    source = call.operand(0)
    step, zero, kind = _step(call), _zero(call), _kind(call)
    low, high = bounds_of(kind)
    if isinstance(source, Known):
        axis = call.node.whole("axis", 1)
        with np.errstate(over="ignore"):
            scaled = source.real().astype(np.float32) / _along(step.astype(np.float32), source.array, axis)
        codes = np.clip(np.rint(scaled) + _along(zero, source.array, axis), low, high)
        return Known(codes.astype(np.int64).astype(kind), source.name)
    if step.size > 1 or zero.size > 1:
        raise Problem(f"gives an activation {max(step.size, zero.size)} steps; it can have only one")
    zero_point = int(zero.item())
    return Coded(call.moving(0), float(step.item()), zero_point, low - zero_point, high - zero_point)


def clip(call: Call) -> Value:
    """Clip of integers, or of real values."""
    source = call.operand(0)
    match source:
        case Coded(zero_point=zero):
            low, high = _bounds(call, source.low + zero, source.high + zero)
            return replace(source, low=low - zero, high=high - zero)
        case Known(array, name) if is_integer(array):
            low, high = _bounds(call, *bounds_of(array.dtype))
            return Narrowed(np.clip(array.astype(np.int64), low, high), name, low, high)
        case _:
            return functions.clip(call)


def dequantize(call: Call) -> Value:
    """DequantizeLinear: `(code - zero point) * step`."""
    source = call.operand(0)
    match source:
        case Coded():
            return _taken_back(call, source)
        case Known(array) if is_integer(array):
            return _real(call, source)
        case _:
            raise Problem("reads what QuantizeLinear has not made")


def bounds_of(kind: np.dtype[np.generic]) -> tuple[int, int]:
    """The smallest and the largest number of an integer type."""
    if kind.name in BOUNDS:
        return BOUNDS[kind.name]
    info = np.iinfo(kind.name)
    return int(info.min), int(info.max)


def is_integer(array: Array) -> bool:
    """Whether an array holds whole numbers."""
    return array.dtype.kind in "iu" or array.dtype.name in BOUNDS


def _taken_back(call: Call, coded: Coded) -> Moving:
    """An activation after its codes have been taken back to real values."""
    step, zero = _step(call), _zero(call)
    if step.size > 1 or zero.size > 1 or (step.item(), zero.item()) != (coded.step, coded.zero_point):
        raise Problem("takes codes back with another step or zero point than they were made with")
    builder, of = call.builder, coded.of
    if coded.low == 0:
        op = Relu() if builder.keeps_codes else Clip(0.0, coded.high * coded.step)
        of = builder.same_shape(op, of, Origin(call.node, "clip"))
    if not builder.keeps_codes:
        return of
    made = builder.same_shape(Quantize(activation_bits(coded)), of, Origin(call.node, "codes"))
    builder.coded[made.layer] = coded
    return made


def activation_bits(coded: Coded) -> int:
    """Bits of codes from 0 on, or from `-high` to `high`. Raises `Problem` (CIM432) for others.

    An int8 of -128 is taken as -127: only values beyond the range that a file was calibrated for get it.
    """
    low, high = coded.low, coded.high
    bits = high.bit_length() + (low < 0)
    if high != (1 << high.bit_length()) - 1 or not (low in (0, -high) or (low, high) == (-128, 127)):
        zero = f" (the zero point is {coded.zero_point})" if coded.zero_point else ""
        what = f"makes codes from {low} to {high}{zero}; a chip's begin with 0, or are symmetric about it"
        raise Problem(what, code="CIM432")
    if not FEWEST_BITS <= bits <= MOST_BITS:
        possible = f"{FEWEST_BITS} to {MOST_BITS} are possible"
        raise Problem(f"makes codes of {bits} bit{'s' * (bits != 1)}; {possible}", code="CIM432")
    return bits


def _real(call: Call, stored: Known) -> Known:
    """Stored integers as the real values that they stand for."""
    axis = call.node.whole("axis", 1)
    step, zero = _step(call), _zero(call)
    if call.node.whole("block_size", 0):
        raise Problem("has a step for each block of an axis; only one for a whole index is supported")
    low, high = (stored.low, stored.high) if isinstance(stored, Narrowed) else bounds_of(stored.array.dtype)
    wide = np.int16 if high <= MOST_STORED else np.int64
    codes = stored.array.astype(wide) - _along(zero, stored.array, axis).astype(wide)
    with np.errstate(over="ignore"):  # what is too large is told where it is read
        values = (codes * _along(step.astype(np.float32), stored.array, axis)).astype(np.float32, copy=False)
    first = int(zero.flat[0])
    name = stored.name.removesuffix("_quantized")
    coding = Coding(codes, step.reshape(-1), low - first, high - first)
    if name in call.builder.codings and not call.builder.codings[name].is_same(coding):
        name = call.node.outputs[0]
    call.builder.codings[name] = coding
    return Known(values, name)


def _step(call: Call) -> npt.NDArray[np.float64]:
    step = call.real(1, "step").astype(np.float64)
    if not step.size or not (step > 0).all():
        raise Problem("has a step that is not above 0", code="CIM426")
    return step


def _zero(call: Call) -> npt.NDArray[np.int64]:
    if call.operand(2) is None:
        return np.zeros(1, np.int64)
    zero = call.known(2, "zero point")
    if not zero.size or not is_integer(zero):
        raise Problem(f"has zero points of {zero.dtype.name}; only integers are supported")
    return zero.astype(np.int64)


def _kind(call: Call) -> np.dtype[np.generic]:
    """The type of the codes that QuantizeLinear makes."""
    if call.operand(2) is not None:
        return call.known(2, "zero point").dtype
    from onnx import helper

    number = call.node.whole("output_dtype", 0)
    try:
        kind = helper.tensor_dtype_to_np_dtype(number) if number else np.dtype(np.uint8)
    except KeyError:
        raise Problem(f"`output_dtype` is {number}, which is no type") from None
    if not is_integer(np.empty(0, kind)):
        raise Problem(f"makes codes of {kind.name}; only integers are supported")
    return kind


def _bounds(call: Call, low: int, high: int) -> tuple[int, int]:
    """What is left of a range after a Clip."""
    below, above = max(low, _bound(call, 1, low)), min(high, _bound(call, 2, high))
    if below > above:
        raise Problem(f"clips between {below} and {above}")
    return below, above


def _bound(call: Call, index: int, default: int) -> int:
    if call.operand(index) is None:
        return default
    bound = call.known(index, "bound")
    if bound.size != 1 or not is_integer(bound):
        raise Problem("clips integers with something else than one integer")
    return int(bound.reshape(-1)[0])


def _along(values: npt.NDArray[_Number], tensor: Array, axis: int) -> npt.NDArray[_Number]:
    """Values in a shape that broadcasts to a tensor: one for all, or one for each index of an axis."""
    if values.size == 1:
        return values.reshape(())
    if not -tensor.ndim <= axis < tensor.ndim or values.shape != (tensor.shape[axis],):
        raise Problem(f"has steps or zero points of {spell(values.shape)} for a tensor of {spell(tensor.shape)}")
    shape = [1] * tensor.ndim
    shape[axis] = -1
    return values.reshape(shape)


HANDLERS: dict[str, Handler] = {"QuantizeLinear": quantize, "DequantizeLinear": dequantize, "Clip": clip}
