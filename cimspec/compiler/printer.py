"""A Program as text that a person can read; `text.py` reads it back to an equal value.

    cimspec program 2
    name vgg8
    chip {"name":"small", ...}
    buffer input reals 1x28x28 reads 1
    buffer c1.codes u8 1x28x28 reads 1
    ...
    segment {
      place c1 crossbars 0..2+2x4
      c1.codes = requantize src=input codes=u8
      c1 = layer src=c1.codes layer=c1 ... {
        parallel crossbars 0..2+2x4 {
          for turn 0..196 {
            ...
    }
    parameters sha256 ...

A line is an operation; its fields are those of the dataclass it stands for, in their order.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from cimspec.compiler.digest import parameters_digest
from cimspec.compiler.fields import print_fields, print_value
from cimspec.compiler.program import (
    VERSION,
    Accumulate,
    CrossbarLayer,
    Crossbars,
    Instruction,
    Loop,
    Parallel,
    Program,
    ProgramItem,
    Read,
    ShiftAdd,
    Write,
)
from cimspec.quant.ops import (
    AddCodes,
    Clipped,
    Dequantize,
    Evaluate,
    Joined,
    Load,
    LocallyNormalized,
    MatMul,
    Multiplied,
    Normalized,
    PoolMax,
    PoolSum,
    Rectify,
    Requantize,
    Reshaped,
    Scaled,
    Sliced,
    Softmaxed,
    SumAxes,
    Transposed,
)
from cimspec.quant.types import spell

MAGIC = "cimspec program"
DIGEST = "parameters sha256"
VECTOR_OPS: Mapping[str, type[Any]] = {
    "requantize": Requantize,
    "add": AddCodes,
    "rectify": Rectify,
    "pool_max": PoolMax,
    "pool_sum": PoolSum,
    "sum": SumAxes,
    "reshape": Reshaped,
    "transpose": Transposed,
    "slice": Sliced,
    "join": Joined,
    "dequantize": Dequantize,
    "load": Load,
    "evaluate": Evaluate,
    "clip": Clipped,
    "scale": Scaled,
    "softmax": Softmaxed,
    "normalize": Normalized,
    "local_normalize": LocallyNormalized,
    "multiply": Multiplied,
    "product": MatMul,
}
OPCODES = {kind: opcode for opcode, kind in VECTOR_OPS.items()}


def print_program(program: Program, *, sources: bool = False) -> str:
    """The program's text. `sources` adds the layer of the model that an operation comes from, as a comment."""
    chip = json.dumps(program.chip.model_dump(mode="json"), separators=(",", ":"))
    lines = [f"{MAGIC} {VERSION}", f"name {program.name}", f"chip {chip}"]
    for buffer in program.buffers:
        tensor = buffer.tensor
        shape = print_value(tensor.shape)
        lines.append(f"buffer {tensor.name} {spell(tensor.element)} {shape} reads {buffer.reads}")
    for segment in program.segments:
        lines.append("segment {")
        lines += [f"  place {place.layer} crossbars {print_crossbars(place.crossbars)}" for place in segment.places]
        for item in segment.items:
            lines += _item_lines(item, sources)
        lines.append("}")
    lines.append(f"{DIGEST} {parameters_digest(program)}")
    return "\n".join(lines) + "\n"


def print_crossbars(crossbars: Crossbars) -> str:
    """`0..8`, or `0..2+8x4` for four such ranges, every eight."""
    first = f"{crossbars.first}..{crossbars.first + crossbars.width}"
    return first if crossbars.count == 1 else f"{first}+{crossbars.stride}x{crossbars.count}"


def _item_lines(item: ProgramItem, sources: bool) -> Iterator[str]:
    if isinstance(item, CrossbarLayer):
        own = f"bundle={item.bundle} full_scale={print_value(item.full_scale)}"
        yield _sourced(f"  {item.op.dst} = layer {print_fields(item.op)} {own} {{", item.op.dst, sources)
        for line in _body_lines(item.body, "    "):
            yield _sourced(line, item.op.dst, sources)
        yield "  }"
    else:
        yield _sourced(f"  {item.dst} = {OPCODES[type(item)]} {print_fields(item)}", item.dst, sources)


def _sourced(line: str, dst: str, sources: bool) -> str:
    return f"{line}  # {dst.partition('.')[0]}" if sources and line.strip() != "}" else line


def _body_lines(body: tuple[Instruction, ...], indent: str) -> Iterator[str]:
    for instruction in body:
        match instruction:
            case Loop(variable, start, stop, inner):
                yield f"{indent}for {variable} {start}..{stop} {{"
            case Parallel(crossbars, inner):
                yield f"{indent}parallel crossbars {print_crossbars(crossbars)} {{"
            case Write(first, stop):
                yield f"{indent}write blocks {first}..{stop}"
                continue
            case Read(groups):
                yield f"{indent}read groups {groups}"
                continue
            case ShiftAdd(slices, steps):
                factors = (",".join(map(str, each)) for each in (slices, steps))
                yield "{}shift_add slices {} steps {}".format(indent, *factors)
                continue
            case Accumulate():
                yield f"{indent}accumulate"
                continue
        yield from _body_lines(inner, indent + "  ")
        yield f"{indent}}}"
