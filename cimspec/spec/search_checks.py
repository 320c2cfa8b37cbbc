"""What is known of a search before anything is compiled: what it makes small, and whether it has anything to choose.

That all allowed bits take the same on a chip, and that the constants which it gives count nothing in a network, takes a
compiled schedule to know: `search/space.py`. Commands that do not search do without these rules.
"""

from collections.abc import Collection

from cimspec.diag import Diagnostics, Label
from cimspec.spec.blocks import Spans
from cimspec.spec.chip import Chip, WeightMode
from cimspec.spec.chip_checks import value_of
from cimspec.spec.search import Metric, SearchSpec

CROSSBAR_ENERGIES = ("crossbar.read_energy", "crossbar.write_energy", "adc.energy", "dac.energy")
TILE_ENERGIES = ("digital.energy", "digital.mac_energy", "network.energy_per_byte", "memory.energy_per_byte")
"""Charged where weights stay."""
AREAS = ("crossbar.area", "adc.area", "dac.area", "tile.area")


def check_search(search: SearchSpec, chip: Chip, crossbar_layers: Collection[str], spans: Spans) -> None:
    """All rules. Raises `CimError` (CIM608, CIM609)."""
    diagnostics = Diagnostics()
    check_metrics(search, chip, spans, diagnostics)
    if has_one_precision(search):
        activations = spans.get(("search", "activation_bits"))
        diagnostics.error(
            "CIM609",
            "there is nothing to choose: every layer has one precision",
            spans.get(("search", "weight_bits")),
            label="allow more bits, such as `2..8`",
            related=[Label(activations, "or here")] if activations else [],
        )
    elif {keep.layer for keep in search.keep}.issuperset(crossbar_layers):
        span = spans.get(("search", "keep", 0))
        message = "there is nothing to choose: `keep` names every layer on crossbars"
        diagnostics.error("CIM609", message, span, label="`keep` fewer layers")
    diagnostics.raise_if_errors()


def check_metrics(search: SearchSpec, chip: Chip, spans: Spans, diagnostics: Diagnostics) -> None:
    """What is made small is something that the chip has numbers for, and that policies change."""
    for metric in search.metrics:
        if refusal := why_not(metric, chip):
            message, help_text = refusal
            is_minimized = metric in search.minimize.metrics
            path = ("minimize",) if is_minimized else ("pareto", search.pareto.index(metric))
            label = f"`{metric}` cannot be made small on this chip"
            diagnostics.error("CIM608", message, spans.get(("search", *path)), label=label, help=help_text)


def why_not(metric: Metric, chip: Chip) -> tuple[str, str] | None:
    """Why no search on `chip` can make `metric` small, and what to do; None if the chip's fields allow it."""
    if metric is Metric.AREA and chip.weights is WeightMode.RELOADED:
        message = "the area of a chip whose weights are reloaded is the same for all policies"
        return message, "make something else small, or set `weights = resident`"
    constants = constants_of(metric, chip)
    if constants and not any(value_of(chip, key) for key in constants):
        return without_constants(metric)
    return None


def constants_of(metric: Metric, chip: Chip) -> tuple[str, ...]:
    """The fields of a chip that a metric is summed from; none for times and counts, which every chip has."""
    if metric is Metric.ENERGY:
        return CROSSBAR_ENERGIES + (TILE_ENERGIES if chip.weights is WeightMode.RESIDENT else ())
    return AREAS if metric is Metric.AREA else ()


def without_constants(metric: Metric) -> tuple[str, str]:
    """What is said, and advised, where a chip gives nothing for a metric."""
    return (
        f"the search asks for `{metric}`, and the chip gives no constants for it",
        f"give the {metric} of `crossbar`, `adc` and `dac`, or make something else small",
    )


def has_one_precision(search: SearchSpec) -> bool:
    """Whether one number of bits is allowed for weights, and one for activations."""
    return len(set(search.weight_bits)) == len(set(search.activation_bits)) == 1
