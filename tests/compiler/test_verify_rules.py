"""Each rule of the verifier, on a Program that was edited by hand; and the digest of what no rule can tell."""

from dataclasses import replace
from typing import Any

import pytest

from cimspec.compiler import Program, compile_program, parse_program, print_program
from cimspec.compiler.program import CrossbarLayer, Crossbars, Place, operation
from cimspec.compiler.verify import verify
from cimspec.diag import CimError
from cimspec.graph import Graph, Precision
from cimspec.graph.layer import (
    Affine,
    Clip,
    Concat,
    Constant,
    Conv2d,
    Elementwise,
    Function,
    Input,
    Layer,
    LayerNorm,
    Linear,
    MeanTokens,
    Multiply,
    Product,
    Reshape,
    Slice,
    Softmax,
    Transpose,
)
from cimspec.graph.window import Window
from cimspec.quant.ops import Codes
from cimspec.spec.chip import Attention, WeightMode
from tests.compiler.mutate import Path, put
from tests.compiler.test_program import make_case, make_chip

ONE = Window.square(1)

IMAGES = Graph(
    "images",
    (
        Layer("x", Input(True), (), (2, 4, 4)),
        Layer("a", Conv2d(2, 3, ONE), ("x",), (3, 4, 4)),
        Layer("b", Conv2d(2, 3, ONE), ("x",), (3, 4, 4)),
        Layer("ta", Elementwise(Function.TANH), ("a",), (3, 4, 4)),
        Layer("tb", Elementwise(Function.ERF), ("b",), (3, 4, 4)),
        Layer("join", Concat(0), ("ta", "tb"), (6, 4, 4)),
        Layer("cut", Slice(0, 0, 4, 1), ("join",), (4, 4, 4)),
        Layer("limit", Clip(0.0, 0.5), ("cut",), (4, 4, 4)),
        Layer("flat", Reshape(), ("limit",), (4, 16)),
        Layer("norm", LayerNorm(16), ("flat",), (4, 16)),
        Layer("scaled", Affine(), ("norm",), (4, 16)),
        Layer("shares", Softmax(1), ("scaled",), (4, 16)),
        Layer("gains", Constant(), (), (1, 16)),
        Layer("gained", Multiply(), ("shares", "gains"), (4, 16)),
        Layer("mean", MeanTokens(), ("gained",), (16,)),
        Layer("f", Linear(16, 2), ("mean",), (2,)),
    ),
)

TOKENS = Graph(
    "tokens",
    (
        Layer("x", Input(True), (), (4, 2)),
        Layer("q", Linear(2, 2), ("x",), (4, 2)),
        Layer("k", Transpose((1, 0)), ("x",), (2, 4)),
        Layer("qk", Product(), ("q", "k"), (4, 4)),
        Layer("f", Linear(4, 2), ("qk",), (4, 2)),
    ),
)

GROUPS = Graph(
    "groups",
    (
        Layer("x", Input(False), (), (4, 3, 3)),
        Layer("c", Conv2d(4, 4, ONE, groups=4), ("x",), (4, 3, 3)),
        Layer("d", Conv2d(4, 4, Window.square(3), groups=2), ("c",), (4, 1, 1)),
    ),
)


def program(name: str) -> Program:
    """One of the programs that are edited below.

    `reloaded`: two layers of 3 and 8 blocks on 2 crossbars, the last blocks of both with fewer reads. `resident`: the
    same on 24, the first layer five times, every 3. Others: the graphs above, on chips of the same crossbars.
    """
    case, chip = make_case(), make_chip()
    few_rows = chip.crossbar.model_copy(update={"active_rows": 4})
    resident = {"weights": WeightMode.RESIDENT}
    graph, update = {
        "reloaded": (case.graph, {"crossbars": 2, "crossbar": few_rows}),
        "resident": (case.graph, resident | {"crossbars": 24}),
        "images": (IMAGES, {"crossbars": 2}),
        "tokens": (TOKENS, resident | {"crossbars": 9}),
        "tokens on crossbars": (TOKENS, resident | {"crossbars": 9, "attention": Attention.CROSSBARS}),
        "groups": (GROUPS, {}),
    }[name]
    return compile_program(graph, graph.uniform(4, 4), chip.model_copy(update=update))


def rejection(edited: Program) -> str:
    with pytest.raises(CimError) as caught:
        verify(edited)
    (found,) = caught.value.diagnostics
    assert found.code == "CIM503"
    return found.message.removeprefix("the program is wrong: ")


# Instructions, places and buffers, edited in the text: (program, old text, new text, what is said).
SCHEDULES = [
    ("reloaded", "buffer c sums", "buffer c.codes sums", "two buffers are called `c.codes`"),
    ("reloaded", "buffer network.output reals 4 reads 1\n", "", "inputs and outputs are real values"),
    ("reloaded", "buffer x reals 2x5x5", "buffer x u4 2x5x5", "inputs and outputs are real values"),
    ("reloaded", "buffer c sums 3x3x3 reads 1\n", "", "`c` has no buffer"),
    ("reloaded", "buffer c sums 3x3x3", "buffer c sums 3x9", "`c` is sums 3x3x3, its buffer holds sums 3x9"),
    ("reloaded", "buffer c.codes u4", "buffer c.codes u5", "`c.codes` is u4 2x5x5, its buffer holds u5 2x5x5"),
    ("reloaded", "reads 1", "reads 2", "`x` is read 1 times, its buffer says 2"),
    ("reloaded", "buffer c sums", "buffer spare sums 7 reads 0\nbuffer c sums", "nothing writes `spare`"),
    ("reloaded", "}\nparameters", "}\nsegment {\n}\nparameters", "reloaded weights need no segments"),
    ("reloaded", "segment {\n", "segment {\n  place c crossbars 0..1\n", "`c` is placed, but weights are reloaded"),
    ("resident", "  place f", "  place c crossbars 0..3\n  place f", "`c` is placed twice"),
    ("resident", "place f", "place g", "`g` is placed, and its segment does not read it"),
    ("resident", "  place c crossbars 0..3+3x5\n", "", "`c` does not write in waves and read each of them in turns"),
    ("resident", "crossbars 0..3+3x5", "crossbars 0..3+2x5", "`c` has no crossbars, or copies that overlap: 0..3+2x5"),
    ("resident", "crossbars 0..3+3x5", "crossbars 0..3+3x9", "`c` is on crossbars 0..3+3x9, the chip has 24"),
    ("resident", "crossbars 0..3+3x5", "crossbars 0..2+3x5", "`c` has 3 blocks, each copy 2 crossbars"),
    ("resident", "crossbars 15..23", "crossbars 16..24", "`f` reads crossbars 15..23, and is placed on 16..24"),
    ("resident", "    accumulate\n", "", "`c` does not read its crossbars in turns, then accumulate"),
    ("resident", "for turn 0..2", "for turn 0..3", "`c` takes 3 turns, and needs 2"),  # ceil(9 products / 5 copies)
    ("tokens on crossbars", "place f", "place qk crossbars 1..3\n  place f", "`qk` is placed, but its weights move"),
    ("tokens on crossbars", "parallel crossbars 1..3", "parallel crossbars 0..2", "crossbar 0 holds `q` and `qk`"),
    ("groups", "bundle=3", "bundle=5", "`c` bundles 5 of 4 matrices"),
    ("groups", "bundle=3", "bundle=4", "`c` bundles 4 matrices, which no crossbar holds"),  # 4 * 2 + 1 columns of 8
    ("groups", "bundle=3", "bundle=1", "`c` writes 2 blocks, and has 4"),
    ("reloaded", "    accumulate\n", "", "`c` does not write and read in waves, then accumulate"),
    ("reloaded", "        write blocks 0..2\n", "", "`c` does not write in waves and read each of them in turns"),
    ("reloaded", "write blocks 0..2", "write blocks 1..2", "`c` writes block 0 never"),
    ("reloaded", "write blocks 2..3", "write blocks 2..4", "`c` has 3 blocks, not 2..4"),
    ("reloaded", "for wave 0..1", "for wave 0..2", "`c` writes 2 blocks in 2 waves of 2"),
    ("reloaded", "for wave 0..1", "for turn 0..1", "`c` does not write in waves and read each of them in turns"),
    ("reloaded", "crossbars 0..2", "crossbars 0..3", "`c` is on crossbars 0..3, the chip has 2"),
    ("reloaded", "crossbars 0..2", "crossbars 0..1+1x2", "`c` is written, and has copies"),
    (
        "reloaded",
        "crossbars 0..2 {\n        write blocks 2..3",
        "crossbars 0..1 {\n        write blocks 2..3",
        "`c` is written on crossbars 0..2, then on 0..1",
    ),
    ("reloaded", "for turn 0..9", "for turn 0..8", "`c` takes 8 turns, and needs 9"),  # 3x3 output pixels
    ("reloaded", "for step 0..4", "for step 0..3", "`c` takes 3 steps, and needs 4"),
    (
        "reloaded",
        "for step 0..4",
        "for step 1..4",
        "`c` does not read in a loop over turns and steps, and add what it reads",
    ),
    ("reloaded", "read groups 2", "read groups 1", "`c` takes 1 reads for a step, and needs 2"),  # 8 rows, 4 at once
    (
        "reloaded",
        "slices 1,4 steps 1,2,4,8",
        "slices 1,2 steps 1,2,4,8",
        "`c` adds with slices (1, 2) and steps (1, 2, 4, 8), not with (1, 4) and (1, 2, 4, 8)",
    ),
    (
        "reloaded",
        "slices 1,4 steps 1,2,4,8",
        "slices 1,4 steps 1,2,4,-8",
        "`c` adds with slices (1, 4) and steps (1, 2, 4, -8), not with (1, 4) and (1, 2, 4, 8)",
    ),
]


@pytest.mark.parametrize(("name", "old", "new", "message"), SCHEDULES)
def test_a_schedule_that_was_edited_is_rejected(name: str, old: str, new: str, message: str):
    text = print_program(program(name))
    assert old in text
    assert rejection(parse_program(text.replace(old, new, 1))) == message


# Operations: (program, what the edited one makes, its field, another value, what is said).
OPERATIONS = [
    ("images", "ta", "src", "tb", "`ta` reads `tb`, which nothing makes before"),
    ("images", "ta", "src", "b", "`a` is read 0 times, its buffer says 1"),
    ("images", "cut", "dst", "join", "`join` is written twice"),
    ("images", "cut", "dst", "other", "`other` has no buffer"),
    ("images", "cut", "stop", 7, "`cut` 0..7 is not part of axis 0 of (6, 4, 4)"),
    ("images", "cut", "start", 1, "`cut` is reals 3x4x4, its buffer holds reals 4x4x4"),
    ("images", "join", "parts", (), "`join` joins nothing"),
    ("images", "join", "parts", (("ta", 0), ("tb", 2)), "`join` leaves a gap or an overlap at 2 of axis 0"),
    ("images", "norm", "gamma", "norm.beta", "`norm` reads `norm.beta`, not `norm.gamma`"),
    ("images", "norm", "beta", "a.bias", "`norm` reads `a.bias`, not `norm.beta`"),
    ("images", "scaled", "factor", "scaled.shift", "`scaled` reads `scaled.shift`, not `scaled.factor`"),
    ("images", "scaled", "shift", "norm.beta", "`scaled` reads `norm.beta`, not `scaled.shift`"),
    ("images", "gains", "value", "norm.gamma", "`gains` reads `norm.gamma`, not `gains.value`"),
    ("images", "a", "src", "b.codes", "`a` reads `b.codes`, not `a.codes`"),
    ("images", "a", "weights", "b.weights", "`a` reads `b.weights`, not `a.weights`"),
    ("images", "a", "bias", "b.bias", "`a` reads `b.bias`, not `a.bias`"),
    ("images", "a", "layer", "b", "`a` is the product of a layer called `b`"),
    ("tokens", "qk", "weights", "qk.codes", "`qk` reads `qk.codes`, not `qk.stored`"),
    ("tokens", "qk", "src", "qk.stored", "`qk` reads `qk.stored`, not `qk.codes`"),
    ("tokens", "qk", "precision", Precision(5, 4), "`qk` stores s5, `qk.stored.k` holds s4"),
    ("images", "a", "matrices", 0, "`a` has 0 matrices of 2 inputs and 3 outputs"),
    ("images", "a", "precision", Precision(16, 4), "`a` has weights of 16 bits and activations of 4"),
    ("images", "a", "precision", Precision(4, 5), "`a` reads s5, `a.codes` holds s4"),
    ("images", "a", "signed", False, "`a` reads u4, `a.codes` holds s4"),
    ("images", "a", "inputs", 3, "`a` its matrices and shape do not fit `a.codes` of (2, 4, 4)"),
    ("images", "a", "shape", (3, 4, 5), "`a` its matrices and shape do not fit `a.codes` of (2, 4, 4)"),
    ("images", "a.codes", "codes", Codes(4, False), "`a.codes` is u4 2x4x4, its buffer holds s4 2x4x4"),
]


@pytest.mark.parametrize(("name", "dst", "field", "value", "message"), OPERATIONS)
def test_an_operation_that_was_edited_is_rejected(name: str, dst: str, field: str, value: Any, message: str):
    original = program(name)
    assert rejection(put(original, (*path_of(original, dst), field), value)) == message


def path_of(original: Program, dst: str) -> Path:
    """The way to the operation that makes a tensor."""
    for number, segment in enumerate(original.segments):
        for index, item in enumerate(segment.items):
            if operation(item).dst == dst:
                path: Path = ("segments", number, "items", index)
                return (*path, "op") if isinstance(item, CrossbarLayer) else path
    raise AssertionError(dst)


def test_a_program_without_an_output_is_rejected():
    original = program("reloaded")
    assert rejection(replace(original, buffers=original.buffers[:1])) == "it has no output"


def test_a_block_that_is_written_twice_or_never_is_rejected():
    original = program("reloaded")
    path = (*path_of(original, "c")[:-1], "body")
    first, second, accumulate = next(original.layers).body
    assert rejection(put(original, path, (first, first, second, accumulate))) == "`c` writes block 0 twice"
    assert rejection(put(original, path, (first, accumulate))) == "`c` writes 2 blocks, and has 3"
    # In another order of waves every block is there all the same.
    verify(put(original, path, (second, first, accumulate)))


def test_crossbars_that_do_not_exist_are_rejected():
    original = program("resident")
    layer = next(original.layers)
    body = path_of(original, "c")[:-1]
    for wrong in (Crossbars(-1, 3, 5, 3), Crossbars(0, 0), Crossbars(0, 3, 0, 3), Crossbars(9, 3, 3, -3)):
        placed = put(original, ("segments", 0, "places", 0), Place("c", wrong))
        edited = put(placed, (*body, "body", 0, "crossbars"), wrong)
        assert rejection(edited).startswith("`c` has no crossbars, or copies that overlap")
    # Without copies there is nothing to stride over.
    one = put(original, ("segments", 0, "places", 0, "crossbars"), Crossbars(0, 3, 1, 3))
    assert "copies that overlap" in rejection(put(one, (*body, "body", 0, "crossbars"), Crossbars(0, 3, 1, 3)))
    assert layer.crossbars == Crossbars(0, 3, 5, 3)


def test_a_product_with_weights_that_stay_does_not_run_on_the_digital_unit():
    for name in ("reloaded", "resident"):
        original = program(name)
        places = original.segments[0].places[1:]
        edited = put(original, path_of(original, "c")[:-1], next(original.layers).op)
        edited = put(edited, ("segments", 0, "places"), places)
        assert rejection(edited) == "`c` is no product for the digital unit"


# Parameters, edited in the text: (program, old text, new text, whether the digest covers it).
PARAMETERS = [
    ("reloaded", "name net", "name net2", False),
    ("reloaded", '"write_latency_ns":56000.0', '"write_latency_ns":5600.0', True),
    ("reloaded", '"attention":"digital"', '"attention":"crossbars"', True),
    ("reloaded", "window=3x3/1x1/0x0x0x0/1x1", "window=2x2/1x1/0x0x0x0/2x2", True),
    ("reloaded", "full_scale=-", "full_scale=12.5", True),
    ("reloaded", "precision=4:4", "precision=3:4", True),
    ("images", "function=tanh", "function=sigmoid", True),
    ("images", "start=0 stop=4 step=1", "start=1 stop=5 step=1", True),
    ("images", "stop=4 step=1", "stop=6 step=2", True),
    ("images", "parts=ta@0,tb@3", "parts=tb@0,ta@3", True),
    ("images", "low=0.0", "low=0.1", True),
    ("images", "shape=4x16", "shape=16x4", True),
    ("images", "epsilon=1e-05", "epsilon=1e-06", True),
    ("images", "softmax src=scaled axis=1", "softmax src=scaled axis=0", True),
    ("images", "axes=0", "axes=1", True),
    ("images", "codes=s4", "codes=u4", True),
    ("tokens", "axes=1x0", "axes=0x1", True),
]


@pytest.mark.parametrize(("name", "old", "new", "is_covered"), PARAMETERS)
def test_a_parameter_that_was_edited_is_rejected_by_the_digest(name: str, old: str, new: str, is_covered: bool):
    text = print_program(program(name))
    assert old in text
    check_digest(text.replace(old, new, 1), is_covered)


def test_two_sources_in_each_others_place_are_rejected_by_the_digest():
    """Every buffer is read as often as before: the program is as good as it was, but it is another network."""
    text = print_program(program("images"))
    edited = text.replace("ta = evaluate src=a ", "ta = evaluate src=b ").replace(
        "tb = evaluate src=b ", "tb = evaluate src=a "
    )
    assert edited != text
    check_digest(edited, is_covered=True)


def check_digest(text: str, is_covered: bool) -> None:
    if not is_covered:
        verify(parse_program(text))
        return
    with pytest.raises(CimError) as caught:
        parse_program(text)
    (found,) = caught.value.diagnostics
    assert found.code == "CIM501"
    assert "edited after it was compiled" in found.message
