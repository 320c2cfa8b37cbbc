"""Validates files while Python's audit hook watches: what is opened, written, listed, started or connected to.

    python -m tests.spec.watched GOOD ... -- FILE ...     a line of JSON for each FILE

Good files of all kinds come first: what they load late stays loaded, so that an event is the doing of a file. Memory is
bounded by the system from then on.
"""

import json
import mmap
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

from cimspec.diag import CimError, render
from cimspec.spec.library import FOLDER

MEGABYTES = 200
"""Memory that a file may take, beside what the process has before."""

HARMLESS = ("object.__getattr__", "object.__setattr__", "object.__delattr__", "sys._getframe", "builtins.id", "gc.")
OPENING = ("open", "os.listdir", "os.scandir", "os.open")
QUIET = ("os.fspath", "pathlib.Path.glob", "pathlib.Path.rglob", "array.__new__", "cpython.", "sys.unraisablehook")

Event = tuple[str, tuple[Any, ...]]


class Watch:
    """Keeps the events of audit hooks, which cannot be taken off."""

    def __init__(self) -> None:
        self.events: list[Event] | None = None
        sys.addaudithook(self._hook)

    def _hook(self, name: str, arguments: tuple[Any, ...]) -> None:
        if self.events is not None and not name.startswith(HARMLESS + QUIET):
            self.events.append((name, arguments))

    def during(self, path: str) -> dict[str, Any]:
        """What a file does: its codes, what is printed about it, and all events that are not reading in its folder."""
        from cimspec.validation import validated

        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self.events = []
        started = time.process_time()
        try:
            found, is_spec = validated(path).warnings, True
        except CimError as error:
            found, is_spec = error.diagnostics, False
        events, self.events = self.events, None
        return {
            "is_spec": is_spec,
            "codes": sorted({each.code for each in found}),
            "said": render(found),
            "seconds": time.process_time() - started,
            "wrong": [str(event) for event in events if not is_allowed(*event, Path(path).resolve().parent)],
            "megabytes": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024,
        }


def is_allowed(name: str, arguments: tuple[Any, ...], folder: Path) -> bool:
    """Whether an event is nothing but reading a file below the folder or in the library."""
    if name == "compile" and arguments[1] == "<unknown>":
        return True  # `ast.literal_eval` of numpy's headers
    if name == "mmap.__new__" and arguments[2] == mmap.ACCESS_READ:
        return True
    if name not in OPENING or not isinstance(arguments[0], str | os.PathLike):
        return False
    path = Path(arguments[0]).resolve()
    mode = arguments[1] if name == "open" and len(arguments) > 1 else "r"
    flags = arguments[2] if name == "open" and len(arguments) > 2 and isinstance(arguments[2], int) else 0
    is_reading = (mode is None or set(str(mode)) <= set("rbtU")) and not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    return is_reading and (path.is_relative_to(folder) or path.is_relative_to(FOLDER))


def main() -> None:
    """Watch the files of the command line."""
    cut = sys.argv.index("--")
    watch = Watch()
    for path in sys.argv[1:cut]:
        assert watch.during(path)["is_spec"], path
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    bound = used + MEGABYTES * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
    for path in sys.argv[cut + 1 :]:
        print(json.dumps(watch.during(path)), flush=True)


if __name__ == "__main__":
    main()
