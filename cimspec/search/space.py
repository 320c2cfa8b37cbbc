"""The search space: for each crossbar layer the precisions worth trying, and what each costs.

From a graph, a chip and the spec's `search` block. Where the ADC is lossless, a precision is dropped if another one has
at least its bits everywhere and costs no more: wider codes cannot be worse there. Otherwise all stay, since narrower
codes sum lower and have wider margins. What a policy costs is what its compiled schedule does: with reloaded weights
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
from cimspec.cost import program_cost
from cimspec.diag import did_you_mean, fail
from cimspec.graph import Graph, Policy, Precision
from cimspec.search.objective import objective_ns
from cimspec.search.pipeline import FloatArray, Pipeline
from cimspec.sim import Converter
from cimspec.spec.chip import AdcRange, Chip, WeightMode
from cimspec.spec.search import SearchSpec

Choice = tuple[int, ...]
"""An index into each layer's options."""

LayerCosts = dict[str, tuple[float, Load | None]]
"""Time and load of each layer that runs on crossbars."""

DIGITAL = (0.0, None)
"""What a layer costs that does not."""


@dataclass(frozen=True, slots=True)
class Option:
    """One precision of one layer."""

    precision: Precision
    time_ns: float  # of the whole chip: where weights stay, of one of its crossbars times the share that a copy takes
    load: Load | None = None  # in a pipeline; None also where crossbars have nothing to do


@dataclass(frozen=True)
class Space:
    """What may be chosen, layer by layer in execution order. Options are sorted by time, fastest first."""

    names: tuple[str, ...]
    options: tuple[tuple[Option, ...], ...]
    pipeline: Pipeline | None = None  # None: layers follow each other

    @property
    def size(self) -> int:
        """Number of policies."""
        return math.prod(len(options) for options in self.options)

    @property
    def least_time_ns(self) -> float:
        """Time of the fastest policy: in every layer the option that takes least."""
        return self.time_ns((0,) * len(self.options))

    @cached_property
    def option_times_ns(self) -> tuple[FloatArray, ...]:
        """The times of each layer's options."""
        return tuple(np.array([option.time_ns for option in options]) for options in self.options)

    def policy(self, choice: Choice) -> Policy:
        """The policy that `choice` stands for."""
        chosen = zip(self.options, choice, strict=True)
        return Policy(self.names, tuple(options[index].precision for options, index in chosen))

    def time_ns(self, choice: Choice) -> float:
        """What the search makes small."""
        if self.pipeline:
            return self.pipeline.time_ns(self.policy(choice))
        return sum(options[index].time_ns for options, index in zip(self.options, choice, strict=True))

    def bound_ns(self, choice: Choice) -> float:
        """What `time_ns` is not below: known sooner where that takes a schedule."""
        return self.pipeline.bound_ns(choice) if self.pipeline else self.time_ns(choice)

    def widest(self) -> Choice:
        """The most bits everywhere."""
        return tuple(max(range(len(options)), key=lambda index: options[index].precision) for options in self.options)


def build_space(graph: Graph, chip: Chip, search: SearchSpec) -> Space:
    """The space of `search` on `chip`. Raises `CimError` (CIM607) where `keep` names no crossbar layer."""
    names = tuple(layer.name for layer in graph.crossbar_layers)
    kept = kept_precisions(names, search)
    widths = {
        Precision(weight_bits, activation_bits)
        for weight_bits in search.weight_bits
        for activation_bits in search.activation_bits
    }
    costs = {
        precision: _layer_costs(compile_program(graph, graph.uniform(*precision), chip))
        for precision in widths | set(kept.values())
    }
    lossless = is_lossless(chip, max(search.activation_bits))
    options = tuple(_options(name, (kept[name],) if name in kept else tuple(widths), costs, lossless) for name in names)
    if chip.weights is WeightMode.RELOADED:
        return Space(names, options)

    @cache
    def time_ns(policy: Policy) -> float:
        return objective_ns(program_cost(compile_program(graph, policy, chip)), search.minimize)

    loads = tuple(tuple(option.load for option in own) for own in options)
    return Space(names, options, Pipeline(chip.crossbars, loads, time_ns))


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


def _layer_costs(program: Program) -> LayerCosts:
    chip = program.chip
    if chip.weights is WeightMode.RELOADED:
        return {layer.name: (layer.latency_ns, None) for layer in program_cost(program).layers}
    costs: LayerCosts = {}
    for position, item in enumerate(program.items):
        if isinstance(item, CrossbarLayer):
            load = Placed(position, program.matrices(item)).load
            whole = Load(load.blocks, 1, load.interval_ns(1))  # one turn stands for all
            costs[item.name] = (whole.blocks * whole.turn_ns / chip.crossbars, load if chip.copies else whole)
    return costs


def _options(
    name: str, precisions: tuple[Precision, ...], costs: dict[Precision, LayerCosts], lossless: bool
) -> tuple[Option, ...]:
    options = [Option(precision, *costs[precision].get(name, DIGITAL)) for precision in precisions]
    if lossless or not any(option.time_ns for option in options):  # the digital unit loses nothing
        options = [option for option in options if not any(_beats(other, option) for other in options)]
    return tuple(sorted(options, key=lambda option: (option.time_ns, option.precision)))


def _beats(other: Option, option: Option) -> bool:
    if other.precision == option.precision or not other.precision.covers(option.precision):
        return False
    if other.load and option.load:
        return other.load.blocks <= option.load.blocks and other.load.turn_ns <= option.load.turn_ns
    return other.time_ns <= option.time_ns
