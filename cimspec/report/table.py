"""Tables for the terminal: what a policy costs. Units are in the headers."""

from collections.abc import Callable, Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cimspec.cost import Breakdown, Cost

NOT_KNOWN = "-"

COMPONENTS = {
    "crossbar_reads": "reading crossbars",
    "crossbar_writes": "writing crossbars",
    "adcs": "ADCs",
    "dacs": "DACs",
    "digital": "digital units",
    "digital_macs": "multiply-accumulates",
    "tiles": "tiles around them",
}
"""Components as tables name them, where that is not their own name."""


def cost_table(cost: Cost, baseline: Cost) -> RenderableType:
    """Every layer's bits, crossbars and costs, beside the 8/8 network's; totals of a pipeline, of energy and of area.

    Energy and area are shown where the chip gives constants for them.
    """
    tables = [_layers_table(cost, baseline)]
    if cost.segments:
        tables.append(_pipeline_table(cost, baseline))
    if cost.energy.parts:
        tables.append(_energy_table(cost, baseline))
    if cost.area.parts:
        tables.append(_area_table(cost, baseline))
    spaced = [part for table in tables for part in (Text(), table)]
    return Group(*spaced[1:])


def _layers_table(cost: Cost, baseline: Cost) -> Table:
    copies = ("copies",) if cost.segments else ()
    extra = {
        "energy (uJ)": [_uj(layer.energy_pj) for layer in cost.layers],
        "8/8 (uJ)": [_uj(layer.energy_pj) for layer in baseline.layers],
        "area (mm2)": [_mm2(layer.area_um2) for layer in cost.layers],
    }
    extra = {name: amounts for name, amounts in extra.items() if set(amounts) != {NOT_KNOWN}}
    headers = ("weight bits", "activation bits", "crossbars", *copies, "latency (us)", "8/8 (us)", "speedup", *extra)
    table = plain_table("layer", *headers)
    before = {layer.name: layer for layer in baseline.layers}
    for layer, *amounts in zip(cost.layers, *extra.values(), strict=True):
        table.add_row(
            layer.name,
            str(layer.precision.weight_bits),
            str(layer.precision.activation_bits),
            str(layer.crossbars),
            *((str(layer.copies),) if copies else ()),
            *_beside(layer.latency_ns, before[layer.name].latency_ns),
            *amounts,
        )
    if cost.segments:
        return table
    table.add_section()
    total, before_total = cost.latency_ns, baseline.latency_ns
    energies = [_uj(own.energy_pj) for own in (cost, baseline)] if "energy (uJ)" in extra else []
    times = (_us(total), _us(before_total), f"{before_total / total:.4f}x")
    table.add_row("all", "", "", "", *times, *energies)
    return table


def _energy_table(cost: Cost, baseline: Cost) -> Table:
    """Where the energy of one input goes."""
    table = _breakdown_table("energy of one input (uJ)", cost.energy, baseline.energy, _uj)
    if cost.segments:
        table.add_row("programming (uJ)", *(_uj(own.programming_energy_pj) for own in (cost, baseline)), "")
    return table


def _area_table(cost: Cost, baseline: Cost) -> Table:
    """Where the area goes."""
    return _breakdown_table("area (mm2)", cost.area, baseline.area, _mm2)


def _breakdown_table(name: str, cost: Breakdown, baseline: Breakdown, spell: Callable[[float | None], str]) -> Table:
    """Components, their sum, and the constants for want of which others are not in it."""
    table = plain_table(name, "policy", "8/8", "saving")
    own, before = cost.by_component, baseline.by_component

    def add(label: str, amount: float | None, other: float | None) -> None:
        table.add_row(label, spell(amount), spell(other), f"{other / amount:.2f}x" if amount and other else "")

    for component in dict.fromkeys((*own, *before)):
        add(COMPONENTS.get(component, component), own.get(component), before.get(component))
    table.add_section()
    add("all", cost.total, baseline.total)
    for field in dict.fromkeys((*cost.missing, *baseline.missing)):
        table.add_row(field, *("not given" if field in each.missing else "" for each in (cost, baseline)), "")
    return table


def _uj(energy_pj: float | None) -> str:
    return NOT_KNOWN if energy_pj is None else f"{energy_pj / 1e6:,.3f}"


def _mm2(area_um2: float | None) -> str:
    return NOT_KNOWN if area_um2 is None else f"{area_um2 / 1e6:,.6f}"


def _beside(latency_ns: float, before_ns: float) -> tuple[str, str, str]:
    return _us(latency_ns), _us(before_ns), f"{before_ns / latency_ns:.2f}x"


def _pipeline_table(cost: Cost, baseline: Cost) -> Table:
    """What a chip with resident weights does as a whole, beside 8/8 bits."""
    table = plain_table("pipeline", "policy", "8/8", "speedup")
    latencies, intervals = (cost.latency_ns, baseline.latency_ns), (cost.interval_ns, baseline.interval_ns)
    table.add_row("latency of one input (us)", *_beside(*latencies))
    table.add_row("interval between inputs (us)", *_beside(*intervals))
    rows: dict[str, Callable[[Cost], str]] = {
        "throughput (inputs/s)": lambda own: f"{own.inputs_per_second:,.1f}",
        "programming (us)": lambda own: _us(own.programming_ns),
        "segments": lambda own: str(len(own.segments)),
        "crossbars used by one copy": lambda own: f"{sum(layer.crossbars for layer in own.layers):,}",
        "cells that hold weights (%)": lambda own: percent(own.utilization),
        "buffers at most (KiB)": lambda own: f"{own.buffer_bytes / 1024:,.1f}",
        "fullest tile's buffer (KiB)": lambda own: f"{own.tile_buffer_bytes / 1024:,.1f}",
        "bound by": lambda own: ", ".join(dict.fromkeys(segment.bound_by for segment in own.segments)),
    }
    for name, text in rows.items():
        table.add_row(name, text(cost), text(baseline), "")
    return table


def plain_table(*headers: str) -> Table:
    """A table without lines; the first column is left-aligned, the others right."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for index, header in enumerate(headers):
        table.add_column(header, justify="left" if index == 0 else "right", no_wrap=index == 0)
    return table


def rows_table(headers: Iterable[str], rows: Iterable[Iterable[str]]) -> Table:
    """A plain table; the first column is left-aligned, the others right."""
    table = plain_table(*headers)
    for row in rows:
        table.add_row(*row)
    return table


def _us(latency_ns: float) -> str:
    return f"{latency_ns / 1e3:,.1f}"


def percent(share: float) -> str:
    """One digit after the point."""
    return f"{100 * share:.1f}"
