"""Reads a Program's text (`printer.py`) back, and rejects what was edited: its parameters have a digest.

Text -> Program, or `CimError` (CIM501) at the line that cannot be read. Whether the schedule computes what it says is
for `verify.py`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from cimspec.compiler.digest import parameters_digest
from cimspec.compiler.fields import (
    field_parsers,
    parse_element,
    parse_float,
    parse_natural,
    parse_shape,
)
from cimspec.compiler.printer import DIGEST, MAGIC, VECTOR_OPS
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
from cimspec.quant.ops import MatMul, Tensor
from cimspec.spec.chip import Chip

DEEPEST = 20
"""Loops within each other that are read; a layer needs four."""


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
        version = self._header(MAGIC)
        if version != str(VERSION):
            raise self.lines[0].reject(f"the program has version `{version}`; this cimspec reads version {VERSION}")
        name = self._header("name")
        chip = self._chip()
        buffers = []
        while self._peek().text.startswith("buffer "):
            buffers.append(self._buffer())
        segments = []
        while self._peek().text == "segment {":
            segments.append(self._segment())
        if not buffers or not segments:
            raise self._peek().reject("expected a line that starts with `buffer`, or `segment {`")
        program = Program(name, chip, tuple(buffers), tuple(segments))
        line = self._peek()
        if self._header(DIGEST) != parameters_digest(program):
            raise line.reject("the program's chip or parameters were edited after it was compiled")
        if self.position < len(self.lines):
            raise self._peek().reject("nothing follows the digest")
        return program

    def _buffer(self) -> Buffer:
        line = self._next()
        match line.text.split():
            case ["buffer", name, element, shape, "reads", reads]:
                tensor = Tensor(
                    name, _read(line, "element", element, parse_element), _read(line, "shape", shape, parse_shape)
                )
                return Buffer(tensor, _read(line, "reads", reads, parse_natural))
            case _:
                raise line.reject("expected `buffer NAME ELEMENT SHAPE reads COUNT`")

    def _segment(self) -> Segment:
        self._next()
        places: list[Place] = []
        while self._peek().text.startswith("place "):
            places.append(self._place())
        items: list[ProgramItem] = []
        while self._peek().text != "}":
            items.append(self._item())
        self._next()
        return Segment(tuple(places), tuple(items))

    def _place(self) -> Place:
        line = self._next()
        match line.text.split():
            case ["place", layer, "crossbars", crossbars]:
                return Place(layer, _read(line, "crossbars", crossbars, _crossbars))
            case _:
                raise line.reject("expected `place LAYER crossbars FIRST..STOP`")

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
        if opcode not in VECTOR_OPS:
            raise line.reject(f"unknown operation `{opcode}`")
        op: ProgramItem = _construct(line, VECTOR_OPS[opcode], {"dst": dst, **_pairs(line, rest)})
        return op

    def _layer(self, line: _Line, dst: str, rest: str) -> CrossbarLayer:
        if not rest.endswith("{"):
            raise line.reject("expected `{` at the end of the line")
        pairs = _pairs(line, rest.removesuffix("{"))
        own = {}
        for key, parse in (("bundle", parse_count), ("full_scale", _parse_scale)):
            if key not in pairs:
                raise line.reject(f"field `{key}` is missing")
            own[key] = _read(line, key, pairs.pop(key), parse)
        op: MatMul = _construct(line, MatMul, {"dst": dst, **pairs})
        return CrossbarLayer(op, own["bundle"], own["full_scale"], self._body())

    def _body(self, depth: int = 0) -> tuple[Instruction, ...]:
        body: list[Instruction] = []
        while (line := self._next()).text != "}":
            body.append(self._instruction(line, depth + 1))
        return tuple(body)

    def _instruction(self, line: _Line, depth: int) -> Instruction:
        if depth > DEEPEST:
            raise line.reject("loops are nested too deeply")
        match line.text.split():
            case ["for", variable, extent, "{"] if variable in ("wave", "turn", "step"):
                return Loop(variable, *_extent(line, extent), self._body(depth))
            case ["parallel", "crossbars", crossbars, "{"]:
                return Parallel(_read(line, "crossbars", crossbars, _crossbars), self._body(depth))
            case ["write", "blocks", extent]:
                return Write(*_extent(line, extent))
            case ["read", "groups", count]:
                return Read(_read(line, "groups", count, parse_count))
            case ["shift_add", "slices", slices, "steps", steps]:
                return ShiftAdd(_read(line, "slices", slices, _factors), _read(line, "steps", steps, _factors))
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
        stripped = text.partition("  # ")[0].strip()
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
    parsers = field_parsers(kind)
    for name in parsers:
        if name not in pairs:
            raise line.reject(f"field `{name}` is missing")
    for name in pairs:
        if name not in parsers:
            raise line.reject(f"unknown field `{name}`")
    return kind(**{name: _read(line, name, pairs[name], parse) for name, parse in parsers.items()})


def _read(line: _Line, field: str, text: str, parse: Callable[[str], Any]) -> Any:
    try:
        return parse(text)
    except (ValueError, IndexError):
        raise line.reject(f"`{text}` is no value for `{field}`") from None


def _extent(line: _Line, text: str) -> tuple[int, int]:
    start, _, stop = text.partition("..")
    return _read(line, "extent", start, parse_natural), _read(line, "extent", stop, parse_natural)


def parse_count(text: str) -> int:
    """A number of at least 1."""
    value = parse_natural(text)
    if value < 1:
        raise ValueError(text)
    return value


def _crossbars(text: str) -> Crossbars:
    extent, plus, repeated = text.partition("+")
    first, stop = (parse_natural(part) for part in extent.split(".."))
    if stop <= first:
        raise ValueError(text)
    if not plus:
        return Crossbars(first, stop - first)
    stride, count = (parse_count(part) for part in repeated.split("x"))
    if count < 2:
        raise ValueError(text)
    return Crossbars(first, stop - first, count, stride)


def _factors(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(",")))


def _parse_scale(text: str) -> float | None:
    return None if text == "-" else parse_float(text)
