"""Networks from ONNX files: layers, shapes and weights, for one image at a time.

reader.py takes a file apart, walk.py turns its nodes into layers with the handlers of each operator, passes.py tidies
up what comes out. Needs the package `onnx`, which is loaded when a file is.
"""

from cimspec.graph.onnx.load import Weights, load_onnx, load_onnx_bytes

__all__ = ["Weights", "load_onnx", "load_onnx_bytes"]
