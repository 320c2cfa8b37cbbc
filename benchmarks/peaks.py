"""What this core's vector units can do, from loops of nothing else (peaks.c, compiled on the fly)."""

import ctypes
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from timing import seconds

from cimspec._kernels import crossbar
from cimspec.sim.packing import instruction_set

SOURCE = Path(__file__).with_name("peaks.c")
ROUNDS, REPEATS = 2_000_000, 5


@dataclass(frozen=True)
class Peak:
    """A loop of peaks.c."""

    function: str
    instructions: str
    products: int  # of a cell and an input bit (or, for dot products, of two integers) that one operation adds up


PEAKS = {
    "amx": {
        "amx_bytes": Peak("dot_tiles", "TDPBUSD", 16 * 16 * 64),  # 16 lines x 16 outputs x 64 rows
    },
    "avx512": {
        "adders": Peak(
            "add_bits", "2 VPTERNLOGQ", 1024
        ),  # of 512 bits; one row in two has its bit set, and needs an adder
        "bits": Peak("count_bits", "VPAND VPOPCNTW VPADDW", 512),  # 16 rows x 32 outputs
        "tables": Peak("look_up", "VPERMB VPADDB", 384),  # 6 rows x 64 vectors
        "sums": Peak("look_up_sums", "VPERMI2W VPDPWSSD", 160),  # 10 rows x 16 vectors' steps
        "bytes": Peak("dot_bytes", "VPDPBUSD", 64),
        "words": Peak("dot_words", "VPDPWSSD", 32),
    },
    "avx2": {
        "nibbles": Peak("look_up_avx2", "VPSHUFB VPADDB", 128),  # 4 rows x 32 vectors
        "sums": Peak("look_up_sums_avx2", "VPSHUFB VPMADDUBSW VPADDW", 48),  # 6 rows x 16 vectors, for one of two bytes
        "words": Peak("dot_words_avx2", "VPMADDWD VPADDD", 16),
    },
}
"""By instruction set and form of cells."""


def measure_peaks() -> dict[str, tuple[str, float]]:
    """Instructions and 10^9 products per second of each form of cells; empty where they cannot be measured."""
    compiler, instructions = shutil.which("cc"), instruction_set()
    peaks = PEAKS.get(instructions, {}) | (PEAKS["avx512"] if instructions == "amx" else {})
    if compiler is None or set(peaks) - set(crossbar.forms(instructions)):
        return {}
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "peaks.so"
        flags = ["-O2", "-shared", "-fPIC", *(["-DWITH_AMX"] if instructions == "amx" else [])]
        subprocess.run([compiler, *flags, str(SOURCE), "-o", str(library)], check=True)
        loaded = ctypes.CDLL(str(library))
    return {form: (peak.instructions, _rate(peak, loaded)) for form, peak in peaks.items()}


def _rate(peak: Peak, library: ctypes.CDLL) -> float:
    function = getattr(library, peak.function)
    function.argtypes = [ctypes.c_int64]
    return 8 * ROUNDS * peak.products / min(seconds(lambda: function(ROUNDS)) for _ in range(REPEATS)) / 1e9


if __name__ == "__main__":
    for form, (instructions, rate) in measure_peaks().items():
        print(f"{form:7} {instructions:25} {rate:6.0f} G products/s")
