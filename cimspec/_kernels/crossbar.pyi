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

def multiply_all(
    row_sets: list[RowSet],
    instructions: str,
    codes: npt.NDArray[np.int16],
    origins: npt.NDArray[np.int64],
    offsets: list[npt.NDArray[np.int32]],
    first_vector: int,
    sums: npt.NDArray[np.int32],
    input_sums: list[npt.NDArray[np.int64] | None],
) -> None: ...
def add_integers(
    sums: npt.NDArray[np.int32],
    lsb: int,
    constants: npt.NDArray[np.int64],
    input_sums: npt.NDArray[np.int64],
    offset: int,
    adds: bool,
    total: npt.NDArray[np.int64],
) -> None: ...
def add_reals(
    sums: npt.NDArray[np.int32], lsb: float, constants: npt.NDArray[np.float64], total: npt.NDArray[np.float64]
) -> None: ...
