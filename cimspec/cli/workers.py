"""Options of commands that share their work out, and the folders that they leave results in."""

import shlex
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cimspec.cli.common import Device
from cimspec.diag import fail

if TYPE_CHECKING:
    from cimspec.pipeline.executors import Executor


class ExecutorName(StrEnum):
    """What runs the tasks of a command."""

    PROCESSES = "processes"
    RAY = "ray"


Out = Annotated[
    Path | None,
    typer.Option(
        "--out", metavar="DIR", help="folder for results; a second run into it takes up what the first finished"
    ),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="take up the newest unfinished run of this spec, or the one in `--out`")
]
Workers = Annotated[int, typer.Option("--workers", min=1, max=1024, help="tasks that run at once")]
Kind = Annotated[ExecutorName, typer.Option("--executor", help="what runs them: processes of this machine, or Ray")]
Address = Annotated[
    str | None, typer.Option("--address", metavar="ADDRESS", help="of a Ray cluster; one is started here if left out")
]


def open_workers(workers: int, kind: ExecutorName, address: str | None) -> "Executor | None":
    """The executor that the options ask for; None where this process does all."""
    if kind is ExecutorName.PROCESSES and address is not None:
        raise typer.BadParameter("`--address` goes with `--executor ray`")
    if kind is ExecutorName.PROCESSES and workers == 1:
        return None
    from cimspec.pipeline.executors import ExecutorKind, open_executor

    return open_executor(ExecutorKind(kind), workers, address)


def result_folder(name: str, out: Path | None, *, resume: bool) -> Path:
    """Where results go: into `out`, a new folder below `runs`, or with `resume` the newest one that is unfinished."""
    runs = Path("runs")
    if out is not None:
        return out
    if not resume:
        return runs / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    from cimspec.pipeline.seeds import unfinished

    folder = unfinished(runs, name)
    if folder is None:
        fail("CIM908", f"there is no unfinished run of `{name}` in `{runs}`", help="leave out `--resume`")
    return folder


def command_line(command: str, spec: str, options: list[str], overrides: list[str] | None, device: str) -> str:
    """What gives the same results again, wherever they are written."""
    return shlex.join(command_words(command, spec, options, overrides, device))


def command_words(
    command: str, spec: str, options: list[str], overrides: list[str] | None, device: str
) -> tuple[str, ...]:
    """The same, word by word."""
    sets = [part for override in overrides or () for part in ("--set", override)]
    where = [] if device == Device.CPU else ["--device", device]
    return ("cimspec", command, spec, *options, *sets, *where)
