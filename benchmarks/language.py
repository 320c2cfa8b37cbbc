"""What a large `.cim` file takes: parsing, loading, validating, formatting; CPU and wall seconds, and memory.

    python benchmarks/language.py [--lines 20000] [--rounds 3]

Medians of rounds in a process for each file, so that its memory is its own; the last column is a whole
`cimspec validate`, with the start of Python. The demand: 20,000 lines are validated in less than 2 s.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

CHIP = """chip base {
  crossbar {
    rows = 64
    columns = 64
    cell = 2 bit
    encoding = differential_columns
    write_latency = 56 us
    read_latency = 1.4 us
  }
  adc { bits = 8 }
}
"""


def filled(head: str, line: Callable[[int], str], tail: str, lines: int) -> str:
    """A text of exactly `lines` lines; where whole entries do not fit, comments do."""
    left = lines - head.count("\n") - tail.count("\n")
    each = line(0).count("\n")
    body = "".join(line(number) for number in range(left // each))
    return head + body + "# the rest\n" * (left - left // each * each) + tail


def layers(lines: int) -> str:
    """A network as exporters write it: a field a line."""
    layer = "  conv2d c# {\n    channels = 16\n    kernel = 3\n    padding = 1\n  }\n  relu\n"
    return filled(f"{CHIP}model m {{\n  input 3 x 32 x 32\n", lambda n: layer.replace("c#", f"c{n}"), "}\n", lines)


def short_layers(lines: int) -> str:
    """As many layers as a model may have, one a line, with a comment above."""
    layer = "  # a layer\n  conv2d c# { channels = 16; kernel = 3; padding = 1 }\n"
    return filled(f"{CHIP}model m {{\n  input 3 x 32 x 32\n", lambda n: layer.replace("c#", f"c{n}"), "}\n", lines)


def arithmetic(lines: int) -> str:
    """Lets that use the one before, and layers that use them."""
    half = lines // 2
    lets = filled("let a0 = 64\n", lambda n: f"let a{n + 1} = a{n - n % 50} + {n % 9} / 2\n", "", half)
    head = f"{CHIP}model m {{\n  input 64\n"
    return lets + filled(head, lambda n: f"  linear {{ features = ceil(a{n}) }}\n", "}\n", lines - half)


def blocks(lines: int) -> str:
    """Blocks, each defined in seven lines and used once, in two."""
    uses = lines // 10
    block = (
        "block b#(channels, stride = 1) from x {\n  let half = channels / 2\n"
        "  conv2d c1 from x { channels = half; kernel = 3; stride = stride; padding = 1 }\n  relu\n"
        "  conv2d c2 { channels = channels; kernel = 3; padding = 1 }\n  add from c2, x\n}\n"
    )
    defined = "".join(block.replace("#", str(number)) for number in range(uses))
    head = f"{CHIP}{defined}model m {{\n  input 16 x 32 x 32\n"
    used = "".join(f"  # use {number}\n  b{number} u{number}(16)\n" for number in range(uses))
    return filled(head + used, lambda _: "# the rest\n", "}\n", lines)


FILES: dict[str, Callable[[int], str]] = {
    "layers": layers,
    "short layers": short_layers,
    "arithmetic": arithmetic,
    "blocks": blocks,
}
"""Kinds of large files by what they are made of: number of lines -> text."""


def measured(path: Path, rounds: int) -> dict[str, tuple[float, float]]:
    """Median CPU and wall seconds of each step."""
    from cimspec.diag import Diagnostics, Source
    from cimspec.lang import parse
    from cimspec.lang.format import format_text
    from cimspec.spec import load
    from cimspec.validation import validated

    text = path.read_text(encoding="utf-8")
    steps: dict[str, Callable[[], object]] = {
        "parse": lambda: parse(Source(path.name, text), Diagnostics()),
        "load": lambda: load(path),
        "validate": lambda: validated(path),
        "fmt": lambda: format_text(text),
    }
    found = {}
    for name, step in steps.items():
        times = []
        for _ in range(rounds):
            wall, cpu = time.perf_counter(), time.process_time()
            step()
            times.append((time.process_time() - cpu, time.perf_counter() - wall))
        found[name] = median(each[0] for each in times), median(each[1] for each in times)
    return found


def command_seconds(path: Path) -> tuple[float, float]:
    """CPU and wall seconds of `cimspec validate`."""
    before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-m", "cimspec", "validate", str(path)], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, time.perf_counter() - wall


def child(path: Path, rounds: int) -> None:
    """Measure one file, and print what was found as JSON."""
    found = measured(path, rounds)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"steps": found, "memory": memory}))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child, arguments.rounds)
        return
    table = Table("file", "KB", "parse", "load", "validate", "fmt", "memory", "cimspec validate")
    with tempfile.TemporaryDirectory() as folder:
        for kind, make in FILES.items():
            path = Path(folder) / f"{kind.replace(' ', '_')}.cim"
            path.write_text(make(arguments.lines), encoding="utf-8")
            command = [sys.executable, __file__, "--child", str(path), "--rounds", str(arguments.rounds)]
            found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
            times = [*found["steps"].values(), median_of(path, arguments.rounds)]
            *shown, whole = (f"{cpu:.2f} / {wall:.2f} s" for cpu, wall in times)
            table.add_row(kind, f"{path.stat().st_size / 1000:.0f}", *shown, f"{found['memory']:.0f} MB", whole)
    console = Console(width=140)
    console.print(f"{arguments.lines} lines, medians of {arguments.rounds}; CPU / wall seconds")
    console.print(table)


def median_of(path: Path, rounds: int) -> tuple[float, float]:
    """Median CPU and wall seconds of whole commands."""
    times = [command_seconds(path) for _ in range(rounds)]
    return median(each[0] for each in times), median(each[1] for each in times)


if __name__ == "__main__":
    main()
