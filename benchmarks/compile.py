"""How long large networks take to compile, how much memory, and how long their Programs are.

    python benchmarks/compile.py

Each row is `cimspec compile SPEC -o FILE` in a process of its own, start of the interpreter included: ResNet-50 and
ViT-B/32 as specs (shapes alone), VGG-19, ResNet-50 and Inception as ONNX files with weights (those that the `onnx`
package ships for its tests), on the chip of arXiv 2601.21737 with reloaded weights, and with resident ones on as many
crossbars as an ISAAC chip has. Medians of three.
"""

import os
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from cimspec.report import rows_table

SPECS = Path(__file__).parents[1] / "specs" / "paper"
MODES = {"reloaded": (), "resident": ("--set", "chip.weights=resident", "--set", "chip.crossbars=16128")}
SHAPES = ("resnet50", "vit_b32")
WITH_WEIGHTS = ("light_vgg19", "light_resnet50", "light_inception_v2")
REPEATS = 3
MEGABYTE = 1e6
KIB = 1024


@dataclass(frozen=True, slots=True)
class Compiled:
    """One run of the compiler."""

    seconds: float
    peak_bytes: int
    text_bytes: int


def main() -> None:
    """Print the table."""
    headers = ("network", "weights", "time (s)", "peak memory (MB)", "Program text (kB)")
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        specs = [SPECS / f"{name}.cim" for name in SHAPES]
        specs += [onnx_spec(folder, name) for name in WITH_WEIGHTS]
        for spec in specs:
            for mode, options in MODES.items():
                runs = [compile_once(spec, options, folder / "program.cimp") for _ in range(REPEATS)]
                rows.append(
                    (
                        spec.stem,
                        mode,
                        f"{statistics.median(run.seconds for run in runs):.1f}",
                        f"{max(run.peak_bytes for run in runs) / MEGABYTE:,.0f}",
                        f"{runs[0].text_bytes / 1e3:,.0f}",
                    )
                )
    Console(width=120).print(rows_table(headers, rows))


def onnx_spec(folder: Path, name: str) -> Path:
    """A spec of a network that the onnx package ships, beside a copy of its file and of the chip."""
    import onnx

    shipped = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light" / f"{name}.onnx"
    shutil.copy(shipped, folder)
    shutil.copy(SPECS / "chip.cim", folder)
    spec = folder / f"{name}.cim"
    spec.write_text(f'import "chip.cim"\nmodel {name} = onnx("{name}.onnx")\n', encoding="utf-8")
    return spec


def compile_once(spec: Path, options: tuple[str, ...], output: Path) -> Compiled:
    """Time and peak memory of one command."""
    command = [sys.executable, "-m", "cimspec", "compile", str(spec), *options, "-o", str(output)]
    start = time.perf_counter()
    child = os.posix_spawn(sys.executable, command, os.environ)
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - start
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    return Compiled(seconds, usage.ru_maxrss * KIB, output.stat().st_size)


if __name__ == "__main__":
    main()
