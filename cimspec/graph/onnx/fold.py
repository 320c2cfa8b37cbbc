"""Computes nodes that do not depend on the input, with onnx's own reference implementation.

Only operators of a closed list are computed: none that loops, draws random numbers, runs a graph of its own, or takes
more than a few operations for each value. What a result takes is known before it is computed, and bounded.
"""

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cimspec.graph.onnx.node import Array, Node, Problem
from cimspec.graph.onnx.value import Known, spell

if TYPE_CHECKING:
    import onnx

# fmt: off
FOLDABLE = frozenset(
    {
        "Abs", "Add", "And", "Cast", "CastLike", "Ceil", "Clip", "Concat", "Constant", "ConstantOfShape",
        "Div", "Equal", "Exp", "Expand", "Flatten", "Floor", "Gather", "Greater", "GreaterOrEqual",
        "Identity", "Less", "LessOrEqual", "Log", "Max", "Mean", "Min", "Mod", "Mul", "Neg", "Not", "Or",
        "Pad", "Pow", "Range", "Reciprocal", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd",
        "ReduceSum", "Relu", "Reshape", "Round", "Shape", "Sigmoid", "Sign", "Size", "Slice", "Split", "Sqrt",
        "Squeeze", "Sub", "Sum", "Tanh", "Tile", "Transpose", "Trilu", "Unsqueeze", "Where", "Xor",
    }
)
# fmt: on
RENAMING = frozenset({"Cast", "Expand", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"})
"""What these make of a tensor of the file is told, and layers are called, by that tensor's name."""

MAX_COMPUTED_BYTES = 1 << 30
"""Of all computed constants together, beyond four times what the file stores: 9 KB must not fill a memory."""

MAX_LISTED = 4096
"""Values of a constant that shapes may follow from: sizes, axes, indices."""


@dataclass(slots=True)
class Folder:
    """Computes constants within a budget."""

    budget: int  # bytes that may still be computed

    def fold(self, node: Node, operands: tuple[Known | None, ...]) -> tuple[Known, ...]:
        """The outputs of a node of constants. Raises `Problem`: CIM430 if they are too large."""
        shapes = _output_shapes(node, operands)
        size = sum(math.prod(shape) * itemsize for shape, itemsize in shapes)
        if size > self.budget:
            shape = max((shape for shape, _ in shapes), key=math.prod)
            raise Problem(
                f"computes a constant of {spell(shape)} values, which is more than the file can need",
                code="CIM430",
            )
        self.budget -= size
        results = _run(node, operands)
        first = operands[0] if operands else None
        if node.op in RENAMING and first:
            return (Known(results[0], first.name),)
        return tuple(Known(array, name) for array, name in zip(results, node.outputs, strict=True))


def _output_shapes(node: Node, operands: tuple[Known | None, ...]) -> list[tuple[tuple[int, ...], int]]:
    """Shape and bytes of one value of every output; sizes that depend on values are found by onnx too."""
    import onnx
    from onnx import helper, numpy_helper

    types, data = {}, {}
    for name, operand in zip(node.inputs, operands, strict=True):
        if operand is not None:
            array = operand.array
            types[name] = helper.make_tensor_type_proto(helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
            if array.size <= MAX_LISTED:
                data[name] = numpy_helper.from_array(array, name)
    try:
        schema = onnx.defs.get_schema(node.op, node.opset)
        opset = helper.make_opsetid("", node.opset)
        inferred = onnx.shape_inference.infer_node_outputs(schema, _as_proto(node), types, data, opset_imports=[opset])
        found = [inferred[name].tensor_type for name in node.outputs]
        dtypes = [helper.tensor_dtype_to_np_dtype(each.elem_type) for each in found]
    except Exception as error:  # onnx raises what it likes on a wrong node
        raise Problem(f"cannot be computed: {_first_line(error)}") from None
    if not all(dim.HasField("dim_value") for each in found for dim in each.shape.dim):
        raise Problem("computes a constant whose size is not known before")
    if any(dtype.hasobject for dtype in dtypes):
        raise Problem("computes a text")
    shapes = (tuple(dim.dim_value for dim in each.shape.dim) for each in found)
    return [(shape, dtype.itemsize) for shape, dtype in zip(shapes, dtypes, strict=True)]


def _run(node: Node, operands: tuple[Known | None, ...]) -> list[Array]:
    """The values of every output."""
    from onnx import TensorProto, helper
    from onnx.reference import ReferenceEvaluator

    feeds = {name: known.array for name, known in zip(node.inputs, operands, strict=True) if known is not None}
    inputs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in feeds.items()
    ]
    outputs = [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in node.outputs]
    graph = helper.make_graph([_as_proto(node)], "constant", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", node.opset)])
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results = ReferenceEvaluator(model).run(None, feeds)
    except Exception as error:  # onnx raises what it likes on a wrong node
        raise Problem(f"cannot be computed: {_first_line(error)}") from None
    return [np.asarray(result) for result in results]


def _as_proto(node: Node) -> "onnx.NodeProto":
    from onnx import helper, numpy_helper

    attributes: Mapping[str, Any] = {
        name: numpy_helper.from_array(value) if isinstance(value, np.ndarray) else value
        for name, value in node.attributes.items()
    }
    return helper.make_node(node.op, node.inputs, node.outputs, **attributes)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
