"""Builds the tree of ast.py from the parse tree of lark, without recursion: deep text needs no deep stack."""

import re
from typing import Any

from lark import Token, Transformer_NonRecursive, Tree, v_args
from lark.tree import Meta

from cimspec.diag import Source, Span
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

DIGITS = re.compile(r"[0-9]+")


def build(tree: Tree[Token], source: Source) -> File:
    """The file that a parse tree stands for."""
    statements: list[Statement] = _Builder(source).transform(tree)
    return File(source, tuple(statements))


def build_value(tree: Tree[Token], source: Source) -> Value:
    """The value that a parse tree stands for."""
    value: Value = _Builder(source).transform(tree)
    return value


@v_args(meta=True)
class _Builder(Transformer_NonRecursive[Token, Any]):
    """One method for each rule of the grammar."""

    def __init__(self, source: Source) -> None:
        super().__init__(visit_tokens=False)
        self._source = source

    def _span(self, meta: Meta) -> Span:
        return Span(self._source, meta.start_pos, meta.end_pos)

    def _word(self, token: Token) -> Word:
        return Word(str(token), self._token_span(token))

    def _token_span(self, token: Token) -> Span:
        start = token.start_pos or 0
        return Span(self._source, start, start + len(token))

    def start(self, _: Meta, children: list[Any]) -> list[Statement]:
        return [child for child in children if child is not None]

    def block(self, _: Meta, children: list[Any]) -> tuple[Statement, ...]:
        return tuple(child for child in children if child is not None)

    def number(self, meta: Meta, children: list[Any]) -> Number:
        digits, unit = children
        return Number(digits.replace("_", ""), self._word(unit) if unit else None, self._span(meta))

    def range_value(self, meta: Meta, children: list[Any]) -> Range:
        return Range(children[0], children[1], self._span(meta))

    def shape(self, meta: Meta, children: list[Any]) -> Shape:
        (token,) = children
        first = meta.start_pos
        return Shape(
            tuple(
                Number(match.group(), None, Span(self._source, first + match.start(), first + match.end()))
                for match in DIGITS.finditer(token)
            )
            if token.type == "SHAPE"
            else (Number(token.replace("_", ""), None, self._span(meta)),),
            self._span(meta),
        )

    shape_value = shape

    def word(self, _: Meta, children: list[Any]) -> Word:
        return self._word(children[0])

    def factor(self, meta: Meta, children: list[Any]) -> Factor:
        return self._factor(children[0], children[1], meta)

    def _factor(self, name: Token, power: Token | None, meta: Meta | None = None) -> Factor:
        word = self._word(name)
        number = Number(str(power), None, self._token_span(power)) if power else None
        span = self._span(meta) if meta else word.span.to(number.span) if number else word.span
        return Factor(word, number, span)

    def product(self, meta: Meta, children: list[Any]) -> Product:
        first, *rest = children
        has_power = bool(rest) and isinstance(rest[0], Token)
        head = self._factor(first, rest[0] if has_power else None)
        return Product((head, *rest[has_power:]), self._span(meta))

    def product_of(self, meta: Meta, children: list[Any]) -> Assign:
        name, product = children
        return Assign(self._word(name), product, self._span(meta))

    def several(self, meta: Meta, children: list[Any]) -> Assign:
        name, *words = (self._word(child) for child in children)
        return Assign(name, ListValue(tuple(words), words[0].span.to(words[-1].span)), self._span(meta))

    def text(self, meta: Meta, children: list[Any]) -> Text:
        return Text(children[0][1:-1], self._span(meta))

    def list_value(self, meta: Meta, children: list[Any]) -> ListValue:
        return ListValue(tuple(child for child in children if child is not None), self._span(meta))

    def argument(self, meta: Meta, children: list[Any]) -> Argument:
        return Argument(self._word(children[0]), children[1], self._span(meta))

    def call(self, meta: Meta, children: list[Any]) -> Call:
        function, *arguments = children
        return Call(
            self._word(function),
            tuple(
                argument if isinstance(argument, Argument) else Argument(None, argument, argument.span)
                for argument in arguments
                if argument is not None
            ),
            self._span(meta),
        )

    def extends(self, _: Meta, children: list[Any]) -> Word:
        return self._word(children[0])

    def sources(self, _: Meta, children: list[Any]) -> tuple[Word, ...]:
        return tuple(self._word(child) for child in children)

    def assign(self, meta: Meta, children: list[Any]) -> Assign:
        return Assign(self._word(children[0]), children[1], self._span(meta))

    def definition(self, meta: Meta, children: list[Any]) -> Definition:
        kind, name, value = children
        return Definition(self._word(kind), self._word(name), value, self._span(meta))

    def bound(self, meta: Meta, children: list[Any]) -> Bound:
        kind, name, comparison, value = children
        return Bound(self._word(kind), self._word(name), self._word(comparison), value, self._span(meta))

    def pin(self, meta: Meta, children: list[Any]) -> Pin:
        kind, name, *values = children
        return Pin(self._word(kind), self._word(name), tuple(values), self._span(meta))

    def section(self, _: Meta, children: list[Any]) -> Section:
        kind, name, shape, extends, sources, body = children
        head = self._token_span(kind)
        for part in (name, *(sources or ())[-1:], shape, extends):
            span = self._token_span(part) if isinstance(part, Token) else part.span if part else head
            head = head.to(span) if span.end > head.end else head
        return Section(self._word(kind), self._word(name) if name else None, shape, extends, sources, body, head)

    def import_file(self, meta: Meta, children: list[Any]) -> Import:
        return Import(children[0], self._span(meta))
