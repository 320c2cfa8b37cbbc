"""The text form of a Program: a person can read it, `parse_program` reads it back to an equal value.

    cimspec program 1
    name vgg8
    chip {"name":"small", ...}
    input input 1x28x28
    c1.codes = requantize src=input multiplier=c1.multiplier low=0 high=255
    c1 = layer src=c1.codes layer=c1 window=3/1/1 ... {
      for wave 0..4 {
        ...

A line is an operation; its fields are those of the dataclass it stands for, in their order.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any, get_origin, get_type_hints

from pydantic import ValidationError

from cimspec.compiler.program import (
    VERSION,
    Accumulate,
    CrossbarLayer,
    Instruction,
    Loop,
    Parallel,
    Program,
    ProgramItem,
    Read,
    ShiftAdd,
    Write,
)
from cimspec.diag import Source, Span, fail
from cimspec.graph.layer import Shape
from cimspec.graph.precision import Precision
from cimspec.quant.ops import (
    AddCodes,
    Dequantize,
    MatMul,
    PoolMax,
    PoolSum,
    Rectify,
    Requantize,
    Reshape,
    Window,
)
from cimspec.spec.chip import Chip

_MAGIC = "cimspec program"
_VECTOR_OPS: dict[str, type[Any]] = {
    "requantize": Requantize,
    "add": AddCodes,
    "rectify": Rectify,
    "pool_max": PoolMax,
    "pool_sum": PoolSum,
    "reshape": Reshape,
    "dequantize": Dequantize,
}
_OPCODES = {kind: opcode for opcode, kind in _VECTOR_OPS.items()}


def print_program(program: Program) -> str:
    """The program's text."""
    shape = "x".join(map(str, program.input_shape))
    chip = json.dumps(program.chip.model_dump(mode="json"), separators=(",", ":"))
    lines = [f"{_MAGIC} {VERSION}", f"name {program.name}", f"chip {chip}", f"input {program.input} {shape}"]
    for item in program.items:
        lines.extend(_item_lines(item))
    return "\n".join(lines) + "\n"


def _item_lines(item: ProgramItem) -> Iterator[str]:
    if isinstance(item, CrossbarLayer):
        full_scale = "" if item.full_scale is None else f" full_scale={item.full_scale!r}"
        yield f"{item.op.dst} = layer {_print_fields(item.op)}{full_scale} {{"
        yield from _body_lines(item.body, "  ")
        yield "}"
    else:
        yield f"{item.dst} = {_OPCODES[type(item)]} {_print_fields(item)}"


def _body_lines(body: tuple[Instruction, ...], indent: str) -> Iterator[str]:
    for instruction in body:
        match instruction:
            case Loop(variable, start, stop, inner):
                yield f"{indent}for {variable} {start}..{stop} {{"
            case Parallel(crossbars, inner):
                yield f"{indent}parallel crossbars {crossbars} {{"
            case Write(first, stop):
                yield f"{indent}write blocks {first}..{stop}"
                continue
            case Read(groups):
                yield f"{indent}read groups {groups}"
                continue
            case ShiftAdd():
                yield f"{indent}shift_add"
                continue
            case Accumulate():
                yield f"{indent}accumulate"
                continue
        yield from _body_lines(inner, indent + "  ")
        yield f"{indent}}}"


def _print_fields(op: Any) -> str:
    return " ".join(
        f"{field.name}={_print_value(getattr(op, field.name))}" for field in fields(op) if field.name != "dst"
    )


def _print_value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case Window():
            return f"{value.kernel}/{value.stride}/{value.padding}"
        case Precision():
            return f"{value.weight_bits}:{value.activation_bits}"
        case tuple():
            return "x".join(map(str, value))
        case _:
            return str(value)


def parse_program(text: str, name: str = "program") -> Program:
    """The program that `text` spells. Raises `CimError` (CIM501) at the line that cannot be read."""
    return _Parser(Source(name, text)).parse()


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    span: Span

    def reject(self, message: str) -> "_RejectedError":
        return _RejectedError(message, self.span)


class _RejectedError(Exception):
    def __init__(self, message: str, span: Span) -> None:
        super().__init__(message)
        self.message = message
        self.span = span


class _Parser:
    """Reads line by line; a line that ends in `{` opens a block that a line `}` closes."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.lines = list(_split(source))
        self.position = 0

    def parse(self) -> Program:
        try:
            return self._program()
        except _RejectedError as rejected:
            help_text = "compile the spec again; a program is not meant to be written by hand"
            fail("CIM501", rejected.message, rejected.span, help=help_text)

    def _program(self) -> Program:
        version = self._header(_MAGIC)
        if version != str(VERSION):
            raise self.lines[0].reject(f"the program has version `{version}`; this cimspec reads version {VERSION}")
        name = self._header("name")
        chip = self._chip()
        line = self._peek()
        input_name, _, shape = self._header("input").partition(" ")
        input_shape: Shape = _read(line, "input", shape, _parse_shape)
        items: list[ProgramItem] = []
        while self.position < len(self.lines):
            items.append(self._item())
        if not items:
            raise self.lines[-1].reject("the program has no operations")
        return Program(name, chip, input_name, input_shape, tuple(items))

    def _header(self, keyword: str) -> str:
        line = self._next()
        if not line.text.startswith(keyword + " "):
            raise line.reject(f"expected a line that starts with `{keyword}`")
        return line.text.removeprefix(keyword + " ")

    def _chip(self) -> Chip:
        line = self._peek()
        try:
            return Chip.model_validate_json(self._header("chip"))
        except ValidationError as error:
            raise line.reject(f"the chip is not valid: {error.errors()[0]['msg'].lower()}") from None

    def _item(self) -> ProgramItem:
        line = self._next()
        dst, equals, right = line.text.partition(" = ")
        opcode, _, rest = right.partition(" ")
        if not equals:
            raise line.reject("expected `name = operation field=value ...`")
        if opcode == "layer":
            return self._layer(line, dst, rest)
        if opcode not in _VECTOR_OPS:
            raise line.reject(f"unknown operation `{opcode}`")
        op: ProgramItem = _construct(line, _VECTOR_OPS[opcode], {"dst": dst, **_pairs(line, rest)})
        return op

    def _layer(self, line: _Line, dst: str, rest: str) -> CrossbarLayer:
        if not rest.endswith("{"):
            raise line.reject("expected `{` at the end of the line")
        pairs = _pairs(line, rest.removesuffix("{"))
        scale = pairs.pop("full_scale", None)
        full_scale = None if scale is None else _read(line, "full_scale", scale, float)
        op: MatMul = _construct(line, MatMul, {"dst": dst, **pairs})
        return CrossbarLayer(op, full_scale, self._body())

    def _body(self) -> tuple[Instruction, ...]:
        body: list[Instruction] = []
        while (line := self._next()).text != "}":
            body.append(self._instruction(line))
        return tuple(body)

    def _instruction(self, line: _Line) -> Instruction:
        match line.text.split():
            case ["for", variable, extent, "{"] if variable in ("wave", "invocation", "step"):
                return Loop(variable, *_extent(line, extent), self._body())
            case ["parallel", "crossbars", count, "{"]:
                return Parallel(_read(line, "crossbars", count, _parse_count), self._body())
            case ["write", "blocks", extent]:
                return Write(*_extent(line, extent))
            case ["read", "groups", count]:
                return Read(_read(line, "groups", count, _parse_count))
            case ["shift_add"]:
                return ShiftAdd()
            case ["accumulate"]:
                return Accumulate()
            case _:
                raise line.reject("unknown instruction")

    def _peek(self) -> _Line:
        if self.position >= len(self.lines):
            end = len(self.source.text)
            raise _RejectedError("the program ends too early", Span(self.source, max(0, end - 1), end))
        return self.lines[self.position]

    def _next(self) -> _Line:
        line = self._peek()
        self.position += 1
        return line


def _split(source: Source) -> Iterator[_Line]:
    start = 0
    for text in source.text.splitlines(keepends=True):
        stripped = text.strip()
        if stripped and not stripped.startswith("#"):
            first = start + text.index(stripped)
            yield _Line(stripped, Span(source, first, first + len(stripped)))
        start += len(text)


def _pairs(line: _Line, text: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for word in text.split():
        key, equals, value = word.partition("=")
        if not equals or key in pairs:
            raise line.reject(f"expected `field=value`, once for each field, not `{word}`")
        pairs[key] = value
    return pairs


def _construct(line: _Line, kind: type[Any], pairs: dict[str, str]) -> Any:
    hints = get_type_hints(kind)
    names = [field.name for field in fields(kind)]
    for name in names:
        if name not in pairs:
            raise line.reject(f"field `{name}` is missing")
    for name in pairs:
        if name not in names:
            raise line.reject(f"unknown field `{name}`")
    return kind(**{name: _read(line, name, pairs[name], _parser_of(hints[name])) for name in names})


def _read(line: _Line, field: str, text: str, parse: Callable[[str], Any]) -> Any:
    try:
        return parse(text)
    except ValueError:
        raise line.reject(f"`{text}` is no value for `{field}`") from None


def _extent(line: _Line, text: str) -> tuple[int, int]:
    start, _, stop = text.partition("..")
    return _read(line, "extent", start, _parse_natural), _read(line, "extent", stop, _parse_natural)


def _parser_of(hint: Any) -> Callable[[str], Any]:
    if hint is Window:
        return _parse_window
    if hint is Precision:
        return _parse_precision
    if get_origin(hint) is tuple:
        return _parse_shape
    if hint is bool:
        return _parse_bool
    return hint if hint in (int, float) else str


def _parse_natural(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError
    return value


def _parse_count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def _parse_shape(text: str) -> Shape:
    return tuple(_parse_count(part) for part in text.split("x"))


def _parse_window(text: str) -> Window:
    kernel, stride, padding = (_parse_natural(part) for part in text.split("/"))
    return Window(kernel, stride, padding)


def _parse_precision(text: str) -> Precision:
    weight_bits, activation_bits = (_parse_count(part) for part in text.split(":"))
    return Precision(weight_bits, activation_bits)


def _parse_bool(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"
