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
from cimspec.spec import BuiltinData, Loaded, ModelSpec, load

if TYPE_CHECKING:
    from rich.console import RenderableType

    from cimspec.graph import Graph

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


def open_spec(path: str, overrides: list[str] | None, *, weights: bool = False) -> Loaded:
    """Load and check a spec, its network's shapes included; warnings go to stderr. With `weights`, their file, too."""
    from cimspec.graph import open_model

    loaded = load(path, overrides or ())
    graph = open_model(loaded.spec, loaded.spans).graph
    found = check_weights(loaded, graph) if weights else ()
    show((*loaded.warnings, *found))
    return loaded


def check_weights(loaded: Loaded, graph: "Graph") -> tuple[Diagnostic, ...]:
    """Warnings about the file of weights that a spec names. Raises `CimError` where it does not fit."""
    model = loaded.spec.model
    if not isinstance(model, ModelSpec) or model.weights is None:
        return ()
    from cimspec.quant.weights_file import open_weights  # brings numpy, which specs without a file do without

    read = open_weights(model, graph, loaded.spans)
    return read.warnings if read else ()


def check_own_data(loaded: Loaded, graph: "Graph") -> tuple[Diagnostic, ...]:
    """Warnings about data in files that a spec names, which are read. Raises `CimError` where they make no sense."""
    if loaded.spec.data is None or isinstance(loaded.spec.data.source, BuiltinData):
        return ()
    from cimspec.data.load import check_data, load_data

    model = loaded.spec.model
    has_weights = not isinstance(model, ModelSpec) or model.weights is not None
    return check_data(load_data(loaded.spec.data), graph, has_weights=has_weights)


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
