"""Weight codes that change a layer's outputs least, in numpy: weights + steps + moments of the inputs -> codes.

Rounding each weight to the nearest code adds errors up; here each input's weights are rounded in turn, and the weights
of later inputs make up for the error, as far as inputs are correlated (GPTQ: Frantar et al., "GPTQ: accurate
post-training quantization for generative pre-trained transformers", ICLR 2023; inputs in their own order, no blocks).
"""

import numpy as np
import numpy.typing as npt

from cimspec.quant.parameters import FloatArray, WeightCodes, weight_limit

DAMPING = 0.01
"""Added to the moments' diagonal, relative to its mean: a few images do not show every direction of the inputs."""
SMALLEST_DAMPING = 1e-12


def fitted_codes(
    weight: npt.NDArray[np.float32], step: FloatArray, weight_bits: int, moments: FloatArray
) -> WeightCodes:
    """Codes [outputs, inputs] of a weight [outputs, ...] that keep `weight @ x`; `moments` is the mean of `x x^T`."""
    limit = weight_limit(weight_bits)
    left = weight.reshape(len(weight), -1).astype(np.float64)
    codes = np.zeros(left.shape, np.int16)
    damping = max(DAMPING * float(np.trace(moments)) / len(moments), SMALLEST_DAMPING)
    inverse = np.linalg.inv(moments + damping * np.eye(len(moments)))
    # Row i of this factor says what inputs after i have to make up for.
    factor = np.linalg.cholesky(inverse).T
    for index, row in enumerate(factor):
        codes[:, index] = np.clip(np.rint(left[:, index] / step), -limit, limit)
        error = (left[:, index] - codes[:, index] * step) / row[index]
        left[:, index:] -= np.outer(error, row[index:])
    return codes
