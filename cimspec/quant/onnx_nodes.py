"""Collects the nodes and the stored tensors of an ONNX model, and writes models to files.

Operator set 20 has GELU and layer normalization as operators; onnxruntime reads it since 1.17, early in 2024.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cimspec.diag import fail
from cimspec.graph.layer import Shape
from cimspec.quant.ops import Array, Codes
from cimspec.quant.parameters import FloatArray

if TYPE_CHECKING:
    import onnx

OPSET = 20
IR_VERSION = 9  # the oldest that goes with it

Attribute = int | float | str | Sequence[int]


def has_onnx() -> bool:
    """Whether the package `onnx` is installed."""
    return find_spec("onnx") is not None


def require_onnx(what: str) -> None:
    """Raise `CimError` (CIM902) if the package `onnx` is missing, which `what` needs."""
    if not has_onnx():
        fail("CIM902", f"{what} needs the package `onnx`, which is not installed", help="pip install 'cimspec[onnx]'")


@dataclass(slots=True)
class Nodes:
    """The nodes of a graph so far, and the tensors that are stored with it, by their names."""

    nodes: "list[onnx.NodeProto]" = field(default_factory=list)
    stored: "dict[str, onnx.TensorProto]" = field(default_factory=dict)

    def store(self, name: str, value: Array | np.generic) -> str:
        """A tensor that is part of the file; its name."""
        from onnx import numpy_helper

        self.stored[name] = numpy_helper.from_array(np.asarray(value, order="C"), name)
        return name

    def node(self, operator: str, inputs: Sequence[str], output: str, **attributes: Attribute) -> str:
        """A node that is called like what it makes; the name of that."""
        from onnx import helper

        node = helper.make_node(operator, inputs, [output], name=output)
        node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
        self.nodes.append(node)
        return output

    def coded(self, source: str, name: str, codes: Codes, scale: float, output: str) -> str:
        """`source` rounded to codes, called `name`, and taken back to real values: QuantizeLinear, Clip, Dequantize."""
        kind = np.int8 if codes.signed else np.uint8
        step = self.store(f"{name}.scale", np.float32(scale)), self.store(f"{name}.zero_point", kind(0))
        bounds = np.iinfo(kind)
        if (bounds.min, bounds.max) == (codes.low, codes.high):
            self.node("QuantizeLinear", (source, *step), name)
        else:
            wide = self.node("QuantizeLinear", (source, *step), f"{name}.wide")
            self.clip(wide, name, codes, kind)
        return self.node("DequantizeLinear", (name, *step), output)

    def clip(self, source: str, name: str, codes: Codes, kind: type[np.integer]) -> str:
        """Integers within the range of `codes`."""
        bounds = self.store(f"{name}.low", kind(codes.low)), self.store(f"{name}.high", kind(codes.high))
        return self.node("Clip", (source, *bounds), name)

    def stored_codes(self, name: str, array: Array, bits: int, scale: FloatArray, axis: int, output: str) -> str:
        """Signed codes that are part of the file, as real values: one step for each index of `axis`.

        Where they have fewer than 8 bits, a Clip says so: it changes no value.
        """
        codes = Codes(bits, True)
        source = self.store(name, array.astype(np.int8))
        if bits < 8:
            source = self.clip(source, f"{name}.clipped", codes, np.int8)
        step = self.store(f"{name}.scale", scale.astype(np.float32))
        zero = self.store(f"{name}.zero_point", np.zeros(len(scale), np.int8))
        return self.node("DequantizeLinear", (source, step, zero), output, axis=axis)

    def model(self, name: str, source: tuple[str, Shape], result: tuple[str, Shape], text: str) -> "onnx.ModelProto":
        """The model of all nodes, which reads one tensor and makes one, of any number of images."""
        from onnx import TensorProto, helper

        ends = [
            helper.make_tensor_value_info(end, TensorProto.FLOAT, ["batch", *shape]) for end, shape in (source, result)
        ]
        graph = helper.make_graph(self.nodes, name, ends[:1], ends[1:], list(self.stored.values()))
        return helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="cimspec",
            producer_version=version("cimspec"),
            doc_string=text,
        )


def save_onnx(model: "onnx.ModelProto", path: Path) -> Path:
    """Write a model to `path`: to a file beside it first, so that what has the name is complete."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_bytes(model.SerializeToString())
    return partial.replace(path)
