"""Matrix products: with stored weights a linear layer, of two activations a product."""

from dataclasses import replace

import numpy as np

from cimspec.graph.layer import Linear, Product
from cimspec.graph.onnx.arithmetic import add
from cimspec.graph.onnx.builder import Builder, Origin
from cimspec.graph.onnx.call import Call, Handler, as_moving
from cimspec.graph.onnx.node import Node, Problem
from cimspec.graph.onnx.value import Known, Moving, Value, mixes_batch, spell


def matmul(call: Call) -> Moving:
    """MatMul."""
    return product(call.builder, call.operand(0), call.operand(1), call.node)


def gemm(call: Call) -> Value:
    """Gemm: `alpha * A @ B + beta * C`, A and B perhaps transposed."""
    builder, node = call.builder, call.node
    left, right = _transposed(call, 0, "transA"), _transposed(call, 1, "transB")
    alpha, beta = node.real("alpha", 1.0), node.real("beta", 1.0)
    result = product(builder, left, right, node)
    if alpha != 1:
        result = builder.scaled(result, alpha, 0.0, node)
    third = call.operand(2)
    if third is None or beta == 0:
        return result
    if isinstance(third, Known):
        third = Known(third.real() * np.float32(beta), third.name)
    elif beta != 1:
        third = builder.scaled(as_moving(builder, third, node), beta, 0.0, node)
    return add(builder, result, third, node)


def product(builder: Builder, a: Value | None, b: Value | None, node: Node) -> Moving:
    """`a @ b`, as MatMul has it."""
    match a, b:
        case Known(), Known():
            raise Problem("multiplies two constants")
        case _, Known() if b.array.ndim <= 2:
            return _times_matrix(builder, as_moving(builder, a, node), b, node)
        case Known(), _ if a.array.ndim == 2:
            right = as_moving(builder, b, node)
            turned = _times_matrix(builder, _turned(builder, right, node), Known(a.array.T, a.name), node)
            return _turned(builder, turned, node)
        case Known(), _:
            right = as_moving(builder, b, node)
            return _of_two(builder, builder.constant(a, right, node), right, node)
        case _, Known():
            left = as_moving(builder, a, node)
            return _of_two(builder, left, builder.constant(b, left, node), node)
        case _:
            return _of_two(builder, as_moving(builder, a, node), as_moving(builder, b, node), node)


def _times_matrix(builder: Builder, source: Moving, matrix: Known, node: Node) -> Moving:
    """`source @ matrix`, where the matrix may be a vector."""
    weight = matrix.real()
    is_vector = weight.ndim == 1
    if is_vector:
        weight = weight[:, None]
    if weight.ndim != 2 or source.rank < 1 or source.is_batch(-1):
        raise mixes_batch(f"multiplies {spell(source.shape)} by {spell(matrix.array.shape)} along the batch")
    if source.shape[-1] != weight.shape[0]:
        raise Problem(f"multiplies {spell(source.shape)} by {spell(matrix.array.shape)}, which do not fit")
    inputs, outputs = weight.shape
    weights = {"weight": weight.T, "bias": np.zeros(outputs, np.float32)}
    origin = Origin(node, tensors=(matrix.name,))
    number = builder.emit(Linear(inputs, outputs), (source,), (*source.inner[:-1], outputs), origin, weights)
    result = replace(source, layer=number, shape=(*source.shape[:-1], outputs))
    return builder.reshape(result, result.shape[:-1], node) if is_vector else result


def _of_two(builder: Builder, a: Moving, b: Moving, node: Node) -> Moving:
    """The product of two activations, matrix by matrix."""
    a, b = builder.aligned(a, b, node)
    for each in (a, b):
        if each.rank < 2 or any(each.is_batch(axis) for axis in (-1, -2)):
            raise mixes_batch(f"multiplies {spell(a.shape)} by {spell(b.shape)} along the batch")
    if a.shape[-1] != b.shape[-2] or a.shape[:-2] != b.shape[:-2]:
        raise Problem(
            f"multiplies {spell(a.shape)} by {spell(b.shape)}; of two activations all axes but the last two must agree"
        )
    shape = (*a.shape[:-1], b.shape[-1])
    number = builder.emit(Product(), (a, b), (*a.inner[:-1], b.shape[-1]), Origin(node))
    return replace(a, layer=number, shape=shape)


def _turned(builder: Builder, source: Moving, node: Node) -> Moving:
    """`source` with its last two axes swapped."""
    if source.rank < 2:
        raise Problem(f"multiplies by {spell(source.shape)}, which is no matrix")
    *others, row, column = range(source.rank)
    return builder.transpose(source, (*others, column, row), node)


def _transposed(call: Call, index: int, attribute: str) -> Value | None:
    value = call.operand(index)
    if not call.node.flag(attribute):
        return value
    if isinstance(value, Known):
        return Known(value.array.T, value.name)
    return _turned(call.builder, call.moving(index), call.node)


HANDLERS: dict[str, Handler] = {"MatMul": matmul, "Gemm": gemm}
