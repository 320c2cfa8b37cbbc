from typing import Any

import numpy as np
import numpy.typing as npt

def requantize(
    values: npt.NDArray[Any], factors: npt.NDArray[np.float64], low: int, high: int, codes: npt.NDArray[np.int16]
) -> None: ...
def add_codes(
    a: npt.NDArray[np.float64],
    b: npt.NDArray[np.float64],
    a_factors: npt.NDArray[np.float64],
    b_factors: npt.NDArray[np.float64],
    low: int,
    high: int,
    codes: npt.NDArray[np.int16],
) -> None: ...
