"""Layers as they are written: numbers for both directions and four sides, names, and what runs on crossbars."""

import pytest

from cimspec.spec import FunctionSpec
from tests.spec.conftest import CHIP, SEARCH


def layer(loaded, text: str, *overrides: str):
    """The operation of `text`, the second layer of a model."""
    return (
        loaded(f"{CHIP}model net {{ input 3 x 8 x 8; {text}; linear f {{ features = 2 }} }}", *overrides)
        .spec.model.layers[1]
        .op
    )


@pytest.mark.parametrize(
    ("written", "field", "expected"),
    [
        ("kernel = 3", "kernel", (3, 3)),
        ("kernel = 1 x 7", "kernel", (1, 7)),
        ("kernel = [1, 7]", "kernel", (1, 7)),
        ("kernel = 3; stride = 2 x 1", "stride", (2, 1)),
        ("kernel = 3; dilation = 2", "dilation", (2, 2)),
        ("kernel = 3; padding = 1", "padding", (1, 1, 1, 1)),
        ("kernel = 3; padding = 0 x 3", "padding", (0, 3, 0, 3)),  # top, left, bottom, right
        ("kernel = 3; padding = [0, 1, 2, 3]", "padding", (0, 1, 2, 3)),
        ("kernel = 3", "padding", (0, 0, 0, 0)),
    ],
)
def test_numbers_for_both_directions_and_four_sides(loaded, written: str, field: str, expected: tuple[int, ...]):
    assert getattr(layer(loaded, f"conv2d c {{ channels = 8; {written} }}"), field) == expected


def test_a_number_and_its_repetition_mean_the_same(loaded):
    texts = ["kernel = 3; padding = 1", "kernel = 3 x 3; padding = [1, 1, 1, 1]", "kernel = [3, 3]; padding = 1 x 1"]
    digests = {
        loaded(f"{CHIP}model net {{ input 3 x 8 x 8; conv2d {{ channels = 8; {text} }} }}").spec.digest
        for text in texts
    }
    assert len(digests) == 1


def test_a_shape_can_be_set_from_outside(loaded):
    changed = layer(
        loaded, "conv2d c { channels = 8; kernel = 3 }", "model.c.kernel=1 x 7", "model.c.padding=[0, 3, 0, 3]"
    )
    assert (changed.kernel, changed.padding) == ((1, 7), (0, 3, 0, 3))


def test_a_pool_moves_by_its_kernel_unless_it_says_otherwise(loaded):
    assert layer(loaded, "maxpool p { kernel = 2 }").stride is None
    assert layer(loaded, "maxpool p { kernel = 2; stride = 1 x 2 }").stride == (1, 2)


@pytest.mark.parametrize("kind", ["relu6", "sigmoid", "tanh", "silu", "hardsigmoid", "hardswish"])
def test_functions_are_layers_by_their_names(loaded, kind: str):
    assert layer(loaded, kind) == FunctionSpec(kind=kind)


def test_names_of_layers_without_one_differ(loaded):
    model = f"model net {{ input 4; {'relu; ' * 9}relu6; {'relu; ' * 95}linear {{ features = 2 }} }}"
    names = [each.name for each in loaded(CHIP + model).spec.model.layers]
    assert len(set(names)) == len(names) == 107
    assert (names[1], names[10], names[-1]) == ("relu2", "relu6_11", "linear107")


def test_layers_that_run_on_crossbars_have_bits_to_keep(loaded):
    model = """
    model net {
      input 1 x 8 x 8
      depthwise d1 { kernel = 1 }
      tokens
      attention a1 { heads = 1 }
      product p1 from a1, a1
      relu
    }
    """
    kept = ["d1", *(f"a1_{part}" for part in ("q", "k", "v", "qk", "av", "out")), "p1"]
    keep = "; ".join(f"keep {name} at 8 bit, 4 bit" for name in kept)
    spec = loaded(CHIP + model + SEARCH.replace("keep c1 at 8 bit, 8 bit", keep)).spec
    assert [each.layer for each in spec.search.keep] == kept
    assert [name for each in spec.model.layers for name in each.products] == kept
