"""Resident weights: how close compiled pipelines come to the best there can be, and what mixed precision pays.

    python benchmarks/pipelines.py

First table: ResNet-18, ResNet-50 and VGG-16 at 8/8 bits on an ISAAC chip (specs/isaac_resident.cim). `optimum` is the
exact least interval, min over whole copies n of max(t / n), for each segment's crossbars (compared with brute force in
tests/compiler/test_copies.py), `bound` the one if copies could be fractions; what the schedule takes counts turns,
digital work, buffers and network too. Second table: VGG-16 with the published policy of arXiv 2601.21737 on its chip.
"""

from pathlib import Path

from rich.console import Console

from cimspec import load_spec
from cimspec.compiler import Program, compile_program
from cimspec.compiler.copies import continuous_interval, fluid_interval
from cimspec.compiler.program import CrossbarLayer, Segment
from cimspec.compiler.resident import Placed
from cimspec.cost import Cost, program_cost
from cimspec.graph import Graph, Policy, load_policy
from cimspec.pipeline.costing import baseline_policy, compiled_graph
from cimspec.report import rows_table
from cimspec.spec import Chip, WeightMode

SPECS = Path(__file__).parents[1] / "specs"
NETWORKS = ("resnet18", "resnet50", "vgg16")
BUDGETS = (4000, 8456, 16128)
"""Crossbars: too few for either policy, just enough for the 8/8 network, and as many as an ISAAC chip has."""


def main() -> None:
    """Print both tables."""
    console = Console(width=160)
    headers = ("network", "segment", "crossbars", "bound (us)", "optimum (us)", "interval (us)", "over optimum", "by")
    console.print(rows_table(headers, interval_rows()))
    console.print()
    headers = ("crossbars", "copies", "8/8 segments", "mixed segments", "8/8 interval (us)", "mixed", "speedup")
    console.print(rows_table((*headers, "8/8 latency (us)", "mixed", "speedup"), precision_rows()))


def interval_rows() -> list[tuple[str, ...]]:
    """Each segment's interval beside its bounds."""
    chip = load_spec(SPECS / "isaac_resident.cim").chip
    rows = []
    for name in NETWORKS:
        graph = compiled_graph(load_spec(SPECS / "paper" / f"{name}.cim"))
        program = compile_program(graph, baseline_policy(graph), chip)
        cost = program_cost(program)
        for number, (segment, found) in enumerate(zip(program.segments, cost.segments, strict=True), start=1):
            fluid, optimum = bounds(program, segment)
            interval = found.pipeline.interval_ns
            rows.append(
                (
                    f"{name}, {cost.latency_ns / 1e3:,.1f} us in all" if number == 1 else "",
                    f"{number} of {len(program.segments)}",
                    str(sum(place.crossbars.total for place in segment.places)),
                    *(f"{time / 1e3:,.1f}" for time in (fluid, optimum, interval)),
                    f"{100 * (interval / optimum - 1):+.1f} %",
                    found.bound_by,
                )
            )
    return rows


def bounds(program: Program, segment: Segment) -> tuple[float, float]:
    """Of a segment's interval, ns: with copies that may be fractions, and with whole ones."""
    layers = [item for item in segment.items if isinstance(item, CrossbarLayer)]
    loads = [Placed(0, program.matrices(layer)).load for layer in layers]
    return fluid_interval(loads, program.chip.crossbars), continuous_interval(loads, program.chip.crossbars)


def precision_rows() -> list[tuple[str, ...]]:
    """The published policy against 8/8, with and without copies."""
    spec = load_spec(SPECS / "paper" / "vgg16.cim")
    graph = compiled_graph(spec)
    policies = baseline_policy(graph), load_policy(SPECS / "paper" / "vgg16_policy.json", graph)
    rows = []
    for crossbars in BUDGETS:
        for copies in (False, True):
            update = {"weights": WeightMode.RESIDENT, "crossbars": crossbars, "copies": copies}
            costs = [cost(graph, policy, spec.chip.model_copy(update=update)) for policy in policies]
            rows.append((f"{crossbars:,}", "yes" if copies else "no", *compared(*costs)))
    reloaded = [cost(graph, policy, spec.chip) for policy in policies]
    rows.append(("1, reloaded", "", *compared(*reloaded)))
    return rows


def cost(graph: Graph, policy: Policy, chip: Chip) -> Cost:
    """What a policy costs on a chip."""
    return program_cost(compile_program(graph, policy, chip))


def compared(before: Cost, after: Cost) -> tuple[str, ...]:
    """Segments, intervals and latencies of two costs."""
    segments = (str(len(each.segments)) if each.segments else "" for each in (before, after))
    intervals, latencies = (before.interval_ns, after.interval_ns), (before.latency_ns, after.latency_ns)
    return (
        *segments,
        *(text for one, other in (intervals, latencies) for text in (us(one), us(other), f"{one / other:.2f}x")),
    )


def us(time_ns: float) -> str:
    """Microseconds."""
    return f"{time_ns / 1e3:,.1f}"


if __name__ == "__main__":
    main()
