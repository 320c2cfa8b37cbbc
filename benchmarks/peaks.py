"""What this core's vector units can do, from loops of nothing else (peaks.c, compiled on the fly)."""

import ctypes
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from timing import seconds

from cimspec._kernels import crossbar

SOURCE = Path(__file__).with_name("peaks.c")
ROUNDS, REPEATS = 2_000_000, 5


@dataclass(frozen=True)
class Peak:
    """A loop of peaks.c."""

    function: str
    instructions: str
    products: int  # of a cell and an input bit (or, for dot products, of two integers) that one operation adds up


PEAKS = {
    "bits": Peak("count_bits", "VPAND VPOPCNTW VPADDW", 512),  # 16 rows x 32 outputs
    "tables": Peak("look_up", "VPERMB VPADDB", 384),  # 6 rows x 64 vectors, cells of up to 2 bits
    "sums": Peak("look_up_sums", "VPERMI2W VPDPWSSD", 160),  # 10 rows x 16 vectors' steps
    "bytes": Peak("dot_bytes", "VPDPBUSD", 64),
    "words": Peak("dot_words", "VPDPWSSD", 32),
}


def measure_peaks() -> dict[str, float]:
    """10^9 products per second of each form of cells; empty where they cannot be measured."""
    compiler = shutil.which("cc")
    if compiler is None or {"bits", "tables", "sums"} - set(crossbar.forms(crossbar.instruction_sets()[0])):
        return {}
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "peaks.so"
        subprocess.run([compiler, "-O2", "-shared", "-fPIC", str(SOURCE), "-o", str(library)], check=True)
        loaded = ctypes.CDLL(str(library))
    return {form: _rate(peak, loaded) for form, peak in PEAKS.items()}


def _rate(peak: Peak, library: ctypes.CDLL) -> float:
    function = getattr(library, peak.function)
    function.argtypes = [ctypes.c_int64]
    return 8 * ROUNDS * peak.products / min(seconds(lambda: function(ROUNDS)) for _ in range(REPEATS)) / 1e9


if __name__ == "__main__":
    for form, rate in measure_peaks().items():
        print(f"{form:7} {PEAKS[form].instructions:22} {rate:6.0f} G products/s")
