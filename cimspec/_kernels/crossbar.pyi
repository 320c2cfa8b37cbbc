import numpy as np
import numpy.typing as npt

def block_sums(
    cells: npt.NDArray[np.int16] | npt.NDArray[np.int32],
    digits: npt.NDArray[np.uint8],
    step_factors: npt.NDArray[np.int64],
    table: npt.NDArray[np.int32],
    smallest: int,
    column_factors: npt.NDArray[np.int64],
    column_outputs: npt.NDArray[np.int64],
    sums: npt.NDArray[np.int64],
) -> None: ...
