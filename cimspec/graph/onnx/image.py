"""Operators on images: convolution, pooling, and normalization over a batch or over channels."""

import math
from dataclasses import replace

import numpy as np

from cimspec.graph.layer import AvgPool, BatchNorm, Conv2d, GlobalAvgPool, LocalResponseNorm, MaxPool
from cimspec.graph.onnx.call import Call, Handler
from cimspec.graph.onnx.node import Problem, Real
from cimspec.graph.onnx.value import Moving, Padded, spell
from cimspec.graph.onnx.windows import kernel_of, window_of
from cimspec.graph.window import Sides, Window

BATCH_NORM_EPSILON = 1e-5
"""What layers of the graph add to the variance."""


def conv(call: Call) -> Moving:
    """Conv, with the zeros that a Pad before it puts around the image."""
    call, around = _unpadded(call)
    source, channels, height, width = call.image()
    weight = call.real(1, "weight")
    if weight.ndim != 4 or 0 in weight.shape:
        raise Problem(f"its weight is a tensor of {spell(weight.shape)}; only images have convolutions here")
    outputs, per_group, *kernel = weight.shape
    groups = call.node.whole("group", 1)
    if groups < 1 or per_group * groups != channels or outputs % groups:
        raise Problem(f"a weight of {spell(weight.shape)} in {groups} groups does not fit {channels} channels")
    if (call.node.wholes("kernel_shape") or tuple(kernel)) != tuple(kernel):
        raise Problem(f"`kernel_shape` is not that of its weight of {spell(weight.shape)}")
    window = window_of(call.node, (kernel[0], kernel[1]), (height, width), around)
    shape = (outputs, *window.count(height, width))
    bias: Real = np.zeros(outputs, np.float32)
    if call.operand(2) is not None:
        bias = _per_channel(call, 2, "bias", outputs)
    op = Conv2d(channels, outputs, window, groups)
    made = call.builder.emit(op, (source,), shape, call.origin(1, 2), {"weight": weight, "bias": bias})
    return Moving(made, (1, *shape))


def batch_normalization(call: Call) -> Moving:
    """BatchNormalization with its running statistics; another epsilon goes into gamma."""
    source = call.moving(0)
    if not source.is_batch(0) or source.rank < 2:
        raise Problem(f"reads {spell(source.shape)}, whose second axis is no channel")
    if call.node.flag("training_mode") or not call.node.flag("spatial", default=True):
        raise Problem("normalizes by the batch at hand, as in training", help="export the model after `model.eval()`")
    channels = source.inner[0]
    names = ("gamma", "beta", "mean", "variance")
    weights = {name: _per_channel(call, index, name, channels) for index, name in enumerate(names, start=1)}
    epsilon = call.node.real("epsilon", BATCH_NORM_EPSILON)
    variance = weights["variance"].astype(np.float64)
    if (variance + min(epsilon, BATCH_NORM_EPSILON) <= 0).any():
        raise Problem("its variance is not positive")
    if not math.isclose(epsilon, BATCH_NORM_EPSILON, rel_tol=1e-6):
        gamma = weights["gamma"] * np.sqrt((variance + BATCH_NORM_EPSILON) / (variance + epsilon))
        weights["gamma"] = gamma
    return call.builder.same_shape(BatchNorm(channels), source, call.origin(1, 2, 3), weights)


def max_pool(call: Call) -> Moving:
    """MaxPool."""
    source, channels, height, width = call.image()
    window = window_of(call.node, kernel_of(call.node), (height, width))
    _check_padding(window)
    shape = (channels, *window.count(height, width))
    return Moving(call.builder.emit(MaxPool(window), (source,), shape, call.origin()), (1, *shape))


def average_pool(call: Call) -> Moving:
    """AveragePool; `count_include_pad` counts what is padded, but never what windows hang over with `ceil_mode`."""
    node = call.node
    counts_padding = node.flag("count_include_pad")
    around: Sides = (0, 0, 0, 0)
    if isinstance(call.operand(0), Padded):
        call, around = _unpadded(call)
        if not counts_padding and node.wholes("pads"):
            raise Problem("pads an image that is padded already, and counts only one of both")
        counts_padding = True
    source, channels, height, width = call.image()
    window = window_of(node, kernel_of(node), (height, width), around)
    if window.dilation != (1, 1):
        raise Problem(f"`dilations` is {list(window.dilation)}, which mean pooling has not here")
    if counts_padding and node.flag("ceil_mode"):
        own = replace(node, attributes={**node.attributes, "ceil_mode": 0})
        counted = window_of(own, window.kernel, (height, width), around).padding
        if any(counted) and counted != window.padding:
            raise Problem("`ceil_mode` with `count_include_pad` counts some of the zeros around the image only")
        counts_padding = any(counted)
    _check_padding(window)
    shape = (channels, *window.count(height, width))
    op = AvgPool(window, counts_padding and any(window.padding))
    return Moving(call.builder.emit(op, (source,), shape, call.origin()), (1, *shape))


def global_average_pool(call: Call) -> Moving:
    """GlobalAveragePool: one value for each channel, in an image of 1 x 1."""
    source, channels, _, _ = call.image()
    pooled = Moving(call.builder.emit(GlobalAvgPool(), (source,), (channels,), call.origin()), (1, channels))
    return call.builder.reshape(pooled, (1, channels, 1, 1), call.node)


def global_max_pool(call: Call) -> Moving:
    """GlobalMaxPool: a window as large as the image."""
    source, channels, height, width = call.image()
    shape = (channels, 1, 1)
    op = MaxPool(Window((height, width)))
    return Moving(call.builder.emit(op, (source,), shape, call.origin()), (1, *shape))


def local_response(call: Call) -> Moving:
    """LRN."""
    source, *_ = call.image()
    node = call.node
    size = node.whole("size", 0)
    if size < 1:
        raise Problem(f"`size` is {size}; it counts channels, from 1")
    op = LocalResponseNorm(size, node.real("alpha", 1e-4), node.real("beta", 0.75), node.real("bias", 1.0))
    return call.builder.same_shape(op, source, call.origin())


def pad(call: Call) -> Padded | Moving:
    """Pad with zeros around an image, for the convolution or pooling that reads it."""
    source, *_ = call.image()
    sides = call.wholes_or_attribute(1, "pads") or ()
    if call.node.text("mode", "constant") != "constant":
        raise Problem(f"`mode` is `{call.node.text('mode', '')}`; only constant zeros are supported")
    if call.scalar(2, "value", call.node.real("value", 0.0)) != 0:
        raise Problem("pads with something else than zeros")
    if call.operand(3) is not None or len(sides) != 8:
        raise Problem("pads some axes only; write the padding of all axes")
    top, left, bottom, right = sides[2], sides[3], sides[6], sides[7]
    if any((sides[0], sides[1], sides[4], sides[5])) or min(sides) < 0:
        raise Problem(f"`pads` is {list(sides)}; only height and width can grow")
    return Padded(source, (top, left, bottom, right)) if any(sides) else source


def _unpadded(call: Call) -> tuple[Call, Sides]:
    """The call with the image itself, and the zeros around it."""
    first = call.operand(0)
    if not isinstance(first, Padded):
        return call, (0, 0, 0, 0)
    return replace(call, operands=(first.of, *call.operands[1:])), first.sides


def _per_channel(call: Call, index: int, what: str, channels: int) -> Real:
    array = call.real(index, what)
    if array.shape != (channels,):
        raise Problem(f"its {what} is a tensor of {spell(array.shape)} for {channels} channels")
    return array


def _check_padding(window: Window) -> None:
    """No window may lie outside of the image altogether."""
    top, left, bottom, right = window.padding
    if max(top, bottom) >= window.span[0] or max(left, right) >= window.span[1]:
        raise Problem(f"pads {', '.join(map(str, window.padding))}, no less than its windows are large")


HANDLERS: dict[str, Handler] = {
    "Conv": conv,
    "BatchNormalization": batch_normalization,
    "MaxPool": max_pool,
    "AveragePool": average_pool,
    "GlobalAveragePool": global_average_pool,
    "GlobalMaxPool": global_max_pool,
    "LRN": local_response,
    "Pad": pad,
}
