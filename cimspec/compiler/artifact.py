"""A Program with its weights on disk: a text or JSON and, beside it, the arrays it names. Self-contained.

`NAME.cimp` is the text, `NAME.json` the same for tools; `NAME.npz` holds the constants, whose digest either of them
ends with.
"""

import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cimspec.compiler.json_form import program_as_json, program_from_json
from cimspec.compiler.printer import print_program
from cimspec.compiler.program import Program, operation
from cimspec.compiler.text import parse_program
from cimspec.compiler.verify import verify
from cimspec.diag import fail
from cimspec.quant.ops import Array, Constants, Load, MatMul, Normalized, Scaled, Wide, rescaled, scale_name
from cimspec.quant.parameters import weight_limit

SUFFIX = ".cimp"
JSON_SUFFIX = ".json"
_DIGEST = "# constants sha256 "
_DIGEST_KEY = "constants_sha256"
_DAMAGED = (ValueError, EOFError, KeyError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error)
"""What a damaged file of arrays raises."""


def save_program(program: Program, constants: Constants, path: Path) -> tuple[Path, Path]:
    """Write the program to `path`, as JSON if that is its suffix, and the constants beside it; the two paths."""
    arrays = path.with_suffix(".npz")
    np.savez_compressed(arrays, allow_pickle=False, **constants)
    path.write_text(program_text(program, path, _digest(constants)), encoding="utf-8")
    return path, arrays


def program_text(program: Program, path: Path, digest: str | None = None) -> str:
    """What a program's file holds, by its suffix; `digest` is that of its constants, if they are saved too."""
    if path.suffix == JSON_SUFFIX:
        return json.dumps(program_as_json(program) | ({_DIGEST_KEY: digest} if digest else {}), indent=1) + "\n"
    return print_program(program) + (f"{_DIGEST}{digest}\n" if digest else "")


def read_program(path: Path) -> tuple[Program, str | None]:
    """A program without its constants, and their digest if it names one.

    Raises `CimError`: CIM501 where it cannot be read, CIM503 where it computes something else than it says.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fail("CIM501", f"cannot read the program `{path}`: {_reason(error)}")
    if path.suffix == JSON_SUFFIX:
        program = program_from_json(text, str(path))
        digest = json.loads(text).get(_DIGEST_KEY, "")
    else:
        body, _, digest = text.partition(_DIGEST)
        program = parse_program(body, str(path))
    verify(program)
    return program, str(digest).strip() or None


def load_program(path: Path) -> tuple[Program, Constants]:
    """A saved program and its constants.

    Raises `CimError` (CIM501, CIM503) where either cannot be read, or they do not belong together.
    """
    program, digest = read_program(path)
    arrays = path.with_suffix(".npz")
    if digest is None:  # arrays that lie beside it could be any
        fail(
            "CIM501",
            f"`{path}` was compiled without weights",
            help="`cimspec run` compiles a trained network and leaves its program with its weights",
        )
    constants = _load_constants(arrays)
    if digest != _digest(constants):
        fail("CIM501", f"`{arrays}` holds other constants than `{path}` was saved with")
    check_constants(program, constants)
    return program, constants


def check_constants(program: Program, constants: Constants) -> None:
    """Raise `CimError` (CIM501) where an array that the program names is missing, or another one than it reads.

    Of weights that means: integers of the bits that their layer's cells hold.
    """
    for name, shape in _named_arrays(program):
        found = constants.get(name)
        if found is None:
            fail("CIM501", f"the program names `{name}`, which its constants do not hold")
        if shape is not None and found.shape != shape:
            fail("CIM501", f"`{name}` has shape {found.shape}, the program reads {shape}")
    for layer in program.layers:
        if not layer.op.moving:
            _check_weights(layer.op, constants[layer.op.weights])


def _check_weights(op: MatMul, weights: Array) -> None:
    if weights.dtype.kind != "i":
        fail("CIM501", f"`{op.weights}` holds {weights.dtype}, the program reads integers")
    bits = op.precision.weight_bits
    limit, low, high = weight_limit(bits), int(weights.min()), int(weights.max())
    if low < -limit or high > limit:
        fail("CIM501", f"`{op.weights}` holds {low}..{high}, `{op.layer}` stores {bits} bits: {-limit}..{limit}")


def _named_arrays(program: Program) -> Iterator[tuple[str, tuple[int, ...] | None]]:
    """Names of the constants, and the shapes of those that could be of another one."""
    types = {buffer.tensor.name: buffer.tensor for buffer in program.buffers}
    for item in program.items:
        op = operation(item)
        match op:
            case MatMul(bias=str() as bias):
                outputs = op.matrices * op.outputs
                yield from ((op.weights, (outputs, op.inputs)), (bias, (outputs,)))
            case Load():
                yield op.value, types[op.dst].shape
            case Scaled():
                yield from ((op.factor, None), (op.shift, None))
            case Normalized():
                yield from ((op.gamma, types[op.dst].shape[-1:]), (op.beta, types[op.dst].shape[-1:]))
            case _:
                pass
        yield from ((scale_name(name), None) for name in rescaled(op) if types[name].element is not Wide.REALS)


def _load_constants(path: Path) -> dict[str, Array]:
    try:
        return _read_arrays(path)
    except (OSError, *_DAMAGED) as error:
        reason = _reason(error) if isinstance(error, OSError) else "it is damaged"
        fail("CIM501", f"cannot read the program's constants `{path}`: {reason}")


def _read_arrays(path: Path) -> dict[str, Array]:
    with path.open("rb") as file:
        arrays = np.load(file, allow_pickle=False)
        if not isinstance(arrays, np.lib.npyio.NpzFile):
            raise ValueError("a single array")
        return {name: arrays[name] for name in arrays.files}


def _digest(constants: Constants) -> str:
    digest = hashlib.sha256()
    for name in sorted(constants):
        array = np.ascontiguousarray(constants[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
