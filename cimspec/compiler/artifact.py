"""A Program with its weights on disk: a text and, beside it, the arrays it names. Self-contained.

`NAME.cimp` is the text, `NAME.npz` holds the constants; its digest stands in the text's last line.
"""

import hashlib
import zipfile
from pathlib import Path

import numpy as np

from cimspec.compiler.program import CrossbarLayer, Program
from cimspec.compiler.text import parse_program, print_program
from cimspec.diag import fail
from cimspec.quant.ops import AddCodes, Array, Constants, Dequantize, Requantize

SUFFIX = ".cimp"
_DIGEST = "# constants sha256 "


def save_program(program: Program, constants: Constants, path: Path) -> tuple[Path, Path]:
    """Write the text to `path` and the constants beside it; the two paths."""
    arrays = path.with_suffix(".npz")
    np.savez_compressed(arrays, allow_pickle=False, **constants)
    path.write_text(f"{print_program(program)}{_DIGEST}{_digest(constants)}\n", encoding="utf-8")
    return path, arrays


def load_program(path: Path) -> tuple[Program, Constants]:
    """A saved program and its constants.

    Raises `CimError` (CIM501) where either cannot be read, or they do not belong together.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fail("CIM501", f"cannot read the program `{path}`: {_reason(error)}")
    body, _, digest = text.partition(_DIGEST)
    program = parse_program(body, str(path))
    constants = _load_constants(path.with_suffix(".npz"))
    if digest and digest.strip() != _digest(constants):
        fail("CIM501", f"`{path.with_suffix('.npz')}` holds other constants than `{path}` was saved with")
    check_constants(program, constants)
    return program, constants


def check_constants(program: Program, constants: Constants) -> None:
    """Raise `CimError` (CIM501) where an array that the program names is missing or has another shape."""
    for name, shape in _named_arrays(program):
        found = constants.get(name)
        if found is None:
            fail("CIM501", f"the program names `{name}`, which its constants do not hold")
        if shape is not None and found.shape != shape:
            fail("CIM501", f"`{name}` has shape {found.shape}, the program reads {shape}")


def _named_arrays(program: Program) -> list[tuple[str, tuple[int, ...] | None]]:
    named: list[tuple[str, tuple[int, ...] | None]] = []
    for item in program.items:
        match item:
            case CrossbarLayer(op):
                named += [(op.weights, (op.outputs, op.inputs)), (op.bias, (op.outputs,))]
            case Requantize() | Dequantize():
                named.append((item.multiplier, None))
            case AddCodes():
                named += [(item.multiplier_a, None), (item.multiplier_b, None)]
    return named


def _load_constants(path: Path) -> dict[str, Array]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        fail("CIM501", f"cannot read the program's constants `{path}`: {_reason(error)}")


def _digest(constants: Constants) -> str:
    digest = hashlib.sha256()
    for name in sorted(constants):
        array = np.ascontiguousarray(constants[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
