"""Functions that files write as several operators become one layer, and layers that can take a constant do."""

import numpy as np
import pytest

from cimspec.graph.layer import Affine, Elementwise, Function, LayerNorm
from tests.graph.onnx_models import check, model, node, ops

RNG = np.random.default_rng(11)
NUMBERS = {
    "half": 0.5,
    "one": 1.0,
    "two": 2.0,
    "three": 3.0,
    "six": 6.0,
    "root2": 2**0.5,
    "cubic": 0.044715,
    "outer": (2 / np.pi) ** 0.5,
    "epsilon": 1e-5,
    "minus_half": -0.5,
    "zero": 0.0,
}
CONSTANTS = {name: np.float32(value) for name, value in NUMBERS.items()}


def random(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def functions(tmp_path, *nodes, opset: int = 17) -> list[Function | str]:
    """What the layers of a model compute; it reads a linear layer's output, as in a network."""
    first = [node("MatMul", ["x", "w"], ["p"]), node("Add", ["p", "b"], ["h"])]
    constants = {**CONSTANTS, "w": random(8, 8), "b": random(8)}
    graph = check(model([*first, *nodes], (1, 5, 8), constants, opset), tmp_path)
    assert ops(graph)[0] == "Linear"
    kinds = [
        layer.op.function if isinstance(layer.op, Elementwise) else name
        for layer, name in zip(graph.layers[1:], ops(graph), strict=True)
    ]
    return kinds[1:]


ERF = [node("Div", ["h", "root2"], ["d"]), node("Erf", ["d"], ["e"]), node("Add", ["e", "one"], ["f"])]
GELUS = {
    "torch": [node("Mul", ["h", "f"], ["g"]), node("Mul", ["g", "half"], ["y"])],
    "half first": [node("Mul", ["half", "h"], ["g"]), node("Mul", ["g", "f"], ["y"])],
    "half last": [node("Mul", ["f", "half"], ["g"]), node("Mul", ["g", "h"], ["y"])],
    "divided": [node("Mul", ["f", "h"], ["g"]), node("Div", ["g", "two"], ["y"])],
}


@pytest.mark.parametrize("form", GELUS)
def test_gelu_in_any_order(tmp_path, form):
    assert functions(tmp_path, *ERF, *GELUS[form]) == [Function.GELU]


@pytest.mark.parametrize(
    "cube", [[node("Pow", ["h", "three"], ["c"])], [node("Mul", ["h", "h"], ["s"]), node("Mul", ["s", "h"], ["c"])]]
)
def test_gelu_by_tanh(tmp_path, cube):
    rest = [
        node("Mul", ["c", "cubic"], ["k"]),
        node("Add", ["h", "k"], ["a"]),
        node("Mul", ["a", "outer"], ["o"]),
        node("Tanh", ["o"], ["t"]),
        node("Add", ["t", "one"], ["u"]),
        node("Mul", ["h", "u"], ["v"]),
        node("Mul", ["v", "half"], ["y"]),
    ]
    assert functions(tmp_path, *cube, *rest) == [Function.GELU_TANH]


def test_what_only_looks_like_gelu_is_left_alone(tmp_path):
    other = [node("Div", ["h", "two"], ["d"]), *ERF[1:]]
    assert functions(tmp_path, *other, *GELUS["torch"]) == ["Affine", Function.ERF, "Affine", "Multiply", "Affine"]


def test_a_value_times_its_sigmoid(tmp_path):
    silu = [node("Sigmoid", ["h"], ["s"]), node("Mul", ["h", "s"], ["y"])]
    assert functions(tmp_path, *silu) == [Function.SILU]
    assert functions(tmp_path, node("Sigmoid", ["h"], ["s"]), node("Mul", ["s", "h"], ["y"])) == [Function.SILU]
    scaled = [node("Mul", ["h", "two"], ["d"]), node("Sigmoid", ["d"], ["s"]), node("Mul", ["h", "s"], ["y"])]
    assert functions(tmp_path, *scaled) == ["Affine", Function.SIGMOID, "Multiply"]


CLIPPED = [node("Add", ["h", "three"], ["a"]), node("Clip", ["a", "zero", "six"], ["c"])]


def test_hard_functions_as_torch_writes_them(tmp_path):
    sigmoid = [*CLIPPED, node("Div", ["c", "six"], ["y"])]
    assert functions(tmp_path, *sigmoid) == [Function.HARD_SIGMOID]
    assert functions(tmp_path, *CLIPPED, node("Mul", ["h", "c"], ["m"]), node("Div", ["m", "six"], ["y"])) == [
        Function.HARD_SWISH
    ]
    assert functions(tmp_path, node("HardSigmoid", ["h"], ["s"], alpha=1 / 6), node("Mul", ["s", "h"], ["y"])) == [
        Function.HARD_SWISH
    ]


def mean(source: str, result: str, opset: int):
    return (
        node("ReduceMean", [source], [result], axes=[-1])
        if opset < 18
        else node("ReduceMean", [source, "last"], [result])
    )


SPREADS = {
    "pow and sqrt": [
        node("Pow", ["d", "two"], ["s"]),
        "mean",
        node("Add", ["v", "epsilon"], ["e"]),
        node("Sqrt", ["e"], ["r"]),
        node("Div", ["d", "r"], ["n"]),
    ],
    "product": [
        node("Mul", ["d", "d"], ["s"]),
        "mean",
        node("Add", ["epsilon", "v"], ["e"]),
        node("Sqrt", ["e"], ["r"]),
        node("Reciprocal", ["r"], ["i"]),
        node("Mul", ["i", "d"], ["n"]),
    ],
    "negative power": [
        node("Pow", ["d", "two"], ["s"]),
        "mean",
        node("Add", ["v", "epsilon"], ["e"]),
        node("Pow", ["e", "minus_half"], ["r"]),
        node("Mul", ["d", "r"], ["n"]),
    ],
    "one over the root": [
        node("Pow", ["d", "two"], ["s"]),
        "mean",
        node("Add", ["v", "epsilon"], ["e"]),
        node("Sqrt", ["e"], ["r"]),
        node("Div", ["one", "r"], ["i"]),
        node("Mul", ["d", "i"], ["n"]),
    ],
}


@pytest.mark.parametrize("form", SPREADS)
@pytest.mark.parametrize("opset", [13, 18])
def test_layer_normalization_in_parts(tmp_path, form, opset):
    spread = [mean("s", "v", opset) if part == "mean" else part for part in SPREADS[form]]
    nodes = [
        mean("x", "m", opset),
        node("Sub", ["x", "m"], ["d"]),
        *spread,
        node("Mul", ["n", "gamma"], ["g"]),
        node("Add", ["g", "beta"], ["y"]),
    ]
    constants = {**CONSTANTS, "gamma": random(8), "beta": random(8), "last": np.array([-1])}
    graph = check(model(nodes, (1, 5, 8), constants, opset), tmp_path)
    assert ops(graph) == ["LayerNorm"]
    assert graph.output.op == LayerNorm(8, pytest.approx(1e-5))


def test_constants_after_a_layer_go_into_its_weights(tmp_path):
    channels = {"a": random(4, 1, 1), "b": random(1, 4, 1, 1), "w": random(4, 3, 3, 3)}
    nodes = [node("Conv", ["x", "w"], ["c"]), node("Mul", ["c", "a"], ["m"]), node("Add", ["m", "b"], ["y"])]
    assert ops(check(model(nodes, (1, 3, 6, 6), channels), tmp_path)) == ["Conv2d"]
    norm = [
        node("BatchNormalization", ["x", *"gbmv"], ["n"]),
        node("Mul", ["n", "a"], ["p"]),
        node("Add", ["p", "s"], ["y"]),
    ]
    constants = {
        "a": random(4, 1, 1),
        "s": random(4, 1, 1),
        "g": random(4),
        "b": random(4),
        "m": random(4),
        "v": np.abs(random(4)),
    }
    assert ops(check(model(norm, (1, 4, 6, 6), constants), tmp_path)) == ["BatchNorm"]


def test_constants_that_a_layer_cannot_take_stay_beside_it(tmp_path):
    image = {"a": random(1, 4, 4, 4), "w": random(4, 3, 3, 3)}
    nodes = [node("Conv", ["x", "w"], ["c"]), node("Mul", ["c", "a"], ["y"])]
    assert ops(check(model(nodes, (1, 3, 6, 6), image), tmp_path)) == ["Conv2d", "Affine"]
    twice_read = [*nodes, node("Add", ["c", "y"], ["z"])]
    assert ops(check(model(twice_read, (1, 3, 6, 6), {**image, "a": random(4, 1, 1)}), tmp_path)) == [
        "Conv2d",
        "Affine",
        "Add",
    ]


def test_a_normalized_input_is_one_affine_layer(tmp_path):
    constants = {"mean": random(3, 1, 1), "std": np.abs(random(3, 1, 1)) + 1, "scale": np.float32(1 / 255)}
    nodes = [node("Mul", ["x", "scale"], ["a"]), node("Sub", ["a", "mean"], ["b"]), node("Div", ["b", "std"], ["y"])]
    graph = check(model(nodes, (1, 3, 6, 6), constants), tmp_path)
    assert [layer.op for layer in graph.layers[1:]] == [Affine()]


def attention(batch_size: int | str, heads: int = 2):
    """As `nn.MultiheadAttention` has it: the batch is the second axis, then it is merged with the heads."""
    shape = {
        "split": [6, heads, 4],
        "joined": [6, 8],
        "back": [6, 1, 8],
    }
    constants = {name: np.array(value) for name, value in shape.items()}
    constants |= {f"w{name}": random(8, 8) / 3 for name in "qkvo"}
    nodes = [node("Transpose", ["x"], ["t"], perm=[1, 0, 2])]
    for name in "qkv":
        nodes += [
            node("MatMul", ["t", f"w{name}"], [f"{name}1"]),
            node("Reshape", [f"{name}1", "split"], [f"{name}2"]),
            node("Transpose", [f"{name}2"], [f"{name}3"], perm=[1, 0, 2]),
        ]
    nodes += [
        node("Transpose", ["k3"], ["k4"], perm=[0, 2, 1]),
        node("MatMul", ["q3", "k4"], ["s"]),
        node("Softmax", ["s"], ["p"], axis=-1),
        node("MatMul", ["p", "v3"], ["a"]),
        node("Transpose", ["a"], ["a1"], perm=[1, 0, 2]),
        node("Reshape", ["a1", "joined"], ["a2"]),
        node("Gemm", ["a2", "wo"], ["o"]),
        node("Reshape", ["o", "back"], ["o1"]),
        node("Transpose", ["o1"], ["o2"], perm=[1, 0, 2]),
        node("Add", ["x", "o2"], ["y"]),
    ]
    return model(nodes, (batch_size, 6, 8), constants)


def test_attention_with_the_batch_as_second_axis(tmp_path):
    graph = check(attention("batch"), tmp_path)
    assert ops(graph).count("Product") == 2
    assert ops(graph).count("Linear") == 4
    assert graph.output.shape == (6, 8)


def test_the_projection_comes_first(tmp_path):
    """A block as torch exports it: the projection is the last convolution of the file."""
    constants = {"a": random(4, 4, 3, 3), "b": random(4, 4, 3, 3), "p": random(4, 4, 1, 1)}
    nodes = [
        node("Relu", ["x"], ["start"]),
        node("Conv", ["start", "a"], ["c1"], pads=[1, 1, 1, 1]),
        node("Relu", ["c1"], ["middle"]),
        node("Conv", ["middle", "b"], ["c2"], pads=[1, 1, 1, 1]),
        node("Conv", ["start", "p"], ["short"]),
        node("Add", ["c2", "short"], ["s"]),
        node("Relu", ["s"], ["y"]),
    ]
    graph = check(model(nodes, (1, 4, 6, 6), constants), tmp_path)
    assert [layer.name for layer in graph.layers] == ["input", "start", "short", "c1", "middle", "c2", "s", "y"]
