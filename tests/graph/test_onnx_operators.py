"""Every operator of an ONNX file does what onnxruntime does, on random tensors."""

import numpy as np
import pytest
from onnx import numpy_helper

from cimspec.graph.layer import Clip, Conv2d, Elementwise, Function, LayerNorm, Relu, Slice
from cimspec.graph.window import Window
from tests.graph.onnx_models import check, model, node, ops

RNG = np.random.default_rng(7)
OPERATORS = (7, 9, 11, 13, 17, 21)


def random(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


CONVOLUTIONS = [
    ((8, 3, 3, 3), {}),
    ((8, 3, 3, 3), {"pads": [1, 1, 1, 1], "strides": [2, 2]}),
    ((8, 3, 3, 2), {"pads": [0, 1, 2, 0], "strides": [1, 2]}),
    ((8, 3, 3, 3), {"dilations": [2, 3], "pads": [2, 3, 2, 3]}),
    ((6, 1, 3, 3), {"group": 3}),
    ((3, 1, 3, 3), {"group": 3, "pads": [1, 1, 1, 1]}),
    ((8, 3, 1, 1), {"strides": [2, 2]}),
    ((8, 3, 3, 3), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    ((8, 3, 4, 3), {"auto_pad": "SAME_LOWER", "strides": [2, 1]}),
    ((8, 3, 3, 3), {"auto_pad": "VALID"}),
]


@pytest.mark.parametrize(("weight", "attributes"), CONVOLUTIONS)
@pytest.mark.parametrize("has_bias", [False, True])
def test_convolutions(tmp_path, weight, attributes, has_bias):
    names = ["x", "w", "b"] if has_bias else ["x", "w"]
    constants = {"w": random(*weight), "b": random(weight[0])}
    graph = check(model([node("Conv", names, ["y"], **attributes)], (1, 3, 11, 10), constants), tmp_path)
    assert ops(graph) == ["Conv2d"]


def test_what_a_depthwise_convolution_becomes(tmp_path):
    proto = model(
        [node("Conv", ["x", "w"], ["y"], group=3, pads=[0, 1, 2, 3], strides=[2, 1], dilations=[1, 2])],
        (1, 3, 9, 9),
        {"w": random(6, 1, 3, 2)},
    )
    graph = check(proto, tmp_path)
    assert graph["y"].op == Conv2d(3, 6, Window((3, 2), (2, 1), (0, 1, 2, 3), (1, 2)), groups=3)
    assert graph["y"].shape == (6, (9 + 2 - 3) // 2 + 1, (9 + 4 - 3) + 1)  # a kernel of 2, dilated by 2, spans 3


@pytest.mark.parametrize("opset", OPERATORS)
@pytest.mark.parametrize("trans_b", [0, 1])
@pytest.mark.parametrize("bias", [None, (5,), (1, 5), (1,), ()])
def test_gemm(tmp_path, opset, trans_b, bias):
    if opset < 11 and bias is None:
        pytest.skip("older Gemm always has a third operand")
    names = ["x", "w"] if bias is None else ["x", "w", "c"]
    constants = {"w": random(5, 12) if trans_b else random(12, 5), "c": random(*(bias or ()))}
    proto = model([node("Gemm", names, ["y"], alpha=0.5, beta=1.5, transB=trans_b)], (1, 12), constants, opset)
    assert ops(check(proto, tmp_path)) == ["Linear"]


def test_gemm_of_a_transposed_vector(tmp_path):
    nodes = [node("Transpose", ["x"], ["t"]), node("Gemm", ["t", "w"], ["y"], transA=1, transB=1)]
    assert ops(check(model(nodes, (1, 12), {"w": random(5, 12)}), tmp_path)) == ["Linear"]


def test_gemm_of_two_activations(tmp_path):
    nodes = [
        node("MatMul", ["x", "w"], ["a"]),
        node("Squeeze", ["a", "zero"], ["a2"]),
        node("Squeeze", ["x", "zero"], ["x2"]),
        node("Gemm", ["a2", "x2", "x2"], ["y"], alpha=0.25, beta=2.0, transB=0),
    ]
    constants = {"w": random(6, 6), "zero": np.array([0])}
    assert "Product" in ops(check(model(nodes, (1, 6, 6), constants), tmp_path))


@pytest.mark.parametrize(("shape", "weight"), [((1, 12), (12, 5)), ((1, 7, 12), (12, 5)), ((1, 3, 7, 12), (12, 5))])
def test_matmul_with_weights_is_a_linear_layer(tmp_path, shape, weight):
    nodes = [node("MatMul", ["x", "w"], ["p"]), node("Add", ["b", "p"], ["y"])]
    graph = check(model(nodes, shape, {"w": random(*weight), "b": random(weight[1])}), tmp_path)
    assert ops(graph) == ["Linear"]  # the sum with a constant is its bias


def test_matmul_with_weights_on_the_left(tmp_path):
    graph = check(model([node("MatMul", ["w", "x"], ["y"])], (1, 12, 7), {"w": random(5, 12)}), tmp_path)
    assert ops(graph) == ["Transpose", "Linear", "Transpose"]


def test_matmul_with_a_vector(tmp_path):
    assert ops(check(model([node("MatMul", ["x", "w"], ["y"])], (1, 7, 12), {"w": random(12)}), tmp_path)) == [
        "Linear",
        "Reshape",
    ]


def test_matmul_of_two_activations_is_a_product(tmp_path):
    nodes = [node("Transpose", ["x"], ["t"], perm=[0, 1, 3, 2]), node("MatMul", ["x", "t"], ["y"])]
    assert ops(check(model(nodes, (1, 3, 7, 12)), tmp_path)) == ["Transpose", "Product"]


def test_matmul_with_one_matrix_for_each_head(tmp_path):
    for names in (["x", "w"], ["w", "x"]):
        graph = check(model([node("MatMul", names, ["y"])], (1, 3, 8, 8), {"w": random(1, 3, 8, 8)}), tmp_path)
        assert ops(graph) == ["Constant", "Product"]


@pytest.mark.parametrize("opset", OPERATORS)
@pytest.mark.parametrize("epsilon", [1e-5, 1e-3, 1e-7])
def test_batch_normalization(tmp_path, opset, epsilon):
    constants = {
        "w": random(8, 3, 3, 3),
        "g": random(8),
        "b": random(8),
        "m": random(8),
        "v": RNG.random(8).astype(np.float32) * 0.1,
    }
    names = ["g", "b", "m", "v"]
    nodes = [
        node("Conv", ["x", "w"], ["c"]),
        node("BatchNormalization", ["c", *names], ["n"], epsilon=epsilon),
        node("Relu", ["n"], ["y"]),
    ]
    assert ops(check(model(nodes, (1, 3, 6, 6), constants, opset), tmp_path)) == ["Conv2d", "BatchNorm", "Relu"]
    alone = model([node("BatchNormalization", ["x", *names], ["y"], epsilon=epsilon)], (1, 8), constants, opset)
    assert ops(check(alone, tmp_path)) == ["BatchNorm"]


POOLS = [
    {"kernel_shape": [2, 2], "strides": [2, 2]},
    {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
    {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [0, 1, 2, 0]},
    {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1},
    {"kernel_shape": [3, 3], "strides": [3, 3], "pads": [1, 1, 1, 1], "ceil_mode": 1},
    {"kernel_shape": [2, 2], "strides": [3, 3], "ceil_mode": 1},
    {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"},
    {"kernel_shape": [2, 2], "strides": [1, 1], "auto_pad": "SAME_LOWER"},
]


@pytest.mark.parametrize("attributes", [*POOLS, {"kernel_shape": [3, 3], "dilations": [2, 2], "pads": [1, 1, 1, 1]}])
@pytest.mark.parametrize("size", [8, 11, 12])
def test_max_pooling(tmp_path, attributes, size):
    assert ops(check(model([node("MaxPool", ["x"], ["y"], **attributes)], (1, 3, size, size)), tmp_path)) == ["MaxPool"]


@pytest.mark.parametrize("attributes", POOLS)
@pytest.mark.parametrize("size", [8, 11, 12])
@pytest.mark.parametrize("counts", [0, 1])
def test_average_pooling(tmp_path, attributes, size, counts):
    if counts and "ceil_mode" in attributes and "pads" in attributes:
        pytest.skip("not supported: see test_onnx_diagnostics.py")
    proto = model([node("AveragePool", ["x"], ["y"], count_include_pad=counts, **attributes)], (1, 3, size, size))
    assert ops(check(proto, tmp_path)) == ["AvgPool"]


def test_global_pooling(tmp_path):
    flat = [node("GlobalAveragePool", ["x"], ["g"]), node("Flatten", ["g"], ["y"])]
    assert ops(check(model(flat, (1, 3, 5, 7)), tmp_path)) == ["GlobalAvgPool"]
    assert ops(check(model(flat[:1], (1, 3, 5, 7)), tmp_path)) == ["GlobalAvgPool", "Reshape"]
    assert ops(check(model([node("GlobalMaxPool", ["x"], ["y"])], (1, 3, 5, 7)), tmp_path)) == ["MaxPool"]


@pytest.mark.parametrize(
    ("shape", "axes", "layers"),
    [
        ((1, 3, 5, 7), [2, 3], ["GlobalAvgPool"]),
        ((1, 3, 5, 7), [-1, -2], ["GlobalAvgPool"]),
        ((1, 5, 7, 3), [1, 2], ["Reshape", "MeanTokens"]),
        ((1, 9, 4), [1], ["MeanTokens"]),
        ((1, 9, 4), [2], ["Reshape", "GlobalAvgPool"]),
    ],
)
@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("opset", [13, 18])
def test_means(tmp_path, shape, axes, layers, keepdims, opset):
    inputs, attributes = (["x", "a"], {}) if opset >= 18 else (["x"], {"axes": axes})
    nodes = [node("ReduceMean", inputs, ["m"], keepdims=keepdims, **attributes), node("Sigmoid", ["m"], ["y"])]
    found = ops(check(model(nodes, shape, {"a": np.array(axes)}, opset), tmp_path))
    assert found == [*layers, *["Reshape"] * keepdims, "Elementwise"]


@pytest.mark.parametrize(
    "function", ["Relu", "Sigmoid", "Tanh", "Erf", "HardSigmoid", "HardSwish", "Softmax", "LeakyRelu", "Neg"]
)
def test_functions(tmp_path, function):
    check(model([node(function, ["x"], ["y"])], (1, 30)), tmp_path, scale=4)


def test_parametric_slopes(tmp_path):
    for slope in (random(4, 1, 1), random(1)):
        check(model([node("PRelu", ["x", "a"], ["y"])], (1, 4, 5, 5), {"a": slope}), tmp_path)
    check(model([node("LeakyRelu", ["x"], ["y"], alpha=0.3)], (1, 30)), tmp_path)


def test_the_hard_sigmoid_of_torch_is_one_function(tmp_path):
    graph = check(model([node("HardSigmoid", ["x"], ["y"], alpha=1 / 6, beta=0.5)], (1, 30)), tmp_path, scale=4)
    assert graph.output.op == Elementwise(Function.HARD_SIGMOID)
    assert ops(check(model([node("HardSigmoid", ["x"], ["y"])], (1, 30)), tmp_path, scale=4)) == ["Affine", "Clip"]


@pytest.mark.parametrize("form", ["none", "tanh"])
def test_gelu(tmp_path, form):
    check(model([node("Gelu", ["x"], ["y"], approximate=form)], (1, 30), opset=20), tmp_path, scale=3)


def test_clip_takes_its_bounds_from_attributes_or_inputs(tmp_path):
    old = model([node("Clip", ["x"], ["y"], min=0.0, max=6.0)], (1, 30), opset=10)
    assert check(old, tmp_path, scale=5).output.op == Clip(0.0, 6.0)
    bounds = {"low": np.float32(-1), "high": np.float32(2)}
    new = model([node("Clip", ["x", "low", "high"], ["y"])], (1, 30), bounds)
    assert check(new, tmp_path, scale=5).output.op == Clip(-1.0, 2.0)
    one = model([node("Clip", ["x", "", "high"], ["y"])], (1, 30), bounds)
    assert check(one, tmp_path, scale=5).output.op == Clip(-np.inf, 2.0)
    relu = model([node("Clip", ["x", "low"], ["y"])], (1, 30), {"low": np.float32(0)})
    assert check(relu, tmp_path, scale=5).output.op == Relu()


@pytest.mark.parametrize("opset", OPERATORS)
@pytest.mark.parametrize("shape", [(1, 10), (1, 10, 1, 1), (1, 4, 6), (1, 3, 4, 5)])
@pytest.mark.parametrize("attributes", [{}, {"axis": 1}, {"axis": -1}, {"axis": 2}])
def test_softmax_means_other_axes_before_operator_set_13(tmp_path, opset, shape, attributes):
    if attributes.get("axis") == 2 and len(shape) == 2:
        pytest.skip("no such axis")
    check(model([node("Softmax", ["x"], ["y"], **attributes)], shape, opset=opset), tmp_path)


@pytest.mark.parametrize("has_bias", [False, True])
def test_layer_normalization(tmp_path, has_bias):
    names = ["x", "g", "b"] if has_bias else ["x", "g"]
    nodes = [node("LayerNormalization", names, ["y"], epsilon=1e-3)]
    graph = check(model(nodes, (1, 5, 8), {"g": random(8), "b": random(8)}), tmp_path)
    assert graph.output.op == LayerNorm(8, pytest.approx(1e-3))


def test_local_response_normalization(tmp_path):
    for size in (1, 3, 5):
        attributes = {"size": size, "alpha": 0.3, "beta": 0.6, "bias": 2.0}
        check(model([node("LRN", ["x"], ["y"], **attributes)], (1, 8, 3, 3)), tmp_path)


CONSTANTS = {"number": random(1), "scalar": random(), "channels": random(4, 1, 1), "image": random(1, 4, 5, 5)}


@pytest.mark.parametrize("operator", ["Add", "Sub", "Mul", "Div"])
@pytest.mark.parametrize("constant", CONSTANTS)
def test_arithmetic_with_constants_is_affine(tmp_path, operator, constant):
    graph = check(model([node(operator, ["x", "c"], ["y"])], (1, 4, 5, 5), {"c": CONSTANTS[constant]}), tmp_path)
    assert ops(graph) == ["Affine"]
    if operator != "Div":
        check(model([node(operator, ["c", "x"], ["y"])], (1, 4, 5, 5), {"c": CONSTANTS[constant]}), tmp_path)


def test_arithmetic_with_a_constant_that_repeats_the_activation(tmp_path):
    for operator in ("Add", "Mul"):
        graph = check(model([node(operator, ["x", "c"], ["y"])], (1, 1, 6), {"c": random(1, 5, 6)}), tmp_path)
        assert ops(graph) == ["Constant", {"Mul": "Multiply"}.get(operator, operator)]
        longer = model([node(operator, ["x", "c"], ["y"])], (1, 6), {"c": random(1, 1, 6)})
        assert ops(check(longer, tmp_path)) == ["Reshape", "Affine"]


@pytest.mark.parametrize("operator", ["Add", "Sub", "Mul"])
def test_arithmetic_of_two_activations(tmp_path, operator):
    nodes = [node("Relu", ["x"], ["a"]), node("Tanh", ["x"], ["b"]), node(operator, ["a", "b"], ["y"])]
    check(model(nodes, (1, 4, 5, 5)), tmp_path)
    repeated = [node("GlobalAveragePool", ["x"], ["a"]), node(operator, ["x", "a"], ["y"])]
    check(model(repeated, (1, 4, 5, 5)), tmp_path)
    flipped = [node("GlobalAveragePool", ["x"], ["a"]), node(operator, ["a", "x"], ["y"])]
    check(model(flipped, (1, 4, 5, 5)), tmp_path)


def test_sums_of_many(tmp_path):
    nodes = [node("Relu", ["x"], ["a"]), node("Tanh", ["x"], ["b"]), node("Sum", ["a", "c", "b", "x"], ["y"])]
    assert ops(check(model(nodes, (1, 4, 5, 5), {"c": random(4, 1, 1)}), tmp_path)).count("Add") == 2
    check(model([node("Sum", ["x"], ["y"])], (1, 4)), tmp_path)


def test_powers(tmp_path):
    for exponent, layers in ((1.0, 0), (2.0, 1), (3.0, 2)):
        proto = model([node("Pow", ["x", "e"], ["p"]), node("Relu", ["p"], ["y"])], (1, 9), {"e": np.float32(exponent)})
        assert ops(check(proto, tmp_path)) == ["Multiply"] * layers + ["Relu"]


def test_reshapes_keep_the_batch(tmp_path):
    for sizes in ([0, -1], [1, -1], [-1, 60], [0, 3, -1], [1, 60], [0, 0, 20]):
        proto = model(
            [node("Reshape", ["x", "s"], ["r"]), node("Relu", ["r"], ["y"])], (1, 3, 4, 5), {"s": np.array(sizes)}
        )
        assert ops(check(proto, tmp_path)) == ["Reshape", "Relu"]
    for axis in (1, 2, 3, -1):
        nodes = [node("Flatten", ["x"], ["f"], axis=axis), node("Relu", ["f"], ["y"])]
        check(model(nodes, (1, 3, 4, 5)), tmp_path)


@pytest.mark.parametrize("opset", [11, 13])
def test_axes_of_size_1(tmp_path, opset):
    def one(operator: str, source: str, result: str, axes: list[int]):
        if opset < 13:
            return node(operator, [source], [result], axes=axes)
        return node(operator, [source, "axes"], [result])

    for operator, shape, axes in (
        ("Squeeze", (1, 3, 1, 5), [2]),
        ("Squeeze", (1, 3, 5, 1), [-1]),
        ("Unsqueeze", (1, 3, 5), [1]),
        ("Unsqueeze", (1, 3, 5), [-1, 1]),
    ):
        nodes = [one(operator, "x", "s", axes), node("Softmax", ["s"], ["y"], axis=1)]
        constants = {} if opset < 13 else {"axes": np.array(axes)}
        check(model(nodes, shape, constants, opset), tmp_path)
    assert ops(check(model([node("Squeeze", ["x"], ["y"])], (1, 3, 1, 5), {}, opset), tmp_path)) == ["Reshape"]


def test_transposes(tmp_path):
    for order in ([0, 2, 3, 1], [0, 1, 3, 2], [0, 3, 1, 2]):
        graph = check(model([node("Transpose", ["x"], ["y"], perm=order)], (1, 3, 4, 5)), tmp_path)
        assert graph.output.op.axes == tuple(axis - 1 for axis in order[1:])
    there_and_back = [
        node("Transpose", ["x"], ["t"], perm=[0, 2, 3, 1]),
        node("Transpose", ["t"], ["u"], perm=[0, 3, 1, 2]),
        node("Relu", ["u"], ["y"]),
    ]
    assert ops(check(model(there_and_back, (1, 3, 4, 5)), tmp_path)) == ["Relu"]
    moves_nothing = [node("Transpose", ["x"], ["t"], perm=[2, 1, 0]), node("Relu", ["t"], ["y"])]
    assert ops(check(model(moves_nothing, (1, 5, 1)), tmp_path)) == ["Reshape", "Relu"]


def test_joins(tmp_path):
    nodes = [node("Relu", ["x"], ["a"]), node("Concat", ["a", "c", "x"], ["y"], axis=1)]
    assert ops(check(model(nodes, (1, 4, 5), {"c": random(1, 2, 5)}), tmp_path)) == ["Relu", "Constant", "Concat"]
    assert ops(check(model([node("Concat", ["x", "x"], ["y"], axis=-1)], (1, 4, 5)), tmp_path)) == ["Concat"]


SPLITS = [(11, {"split": [2, 4]}, None), (13, {}, [2, 4]), (13, {}, None), (18, {"num_outputs": 2}, None)]


@pytest.mark.parametrize(("opset", "attributes", "sizes"), SPLITS)
def test_splits(tmp_path, opset, attributes, sizes):
    names = ["x"] if sizes is None else ["x", "s"]
    constants = {} if sizes is None else {"s": np.array(sizes)}
    nodes = [node("Split", names, ["a", "b"], axis=1, **attributes), node("Concat", ["b", "a"], ["y"], axis=1)]
    assert ops(check(model(nodes, (1, 6, 5), constants, opset), tmp_path)) == ["Slice", "Slice", "Concat"]


@pytest.mark.parametrize(
    ("starts", "ends", "axes", "steps", "wanted"),
    [
        ([1], [4], [1], [1], Slice(0, 1, 4)),
        ([-3], [2**63 - 1], [2], [2], Slice(1, 5, 8, 2)),
        ([0], [-1], [-1], [3], Slice(1, 0, 7, 3)),
    ],
)
def test_slices(tmp_path, starts, ends, axes, steps, wanted):
    constants = {name: np.array(list_) for name, list_ in (("s", starts), ("e", ends), ("a", axes), ("t", steps))}
    graph = check(model([node("Slice", ["x", "s", "e", "a", "t"], ["y"])], (1, 6, 8), constants), tmp_path)
    assert graph.output.op == wanted
    if steps == [1]:
        old = model([node("Slice", ["x"], ["y"], starts=starts, ends=ends, axes=axes)], (1, 6, 8), opset=9)
        assert check(old, tmp_path).output.op == wanted


@pytest.mark.parametrize("indices", [0, -1, [2], [1, 2, 3], [0, 2, 4], [-2, -1]])
def test_gathers_of_a_range(tmp_path, indices):
    proto = model(
        [node("Gather", ["x", "i"], ["g"], axis=1), node("Relu", ["g"], ["y"])], (1, 6, 8), {"i": np.array(indices)}
    )
    layers = ops(check(proto, tmp_path))
    assert layers == (["Slice", "Relu"] if isinstance(indices, list) else ["Slice", "Reshape", "Relu"])


def test_zeros_around_an_image_go_into_the_window(tmp_path):
    pads = {"p": np.array([0, 0, 1, 2, 0, 0, 0, 1])}
    conv = [node("Pad", ["x", "p"], ["q"]), node("Conv", ["q", "w"], ["y"], pads=[1, 0, 0, 0])]
    graph = check(model(conv, (1, 3, 6, 6), {**pads, "w": random(4, 3, 3, 3)}), tmp_path)
    assert graph.output.op.window.padding == (2, 2, 0, 1)
    same = [node("Pad", ["x", "p"], ["q"]), node("Conv", ["q", "w"], ["y"], auto_pad="SAME_UPPER", strides=[2, 2])]
    check(model(same, (1, 3, 6, 6), {**pads, "w": random(4, 3, 3, 3)}), tmp_path)
    pool = [node("Pad", ["x", "p"], ["q"]), node("AveragePool", ["q"], ["y"], kernel_shape=[3, 3])]
    assert check(model(pool, (1, 3, 6, 6), pads), tmp_path).output.op.counts_padding
    old = [node("Pad", ["x"], ["q"], pads=[0, 0, 1, 1, 0, 0, 1, 1]), node("Conv", ["q", "w"], ["y"])]
    check(model(old, (1, 3, 6, 6), {"w": random(4, 3, 3, 3)}, opset=10), tmp_path)


def test_what_does_nothing_is_dropped(tmp_path):
    nodes = [
        node("Identity", ["x"], ["a"]),
        node("Dropout", ["a"], ["b"]),
        node("Cast", ["b"], ["c"], to=1),
        node("Expand", ["c", "shape"], ["d"]),
        node("Mul", ["d", "one"], ["e"]),
        node("Relu", ["e"], ["y"]),
    ]
    constants = {"shape": np.array([1, 1, 9]), "one": np.float32(1)}
    assert ops(check(model(nodes, (1, 4, 9), constants), tmp_path)) == ["Relu"]


def test_what_the_output_does_not_need_is_dropped(tmp_path):
    nodes = [node("LSTM", ["x", "w", "w"], ["unused"]), node("Relu", ["x"], ["y"]), node("Tanh", ["x"], ["z"])]
    proto = model(nodes, (1, 4, 9), {"w": random(1, 4, 9)}, output="y")
    path = tmp_path / "m.onnx"
    path.write_bytes(proto.SerializeToString())
    from cimspec.graph.onnx import load_onnx

    assert ops(load_onnx(path)[0]) == ["Relu"]


def test_shapes_are_computed_as_constants(tmp_path):
    """The way torch writes `x.view(x.shape[0], x.shape[1] * 2, -1)`."""
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Gather", ["s", "zero"], ["n"], axis=0),
        node("Gather", ["s", "one"], ["c"], axis=0),
        node("Mul", ["c", "two"], ["c2"]),
        node("Unsqueeze", ["n", "axes"], ["n1"]),
        node("Unsqueeze", ["c2", "axes"], ["c1"]),
        node("Constant", [], ["rest"], value_ints=[-1]),
        node("Concat", ["n1", "c1", "rest"], ["sizes"], axis=0),
        node("Reshape", ["x", "sizes"], ["r"]),
        node("Relu", ["r"], ["y"]),
    ]
    constants = {"zero": np.array(0), "one": np.array(1), "two": np.array(2), "axes": np.array([0])}
    graph = check(model(nodes, ("batch", 3, 4, 6), constants), tmp_path)
    assert graph.output.shape == (6, 12)


def test_constants_are_computed(tmp_path):
    nodes = [
        node("ConstantOfShape", ["sizes"], ["c"], value=numpy_helper.from_array(np.array([0.25], np.float32))),
        node("Range", ["zero", "six", "one"], ["r"]),
        node("Cast", ["r"], ["f"], to=1),
        node("Mul", ["c", "f"], ["w"]),
        node("Transpose", ["w"], ["t"]),
        node("MatMul", ["x", "t"], ["y"]),
    ]
    constants = {"sizes": np.array([5, 6]), "zero": np.array(0), "six": np.array(6), "one": np.array(1)}
    assert ops(check(model(nodes, (1, 6), constants), tmp_path)) == ["Linear"]
