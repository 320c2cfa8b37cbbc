"""What commands share: their arguments, opening a spec, printing results."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cimspec.cli.boundary import show
from cimspec.diag import Diagnostic
from cimspec.spec import Loaded, load

if TYPE_CHECKING:
    from rich.console import RenderableType


SpecPath = Annotated[str, typer.Argument(metavar="SPEC", help="the `.cim` file")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="replace a field, e.g. `chip.adc.bits=6`; may be repeated"),
]
PolicyPath = Annotated[
    Path | None, typer.Option("--policy", metavar="FILE", help="bits per layer as JSON; 8/8 everywhere if left out")
]
AsJson = Annotated[bool, typer.Option("--json", help="print the result as JSON to stdout")]


class Device(StrEnum):
    """Where torch computes."""

    CPU = "cpu"
    CUDA = "cuda"
    AUTO = "auto"


OnDevice = Annotated[
    Device,
    typer.Option(
        "--device",
        help="where torch trains, fine-tunes and evaluates quantized networks; `auto`: a GPU if there is one",
    ),
]
Seed = Annotated[int, typer.Option("--seed", min=0, max=2**31 - 1, help="of the training and the search")]


def open_spec(path: str, overrides: list[str] | None, *, runs: bool = False) -> Loaded:
    """Load and check a spec, its network's shapes included; warnings go to stderr.

    For commands that train and search, its search and the file of its weights, too.
    """
    from cimspec.graph import open_model
    from cimspec.validation import check_search, check_weights

    loaded = load(path, overrides or ())
    graph = open_model(loaded.spec, loaded.spans).graph
    found: tuple[Diagnostic, ...] = ()
    if runs:
        check_search(loaded, graph)
        found = check_weights(loaded, graph)
    show((*loaded.warnings, *found))
    return loaded


def open_points(path: str, overrides: list[str] | None, known: Loaded) -> Iterator[tuple[dict[str, str], Loaded]]:
    """The points of a sweep one by one, each with its settings; warnings, each once, go to stderr at the end.

    Raises `CimError` at the first point that is wrong.
    """
    from cimspec.graph import open_model
    from cimspec.spec import load_points
    from cimspec.spec.points import Findings

    findings = Findings(known.warnings)
    for point in load_points(path, overrides or ()):
        findings.add(point, point.loaded.warnings if point.loaded else point.errors)
        if point.loaded is None:
            findings.raise_if_errors()
        else:
            open_model(point.loaded.spec, point.loaded.spans)
            yield point.values, point.loaded
    show(findings.all)


def print_json(data: Any) -> None:
    """One JSON document on stdout."""
    json.dump(data, sys.stdout, indent=2)
    sys.stdout.write("\n")


def print_table(*parts: "RenderableType") -> None:
    """Tables and text on stdout."""
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    for part in parts:
        console.print(part)


@contextmanager
def progress_bars() -> Iterator[Any]:
    """A callback `(done, total, text)` that draws one bar for each text on stderr, with the time left."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        tasks: dict[str, Any] = {}

        def update(done: int, total: int, text: str) -> None:
            if text not in tasks:
                tasks[text] = bars.add_task(text)
            bars.update(tasks[text], completed=done, total=total)

        yield update
