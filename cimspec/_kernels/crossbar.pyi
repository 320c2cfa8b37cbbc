import numpy as np
import numpy.typing as npt

def instruction_sets() -> tuple[str, ...]: ...
def forms(instructions: str) -> tuple[str, ...]: ...

class RowSet:
    rows: int
    outputs: int
    def __init__(
        self,
        form: str,
        rows: int,
        cell_bits: int,
        signs: int,
        steps: npt.NDArray[np.int32],
        planes: npt.NDArray[np.int64],
        cells: npt.NDArray[np.uint8],
        factors: npt.NDArray[np.int32],
        starts: npt.NDArray[np.uint8],
        lookups: npt.NDArray[np.int32],
        integers: npt.NDArray[np.int32],
        reals: npt.NDArray[np.float32],
        counters: npt.NDArray[np.uint32],
    ) -> None: ...

Part = tuple[RowSet, npt.NDArray[np.int32], bool, RowSet | None, npt.NDArray[np.int32] | None]

def add_integers(
    parts: list[Part],
    instructions: str,
    codes: npt.NDArray[np.int16],
    origins: npt.NDArray[np.int64],
    first_vector: int,
    lsb: int,
    constants: npt.NDArray[np.int64],
    offset: int,
    adds: bool,
    total: npt.NDArray[np.int64],
    chunk: int,
    threads: int,
) -> None: ...
def add_reals(
    parts: list[Part],
    instructions: str,
    codes: npt.NDArray[np.int16],
    origins: npt.NDArray[np.int64],
    first_vector: int,
    lsbs: npt.NDArray[np.float64],
    constants: npt.NDArray[np.float64],
    offset: int,
    adds: bool,
    input_sums: npt.NDArray[np.int64],
    total: npt.NDArray[np.float64],
    chunk: int,
    threads: int,
) -> None: ...
