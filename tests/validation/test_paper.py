"""Latencies published with the policies of arXiv 2601.21737 (paper_policies.json), and its formula.

The source gives latency = repeat * (crossbars * write + invocations * crossbars * steps * read) for one crossbar of
256 x 256 cells, 56 us to write and 1.4 us to read, and three policies with their results under three encodings.
"""

import json
from pathlib import Path

import pytest

from cimspec import evaluate, load_spec
from cimspec.graph import load_policy
from cimspec.pipeline import compiled_graph

ROOT = Path(__file__).parents[2]
PUBLISHED = json.loads((Path(__file__).parent / "paper_policies.json").read_text())
CASES = [
    pytest.param(case, encoding, id=f"{case['name']}-{encoding}")
    for case in PUBLISHED["cases"]
    for encoding in case["results"]
]


@pytest.mark.parametrize(("case", "encoding"), CASES)
def test_published_policies_have_their_published_latency(case, encoding, tmp_path):
    overrides = [f"chip.crossbar.encoding={encoding}", f"chip.crossbar.cell={case['cell_bits']} bit"]
    spec = load_spec(ROOT / f"specs/paper/{case['model']}.cim", overrides)
    path = tmp_path / "policy.json"
    path.write_text(json.dumps(case["policy"]))
    found = evaluate(spec, load_policy(path, compiled_graph(spec))).as_json()
    expected = case["results"][encoding]
    assert found["baseline_latency_us"] == pytest.approx(expected["baseline_us"], rel=1e-9)
    assert found["latency_us"] == pytest.approx(expected["policy_us"], rel=1e-9)
    assert found["speedup"] == pytest.approx(expected["speedup"], rel=1e-6)


@pytest.mark.parametrize("model", ["vgg16", "resnet18"])
def test_layers_have_the_published_shapes_in_the_published_order(model):
    graph = compiled_graph(load_spec(ROOT / f"specs/paper/{model}.cim"))
    from cimspec.compiler import compile_program

    program = compile_program(graph, graph.uniform(8, 8), load_spec(ROOT / f"specs/paper/{model}.cim").chip)
    found = [(layer.op.outputs, layer.op.inputs, layer.op.invocations) for layer in program.layers]
    assert found == [(each["outputs"], each["inputs"], each["invocations"]) for each in PUBLISHED["layers"][model]]


@pytest.mark.parametrize(
    ("weight_bits", "activation_bits", "speedup"),
    [(4, 2, 6.17262), (4, 4, 3.27976), (4, 6, 2.233), (4, 5, 2.657), (4, 3, 4.284)],
)
def test_uniform_bits_on_vgg16(weight_bits, activation_bits, speedup):
    """Speedups of uniform settings under the published formula, worked out by hand for the source."""
    spec = load_spec(ROOT / "specs/paper/vgg16.cim")
    policy = compiled_graph(spec).uniform(weight_bits, activation_bits)
    assert evaluate(spec, policy).speedup == pytest.approx(speedup, abs=5e-4)
