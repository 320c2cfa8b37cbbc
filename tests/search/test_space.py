"""The space of a chip: what is worth trying."""

from pathlib import Path

import pytest

from cimspec import load_spec
from cimspec.diag import CimError
from cimspec.graph import Precision
from cimspec.pipeline import compiled_graph, evaluate
from cimspec.search.space import build_space
from cimspec.search.uniform import uniform_trials
from cimspec.spec import Keep
from tests.search.toy import toy_score

ROOT = Path(__file__).parents[2]


def quickstart(*overrides: str):
    return load_spec(ROOT / "specs/quickstart.cim", overrides)


def test_on_a_lossless_chip_bits_that_cost_the_same_collapse_to_the_widest():
    spec = quickstart()
    space = build_space(compiled_graph(spec), spec.chip, spec.search)
    # c1 has 8 outputs: even 8-bit weights (4 slices, 64 columns) fit one crossbar, so fewer weight bits gain nothing.
    assert {option.precision.weight_bits for option in space.options[0]} == {8}
    # c4 has 32 outputs; 2-bit cells hold a magnitude of 2, 4, 6, 8 bits in 1 to 4 slices: 3, 5, 7 and 8 bits remain.
    assert {option.precision.weight_bits for option in space.options[3]} == {3, 5, 7, 8}
    assert space.size == 7 * 14 * 14 * 28**4 * 14


@pytest.mark.parametrize(
    "override", ["chip.adc.bits=5", "chip.adc.range=calibrated", "chip.adc.conversion=per_product"]
)
def test_on_a_lossy_chip_all_bits_stay(override):
    # A calibrated range clips rare sums; whole products of 8-bit inputs take 64 * 3 * 255 < 2^16, 16 bits.
    spec = quickstart(override)
    space = build_space(compiled_graph(spec), spec.chip, spec.search)
    assert space.size == 49**8


def test_latencies_of_a_choice_add_up_to_those_of_its_program():
    spec = quickstart()
    space = build_space(compiled_graph(spec), spec.chip, spec.search)
    choice = tuple(len(options) // 2 for options in space.options)
    assert space.latency_ns(choice) == pytest.approx(evaluate(spec, space.policy(choice)).cost.latency_ns)
    assert space.policy(space.widest()).precisions == (Precision(8, 8),) * 8


def test_kept_layers_have_one_option():
    spec = quickstart()
    search = spec.search.model_copy(update={"keep": (Keep(layer="c4", weight_bits=6, activation_bits=5),)})
    graph = compiled_graph(spec)
    space = build_space(graph, spec.chip, search)
    assert [option.precision for option in space.options[3]] == [Precision(6, 5)]
    assert all(trial.policy["c4"] == (6, 5) for trial in uniform_trials(graph, spec.chip, search, toy_score))


def test_keeping_a_layer_that_is_not_there_is_a_diagnostic():
    spec = quickstart()
    search = spec.search.model_copy(update={"keep": (Keep(layer="c9", weight_bits=8, activation_bits=8),)})
    with pytest.raises(CimError, match="CIM607"):
        build_space(compiled_graph(spec), spec.chip, search)


def test_uniform_policies_come_fastest_first():
    spec = quickstart()
    trials = uniform_trials(compiled_graph(spec), spec.chip, spec.search, toy_score)
    latencies = [trial.latency_ns for trial in trials]
    assert latencies == sorted(latencies)
    assert all(len(set(trial.policy.precisions)) == 1 for trial in trials)
