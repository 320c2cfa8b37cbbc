import numpy as np
import numpy.typing as npt

def instruction_sets() -> tuple[str, ...]: ...
def philox(counters: npt.NDArray[np.uint32], key0: int, key1: int, out: npt.NDArray[np.uint32]) -> None: ...
def normals(words: npt.NDArray[np.uint32], out: npt.NDArray[np.float32]) -> None: ...
def cell_normals(
    key0: int, key1: int, first_row: int, first_column: int, out: npt.NDArray[np.float32], instructions: str
) -> None: ...
def read_normals(
    key0: int,
    key1: int,
    vectors: npt.NDArray[np.int64],
    row_set_start: int,
    plane: int,
    out: npt.NDArray[np.float32],
    instructions: str,
) -> None: ...
