"""What processes of this machine do, as /proc tells, and what tasks did, as their files tell."""

import time
from collections.abc import Callable
from pathlib import Path


def starts(folder: Path) -> dict[int, int]:
    """How often each task was started, by the files that `executor_tasks.started` leaves."""
    numbers = [int(path.name.partition("-")[0]) for path in folder.iterdir()]
    return {number: numbers.count(number) for number in set(numbers)}


def workers(folder: Path) -> list[int]:
    """The processes in which tasks were started."""
    return [int(text) for path in folder.iterdir() if (text := path.read_text())]


def wait_until(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def fields(process: int) -> list[str]:
    """State, parent, group, session and more of a process; empty if there is none, or only its exit code."""
    try:
        found = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
    return found if found[0] != "Z" else []


def is_running(process: int) -> bool:
    return bool(fields(process))


def of_session(session: int) -> set[int]:
    """Processes of a session."""
    return {process for process, found in everything().items() if int(found[3]) == session}


def below(process: int) -> set[int]:
    """Children of a process, and theirs."""
    parents = {child: int(found[1]) for child, found in everything().items()}
    children = {process}
    while more := {child for child, parent in parents.items() if parent in children} - children:
        children |= more
    return children - {process}


def everything() -> dict[int, list[str]]:
    processes = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return {process: found for process in processes if (found := fields(process))}
