"""The README's figures: one spec over several training seeds, in one table with means and intervals.

    python benchmarks/quickstart.py [SPEC] [--seeds 3] [--json]

Each seed is a `cimspec run` in a process of its own, so that time and memory are those of a user's run.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from cimspec.report import SeedsReport, seeds_table

ROOT = Path(__file__).parents[1]


def run(spec: str, seed: int) -> dict[str, Any]:
    """One run's result, with its wall time and the largest memory of all runs so far."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "cimspec", "run", spec, "--seed", str(seed), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout)
    result["wall_s"] = time.perf_counter() - start
    result["memory_gb"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    return result


def main() -> None:
    """Run the seeds one after the other and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("spec", nargs="?", default=str(ROOT / "specs/quickstart.cim"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    results = [run(arguments.spec, seed) for seed in range(arguments.seeds)]
    if arguments.json:
        print(json.dumps(results, indent=2))
        return
    console = Console(width=160, highlight=False)
    console.print(seeds_table(SeedsReport.read(results)))
    walls = " ".join(f"{result['wall_s']:.0f}" for result in results)
    console.print(f"Wall time (s): {walls}; memory (GB): {results[-1]['memory_gb']:.2f}")


if __name__ == "__main__":
    main()
