"""Blocks and repeats: names, inputs, scopes of the layers that they come to."""

import pytest

from cimspec.diag import CimError
from cimspec.graph import build_graph
from tests.spec.conftest import CHIP

RESIDUAL = """
block residual(channels, stride = 1) from x {
  let half = channels / 2
  conv2d c1 from x { channels = half; kernel = 3; stride = stride; padding = 1 }
  relu
  conv2d c2 { channels = channels; kernel = 3; padding = 1 }
  add from c2, x
}
"""


@pytest.fixture
def layers(loaded):
    """Name and inputs of the layers of a model."""

    def of(model: str, *blocks: str, **files: str) -> list[tuple[str, ...]]:
        imports = "".join(f'import "{name}.cim"\n' for name in files)
        spec = loaded(imports + CHIP + "\n".join((*blocks, model)), **files).spec
        return [(layer.name, *layer.inputs) for layer in spec.model.layers]

    return of


def codes(layers, *texts: str, **files: str) -> list[str]:
    with pytest.raises(CimError) as caught:
        layers(*texts, **files)
    return [found.code for found in caught.value.diagnostics]


def test_layers_of_a_use_are_named_after_it(layers):
    uses = "residual s1(4); residual s2(4, stride = 1) from s1; residual(4) from s1"
    model = f"model m {{ input 4 x 8 x 8; relu; {uses}; relu }}"
    assert layers(model, RESIDUAL) == [
        ("input",),
        ("relu2", "input"),
        ("s1_c1", "relu2"),
        ("s1_relu2", "s1_c1"),
        ("s1_c2", "s1_relu2"),
        ("s1_add4", "s1_c2", "relu2"),
        ("s2_c1", "s1_add4"),
        ("s2_relu2", "s2_c1"),
        ("s2_c2", "s2_relu2"),
        ("s2_add4", "s2_c2", "s1_add4"),
        ("residual1_c1", "s1_add4"),
        ("residual1_relu2", "residual1_c1"),
        ("residual1_c2", "residual1_relu2"),
        ("residual1_add4", "residual1_c2", "s1_add4"),
        ("relu15", "residual1_add4"),
    ]


def test_parameters_have_values_where_they_are_written(loaded):
    block = "let three = 3\nblock b(n, m = n * three) { let n2 = m + n; linear { features = n2 } }"
    files = {"blocks": block}
    text = 'import "blocks.cim"\nlet n = 100' + CHIP + "model m { input 4; b(2); b(m = 1, n = 5); b(n, n / 2) }"
    features = [layer.op.features for layer in loaded(text, **files).spec.model.layers[1:]]
    assert features == [2 * 3 + 2, 1 + 5, 100 + 50]


def test_rounds_number_what_has_a_name(layers):
    model = """model m { input 4
      repeat w in [3, 4] { linear f { features = w }; relu; add g from f, f }
      add from f_1, g_2
      repeat 2 { repeat 2 { relu r }; add from r_1, r_2 }
      add from r_1_2, r_2_1
    }"""
    # The sizes do not fit, which is for the graph to say.
    assert layers(model) == [
        ("input",),
        ("f_1", "input"),
        ("relu3", "f_1"),
        ("g_1", "f_1", "f_1"),
        ("f_2", "g_1"),
        ("relu6", "f_2"),
        ("g_2", "f_2", "f_2"),
        ("add8", "f_1", "g_2"),
        ("r_1_1", "add8"),
        ("r_1_2", "r_1_1"),
        ("add11", "r_1_1", "r_1_2"),
        ("r_2_1", "add11"),
        ("r_2_2", "r_2_1"),
        ("add14", "r_2_1", "r_2_2"),
        ("add15", "r_1_2", "r_2_1"),
    ]


def test_unnamed_uses_are_counted_on_in_repeats(layers):
    block = "block b(n) { relu r; gelu }"
    names = [name for name, *_ in layers("model m { input 4; b(1); repeat 2 { b(1) }; b b4(1) }", block)]
    assert names[1:] == [f"b{number}_{layer}" for number in (1, 2, 3, 4) for layer in ("r", "gelu2")]


def test_a_name_that_starts_with_a_line_joins_without_another(layers):
    block = "block b(n) { relu _1; relu _2 }\nblock c(n) from x { b _(n); add from _, x }"
    names = [name for name, *_ in layers("model m { input 4; b b1(1); c c1(1) }", block)]
    assert names[1:] == ["b1_1", "b1_2", "c1_1", "c1_2", "c1_add1"]


def test_a_block_in_a_block_reads_what_the_outer_one_says(layers):
    blocks = """
    block inner(n) { relu r; add from r, input }
    block outer(n) from p, q { inner a(n) from q; inner b(n); add from a, p }
    """
    found = layers("model m { input 4; relu one; relu two; outer o(1) from one, two }", blocks)
    assert found[3:] == [
        ("o_a_r", "two"),
        ("o_a_add2", "o_a_r", "two"),
        ("o_b_r", "o_a_add2"),
        ("o_b_add2", "o_b_r", "o_a_add2"),
        ("o_add1", "o_a_add2", "one"),
    ]


def test_a_block_sees_its_own_layers_and_inputs_only(layers):
    block = "block b(n) { relu r; add from r, stem }"
    assert codes(layers, "model m { input 4; relu stem; b(1); b(1) }", block) == ["CIM402"]
    later = "block b(n) { add from r, input; relu r }"
    assert codes(layers, "model m { input 4; b(1) }", later) == ["CIM402"]


def test_names_of_a_block_hide_no_names_outside(layers):
    block = "block b(n) { relu r }"
    found = layers("model m { input 4; relu r; b b1(1); add from r, b1; add from b1_r, r }", block)
    assert [inputs for _, *inputs in found[3:]] == [["r", "b1_r"], ["b1_r", "r"]]


def test_a_derived_model_overrides_layers_of_blocks(loaded):
    base = RESIDUAL + "model base_net { input 4 x 8 x 8; residual s1(4); relu }\n"
    body = "conv2d s1_c1 { kernel = 5; padding = 2 }; residual s2(4) from relu6"
    spec = loaded(f'import "base.cim"\nmodel m extends base_net {{ {body} }}' + CHIP, base=base).spec
    by_name = {layer.name: layer for layer in spec.model.layers}
    assert by_name["s1_c1"].op.kernel == (5, 5)
    assert (by_name["s1_c1"].op.channels, by_name["s2_c1"].inputs) == (2, ("relu6",))
    build_graph(spec.model)


def test_a_derived_model_says_what_its_first_block_reads(layers):
    files = {"a": "block b(n) { relu }\nmodel a { input 4; relu }"}
    assert codes(layers, "model m extends a { b(1) }", **files) == ["CIM232"]


def test_blocks_come_from_imports_with_their_own_names(layers):
    files = {"one": "let k = 3\nblock b(n) { inner(n + k) }\nblock inner(n) { linear f { features = n } }"}
    assert layers("let k = 9\nmodel m { input 4; b b1(1) }", **files)[1:] == [("b1_inner1_f", "input")]


def test_a_block_of_the_file_hides_an_imported_one(layers):
    files = {"one": "block b(n) { relu a }", "two": "block b(n) { relu c }"}
    own = "block b(n) { relu own }\nmodel m { input 4; b b1(1) }"
    assert layers(own, **files)[1:] == [("b1_own", "input")]
    assert codes(layers, "model m { input 4; b b1(1) }", **files) == ["CIM223"]


def test_a_mistake_of_a_block_is_told_once_with_its_first_use(loaded):
    block = "block b(n) { linear { feature = n } }\nblock two(n) { b(n)\n b(n) }\n"
    with pytest.raises(CimError) as caught:
        loaded(CHIP + block + "model m { input 4; repeat 16 { two(1) } }")
    (found,) = caught.value.diagnostics
    assert (found.code, found.span.text) == ("CIM203", "feature")
    assert [(label.text, label.span.text) for label in found.related] == [
        ("used here", "b(n)"),
        ("used here", "two(1)"),
    ]


def test_a_layer_that_does_not_fit_says_where_its_block_is_used(loaded):
    block = "block b(n) { linear f { features = n }; add from f, input }"
    spec = loaded(CHIP + block + "\nmodel m { input 4; b(4)\n b(5) }")
    with pytest.raises(CimError) as caught:
        build_graph(spec.spec.model, spec.spans)
    (found,) = caught.value.diagnostics
    assert (found.code, found.message) == ("CIM401", "`b2_add2` adds 5 to 4")
    assert [label.span.text for label in found.related] == ["b(5)"]


def test_a_value_error_in_a_block_does_not_hide_others(loaded):
    block = "block b(n) { linear { features = n / 0 } }"
    with pytest.raises(CimError) as caught:
        loaded(CHIP.replace("rows = 64", "rows = 0") + block + "\nmodel m { input 4; b(1); b(2) }")
    assert [found.code for found in caught.value.diagnostics] == ["CIM208", "CIM226"]
