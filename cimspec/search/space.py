"""The search space: for each crossbar layer the precisions worth trying, and what each costs.

From a graph, a chip and the spec's `search` block. Where the ADC is lossless, a precision is dropped if another one has
at least its bits everywhere and costs no more: wider codes cannot be worse there. Otherwise all stay, since narrower
codes sum lower and have wider margins.
"""

import math
from dataclasses import dataclass

from cimspec.compiler import compile_program
from cimspec.compiler.slicing import input_steps
from cimspec.cost import Cost, program_cost
from cimspec.diag import did_you_mean, fail
from cimspec.graph import Graph, Policy, Precision
from cimspec.sim import Converter
from cimspec.spec.chip import AdcRange, Chip
from cimspec.spec.search import SearchSpec

Choice = tuple[int, ...]
"""An index into each layer's options."""


@dataclass(frozen=True, slots=True)
class Option:
    """One precision of one layer."""

    precision: Precision
    latency_ns: float


@dataclass(frozen=True, slots=True)
class Space:
    """What may be chosen, layer by layer in execution order. Options are sorted by latency, fastest first."""

    names: tuple[str, ...]
    options: tuple[tuple[Option, ...], ...]

    @property
    def size(self) -> int:
        """Number of policies."""
        return math.prod(len(options) for options in self.options)

    @property
    def least_latency_ns(self) -> float:
        """Latency of the fastest policy."""
        return self.latency_ns((0,) * len(self.options))

    def policy(self, choice: Choice) -> Policy:
        """The policy that `choice` stands for."""
        chosen = zip(self.options, choice, strict=True)
        return Policy(self.names, tuple(options[index].precision for options, index in chosen))

    def latency_ns(self, choice: Choice) -> float:
        """Latency of one input: layers follow each other, so theirs add."""
        return sum(options[index].latency_ns for options, index in zip(self.options, choice, strict=True))

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
        precision: program_cost(compile_program(graph, graph.uniform(*precision), chip))
        for precision in widths | set(kept.values())
    }
    collapse = is_lossless(chip, max(search.activation_bits))
    options = tuple(
        _options(index, (kept[name],) if name in kept else tuple(widths), costs, collapse)
        for index, name in enumerate(names)
    )
    return Space(names, options)


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


def _options(
    layer: int, precisions: tuple[Precision, ...], costs: dict[Precision, Cost], collapse: bool
) -> tuple[Option, ...]:
    options = [Option(precision, costs[precision].layers[layer].latency_ns) for precision in precisions]
    if collapse:
        options = [option for option in options if not any(_beats(other, option) for other in options)]
    return tuple(sorted(options, key=lambda option: (option.latency_ns, option.precision)))


def _beats(other: Option, option: Option) -> bool:
    covers = other.precision.covers(option.precision)
    return other.precision != option.precision and covers and other.latency_ns <= option.latency_ns
