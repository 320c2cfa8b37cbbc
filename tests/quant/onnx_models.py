"""Small ONNX models, what onnxruntime makes of them, and the integer network held against that, code by code."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from cimspec.quant.apply import apply_vector, matmul, real_values
from cimspec.quant.integer import IntegerNetwork, integer_network
from cimspec.quant.lower import OUTPUT
from cimspec.quant.onnx_import import QuantizedModel, load_quantized
from cimspec.quant.ops import AddCodes, Codes, MatMul, Requantize, code_type, scale_name, sources

node = helper.make_node


def model(nodes, shape, stored, opset=17) -> onnx.ModelProto:
    """A model that reads `x`, any number of images; its output is that of the last node."""
    tensors = [numpy_helper.from_array(np.asarray(array), name) for name, array in stored.items()]
    source = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", *shape])
    result = helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "test", [source], [result], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


def stored(proto: onnx.ModelProto, name: str) -> np.ndarray:
    """A tensor that is part of a model."""
    (tensor,) = (tensor for tensor in proto.graph.initializer if tensor.name == name)
    return numpy_helper.to_array(tensor)


def weights_of(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Random weights, outputs along the first axis."""
    return (rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)


def load(proto: onnx.ModelProto, folder: Path, **options) -> QuantizedModel:
    """A model as it is quantized."""
    path = folder / "net.onnx"
    path.write_bytes(proto.SerializeToString())
    found = load_quantized(path, **options)
    assert found is not None
    return found


def outputs(found: QuantizedModel, images: np.ndarray) -> np.ndarray:
    """What its integer network makes of images."""
    return integer_network(found.graph, found.parameters).run(images)


def run_onnx(
    model: onnx.ModelProto, images: np.ndarray, wanted: tuple[str, ...] = (), *, optimized: bool = False
) -> dict[str, np.ndarray]:
    """The outputs of a model, by name, and those of the tensors `wanted`.

    Optimized, onnxruntime computes with integers where it can; it is told not to let sums of two products of 8 by 8
    bits overflow 16 bits, which it otherwise does on machines without VNNI.
    """
    known = {output.name for output in model.graph.output}
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    shown.graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted if name not in known)
    options = onnxruntime.SessionOptions()
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_ENABLE_ALL if optimized else levels.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(shown.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    results = session.run(names, {session.get_inputs()[0].name: images.astype(np.float32)})
    return dict(zip(names, results, strict=True))


def code_tensors(network: IntegerNetwork) -> dict[str, str]:
    """Tensors of codes as an exported model calls them, and as the integer network does."""
    found = {}
    for op in network.ops:
        if isinstance(op, MatMul):
            read = (op.src, op.weights) if op.moving else (op.src,)
            found |= {name if name in _made(network) else _start(name): name for name in read}
        elif isinstance(op, AddCodes):
            found[f"{op.dst}.codes"] = op.dst
    return found


def _made(network: IntegerNetwork) -> set[str]:
    return {op.dst for op in network.ops if isinstance(op, Requantize)}


def _start(name: str) -> str:
    """`c2.codes.p1` -> `c2.codes`: the same codes before they were pooled."""
    return ".".join(name.split(".")[:2])


@dataclass(frozen=True)
class Replay:
    """What the integer network makes of the codes that another implementation has found."""

    outputs: np.ndarray
    codes: int  # compared
    differing: int
    farthest: float  # of differing codes from the tie between the two, in codes
    jumps: int  # codes that differ by more than one


def replay(network: IntegerNetwork, images: np.ndarray, found: dict[str, np.ndarray]) -> Replay:
    """Run the integer network, and wherever it has made codes, compare and go on with those `found`.

    So each code is judged by itself: the exact value before rounding follows from codes that both agree on.
    """
    names = {inner: outer for outer, inner in code_tensors(network).items()}
    tensors, exact = {network.input: np.asarray(images, np.float64)}, {}
    total = differing = jumps = 0
    farthest = 0.0
    limits: dict[str, Codes] = {}
    for op in network.ops:
        if isinstance(op, MatMul):
            weights = tensors[op.weights] if op.moving else network.constants[op.weights]
            tensors[op.dst] = matmul(op, tensors[op.src], weights, network.constants[op.bias] if op.bias else None)
            continue
        tensors[op.dst] = apply_vector(op, tensors, network.constants)
        if isinstance(op, Requantize | AddCodes):
            step = network.constants[scale_name(op.dst)]
            values = [real_values(name, tensors, network.constants) for name in sources(op)]
            if len(values) == 2:
                axes = max(value.ndim for value in values)
                values = [v.reshape(len(v), *(1,) * (axes - v.ndim), *v.shape[1:]) for v in values]
            exact[op.dst], limits[op.dst] = sum(values) / step, op.codes
        elif sources(op) and sources(op)[0] in exact and tensors[op.dst].dtype.kind == "i":
            source = sources(op)[0]
            exact[op.dst], limits[op.dst] = apply_vector(op, {source: exact[source]}, {}), limits[source]
        if op.dst in names:
            mine, theirs = tensors[op.dst], found[names[op.dst]].astype(np.int64)
            mine, theirs = np.broadcast_arrays(mine, theirs)
            where = mine != theirs
            total, differing = total + mine.size, differing + int(where.sum())
            jumps += int((np.abs(mine - theirs) > 1).sum())
            ties = (mine[where] + theirs[where]) / 2
            value = np.broadcast_to(exact[op.dst], mine.shape)[where]
            farthest = max(farthest, float(np.abs(value - ties).max(initial=0)))
            tensors[op.dst] = theirs.astype(code_type(limits[op.dst]))
    return Replay(tensors[OUTPUT], total, differing, farthest, jumps)
