"""Arithmetic, value by value: with constants an affine layer, of two activations a sum or a product.

Mean, deviation and division by it are put together to layer normalization on the way.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import reduce

import numpy as np

from cimspec.graph.layer import Add, LayerNorm, Multiply
from cimspec.graph.onnx import patterns
from cimspec.graph.onnx.builder import Builder, Origin
from cimspec.graph.onnx.call import Call, Handler, as_moving
from cimspec.graph.onnx.node import Node, Problem, Real
from cimspec.graph.onnx.value import (
    Centered,
    Deviation,
    Known,
    Moving,
    RowMean,
    SquaredCentered,
    Value,
    Variance,
    known_scalar,
    spell,
)


def add(builder: Builder, a: Value | None, b: Value | None, node: Node) -> Value:
    """`a + b`."""
    match a, b:
        case (Variance(of, epsilon), Known() as more) | (Known() as more, Variance(of, epsilon)):
            return Variance(of, epsilon + known_scalar(more, "epsilon"))
        case (Known() as constant, other) | (other, Known() as constant):
            return builder.affine(as_moving(builder, other, node), None, constant, node)
        case _:
            return builder.combine(Add(), as_moving(builder, a, node), as_moving(builder, b, node), node)


def subtract(builder: Builder, a: Value | None, b: Value | None, node: Node) -> Value:
    """`a - b`."""
    match a, b:
        case Moving(), RowMean(of) if a == of:
            return Centered(of)
        case _, Known():
            return builder.affine(as_moving(builder, a, node), None, _negated(b), node)
        case Known(), _:
            minus = Known(np.array(-1.0), node.name)
            return builder.affine(as_moving(builder, b, node), minus, a, node)
        case _:
            other = builder.scaled(as_moving(builder, b, node), -1.0, 0.0, node)
            return builder.combine(Add(), as_moving(builder, a, node), other, node)


def multiply(builder: Builder, a: Value | None, b: Value | None, node: Node) -> Value:
    """`a * b`."""
    match a, b:
        case (Centered(of), Deviation(same, epsilon, True)) | (Deviation(same, epsilon, True), Centered(of)):
            return _normalized(builder, of, same, epsilon, node)
        case Centered(of), Centered(same) if of == same:
            return SquaredCentered(of)
        case (Known() as constant, other) | (other, Known() as constant):
            return builder.affine(as_moving(builder, other, node), constant, None, node)
        case _:
            left, right = as_moving(builder, a, node), as_moving(builder, b, node)
            found = patterns.product(builder, left, right, node)
            return found or builder.combine(Multiply(), left, right, node)


def divide(builder: Builder, a: Value | None, b: Value | None, node: Node) -> Value:
    """`a / b`, where `b` is a constant or what layer normalization divides by."""
    match a, b:
        case Centered(of), Deviation(same, epsilon, False):
            return _normalized(builder, of, same, epsilon, node)
        case Known(), Deviation(of, epsilon, False) if known_scalar(a, "dividend") == 1:
            return Deviation(of, epsilon, inverted=True)
        case _, Known(name=name) as constant:
            divisor = constant.real()
            if not np.all(divisor):
                raise Problem(f"divides by `{name}`, which holds zeros")
            with np.errstate(over="ignore"):
                inverse = Known(1 / divisor, name)
            return builder.affine(as_moving(builder, a, node), inverse, None, node)
        case _:
            raise Problem("divides by an activation")


def power(call: Call) -> Value:
    """Pow with a constant exponent: 1, 2, 3, and what layer normalization needs."""
    builder, node, base = call.builder, call.node, call.operand(0)
    exponent = call.scalar(1, "exponent", 1.0)
    match base, exponent:
        case Centered(of), 2.0:
            return SquaredCentered(of)
        case Variance(of, epsilon), 0.5 | -0.5:
            return Deviation(of, epsilon, inverted=exponent < 0)
        case _, 1.0:
            return call.moving(0)
        case _, 2.0 | 3.0:
            source = call.moving(0)
            square = builder.combine(Multiply(), source, source, node)
            return square if exponent == 2 else builder.combine(Multiply(), square, source, node)
        case _:
            raise Problem(f"raises to the power {exponent:g}; only 1, 2 and 3 are supported")


def root(call: Call) -> Value:
    """Sqrt of a variance."""
    match call.operand(0):
        case Variance(of, epsilon):
            return Deviation(of, epsilon)
        case _:
            raise Problem("takes the root of an activation; only that of a variance is supported")


def reciprocal(call: Call) -> Value:
    """Reciprocal of a deviation."""
    match call.operand(0):
        case Deviation(of, epsilon, False):
            return Deviation(of, epsilon, inverted=True)
        case _:
            raise Problem("divides by an activation")


def negate(call: Call) -> Value:
    """Neg."""
    return call.builder.scaled(call.moving(0), -1.0, 0.0, call.node)


def total(call: Call) -> Value:
    """Sum of any number of tensors."""
    if not call.operands:
        raise Problem("lacks an input")
    return reduce(
        lambda a, b: add(call.builder, a, b, call.node), call.operands[1:], call.operands[0] or call.moving(0)
    )


def layer_normalization(call: Call) -> Moving:
    """LayerNormalization over the last axis."""
    source = call.moving(0)
    last = source.axis(source.rank - 1)
    features = source.shape[-1]
    if source.checked(call.node.whole("axis", -1)) != source.rank - 1:
        raise Problem(f"normalizes {spell(source.shape)} over several axes; only the last one alone is supported")
    gamma = call.named(1, "scale")
    weights = {"gamma": _per_feature(gamma, features), "beta": np.zeros(features, np.float32)}
    if call.operand(2) is not None:
        weights["beta"] = _per_feature(call.named(2, "bias"), features)
    op = LayerNorm(source.inner[last], call.node.real("epsilon", 1e-5))
    return call.builder.same_shape(op, source, call.origin(1, 2), weights)


def _per_feature(known: Known, features: int) -> Real:
    array = known.real()
    if array.size != features or array.shape[-1] != features:
        raise Problem(f"the tensor `{known.name}` of {spell(array.shape)} does not fit {features} features")
    return array.reshape(-1)


def _normalized(builder: Builder, of: Moving, same: Moving, epsilon: float, node: Node) -> Moving:
    """`(x - mean) / sqrt(variance + epsilon)`."""
    if of != same:
        raise Problem("divides one activation by the deviation of another")
    features = of.shape[-1]
    weights = {"gamma": np.ones(features, np.float32), "beta": np.zeros(features, np.float32)}
    return builder.same_shape(LayerNorm(features, epsilon), of, Origin(node, "norm"), weights)


def _negated(known: Known) -> Known:
    return replace(known, array=-known.real())


def _binary(function: Callable[[Builder, Value | None, Value | None, Node], Value]) -> Handler:
    return lambda call: function(call.builder, call.operand(0), call.operand(1), call.node)


HANDLERS: dict[str, Handler] = {
    "Add": _binary(add),
    "Sub": _binary(subtract),
    "Mul": _binary(multiply),
    "Div": _binary(divide),
    "Neg": negate,
    "Pow": power,
    "Sqrt": root,
    "Reciprocal": reciprocal,
    "Sum": total,
    "LayerNormalization": layer_normalization,
}
