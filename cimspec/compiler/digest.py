"""What a Program's structure does not show: a digest of the chip and of the operations, in whatever order they stand.

Windows, functions, ranges of slices, epsilons, calibrated ADC ranges: a changed one is another network, and no rule of
structure can tell. Nor can it where two tensors of one kind are read in each other's place, so names belong to it.
`artifact.py` digests weights and scales in the same way.
"""

import hashlib
from dataclasses import fields
from typing import Any

from cimspec.compiler.program import CrossbarLayer, Program, ProgramItem, operation


def parameters_digest(program: Program) -> str:
    """sha256 of the chip and of every operation, its operands and its parameters."""
    digest = hashlib.sha256(program.chip.model_dump_json().encode())
    lines = sorted(f"{operation(item).dst} {_parameters(item)}" for item in program.items)
    digest.update("\n".join(lines).encode())
    return digest.hexdigest()


def _parameters(item: ProgramItem) -> list[Any]:
    op = operation(item)
    own = [type(op).__name__, *(str(getattr(op, field.name)) for field in fields(op))]
    return [*own, item.full_scale] if isinstance(item, CrossbarLayer) else own
