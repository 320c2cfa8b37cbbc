"""One matrix-vector product through a chip's crossbars, from integers to integers (or float64 where the ADC rounds).

The public call. Ranges come from the arguments, never from the data, so a result does not depend on its batch.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from cimspec.compiler.layout import Layout
from cimspec.compiler.slicing import input_steps
from cimspec.data.cores import cores
from cimspec.quant.parameters import activation_range, weight_limit
from cimspec.sim.layer import Engine, ProductLayer
from cimspec.sim.programmed import ProgrammedRows
from cimspec.sim.reference import reference_mvm
from cimspec.sim.row_set import Inputs
from cimspec.spec.chip import Chip

IntArray = npt.NDArray[Any]


def mvm(
    chip: Chip,
    weights: npt.ArrayLike,
    inputs: npt.ArrayLike,
    *,
    weight_bits: int,
    activation_bits: int,
    signed_inputs: bool = False,
    full_scale: float | None = None,
    engine: str = "kernel",
    seed: int | None = None,
    threads: int | None = None,
) -> IntArray:
    """The product `inputs @ weights.T` as `chip` computes it.

    `weights [outputs, inputs]` and `inputs [vectors, inputs]` are integers within `weight_bits` and `activation_bits`.
    `full_scale` is a calibrated ADC range in units of one cell times one input digit; None takes the chip's rows.
    `seed` (None: 0) keys what devices draw: programming errors once, read noise for each vector by its index.
    `threads` (None: those of the machine) changes no result.
    Returns `[vectors, outputs]`, int64 where the ADC's step is an integer, else float64; the same by both engines.
    Raises `ValueError` for shapes, types or values that do not fit.
    """
    codes = _integers("weights", weights)
    vectors = _integers("inputs", inputs)
    if codes.shape[1] != vectors.shape[1]:
        raise ValueError(f"weights have {codes.shape[1]} inputs, inputs have {vectors.shape[1]}")
    if not codes.size:
        raise ValueError(f"weights are {codes.shape[0]} x {codes.shape[1]}; there is nothing to store")
    _check_bits(weight_bits, activation_bits, signed_inputs)
    limit = weight_limit(weight_bits)
    _check_range("weights", codes, -limit, limit)
    _check_range("inputs", vectors, *activation_range(activation_bits, signed_inputs))
    if Engine(engine) is Engine.REFERENCE:
        return reference_mvm(
            chip, codes, vectors, weight_bits=weight_bits, activation_bits=activation_bits,
            signed_inputs=signed_inputs, full_scale=full_scale, seed=seed or 0,
        )  # fmt: skip
    rows = ProgrammedRows(
        Layout(chip, codes.shape[1], codes.shape[0], weight_bits),
        codes,
        input_steps(chip, activation_bits, signed_inputs),
        full_scale,
        seed=seed or 0,
    )
    return ProductLayer(rows).products(flat_inputs(vectors), threads=threads or cores())


def flat_inputs(vectors: IntArray, first_vector: int = 0) -> Inputs:
    """Input vectors `[vectors, inputs]`, one after the other."""
    count, inputs = vectors.shape
    narrow = np.int16 if int(np.abs(vectors).max(initial=0)) < 1 << 15 else np.int32
    return Inputs(
        np.ascontiguousarray(vectors, narrow).reshape(-1),
        np.arange(count, dtype=np.int64) * inputs,
        np.arange(inputs, dtype=np.int32),
        first_vector,
    )


def _integers(name: str, values: npt.ArrayLike) -> IntArray:
    array = np.asarray(values)
    if array.ndim != 2:
        raise ValueError(f"{name} have {array.ndim} dimensions; two are needed")
    if array.dtype.kind not in "iu":
        raise ValueError(f"{name} are {array.dtype}; integers are needed")
    if array.dtype == np.uint64 and array.max(initial=0) > np.iinfo(np.int64).max:
        raise ValueError(f"{name} do not fit 64 bits")
    return array.astype(np.int64)


def _check_range(name: str, values: IntArray, low: int, high: int) -> None:
    smallest, largest = int(values.min(initial=0)), int(values.max(initial=0))
    if smallest < low or largest > high:
        raise ValueError(f"{name} reach from {smallest} to {largest}; their bits hold {low} to {high}")


def _check_bits(weight_bits: int, activation_bits: int, signed_inputs: bool) -> None:
    if not 2 <= weight_bits <= 15:
        raise ValueError(f"weight_bits is {weight_bits}; 2 to 15 are possible")
    smallest = 2 if signed_inputs else 1
    if not smallest <= activation_bits <= 16:
        raise ValueError(f"activation_bits is {activation_bits}; {smallest} to 16 are possible")
