"""The language: text of a `.cim` file -> tree with spans. Knows statements and values, not what they mean."""

from cimspec.lang.ast import (
    Argument,
    Assign,
    Bound,
    Call,
    Definition,
    Factor,
    File,
    Import,
    ListValue,
    Number,
    Pin,
    Product,
    Range,
    Section,
    Shape,
    Statement,
    Text,
    Value,
    Word,
)
from cimspec.lang.parser import parse, parse_value

__all__ = [
    # ast: a file and its statements
    "File",
    "Statement",
    "Import",
    "Assign",
    "Definition",
    "Bound",
    "Pin",
    "Section",
    # ast: values
    "Value",
    "Word",
    "Number",
    "Text",
    "Range",
    "Shape",
    "Product",
    "Factor",
    "ListValue",
    "Call",
    "Argument",
    # parser
    "parse",
    "parse_value",
]
