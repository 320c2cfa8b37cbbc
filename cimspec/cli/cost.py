"""Commands that need neither data nor torch: `evaluate`, `compile` and `disassemble`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cimspec.cli.boundary import show
from cimspec.cli.common import AsJson, Overrides, PolicyPath, SpecPath, open_spec, print_json, print_table
from cimspec.diag import fail
from cimspec.graph import Policy
from cimspec.spec import Spec

if TYPE_CHECKING:
    from cimspec.compiler import Program


def evaluate(spec: SpecPath, policy: PolicyPath = None, overrides: Overrides = None, as_json: AsJson = False) -> None:
    """Tell what a policy costs on the chip, layer by layer, beside 8/8 bits.

    Example: cimspec evaluate specs/paper/vgg16.cim --policy specs/paper/vgg16_policy.json --json
    """
    from cimspec.pipeline import cost_warnings
    from cimspec.pipeline import evaluate as evaluate_spec
    from cimspec.report import cost_table

    opened = open_spec(spec, overrides)
    loaded = opened.spec
    found = evaluate_spec(loaded, read_policy(loaded, policy))
    show(cost_warnings(found.cost, loaded.chip, opened.span("chip", "tile")))
    if as_json:
        print_json(found.as_json())
    else:
        print_table(cost_table(found.cost, found.baseline))


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
