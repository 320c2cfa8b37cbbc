"""What is said about files that cannot be taken over; the files are as broken as real ones are."""

from contextlib import suppress
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from cimspec.diag import CimError, Diagnostic, render
from cimspec.graph.onnx import load_onnx
from tests.graph.onnx_models import model, node

WEIGHT = {"w": np.ones((4, 3, 3, 3), np.float32)}
CONV = node("Conv", ["x", "w"], ["y"], name="conv1")


def findings(content: bytes | onnx.ModelProto, folder: Path, *shape: int) -> tuple[Diagnostic, ...]:
    """What is said about a file."""
    path = folder / "net.onnx"
    path.write_bytes(content if isinstance(content, bytes) else content.SerializeToString())
    return said(path, *shape)


def said(path: Path, *shape: int) -> tuple[Diagnostic, ...]:
    with pytest.raises(CimError) as caught:
        load_onnx(path, shape or None, shown=path.name)
    return caught.value.diagnostics


def one(content: bytes | onnx.ModelProto, folder: Path, *shape: int) -> tuple[str, str]:
    (found,) = findings(content, folder, *shape)
    return found.code, found.message


def test_files_that_are_not_there(tmp_path):
    assert [each.code for each in said(tmp_path / "none.onnx")] == ["CIM110"]
    assert [each.code for each in said(tmp_path)] == ["CIM111"]
    with (tmp_path / "large.onnx").open("wb") as file:
        file.truncate(2**31)
    assert [each.code for each in said(tmp_path / "large.onnx")] == ["CIM420"]


def test_files_that_are_no_onnx(tmp_path):
    whole = model([CONV], (1, 3, 8, 8), WEIGHT).SerializeToString()
    for content in (b"", b"\0" * 100, b"import torch\n", b"PK\3\4" + b"\0" * 60, b"\x80\x02}q\0."):
        assert one(content, tmp_path)[0] == "CIM420"
    for length in range(0, len(whole), 17):
        code, message = one(whole[:length], tmp_path)
        assert code in ("CIM420", "CIM421"), message  # cut between two fields, the rest is a model without an end


def test_damaged_bytes_never_crash(tmp_path):
    whole = bytearray(model([CONV], (1, 3, 8, 8), WEIGHT).SerializeToString())
    rng = np.random.default_rng(5)
    for _ in range(300):
        content = whole.copy()
        for place in rng.integers(0, len(content), 3):
            content[place] = rng.integers(0, 256)
        (tmp_path / "net.onnx").write_bytes(content)
        with suppress(CimError):
            load_onnx(tmp_path / "net.onnx")


def test_old_operator_sets(tmp_path):
    assert one(model([CONV], (1, 3, 8, 8), WEIGHT, opset=6), tmp_path) == (
        "CIM420",
        "`net.onnx` is written in operator set 6, 7 is the oldest supported",
    )


def test_graphs_that_make_no_sense(tmp_path):
    circle = [node("Add", ["x", "b"], ["a"], name="first"), node("Relu", ["a"], ["b"]), node("Relu", ["a"], ["y"])]
    code, message = one(model(circle, (1, 4)), tmp_path)
    assert code == "CIM421"
    assert "depends on its own output" in message
    nothing = model([node("Add", ["x", "nobody"], ["y"], name="sum")], (1, 4))
    assert one(nothing, tmp_path) == ("CIM421", "node `sum` of `net.onnx` reads `nobody`, which nothing makes")
    twice = model([node("Relu", ["x"], ["y"]), node("Tanh", ["x"], ["y"])], (1, 4))
    assert one(twice, tmp_path) == ("CIM421", "two nodes of `net.onnx` make `y`")
    constant = model([node("Relu", ["w"], ["y"])], (1, 4), WEIGHT)
    assert one(constant, tmp_path) == ("CIM421", "the output of `net.onnx` depends on no input")
    assert one(model([node("Relu", ["x"], ["y"])], (1, 4), output="z"), tmp_path)[0] == "CIM421"


def test_nodes_in_the_wrong_order_are_put_in_order(tmp_path):
    path = tmp_path / "net.onnx"
    proto = model([node("Relu", ["t"], ["y"]), node("Tanh", ["x"], ["t"])], (1, 4), output="y")
    path.write_bytes(proto.SerializeToString())
    assert [layer.name for layer in load_onnx(path)[0].layers] == ["input", "t", "y"]


def test_all_unsupported_operators_are_told_at_once(tmp_path):
    nodes = [
        node("LSTM", ["x"], ["a"], name="encoder"),
        node("LSTM", ["a"], ["b"], name="decoder"),
        node("Sigmoyd", ["b"], ["c"], name="gate"),
        node("FusedConv", ["c"], ["d"], name="fused", domain="com.microsoft"),
        node("Exp", ["d"], ["y"], name="exp"),
    ]
    found = findings(model(nodes, (1, 4, 8)), tmp_path)
    assert [each.code for each in found] == ["CIM422"] * 4
    assert found[0].message == "operator `LSTM` is not supported: nodes `encoder`, `decoder` of `net.onnx`"
    assert found[1].help == "did you mean `Sigmoid`?"
    assert "`com.microsoft::FusedConv`" in found[2].message
    assert found[3].message == "operator `Exp` is not supported where an activation is read: node `exp` of `net.onnx`"
    assert found[3].help == "replace it in the model, and export that again"  # `Exp` is no slip for `Expand`


def test_operators_on_integers_are_not_supported(tmp_path):
    """Quantized models have operators on real values between their codes: tests/quant/test_onnx_import.py."""
    nodes = [
        node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"], name="q1"),
        node("DequantizeLinear", ["q", "s", "z"], ["y"], name="d1"),
    ]
    found = findings(model(nodes, (1, 4)), tmp_path)
    assert [each.code for each in found] == ["CIM422"]


UNSUPPORTED = {
    "a kernel in three dimensions": (
        [node("Conv", ["x", "w3"], ["y"], name="n")],
        "`Conv` `n` of `net.onnx`: its weight is a tensor of 4 x 3 x 3 x 3 x 3",
    ),
    "weights that depend on the input": (
        [node("Sigmoid", ["x"], ["s"]), node("Conv", ["x", "s"], ["y"], name="n")],
        "its weight depends on the input",
    ),
    "groups that do not fit": ([node("Conv", ["x", "w"], ["y"], name="n", group=3)], "does not fit 3 channels"),
    "a kernel larger than the image": (
        [node("MaxPool", ["x"], ["y"], name="n", kernel_shape=[9, 9])],
        "has windows of 9 x 9 on an image of 8 x 8",
    ),
    "padding that cuts": ([node("Conv", ["x", "w"], ["y"], name="n", pads=[-1, 0, 0, 0])], "pads -1, 0, 0, 0"),
    "an unknown rule of padding": ([node("Conv", ["x", "w"], ["y"], name="n", auto_pad="ALL")], "`auto_pad` is `ALL`"),
    "padding that is counted in part": (
        [
            node(
                "AveragePool",
                ["x"],
                ["y"],
                name="n",
                kernel_shape=[2, 2],
                strides=[2, 2],
                pads=[1, 1, 0, 0],
                ceil_mode=1,
                count_include_pad=1,
            )
        ],
        "counts some of the zeros",
    ),
    "normalization in training": (
        [node("BatchNormalization", ["x", *"cccc"], ["y", "m", "v"], name="n", training_mode=1)],
        "as in training",
    ),
    "division by an activation": (
        [node("Relu", ["x"], ["r"]), node("Div", ["x", "r"], ["y"], name="n")],
        "divides by an activation",
    ),
    "a number over an activation": ([node("Div", ["one", "x"], ["y"], name="n")], "divides by an activation"),
    "division by zero": ([node("Div", ["x", "zero"], ["y"], name="n")], "divides by `zero`, which holds zeros"),
    "a root": ([node("Sqrt", ["x"], ["y"], name="n")], "takes the root of an activation"),
    "a power": ([node("Pow", ["x", "zero"], ["y"], name="n")], "raises to the power 0"),
    "the mean without its layer normalization": (
        [
            node("ReduceMean", ["x"], ["m"], axes=[3]),
            node("Sub", ["x", "m"], ["c"]),
            node("Relu", ["c"], ["y"], name="n"),
        ],
        "inside of layer normalization only",
    ),
    "a mean over some axes": ([node("ReduceMean", ["x"], ["y"], name="n", axes=[1, 3])], "over axes [1, 3]"),
    "indices that are no range": (
        [node("Gather", ["x", "twice"], ["y"], name="n", axis=2)],
        "indices that are no range",
    ),
    "steps backwards": ([node("Slice", ["x", "end", "start", "axis", "back"], ["y"], name="n")], "takes steps of -1"),
    "a cast to whole numbers": ([node("Cast", ["x"], ["y"], name="n", to=7)], "something else than float numbers"),
    "a reshape of another size": ([node("Reshape", ["x", "five"], ["y"], name="n")], "another number of values"),
    "images of other sizes": ([node("Add", ["x", "w"], ["y"], name="n")], "which do not fit"),
    "padding with ones": (
        [node("Pad", ["x", "pads", "one"], ["p"], name="n"), node("Conv", ["p", "w"], ["y"])],
        "something else than zeros",
    ),
    "padding that no layer takes": (
        [node("Pad", ["x", "pads"], ["p"]), node("Relu", ["p"], ["y"], name="n")],
        "zeros around it",
    ),
    "a second output": ([node("MaxPool", ["x"], ["p", "y"], name="n", kernel_shape=[2, 2])], "only its first output"),
    "an attribute of the wrong type": (
        [node("Softmax", ["x"], ["y"], name="n", axis=0.5)],
        "`axis` is no whole number",
    ),
}
CONSTANTS = {
    **WEIGHT,
    "w3": np.ones((4, 3, 3, 3, 3), np.float32),
    "c": np.ones(3, np.float32),
    "one": np.float32(1),
    "zero": np.float32(0),
    "twice": np.array([1, 1]),
    "start": np.array([0]),
    "end": np.array([5]),
    "axis": np.array([2]),
    "back": np.array([-1]),
    "five": np.array([1, 5, -1]),
    "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]),
}


@pytest.mark.parametrize("case", UNSUPPORTED)
def test_operators_used_in_unsupported_ways(tmp_path, case):
    nodes, words = UNSUPPORTED[case]
    code, message = one(model(nodes, (1, 3, 8, 8), CONSTANTS, output="y"), tmp_path)
    assert code == "CIM423"
    assert words in message
    assert "`n`" in message
    assert "`net.onnx`" in message


def test_nodes_with_the_same_problem_are_told_together(tmp_path):
    nodes = [node("Sqrt", ["x"], [f"s{count}"], name=f"root{count}") for count in range(6)]
    nodes.append(node("Sum", [f"s{count}" for count in range(6)], ["y"]))
    assert one(model(nodes, (1, 4)), tmp_path)[1].startswith(
        "`Sqrt` `root0`, `root1`, `root2`, `root3` and 2 more of `net.onnx`: takes the root"
    )


MIXED = {
    "a reshape into channels": [
        node("Transpose", ["x"], ["t"], perm=[1, 0, 2, 3]),
        node("Reshape", ["t", "flat"], ["y"], name="n"),
    ],
    "a softmax over the batch": [node("Softmax", ["x"], ["y"], name="n", axis=0)],
    "a mean over the batch": [node("ReduceMean", ["x"], ["y"], name="n", axes=[0])],
    "a join along the batch": [node("Concat", ["x", "x"], ["y"], name="n", axis=0)],
    "one image of the batch": [node("Gather", ["x", "first"], ["y"], name="n", axis=0)],
    "a constant for each image": [node("Add", ["x", "many"], ["y"], name="n")],
    "operands with different batches": [
        node("Transpose", ["x"], ["t"], perm=[1, 0, 2, 3]),
        node("Add", ["x", "t"], ["y"], name="n"),
    ],
}


@pytest.mark.parametrize("case", MIXED)
def test_batches_stay_apart(tmp_path, case):
    constants = {"flat": np.array([-1]), "first": np.array(0), "many": np.ones((2, 3, 8, 8), np.float32)}
    code, message = one(model(MIXED[case], ("batch", 3, 8, 8), constants, output="y"), tmp_path)
    assert (code, "`n`" in message) == ("CIM429", True), message


def test_a_fixed_batch_is_taken_for_one_image(tmp_path):
    proto = model(
        [node("Reshape", ["x", "s"], ["r"]), node("Relu", ["r"], ["y"])], (8, 3, 2, 2), {"s": np.array([8, -1])}
    )
    path = tmp_path / "net.onnx"
    path.write_bytes(proto.SerializeToString())
    assert load_onnx(path)[0].output.shape == (12,)


def test_open_sizes_are_given(tmp_path):
    proto = model([CONV], ("batch", 3, "height", "width"), WEIGHT)
    assert one(proto, tmp_path) == ("CIM424", "`net.onnx` leaves the size of its input `x` open: 3 x ? x ?")
    assert load_onnx(tmp_path / "net.onnx", (3, 9, 8))[0].output.shape == (4, 7, 6)
    assert one(proto, tmp_path, 1, 9, 9) == ("CIM425", "the input `x` of `net.onnx` is 3 x ? x ?, not 1 x 9 x 9")
    assert one(proto, tmp_path, 3, 9)[0] == "CIM425"
    assert one(model([node("Relu", ["x"], ["y"])], (1, 2, 3, 4, 5)), tmp_path)[0] == "CIM425"
    proto.graph.input[0].type.tensor_type.ClearField("shape")
    assert one(proto, tmp_path) == ("CIM424", "`net.onnx` leaves the size of its input `x` open")
    assert load_onnx(tmp_path / "net.onnx", (3, 9, 8))[0].output.shape == (4, 7, 6)


def test_inputs_that_are_words(tmp_path):
    proto = model([node("Relu", ["x"], ["y"])], (1, 4))
    proto.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
    assert one(proto, tmp_path)[0] == "CIM423"


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_weights_that_are_not_finite(tmp_path, value):
    weight = np.ones((4, 3, 3, 3))
    weight[1, 2, 0, 1] = value
    code, message = one(model([CONV], (1, 3, 8, 8), {"w": weight}), tmp_path)
    assert code == "CIM426"
    assert "`w`" in message
    assert "`conv1`" in message


def test_weights_that_become_too_large_when_folded(tmp_path):
    nodes = [node("MatMul", ["x", "w"], ["m"]), node("Mul", ["m", "w1"], ["y"])]
    large = {"w": np.full((4, 4), 1e30, np.float32), "w1": np.full(4, 1e30, np.float32)}
    assert one(model(nodes, (1, 4), large), tmp_path)[0] == "CIM426"


def test_several_inputs_and_outputs(tmp_path):
    proto = model([node("Add", ["x", "z"], ["y"])], (1, 4))
    proto.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 4]))
    assert one(proto, tmp_path) == ("CIM427", "`net.onnx` has 2 inputs: `x`, `z`")
    proto = model([node("Relu", ["x"], ["y"]), node("Tanh", ["x"], ["z"])], (1, 4))
    proto.graph.output.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, None))
    assert one(proto, tmp_path) == ("CIM427", "`net.onnx` has 2 outputs: `z`, `y`")


BOMBS = {
    "ConstantOfShape": [node("ConstantOfShape", ["sizes"], ["c"], name="n")],
    "Expand": [node("Expand", ["one", "sizes"], ["c"], name="n")],
    "Tile": [node("Tile", ["row", "sizes"], ["c"], name="n")],
    "Range": [node("Range", ["zero", "end", "step"], ["r"], name="n"), node("Cast", ["r"], ["c"], to=1)],
    "Add": [
        node("Expand", ["one", "column"], ["a"]),
        node("Reshape", ["a", "turned"], ["b"]),
        node("Add", ["a", "b"], ["c"], name="n"),
    ],
    "Concat": [node("Concat", ["row"] * 16, ["d0"], axis=0)]
    + [node("Concat", [f"d{count}"] * 16, [f"d{count + 1}"], axis=0, name="n") for count in range(12)]
    + [node("Concat", ["d12"] * 16, ["c"], axis=0)],
}


@pytest.mark.parametrize("operator", BOMBS)
def test_small_files_do_not_fill_the_memory(tmp_path, operator):
    constants = {
        "sizes": np.array([10**6, 10**6]),
        "one": np.float32(1),
        "row": np.ones((1, 1), np.float32),
        "zero": np.array(0),
        "end": np.array(10**12),
        "step": np.array(1),
        "column": np.array([10**5, 1]),
        "turned": np.array([1, 10**5]),
    }
    nodes = [*BOMBS[operator], node("Add", ["x", "c"], ["y"])]
    code, message = one(model(nodes, (1, 4), constants), tmp_path)
    assert (code, "`n`" in message) == ("CIM430", True), message


def test_layers_that_make_too_much(tmp_path):
    proto = model(
        [node("MatMul", ["x", "w"], ["y"], name="n")], (1, 10**6, 10**6, 1), {"w": np.ones((1, 1), np.float32)}
    )
    assert one(proto, tmp_path)[0] == "CIM430"


def external(proto: onnx.ModelProto, location: str, **entries: int) -> onnx.ModelProto:
    """The model with its first tensor in another file."""
    tensor = proto.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=str(value))
    return proto


def test_weights_in_a_file_beside_the_model(tmp_path):
    weight = np.random.default_rng(1).standard_normal((4, 3, 3, 3)).astype(np.float32)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "weights.bin").write_bytes(b"\0" * 64 + weight.tobytes() + b"more")
    proto = external(model([CONV], (1, 3, 8, 8), {"w": weight}), "data/weights.bin", offset=64, length=weight.nbytes)
    (tmp_path / "net.onnx").write_bytes(proto.SerializeToString())
    _, weights = load_onnx(tmp_path / "net.onnx")
    assert (weights["conv1"]["weight"] == weight).all()
    proto.graph.initializer[0].external_data[1].value = "100"
    assert one(proto, tmp_path)[0] == "CIM428"  # 100 + 432 bytes; the file has 64 + 432 + 4


@pytest.mark.parametrize(
    "location", ["../secret.bin", "inner/../../secret.bin", "/etc/passwd", "link.bin", "..\\secret.bin", "", "a\0b"]
)
def test_files_outside_of_the_folder_are_not_read(tmp_path, location):
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(b"\0" * 1000)
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    code, message = one(external(model([CONV], (1, 3, 8, 8), WEIGHT), location), folder)
    assert code == "CIM428"
    assert "`w`" in message
    assert "not below the model's folder" in message


def test_files_that_are_missing_or_cannot_be_read(tmp_path):
    missing = external(model([CONV], (1, 3, 8, 8), WEIGHT), "none.bin")
    assert one(missing, tmp_path) == (
        "CIM428",
        "`net.onnx`: tensor `w` is in `none.bin`, which cannot be read: no such file or directory",
    )
    (tmp_path / "inner").mkdir()
    assert one(external(model([CONV], (1, 3, 8, 8), WEIGHT), "inner"), tmp_path)[0] == "CIM428"


@pytest.mark.parametrize("entries", [{"offset": "none"}, {"offset": -1}, {"length": 10**12}, {"length": "ten"}])
def test_offsets_and_lengths_that_are_wrong(tmp_path, entries):
    (tmp_path / "w.bin").write_bytes(b"\0" * 1000)
    assert one(external(model([CONV], (1, 3, 8, 8), WEIGHT), "w.bin", **entries), tmp_path)[0] in ("CIM420", "CIM428")


def test_constants_of_nodes_are_not_read_from_other_files_either(tmp_path):
    tensor = numpy_helper.from_array(np.ones(4, np.float32), "c")
    proto = model([node("Constant", [], ["c"], value=tensor), node("Add", ["x", "c"], ["y"])], (1, 4))
    inner = proto.graph.node[0].attribute[0].t
    inner.ClearField("raw_data")
    inner.data_location = TensorProto.EXTERNAL
    inner.external_data.add(key="location", value="/etc/passwd")
    assert one(proto, tmp_path)[0] == "CIM428"


def test_a_tensor_that_lies_about_its_size(tmp_path):
    proto = model([CONV], (1, 3, 8, 8), WEIGHT)
    proto.graph.initializer[0].dims[0] = 10**12
    assert one(proto, tmp_path)[0] == "CIM420"
    proto = model([CONV], (1, 3, 8, 8), WEIGHT)
    proto.graph.initializer[0].dims[0] = -4
    assert one(proto, tmp_path)[0] == "CIM420"


def test_long_names_are_cut_and_control_characters_not_shown(tmp_path):
    name = "\x1b[2J" + "a" * 10_000
    for nodes in ([node("Exp", ["x"], ["y"], name=name)], [node("Add", ["x", name], ["y"])]):
        text = render(findings(model(nodes, (1, 4)), tmp_path))
        assert "[2Ja" in text
        assert "\x1b" not in text
        assert len(text) < 1000
