"""What shape an operation makes of the shapes it reads, or why it cannot read them."""

from collections.abc import Sequence
from math import prod
from typing import assert_never

from cimspec.graph.layer import (
    Add,
    Affine,
    AvgPool,
    BatchNorm,
    Clip,
    Concat,
    Constant,
    Conv2d,
    Elementwise,
    GlobalAvgPool,
    Input,
    LayerNorm,
    Linear,
    LocalResponseNorm,
    MaxPool,
    MeanTokens,
    Multiply,
    Op,
    Product,
    Quantize,
    Relu,
    Reshape,
    Shape,
    Slice,
    Softmax,
    Transpose,
)
from cimspec.graph.window import Window


class DoesNotFitError(Exception):
    """A layer cannot read what it is given. The message says why, as it goes on after the layer's name."""


def output_shape(op: Op, inputs: Sequence[Shape], given: Shape | None = None) -> Shape:  # noqa: C901 (one case an op)
    """The shape of what `op` makes of `inputs`, as many as it reads.

    `given` is the shape of an `Input`, a `Constant` or a `Reshape`, which follows from nothing. Raises
    `DoesNotFitError`.
    """
    match op:
        case Input() | Constant():
            assert given is not None, "the shape of inputs and constants is given"
            return given
        case Reshape():
            assert given is not None, "the shape of a reshape is given"
            return _reshaped(inputs[0], given)
        case Conv2d():
            return _convolved(op, inputs[0])
        case Linear():
            _require(inputs[0][-1] == op.in_features, f"takes {op.in_features} features, not {inputs[0][-1]}")
            return (*inputs[0][:-1], op.out_features)
        case Product():
            return _multiplied_matrices(*inputs)
        case BatchNorm() | LayerNorm() | LocalResponseNorm():
            return _normalized(op, inputs[0])
        case Affine() | Relu() | Clip() | Elementwise() | Quantize():
            return inputs[0]
        case Softmax():
            check_axis(op.axis, inputs[0])
            return inputs[0]
        case MaxPool() | AvgPool():
            return _pooled(op.window, inputs[0])
        case GlobalAvgPool():
            return image_of(inputs[0])[:1]
        case MeanTokens():
            return sequence_of(inputs[0])[1:]
        case Add():
            return _broadcast("adds {} to {}", *inputs)
        case Multiply():
            return _broadcast("multiplies {} by {}", *inputs)
        case Concat():
            return _joined(op, inputs)
        case Slice():
            return _cut(op, inputs[0])
        case Transpose():
            order = sorted(op.axes) == list(range(len(inputs[0])))
            _require(order, f"has axes {list(op.axes)}, which are no order of those of {spell(inputs[0])}")
            return tuple(inputs[0][axis] for axis in op.axes)
        case _:
            assert_never(op)


def image_of(shape: Shape) -> tuple[int, int, int]:
    """Channels, height and width. Raises `DoesNotFitError` if it is no image."""
    if len(shape) != 3:
        raise DoesNotFitError(f"needs an image (channels x height x width), not {spell(shape)}")
    channels, height, width = shape
    return channels, height, width


def sequence_of(shape: Shape) -> tuple[int, int]:
    """Tokens and features. Raises `DoesNotFitError` if it is no sequence."""
    if len(shape) != 2:
        raise DoesNotFitError(f"needs a sequence (tokens x features), not {spell(shape)}")
    tokens, features = shape
    return tokens, features


def check_axis(axis: int, shape: Shape) -> None:
    """Raise `DoesNotFitError` if the shape has no such axis."""
    _require(axis < len(shape), f"has axis {axis}, the last of {spell(shape)} is {len(shape) - 1}")


def spell(*shapes: Shape) -> str:
    """Shapes as they are written: `3 x 8 x 8 and 10`."""
    return " and ".join(" x ".join(map(str, shape)) for shape in shapes)


def _require(fits: bool, why_not: str) -> None:
    if not fits:
        raise DoesNotFitError(why_not)


def _reshaped(shape: Shape, given: Shape) -> Shape:
    sizes = f"{spell(shape)} ({prod(shape)} values) into {spell(given)} ({prod(given)})"
    _require(prod(shape) == prod(given), f"cannot put {sizes}")
    return given


def _convolved(op: Conv2d, shape: Shape) -> Shape:
    channels, height, width = image_of(shape)
    _require(channels == op.in_channels, f"takes {op.in_channels} channels, not {channels}")
    for count, side in ((channels, "input"), (op.out_channels, "output")):
        _require(count % op.groups == 0, f"has {op.groups} groups, which do not divide its {count} {side} channels")
    return (op.out_channels, *_windows(op.window, height, width))


def _pooled(window: Window, shape: Shape) -> Shape:
    channels, height, width = image_of(shape)
    top, left, bottom, right = window.padding
    for padding, span in ((max(top, bottom), window.span[0]), (max(left, right), window.span[1])):
        _require(padding < span, f"pads {padding}, which leaves windows of {span} nothing but padding")
    return (channels, *_windows(window, height, width))


def _windows(window: Window, height: int, width: int) -> tuple[int, int]:
    """Number of windows down and across."""
    sides = zip(
        ("height", "width"), window.kernel, window.span, (height, width), window.padded(height, width), strict=True
    )
    for name, kernel, span, side, padded in sides:
        if span > padded:
            dilated = f", dilated to {span}" if span > kernel else ""
            around = f" padded to {padded}" if padded > side else ""
            raise DoesNotFitError(
                f"has a kernel of {kernel}{dilated}, larger than its input's {name} of {side}{around}"
            )
    return window.count(height, width)


def _multiplied_matrices(a: Shape, b: Shape) -> Shape:
    fits = len(a) == len(b) > 1 and a[:-2] == b[:-2] and a[-1] == b[-2]
    _require(fits, f"cannot multiply {spell(a)} by {spell(b)}: the first's last axis is the second's last but one")
    return (*a[:-1], b[-1])


def _normalized(op: BatchNorm | LayerNorm | LocalResponseNorm, shape: Shape) -> Shape:
    match op:
        case BatchNorm():
            _require(len(shape) in (1, 3), f"needs an image or a vector, not {spell(shape)}")
            _require(shape[0] == op.channels, f"takes {op.channels} channels, not {shape[0]}")
        case LayerNorm():
            _require(shape[-1] == op.features, f"takes {op.features} features, not {shape[-1]}")
        case LocalResponseNorm():
            image_of(shape)
        case _:
            assert_never(op)
    return shape


def _broadcast(words: str, a: Shape, b: Shape) -> Shape:
    """The shape of both, the shorter filled up in front, and extents of 1 repeated."""
    axes = max(len(a), len(b))
    pairs = list(zip((1,) * (axes - len(a)) + a, (1,) * (axes - len(b)) + b, strict=True))
    _require(all(first == second or 1 in (first, second) for first, second in pairs), words.format(spell(a), spell(b)))
    return tuple(map(max, pairs))


def _joined(op: Concat, shapes: Sequence[Shape]) -> Shape:
    first = shapes[0]
    check_axis(op.axis, first)
    before, after = first[: op.axis], first[op.axis + 1 :]
    for shape in shapes:
        fits = len(shape) == len(first) and shape[: op.axis] == before and shape[op.axis + 1 :] == after
        _require(fits, f"cannot join {spell(first)} and {spell(shape)} along axis {op.axis}")
    return (*before, sum(shape[op.axis] for shape in shapes), *after)


def _cut(op: Slice, shape: Shape) -> Shape:
    check_axis(op.axis, shape)
    fits = 0 <= op.start < op.stop <= shape[op.axis] and op.step > 0
    _require(fits, f"cannot take {op.start} to {op.stop - 1} of axis {op.axis} of {spell(shape)}")
    return (*shape[: op.axis], len(range(op.start, op.stop, op.step)), *shape[op.axis + 1 :])
