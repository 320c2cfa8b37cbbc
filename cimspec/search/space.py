"""The search space: for each crossbar layer the precisions worth trying, and what each costs.

From a graph, a chip and the spec's `search` block. Where the ADC is lossless, a precision is dropped if another one has
at least its bits everywhere and takes no more: wider codes cannot be worse there. Otherwise all stay, since narrower
codes sum lower and have wider margins. What a policy takes is what its compiled schedule does: with reloaded weights
the sum of its layers, with resident weights that of a pipeline.
"""

import math
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

from cimspec.compiler import CrossbarLayer, Program, compile_program
from cimspec.compiler.copies import Load
from cimspec.compiler.resident import Placed
from cimspec.compiler.slicing import input_steps
from cimspec.cost import LayerCost, program_cost
from cimspec.diag import did_you_mean, fail
from cimspec.graph import Graph, Policy, Precision
from cimspec.search.arrays import FloatArray, IntArray
from cimspec.search.objective import known, metric_values
from cimspec.search.pipeline import Pipeline
from cimspec.sim import Converter
from cimspec.spec.chip import AdcRange, Chip, WeightMode
from cimspec.spec.search import Metric, SearchSpec
from cimspec.spec.search_checks import has_one_precision, why_not

Choice = tuple[int, ...]
"""An index into each layer's options."""

Costs = tuple[float, ...]
"""One for each metric."""

LayerCosts = dict[str, tuple[Costs, Load | None]]
"""Costs and load of each layer that runs on crossbars."""

TIMES = (Metric.LATENCY, Metric.INTERVAL)


@dataclass(frozen=True, slots=True)
class Option:
    """One precision of one layer."""

    precision: Precision
    costs: Costs  # what the layer adds to each metric; of the times of a pipeline, its share of the chip's crossbars
    load: Load | None = None  # in a pipeline; None also where crossbars have nothing to do


@dataclass(frozen=True)
class Space:
    """What may be chosen, layer by layer in execution order. Options are sorted by costs, the least first."""

    names: tuple[str, ...]
    options: tuple[tuple[Option, ...], ...]
    metrics: tuple[Metric, ...] = (Metric.LATENCY,)
    pipeline: Pipeline | None = None  # None: layers follow each other, and what they take adds up

    @property
    def size(self) -> int:
        """Number of policies."""
        return math.prod(len(options) for options in self.options)

    @cached_property
    def option_costs(self) -> tuple[FloatArray, ...]:
        """The costs of each layer's options: `[options, metrics]`."""
        return tuple(np.array([option.costs for option in options]) for options in self.options)

    def policy(self, choice: Choice) -> Policy:
        """The policy that `choice` stands for."""
        chosen = zip(self.options, choice, strict=True)
        return Policy(self.names, tuple(options[index].precision for options, index in chosen))

    def values(self, choice: Choice) -> Costs:
        """What the policy takes, one for each metric."""
        return self.pipeline.values(self.policy(choice)) if self.pipeline else self._sums(choice)

    def bounds(self, choice: Choice) -> Costs:
        """What `values` are not below: known sooner where they take a schedule."""
        if self.pipeline is None:
            return self._sums(choice)
        bound_ns = self.pipeline.bound_ns(choice)
        return tuple(bound_ns if metric in TIMES else 0.0 for metric in self.metrics)

    def sums(self, choices: IntArray) -> FloatArray:
        """What the costs of choices `[choices, layers]` add up to: `[choices, metrics]`."""
        return np.asarray(sum(costs[choices[:, layer]] for layer, costs in enumerate(self.option_costs)))

    def _sums(self, choice: Choice) -> Costs:
        chosen = [options[index].costs for options, index in zip(self.options, choice, strict=True)]
        return tuple(map(sum, zip(*chosen, strict=True)))

    def widest(self) -> Choice:
        """The most bits everywhere."""
        return tuple(max(range(len(options)), key=lambda index: options[index].precision) for options in self.options)


def build_space(graph: Graph, chip: Chip, search: SearchSpec) -> Space:
    """The space of `search` on `chip`.

    Raises `CimError` where `keep` names no crossbar layer (CIM607), where the chip does not say what the search makes
    small (CIM608), and where no layer has a choice (CIM609).
    """
    names = tuple(layer.name for layer in graph.crossbar_layers)
    kept = kept_precisions(names, search)
    widths = {
        Precision(weight_bits, activation_bits)
        for weight_bits in search.weight_bits
        for activation_bits in search.activation_bits
    }
    metrics = search.metrics
    for metric in metrics:
        if refusal := why_not(metric, chip):
            message, help_text = refusal
            fail("CIM608", message, help=help_text)
    costs = {
        precision: _layer_costs(compile_program(graph, graph.uniform(*precision), chip), metrics)
        for precision in widths | set(kept.values())
    }
    lossless = is_lossless(chip, max(search.activation_bits))
    digital = ((0.0,) * len(metrics), None)
    options = tuple(
        _options([(each, *costs[each].get(name, digital)) for each in ((kept[name],) if name in kept else widths)],
                 lossless=lossless)
        for name in names
    )  # fmt: skip
    if all(len(own) == 1 for own in options):
        fail("CIM609", "there is nothing to choose: every layer has one precision", help=_more_choice(search))
    if chip.weights is WeightMode.RELOADED:
        return Space(names, options, metrics)

    @cache
    def values(policy: Policy) -> Costs:
        return metric_values(program_cost(compile_program(graph, policy, chip)), metrics)

    values(graph.uniform(8, 8))  # tells what the chip does not say
    loads = tuple(tuple(option.load for option in own) for own in options)
    return Space(names, options, metrics, Pipeline(chip.crossbars, loads, values))


def _more_choice(search: SearchSpec) -> str:
    if has_one_precision(search):
        return "allow more `weight_bits` and `activation_bits`"
    return "`keep` fewer layers, or allow bits that differ in what they take on this chip"


def is_lossless(chip: Chip, activation_bits: int) -> bool:
    """Whether the chip's ADC tells all column sums apart, inputs having up to `activation_bits`."""
    if chip.adc.range is AdcRange.CALIBRATED:
        return False  # rarer sums are clipped
    steps = input_steps(chip, activation_bits, signed=False)  # signed ones sum to less
    converter = Converter.of(chip, None, rows=chip.active_rows, steps=steps)
    return converter.is_lossless(int(converter.low), int(converter.high))


def kept_precisions(names: tuple[str, ...], search: SearchSpec) -> dict[str, Precision]:
    """The precisions that `keep` fixes, by layer. Raises `CimError` (CIM607) where it names no crossbar layer."""
    for keep in search.keep:
        if keep.layer not in names:
            near = did_you_mean(keep.layer, names)
            help_text = f"did you mean `{near}`?" if near else None
            fail("CIM607", f"`keep` names `{keep.layer}`, which is no layer on crossbars", help=help_text)
    return {keep.layer: Precision(keep.weight_bits, keep.activation_bits) for keep in search.keep}


def _layer_costs(program: Program, metrics: tuple[Metric, ...]) -> LayerCosts:
    chip, layers = program.chip, {layer.name: layer for layer in program_cost(program).layers}
    if chip.weights is WeightMode.RELOADED:
        return {name: (_added(layer, layer.latency_ns, metrics), None) for name, layer in layers.items()}
    costs: LayerCosts = {}
    for position, item in enumerate(program.items):
        if isinstance(item, CrossbarLayer):
            load = Placed(position, program.matrices(item)).load
            whole = Load(load.blocks, 1, load.interval_ns(1))  # one turn stands for all
            time_ns = whole.blocks * whole.turn_ns / chip.crossbars
            costs[item.name] = (_added(layers[item.name], time_ns, metrics), load if chip.copies else whole)
    return costs


def _added(layer: LayerCost, time_ns: float, metrics: tuple[Metric, ...]) -> Costs:
    """What a layer adds to each metric; to an area, its crossbars."""
    added = []
    for metric in metrics:
        if metric in TIMES:
            added.append(time_ns)
        elif metric is Metric.ENERGY:
            added.append(known(layer.energy_pj, metric))
        else:
            added.append(float(layer.crossbars))
    return tuple(added)


def _options(priced: list[tuple[Precision, Costs, Load | None]], *, lossless: bool) -> tuple[Option, ...]:
    options = [Option(*each) for each in priced]
    if lossless or not any(any(option.costs) for option in options):  # the digital unit loses nothing
        options = [option for option in options if not any(_beats(other, option) for other in options)]
    return tuple(sorted(options, key=lambda option: (option.costs, option.precision)))


def _beats(other: Option, option: Option) -> bool:
    if other.precision == option.precision or not other.precision.covers(option.precision):
        return False
    if (
        other.load
        and option.load
        and not (other.load.blocks <= option.load.blocks and other.load.turn_ns <= option.load.turn_ns)
    ):
        return False
    return all(theirs <= own for theirs, own in zip(other.costs, option.costs, strict=True))
