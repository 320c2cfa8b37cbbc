"""Commands that need neither data nor torch: `evaluate` and `compile`."""

from pathlib import Path
from typing import Annotated

import typer

from cimspec.cli.common import AsJson, Overrides, PolicyPath, SpecPath, open_spec, print_json, print_table
from cimspec.diag import fail
from cimspec.graph import Policy
from cimspec.spec import Spec


def evaluate(spec: SpecPath, policy: PolicyPath = None, overrides: Overrides = None, as_json: AsJson = False) -> None:
    """Tell what a policy costs on the chip, layer by layer, beside 8/8 bits.

    Example: cimspec evaluate specs/paper/vgg16.cim --policy specs/paper/vgg16_policy.json --json
    """
    from cimspec.pipeline import evaluate as evaluate_spec
    from cimspec.report import cost_table

    loaded = open_spec(spec, overrides).spec
    found = evaluate_spec(loaded, read_policy(loaded, policy))
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
    overrides: Overrides = None,
) -> None:
    """Compile the network under a policy to a schedule, and write its text; weights are named, not needed.

    Example: cimspec compile specs/quickstart.cim --policy runs/quickstart/policy.json -o quickstart.cimp
    """
    from cimspec.compiler import print_program
    from cimspec.pipeline import compile_spec

    loaded = open_spec(spec, overrides).spec
    text = print_program(compile_spec(loaded, read_policy(loaded, policy)))
    if output is None:
        print(text, end="")
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        fail("CIM903", f"cannot write `{output}`: {error.strerror}", help="choose another file with `-o`")


def read_policy(spec: Spec, path: Path | None) -> Policy | None:
    """The policy in `path` for the spec's network."""
    from cimspec.graph import load_policy
    from cimspec.pipeline import compiled_graph

    return load_policy(path, compiled_graph(spec)) if path else None
