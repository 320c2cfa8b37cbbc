"""A Program as JSON, for tools: the same content as its text (`printer.py`), and it reads back to an equal value.

    {"format": "cimspec program", "version": 2, "name": ..., "chip": {...}, "buffers": [...], "segments": [...],
     "parameters_sha256": ...}

Operations are objects with `op`, `dst` and their fields; loops, `parallel` and layers hold their `body`.
"""

import json
from typing import Any

from pydantic import ValidationError

from cimspec.compiler.digest import parameters_digest
from cimspec.compiler.fields import field_parsers, parse_element, print_value
from cimspec.compiler.printer import MAGIC, OPCODES, VECTOR_OPS
from cimspec.compiler.program import (
    VERSION,
    Accumulate,
    Buffer,
    CrossbarLayer,
    Crossbars,
    Instruction,
    Loop,
    Parallel,
    Place,
    Program,
    ProgramItem,
    Read,
    Segment,
    ShiftAdd,
    Write,
)
from cimspec.diag import Source, Span, fail
from cimspec.graph.precision import Precision
from cimspec.graph.window import Window
from cimspec.quant.ops import Codes, MatMul, Tensor
from cimspec.quant.types import spell
from cimspec.spec.chip import Chip

Json = dict[str, Any]


def program_as_json(program: Program) -> Json:
    """The JSON document."""
    return {
        "format": MAGIC,
        "version": VERSION,
        "name": program.name,
        "chip": program.chip.model_dump(mode="json"),
        "buffers": [
            {
                "name": buffer.tensor.name,
                "element": spell(buffer.tensor.element),
                "shape": list(buffer.tensor.shape),
                "reads": buffer.reads,
            }
            for buffer in program.buffers
        ],
        "segments": [
            {
                "places": [
                    {"layer": place.layer, "crossbars": _crossbars(place.crossbars)} for place in segment.places
                ],
                "items": [_item(item) for item in segment.items],
            }
            for segment in program.segments
        ],
        "parameters_sha256": parameters_digest(program),
    }


def _item(item: ProgramItem) -> Json:
    if isinstance(item, CrossbarLayer):
        own = {"bundle": item.bundle, "full_scale": item.full_scale, "body": [_instruction(each) for each in item.body]}
        return {"op": "layer", **_fields(item.op), **own}
    return {"op": OPCODES[type(item)], **_fields(item)}


def _fields(op: Any) -> Json:
    return {name: _value(getattr(op, name)) for name in field_parsers(type(op))}


def _value(value: Any) -> Any:
    """Numbers, truths, names and lists as they are; all else as in the text."""
    if isinstance(value, Window | Precision | Codes):
        return print_value(value)
    return list(value) if isinstance(value, tuple) else value


def _instruction(instruction: Instruction) -> Json:
    match instruction:
        case Loop(variable, start, stop, body):
            return {"for": variable, "start": start, "stop": stop, "body": [_instruction(each) for each in body]}
        case Parallel(crossbars, body):
            return {"parallel": _crossbars(crossbars), "body": [_instruction(each) for each in body]}
        case Write(first, stop):
            return {"write": [first, stop]}
        case Read(groups):
            return {"read": groups}
        case ShiftAdd(slices, steps):
            return {"shift_add": {"slices": list(slices), "steps": list(steps)}}
        case Accumulate():
            return {"accumulate": True}


def _crossbars(crossbars: Crossbars) -> list[int]:
    """First, width, count, stride."""
    return [crossbars.first, crossbars.width, crossbars.count, crossbars.stride]


def program_from_json(text: str, name: str = "program") -> Program:
    """The program that a JSON text holds. Raises `CimError` (CIM501) where it is none."""
    source = Source(name, text)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:  # a number of thousands of digits is a ValueError
        position = error.pos if isinstance(error, json.JSONDecodeError) else 0
        fail("CIM501", "the program is not JSON", Span(source, position, position + 1))
    whole = Span(source, 0, 1)
    if not isinstance(document, dict) or document.get("format") != MAGIC:
        fail("CIM501", f"this is no {MAGIC}", whole)
    if document.get("version") != VERSION:
        fail(
            "CIM501",
            f"the program has version `{document.get('version')}`; this cimspec reads version {VERSION}",
            whole,
        )
    try:
        program = _program(document)
    except (KeyError, TypeError, ValueError, IndexError, OverflowError, RecursionError) as error:
        reason = f"`{error.args[0]}` is missing" if isinstance(error, KeyError) else str(error).partition("\n")[0]
        fail("CIM501", f"the program cannot be read: {reason}", whole, help="compile the spec again")
    if document.get("parameters_sha256") != parameters_digest(program):
        fail("CIM501", "the program's chip or parameters were edited after it was compiled", whole)
    return program


def _program(document: Json) -> Program:
    try:
        chip = Chip.model_validate_json(json.dumps(document["chip"]))
    except ValidationError as error:
        raise ValueError(f"the chip is not valid: {error.errors()[0]['msg'].lower()}") from None
    return Program(
        str(document["name"]),
        chip,
        tuple(
            Buffer(
                Tensor(str(each["name"]), parse_element(each["element"]), tuple(map(_integer, each["shape"]))),
                _integer(each["reads"]),
            )
            for each in document["buffers"]
        ),
        tuple(
            Segment(
                tuple(Place(str(place["layer"]), _read_crossbars(place["crossbars"])) for place in segment["places"]),
                tuple(map(_read_item, segment["items"])),
            )
            for segment in document["segments"]
        ),
    )


def _read_item(item: Json) -> ProgramItem:
    kind = MatMul if item["op"] == "layer" else VECTOR_OPS[item["op"]]
    op = kind(**{name: parse(print_value(_tuples(item[name]))) for name, parse in field_parsers(kind).items()})
    if item["op"] != "layer":
        return op
    scale = item["full_scale"]
    body = tuple(map(_read_instruction, item["body"]))
    return CrossbarLayer(op, _integer(item["bundle"]), None if scale is None else float(scale), body)


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _read_instruction(instruction: Json) -> Instruction:
    match instruction:
        case {"for": str(variable), "start": int(start), "stop": int(stop), "body": list(body)}:
            return Loop(variable, start, stop, tuple(map(_read_instruction, body)))
        case {"parallel": list(crossbars), "body": list(body)}:
            return Parallel(_read_crossbars(crossbars), tuple(map(_read_instruction, body)))
        case {"write": [int(first), int(stop)]}:
            return Write(first, stop)
        case {"read": int(groups)}:
            return Read(groups)
        case {"shift_add": {"slices": list(slices), "steps": list(steps)}}:
            return ShiftAdd(tuple(map(_integer, slices)), tuple(map(_integer, steps)))
        case {"accumulate": True}:
            return Accumulate()
        case _:
            raise ValueError(f"unknown instruction {str(instruction)[:60]}")


def _read_crossbars(numbers: list[Any]) -> Crossbars:
    first, width, count, stride = map(_integer, numbers)
    if first < 0 or width < 1 or count < 1 or stride < 0 or width * count > 1_000_000:
        raise ValueError(f"{numbers} are no crossbars")
    return Crossbars(first, width, count, stride)


def _integer(value: Any) -> int:
    if type(value) is not int:
        raise ValueError(f"`{value}` is no whole number")
    return value
