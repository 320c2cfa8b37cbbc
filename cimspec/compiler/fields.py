"""Fields of operations as text, and back: `window=3x3/1x1/1x1x1x1/1x1 codes=u8 parts=a@0,b@64`.

A value never holds a space; which values a field takes is its type's.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, get_args, get_type_hints

from cimspec.graph.layer import Function, Shape
from cimspec.graph.precision import Precision
from cimspec.graph.window import Window
from cimspec.quant.ops import Codes, Element, Wide
from cimspec.quant.types import spell

Parser = Callable[[str], Any]

WEIGHT_BITS, ACTIVATION_BITS = range(2, 16), range(1, 17)
"""Of a product's operands."""


def print_fields(op: Any) -> str:
    """All fields of an operation but `dst`."""
    return " ".join(
        f"{field.name}={print_value(getattr(op, field.name))}" for field in fields(op) if field.name != "dst"
    )


def print_value(value: Any) -> str:
    """One field's value."""
    match value:
        case None:
            return "-"
        case bool():
            return "true" if value else "false"
        case float():
            return repr(value)
        case Window():
            sides = (value.kernel, value.stride, value.padding, value.dilation)
            return "/".join("x".join(map(str, side)) for side in sides)
        case Precision():
            return f"{value.weight_bits}:{value.activation_bits}"
        case Codes():
            return spell(value)
        case tuple() if value and isinstance(value[0], tuple):
            return ",".join(f"{name}@{start}" for name, start in value)
        case tuple():
            return "x".join(map(str, value))
        case _:
            return str(value)


def field_parsers(kind: type[Any]) -> Mapping[str, Parser]:
    """A parser for each field of a kind of operation; they raise `ValueError`."""
    hints = get_type_hints(kind)
    return {field.name: parser_of(hints[field.name]) for field in fields(kind)}


def parser_of(hint: Any) -> Parser:
    """What reads a value of a type."""
    if type(None) in get_args(hint):
        (inner,) = (each for each in get_args(hint) if each is not type(None))
        parse = parser_of(inner)
        return lambda text: None if text == "-" else parse(text)
    if hint == tuple[tuple[str, int], ...]:
        return parse_parts
    if hint in (Shape, tuple[int, ...]):
        return parse_integers
    return PARSERS.get(hint, str)


def parse_natural(text: str) -> int:
    """A number that is not negative."""
    value = int(text)
    if value < 0:
        raise ValueError(text)
    return value


def parse_integers(text: str) -> tuple[int, ...]:
    """Numbers with `x` between them."""
    return tuple(int(part) for part in text.split("x"))


def parse_parts(text: str) -> tuple[tuple[str, int], ...]:
    """Tensors and where they start: `a@0,b@64`."""
    parts = (part.rpartition("@") for part in text.split(","))
    return tuple((name, parse_natural(start)) for name, _, start in parts)


def parse_shape(text: str) -> Shape:
    """Extents of at least 1."""
    shape = parse_integers(text)
    if min(shape) < 1:
        raise ValueError(text)
    return shape


def parse_window(text: str) -> Window:
    """Kernel, stride, padding and dilation."""
    kernel, stride, padding, dilation = (tuple(map(parse_natural, part.split("x"))) for part in text.split("/"))
    if (len(kernel), len(stride), len(padding), len(dilation)) != (2, 2, 4, 2) or 0 in (*kernel, *stride, *dilation):
        raise ValueError(text)
    return Window(kernel, stride, padding, dilation)  # type: ignore[arg-type]  # lengths were just checked


def parse_precision(text: str) -> Precision:
    """Weight bits and activation bits."""
    weight_bits, activation_bits = (int(part) for part in text.split(":"))
    if weight_bits not in WEIGHT_BITS or activation_bits not in ACTIVATION_BITS:
        raise ValueError(text)
    return Precision(weight_bits, activation_bits)


def parse_element(text: str) -> Element:
    """`u8`, `s4`, `sums`, `reals`."""
    return Wide(text) if text in set(Wide) else parse_codes(text)


def parse_codes(text: str) -> Codes:
    """`u8`, `s4`."""
    bits = int(text[1:])
    if text[0] not in "us" or not 1 <= bits <= 16:
        raise ValueError(text)
    return Codes(bits, text[0] == "s")


def parse_bool(text: str) -> bool:
    """`true` or `false`."""
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"


def parse_float(text: str) -> float:
    """A number; infinite ones too."""
    value = float(text)
    if math.isnan(value):
        raise ValueError(text)
    return value


PARSERS: Mapping[type[Any], Parser] = {
    Window: parse_window,
    Precision: parse_precision,
    Codes: parse_codes,
    bool: parse_bool,
    int: int,
    float: parse_float,
    Function: Function,
}
