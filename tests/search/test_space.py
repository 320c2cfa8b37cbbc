"""The space of a chip: what is worth trying."""

from pathlib import Path

import numpy as np
import pytest

from cimspec import load_spec
from cimspec.compiler.copies import Load
from cimspec.diag import CimError
from cimspec.graph import Precision
from cimspec.pipeline import compiled_graph, evaluate
from cimspec.search.goal import DivergenceLimit, Goal
from cimspec.search.planner import Task, plan
from cimspec.search.space import Space, build_space
from cimspec.search.uniform import uniform_trials
from cimspec.spec import Keep, Metric
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
    assert space.values(choice) == pytest.approx((evaluate(spec, space.policy(choice)).cost.latency_ns,))
    assert space.policy(space.widest()).precisions == (Precision(8, 8),) * 8


RESIDENT = ("chip.weights=resident", "chip.crossbars=192")


def resident(*overrides: str):
    return quickstart(*RESIDENT, *overrides)


def space_of(spec) -> Space:
    return build_space(compiled_graph(spec), spec.chip, spec.search)


def test_options_of_a_pipeline_hold_their_loads():
    spec = resident()
    space = space_of(spec)
    widest = [options[index] for options, index in zip(space.options, space.widest(), strict=True)]
    # c1: 8 outputs in 4 slices and two columns each are 64 columns, 9 inputs: one crossbar. 28 * 28 pixels in 8 steps
    # of 1.4 us each. f1: 576 inputs are 9 rows of blocks, 64 outputs * 8 columns 8 columns of blocks; one product.
    assert widest[0].load == Load(1, 784, 11200.0)
    assert widest[6].load == Load(72, 1, 11200.0)
    # If 192 crossbars could share c1's work: 784 * 11.2 us / 192.
    assert widest[0].costs == pytest.approx((784 * 11200 / 192,))
    assert all(
        [option.costs for option in options] == sorted(option.costs for option in options) for options in space.options
    )
    # Crossbars and turns say what is worth trying: the same as on the chip whose crossbars are written anew.
    reloaded = space_of(quickstart())
    assert [{each.precision for each in own} for own in space.options] == [
        {each.precision for each in own} for own in reloaded.options
    ]


@pytest.mark.slow
@pytest.mark.parametrize("minimize", [Metric.LATENCY, Metric.INTERVAL])
def test_a_pipeline_takes_what_its_schedule_does(minimize: Metric):
    spec = resident(f"search.minimize={minimize}", "chip.digital.lanes=1", "chip.digital.cycle=10 ns")
    space = space_of(spec)
    rng = np.random.default_rng(0)
    for choice in [tuple(int(rng.integers(len(options))) for options in space.options) for _ in range(8)]:
        cost = evaluate(spec, space.policy(choice)).cost
        (time_ns,), (bound_ns,) = space.values(choice), space.bounds(choice)
        assert time_ns == (cost.latency_ns if minimize is Metric.LATENCY else cost.interval_ns)
        assert 0 < bound_ns <= time_ns * (1 + 1e-12)


def test_crossbars_alone_bound_a_pipeline_that_has_nothing_else_to_wait_for():
    space = space_of(resident("search.minimize=interval"))
    choice = space.widest()
    # c1, c2 and c3 with 12, 3 and 3 copies: ceil(784 / 12) * 11.2 us = 739.2 us, and 12 + 3 * (4 + 6) + 146 = 188.
    # For less c1 needs 13, c2 and c3 4 copies: 13 + 40 + 146 = 199 > 192.
    assert space.bounds(choice) == pytest.approx((739200,))
    assert space.values(choice) == pytest.approx((739200,))


def test_weights_that_do_not_fit_at_once_have_no_bound_but_a_time():
    spec = resident("chip.crossbars=100", "chip.batch=10", "search.minimize=interval")
    space = space_of(spec)
    cost = evaluate(spec).cost
    assert len(cost.segments) == 2
    assert space.bounds(space.widest()) == (0,)
    assert space.values(space.widest()) == (cost.interval_ns,)


def test_without_copies_one_turn_stands_for_all():
    spec = resident("chip.copies=false", "search.minimize=interval")
    space = space_of(spec)
    c1 = space.options[0][space.widest()[0]]
    assert c1.load == Load(1, 1, 784 * 11200.0)
    assert space.bounds(space.widest()) == pytest.approx((784 * 11200,))
    assert space.values(space.widest()) == pytest.approx((evaluate(spec).cost.interval_ns,))


@pytest.mark.slow
@pytest.mark.parametrize("adc_bits", [4, 7])
def test_products_on_the_digital_unit_keep_their_bits_and_take_no_crossbars(adc_bits: int):
    spec = load_spec(ROOT / "specs/attention.cim", (*RESIDENT, f"chip.adc.bits={adc_bits}"))
    space = space_of(spec)
    for name, options in zip(space.names, space.options, strict=True):
        digital = name in ("a1_qk", "a1_av")
        assert all((option.load is None) == digital for option in options)
        if digital:
            assert [option.precision for option in options] == [Precision(8, 8)]
    assert space.values(space.widest()) == (evaluate(spec).cost.latency_ns,)
    task = Task(space, Goal(DivergenceLimit(1.0), (1.0,)), space.values(space.widest()))
    assert len(plan(task, tuple(np.zeros(len(options)) for options in space.options), 1.0)) == len(space.names)


def test_products_that_are_written_for_each_input_are_one_turn():
    spec = load_spec(ROOT / "specs/attention.cim", (*RESIDENT, "chip.attention=crossbars"))
    space = space_of(spec)
    (product,) = (
        options[index].load
        for name, options, index in zip(space.names, space.options, space.widest(), strict=True)
        if name == "a1_qk"
    )
    # 17 tokens, 4 heads of 8 features: every head takes 8 rows and 17 * 4 * 2 = 136 columns, 5 crossbars of 32. All are
    # written at once, 56 us, and read 17 times in 8 steps (7 bits and a sign) of 1.4 us.
    assert product == Load(20, 1, 56000 + 17 * 8 * 1400.0)


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
    times = [trial.values for trial in trials]
    assert times == sorted(times)
    assert all(len(set(trial.policy.precisions)) == 1 for trial in trials)


@pytest.mark.slow
def test_uniform_policies_of_a_pipeline_are_compared_by_what_is_made_small():
    spec = resident("search.minimize=interval")
    trials = uniform_trials(compiled_graph(spec), spec.chip, spec.search, toy_score)
    assert [trial.values[0] for trial in trials] == sorted(
        evaluate(spec, trial.policy).cost.interval_ns for trial in trials
    )


ENERGIES = (
    *("chip.crossbar.read_energy=240 pJ", "chip.crossbar.write_energy=2 nJ", "chip.adc.energy=1.6 pJ"),
    *("chip.dac.energy=0.4 pJ", "chip.crossbar.area=25 um2", "chip.adc.area=1200 um2", "chip.dac.area=0.17 um2"),
    "chip.adc.columns_per_adc=8",
)


@pytest.mark.parametrize("mode", [(), RESIDENT])
def test_values_of_several_metrics_are_those_of_the_schedule(mode: tuple[str, ...]):
    metrics = [Metric.ENERGY, Metric.LATENCY, Metric.CROSSBARS, *([Metric.AREA, Metric.INTERVAL] if mode else [])]
    spec = quickstart(*mode, *ENERGIES, f"search.minimize={' * '.join(metrics)}")
    space = space_of(spec)
    assert space.metrics == tuple(metrics)
    rng = np.random.default_rng(0)
    for _ in range(4):
        choice = tuple(int(rng.integers(len(options))) for options in space.options)
        cost = evaluate(spec, space.policy(choice)).cost
        wanted = {
            Metric.ENERGY: cost.energy_pj,
            Metric.LATENCY: cost.latency_ns,
            Metric.CROSSBARS: sum(layer.crossbars for layer in cost.layers),
            Metric.AREA: cost.area_um2,
            Metric.INTERVAL: cost.interval_ns,
        }
        values = space.values(choice)
        for metric, value in zip(metrics, values, strict=True):
            # What goes in and out of the chip is nobody's, and the same for all: no layer's costs have it.
            assert value == pytest.approx(wanted[metric]), metric
        bounds = space.bounds(choice)
        assert all(bound <= value * (1 + 1e-12) for bound, value in zip(bounds, values, strict=True))


@pytest.mark.parametrize("mode", [(), RESIDENT])
def test_options_that_another_one_beats_in_all_metrics_are_left_out(mode: tuple[str, ...]):
    spec = quickstart(*mode, *ENERGIES, "search.minimize=latency * energy")
    for own in space_of(spec).options:
        for option in own:
            better = [
                other for other in own
                if other is not option and other.precision.covers(option.precision)
                and all(theirs <= mine for theirs, mine in zip(other.costs, option.costs, strict=True))
                and (not other.load or (other.load.blocks <= option.load.blocks
                                        and other.load.turn_ns <= option.load.turn_ns))
            ]  # fmt: skip
            assert not better


@pytest.mark.parametrize(
    ("overrides", "metric"), [((), Metric.ENERGY), (RESIDENT, Metric.AREA), (ENERGIES, Metric.AREA)]
)
def test_what_the_chip_does_not_say_makes_no_space(overrides: tuple[str, ...], metric: Metric):
    with pytest.raises(CimError, match="CIM608"):
        space_of(quickstart(*overrides, f"search.minimize={metric}"))


def test_constants_that_count_nothing_in_a_schedule_are_found_by_compiling_it():
    spec = resident("search.minimize=energy", "chip.digital.mac_energy=1 pJ")  # of attention, which VGG-8 has none of
    with pytest.raises(CimError, match="CIM608"):
        space_of(spec)


def test_where_nothing_differs_there_is_nothing_to_choose():
    with pytest.raises(CimError, match="CIM609"):
        space_of(quickstart("search.weight_bits=[8]", "search.activation_bits=[8]"))
    # All inputs are applied at once: 7 bits take what 8 do, and a column's sum, 64 x 3 x 255 < 2^16, is exact.
    alike = quickstart("chip.dac.bits=8", "chip.adc.bits=16", "search.weight_bits=[8]", "search.activation_bits=[7, 8]")
    with pytest.raises(CimError, match=r"CIM609 .* every layer has one precision"):
        space_of(alike)
