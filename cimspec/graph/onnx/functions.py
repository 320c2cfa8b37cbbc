"""Functions of each value, softmax, and operators that do nothing to the values of a trained network."""

import math

import numpy as np

from cimspec.graph.layer import Add, Clip, Elementwise, Function, Relu, Softmax
from cimspec.graph.onnx import patterns
from cimspec.graph.onnx.call import Call, Handler
from cimspec.graph.onnx.node import Problem
from cimspec.graph.onnx.value import Known, Moving, Value

LARGEST = float(np.finfo(np.float32).max)
FLOATS = (1, 10, 11, 16)  # float32, float16, double, bfloat16 in ONNX's TensorProto.DataType


def relu(call: Call) -> Moving:
    """Relu."""
    return call.builder.same_shape(Relu(), call.moving(0), call.origin())


def clip(call: Call) -> Moving:
    """Clip; its bounds are attributes or inputs."""
    node, source = call.node, call.moving(0)
    low = _bound(call.scalar(1, "minimum", node.real("min", -math.inf)))
    high = _bound(call.scalar(2, "maximum", node.real("max", math.inf)))
    if math.isnan(low) or math.isnan(high) or low > high:
        raise Problem(f"clips between {low:g} and {high:g}")
    found = patterns.clipped(call.builder, source, low, high, node)
    if found:
        return found
    op = Relu() if (low, high) == (0, math.inf) else Clip(low, high)
    return call.builder.same_shape(op, source, call.origin())


def _bound(value: float) -> float:
    """The largest float32 stands for no bound."""
    return math.copysign(math.inf, value) if abs(value) >= LARGEST else value


def leaky_relu(call: Call) -> Moving:
    """LeakyRelu and PRelu: `slope * x + (1 - slope) * relu(x)`."""
    builder, node, source = call.builder, call.node, call.moving(0)
    alpha = Known(np.array(node.real("alpha", 0.01), np.float32), node.name)
    slope = call.named(1, "slope") if node.op == "PRelu" else alpha
    positive = builder.same_shape(Relu(), source, call.origin(kind="relu"))
    rest = Known(1 - slope.real(), slope.name)
    return builder.combine(
        Add(), builder.affine(source, slope, None, node), builder.affine(positive, rest, None, node), node
    )


def gelu(call: Call) -> Moving:
    """Gelu, exact or by tanh."""
    form = call.node.text("approximate", "none")
    if form not in ("none", "tanh"):
        raise Problem(f"`approximate` is `{form}`; `none` and `tanh` are supported")
    return call.builder.same_shape(
        Elementwise(Function.GELU if form == "none" else Function.GELU_TANH), call.moving(0), call.origin()
    )


def hard_sigmoid(call: Call) -> Moving:
    """HardSigmoid: `clip(alpha * x + beta, 0, 1)`."""
    builder, node = call.builder, call.node
    line = builder.scaled(call.moving(0), node.real("alpha", 0.2), node.real("beta", 0.5), node)
    return patterns.clipped(builder, line, 0.0, 1.0, node) or builder.same_shape(Clip(0.0, 1.0), line, call.origin())


def swish(call: Call) -> Moving:
    """Swish: `x * sigmoid(alpha * x)`, for an alpha of 1."""
    alpha = call.node.real("alpha", 1.0)
    if alpha != 1:
        raise Problem(f"`alpha` is {alpha:g}; only 1 is supported")
    return call.builder.same_shape(Elementwise(Function.SILU), call.moving(0), call.origin())


def softmax(call: Call) -> Moving:
    """Softmax; before operator set 13 over all axes from the given one, taken together."""
    builder, node, source = call.builder, call.node, call.moving(0)
    axis = source.checked(node.whole("axis", -1 if node.opset >= 13 else 1))
    together = [each for each in range(axis, source.rank) if source.shape[each] > 1]
    if node.opset >= 13 or len(together) <= 1:
        along = axis if node.opset >= 13 else (together or [axis])[0]
        return builder.same_shape(Softmax(source.axis(along)), source, call.origin())
    source.axis(axis)
    flat = builder.reshape(source, (*source.shape[:axis], math.prod(source.shape[axis:])), node)
    made = builder.same_shape(Softmax(flat.axis(axis)), flat, call.origin())
    return builder.reshape(made, source.shape, node)


def cast(call: Call) -> Value:
    """Cast between kinds of float numbers."""
    if call.node.whole("to", 0) not in FLOATS:
        raise Problem("turns an activation into something else than float numbers")
    return call.moving(0)


def dropout(call: Call) -> Value:
    """Dropout of a network that is not in training."""
    if call.scalar(2, "training mode", 0.0):
        raise Problem("drops values, as in training", help="export the model after `model.eval()`")
    return call.moving(0)


def identity(call: Call) -> Value:
    """Identity, of whatever it is given."""
    value = call.operand(0)
    return call.moving(0) if value is None else value


def _elementwise(function: Function) -> Handler:
    op = Elementwise(function)
    return lambda call: call.builder.same_shape(op, call.moving(0), call.origin())


HANDLERS: dict[str, Handler] = {
    "Relu": relu,
    "Clip": clip,
    "LeakyRelu": leaky_relu,
    "PRelu": leaky_relu,
    "Sigmoid": _elementwise(Function.SIGMOID),
    "Tanh": _elementwise(Function.TANH),
    "Erf": _elementwise(Function.ERF),
    "Gelu": gelu,
    "HardSigmoid": hard_sigmoid,
    "HardSwish": _elementwise(Function.HARD_SWISH),
    "Swish": swish,
    "Softmax": softmax,
    "Cast": cast,
    "Dropout": dropout,
    "Identity": identity,
}
