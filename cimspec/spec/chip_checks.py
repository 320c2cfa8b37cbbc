"""Rules about a chip's times and what is around its crossbars: chip -> diagnostics at the values that say too little.

Times and rates that no other number gives a meaning are mistakes; what a chip does not use is a warning.
"""

from collections.abc import Mapping

from cimspec.diag import Label
from cimspec.spec.base import SpecModel
from cimspec.spec.blocks import Binding
from cimspec.spec.chip import Adc, Chip, Crossbar, Dac, WeightMode
from cimspec.spec.fields import entries
from cimspec.spec.tile import Digital, Memory, Network, Tile

BLOCKS: Mapping[str, type[SpecModel]] = {
    "crossbar": Crossbar,
    "adc": Adc,
    "dac": Dac,
    "digital": Digital,
    "network": Network,
    "memory": Memory,
    "tile": Tile,
}
NEEDS = (
    ("digital.lanes", ("digital.cycle",), "lanes work in cycles"),
    ("digital.macs", ("digital.cycle",), "multiply-accumulates are counted in cycles"),
    ("digital.cycle", ("digital.lanes", "digital.macs"), "it is not said what a cycle does"),
    ("network.width", ("network.cycle",), "it is sent in a cycle"),
    ("network.cycle", ("network.width",), "it is not said what is sent in a cycle"),
    ("memory.width", ("memory.cycle",), "it is moved in a cycle"),
    ("memory.cycle", ("memory.width",), "it is not said what is moved in a cycle"),
    ("adc.conversion_latency", ("adc.columns_per_adc",), "columns that share an ADC are converted one by one"),
    ("adc.area", ("adc.columns_per_adc",), "it is not said how many ADCs a crossbar has"),
    ("crossbar.pipelined", ("adc.conversion_latency", "dac.latency"), "a crossbar alone has nothing to wait for"),
)
RESIDENT_ONLY = ("copies", "batch", "attention", "tile", "digital", "network", "memory")


def check_surroundings(chip: Chip, binding: Binding) -> None:
    """All rules of this file."""
    check_needs(chip, binding)
    check_conversions(chip, binding)
    if chip.weights is WeightMode.RESIDENT:
        check_tile(chip, binding)
    else:
        check_unused(chip, binding)


def check_needs(chip: Chip, binding: Binding) -> None:
    """Numbers that mean something only together with another one."""
    for key, others, words in NEEDS:
        if value_of(chip, key) and not any(value_of(chip, other) for other in others):
            message = f"`{key}` needs {' or '.join(f'`{other}`' for other in others)}: {words}"
            binding.diagnostics.error("CIM317", message, binding.spans[path(key)], label=f"add `{others[0]}`")


def check_conversions(chip: Chip, binding: Binding) -> None:
    """ADCs share the columns evenly, and convert in each read."""
    columns, shared = chip.crossbar.columns, chip.adc.columns_per_adc
    if shared is not None and columns % shared:
        span = binding.spans["chip", "adc", "columns_per_adc"]
        related = [Label(at, "columns of the crossbar") for at in [binding.spans.get(path("crossbar.columns"))] if at]
        if shared > columns:
            message = f"`columns_per_adc` is {shared}, but the crossbar has {columns} columns"
            binding.diagnostics.error("CIM318", message, span, label=f"write {columns} or less", related=related)
        else:
            message = f"{columns} columns are no multiple of `columns_per_adc`, {shared}"
            label = f"one ADC has {columns % shared} columns only"
            binding.diagnostics.warning("CIM318", message, span, label=label, related=related)
    if chip.adc.conversion_latency_ns is not None and chip.converts_products:
        binding.diagnostics.error(
            "CIM319",
            "`conversion_latency` is counted for each read, but whole products are converted",
            binding.spans["chip", "adc", "conversion_latency_ns"],
            label="remove this field, and add its share to `crossbar.read_latency`",
            related=[Label(at, "set here") for at in [binding.spans.get(path("adc.conversion"))] if at],
        )


def check_tile(chip: Chip, binding: Binding) -> None:
    """Tiles are of one size."""
    size = chip.tile.crossbars
    if size is None or chip.crossbars % size == 0:
        return
    span = binding.spans.get(("chip", "crossbars"), binding.spans["chip", "tile", "crossbars"])
    tiles, rest = divmod(chip.crossbars, size)
    label = f"the last tile has {rest} only; write {'' if tiles == 0 else f'{tiles * size} or '}{(tiles + 1) * size}"
    message = f"{chip.crossbars} crossbars are no multiple of `tile.crossbars`, {size}"
    size_span = binding.spans["chip", "tile", "crossbars"]
    related = [Label(size_span, "crossbars of a tile")] if size_span != span else []
    binding.diagnostics.warning("CIM320", message, span, label=label, related=related)


def check_unused(chip: Chip, binding: Binding) -> None:
    """What only chips use whose weights stay."""
    written = [name for name in RESIDENT_ONLY if ("chip", name) in binding.spans]
    if not written:
        return
    first, *others = (binding.spans["chip", name] for name in written)
    mode = binding.spans.get(("chip", "weights"))
    have, these = ("have", "these") if others else ("has", "it")
    binding.diagnostics.warning(
        "CIM316",
        f"with `weights = {chip.weights}` {', '.join(f'`{name}`' for name in written)} {have} no effect",
        first,
        label=f"remove {these}, or set `weights = resident`",
        related=[*(Label(span, "this, too") for span in others), *(Label(at, "set here") for at in [mode] if at)],
    )


def value_of(chip: Chip, key: str) -> object:
    """The value of a field; None or False if it is not there."""
    _, block, name = path(key)
    return getattr(getattr(chip, block), name)


def path(key: str) -> tuple[str, str, str]:
    """Where a field is in the Spec: `adc.conversion_latency` is at ("chip", "adc", "conversion_latency_ns")."""
    block, _, field = key.partition(".")
    return "chip", block, next(entry.name for entry in entries(BLOCKS[block]) if entry.key == field)
