"""Commands that need neither data nor torch: `evaluate`, `compile` and `disassemble`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cimspec.cli.boundary import show
from cimspec.cli.common import (
    AsJson,
    Overrides,
    PolicyPath,
    SpecPath,
    open_points,
    open_spec,
    print_json,
    print_table,
)
from cimspec.diag import fail
from cimspec.graph import Policy
from cimspec.spec import Loaded, Spec

if TYPE_CHECKING:
    from cimspec.compiler import Program


def evaluate(spec: SpecPath, policy: PolicyPath = None, overrides: Overrides = None, as_json: AsJson = False) -> None:
    """Tell what a policy costs on the chip, layer by layer, beside 8/8 bits; of a sweep, what it costs at each point.

    Example: cimspec evaluate specs/paper/vgg16.cim --policy specs/paper/vgg16_policy.json --json
    """
    from cimspec.pipeline import cost_warnings
    from cimspec.pipeline import evaluate as evaluate_spec
    from cimspec.report import cost_table

    opened = open_spec(spec, overrides)
    if opened.points:
        _evaluate_points(spec, policy, overrides, opened, as_json=as_json)
        return
    loaded = opened.spec
    found = evaluate_spec(loaded, read_policy(loaded, policy))
    show(cost_warnings(found.cost, loaded.chip, opened.span("chip", "tile")))
    if as_json:
        print_json(found.as_json())
    else:
        print_table(cost_table(found.cost, found.baseline))


def _evaluate_points(
    spec: str, policy: Path | None, overrides: list[str] | None, opened: Loaded, *, as_json: bool
) -> None:
    """The same for every point of a sweep, a line each."""
    from cimspec.pipeline import evaluate as evaluate_spec
    from cimspec.report import points_table

    found = [
        (settings, evaluate_spec(point.spec, read_policy(point.spec, policy)))
        for settings, point in open_points(spec, overrides, opened)
    ]
    if as_json:
        print_json({"points": [{"settings": settings, **each.as_json()} for settings, each in found]})
    else:
        costs = [(settings, each.cost, each.baseline) for settings, each in found]
        print_table(points_table(costs, with_speedup=policy is not None))


def compile_(
    spec: SpecPath,
    policy: PolicyPath = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="where to write; stdout if left out")
    ] = None,
    timeline: Annotated[
        Path | None, typer.Option("--timeline", metavar="FILE.json", help="also write when what works, for Perfetto")
    ] = None,
    overrides: Overrides = None,
) -> None:
    """Compile the network under a policy to a schedule, and write it as text, or as JSON into a `.json` file.

    Weights are named, not needed. Example: cimspec compile specs/quickstart.cim -o quickstart.cimp
    """
    from cimspec.compiler import program_text
    from cimspec.pipeline import compile_spec

    loaded = open_spec(spec, overrides).spec
    program = compile_spec(loaded, read_policy(loaded, policy))
    if timeline:
        _write_timeline(program, timeline)
    text = program_text(program, output or Path())
    if output is None:
        print(text, end="")
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        fail("CIM903", f"cannot write `{output}`: {error.strerror}", help="choose another file with `-o`")


def _write_timeline(program: "Program", path: Path) -> None:
    from cimspec.report.timeline import write_timeline

    try:
        write_timeline(program, path)
    except OSError as error:
        fail("CIM903", f"cannot write `{path}`: {error.strerror}", help="choose another file with `--timeline`")


def disassemble(
    program: Annotated[
        Path, typer.Argument(metavar="PROGRAM", help="a `.cimp` or `.json` file; weights are not needed")
    ],
    as_json: AsJson = False,
) -> None:
    """Print a compiled Program, the layer that each instruction comes from beside it.

    Example: cimspec disassemble runs/quickstart/program.cimp
    """
    from cimspec.compiler import print_program, read_program
    from cimspec.compiler.json_form import program_as_json

    found, _ = read_program(program)
    if as_json:
        print_json(program_as_json(found))
    else:
        print(print_program(found, sources=True), end="")


def read_policy(spec: Spec, path: Path | None) -> Policy | None:
    """The policy in `path` for the spec's network."""
    from cimspec.graph import load_policy
    from cimspec.pipeline import compiled_graph

    return load_policy(path, compiled_graph(spec)) if path else None
