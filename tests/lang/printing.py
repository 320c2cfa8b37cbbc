"""Trees for tests: random ones, as text, and without their spans."""

from typing import Any

from hypothesis import strategies as st
from msgspec import Struct

from cimspec.diag import Source, Span
from cimspec.lang import (
    Argument,
    Assign,
    Binary,
    BlockDefinition,
    Bound,
    Call,
    Definition,
    Import,
    Let,
    ListValue,
    Negated,
    Number,
    Parameter,
    Pin,
    Range,
    Repeat,
    Section,
    Setting,
    Shape,
    Statement,
    Text,
    Value,
    Word,
)

NOWHERE = Span(Source("none", ""), 0, 0)
BINDING = {"+": 1, "-": 1, "*": 2, "/": 2, "^": 4}


def text_of(value: Value) -> str:
    """A value as it may be written."""
    match value:
        case Word(text=text):
            return text
        case Number(text=text, unit=unit):
            return f"{text} {unit.text}" if unit else text
        case Text(text=text):
            return f'"{text}"'
        case Range(low=low, high=high):
            end = text_of(high)
            return f"{text_of(low)}..{' ' * end.startswith('.')}{end}"  # three points are no range
        case Shape(sizes=sizes):
            return " x ".join(map(text_of, sizes))
        case ListValue(items=items):
            return f"[{', '.join(map(text_of, items))}]"
        case Call(function=function, arguments=arguments):
            return f"{function.text}({arguments_of(arguments)})"
        case Negated(operand=operand):
            return f"-({text_of(operand)})"
        case Binary(operator=operator, left=left, right=right):
            return f"({text_of(left)}) {operator.text} ({text_of(right)})"
    raise AssertionError(value)


def arguments_of(arguments: tuple[Argument, ...]) -> str:
    return ", ".join(
        f"{each.name.text} = {text_of(each.value)}" if each.name else text_of(each.value) for each in arguments
    )


def words(names: tuple[Word, ...]) -> str:
    return ", ".join(name.text for name in names)


def block_of(body: tuple[Statement, ...]) -> str:
    return "{\n" + "".join(f"{line_of(each)}\n" for each in body) + "}"


def line_of(statement: Statement) -> str:
    """A statement as it may be written."""
    match statement:
        case BlockDefinition(name=name, parameters=parameters, inputs=inputs, body=body):
            heads = [each.name.text + (f" = {text_of(each.default)}" if each.default else "") for each in parameters]
            return f"block {name.text}({', '.join(heads)}){f' from {words(inputs)}' if inputs else ''} {block_of(body)}"
        case Repeat(variable=variable, rounds=rounds, body=body):
            return f"repeat {f'{variable.text} in ' if variable else ''}{text_of(rounds)} {block_of(body)}"
        case Section():
            return section_of(statement)
        case _:
            return short(statement)


def short(statement: Statement) -> str:
    match statement:
        case Import(path=path):
            return f"import {text_of(path)}"
        case Let(name=name, value=value):
            return f"let {name.text} = {text_of(value)}"
        case Assign(name=name, value=value):
            return f"{name.text} = {text_of(value)}"
        case Setting(path=path, value=value):
            return f"{'.'.join(word.text for word in path)} = {text_of(value)}"
        case Definition(kind=kind, name=name, value=value):
            return f"{kind.text} {name.text} = {text_of(value)}"
        case Bound(kind=kind, name=name, comparison=comparison, value=value):
            return f"{kind.text} {name.text} {comparison.text} {text_of(value)}"
        case Pin(kind=kind, name=name, values=values):
            return f"{kind.text} {name.text} at {', '.join(map(text_of, values))}"
    raise AssertionError(statement)


def section_of(section: Section) -> str:
    parts = [section.kind.text]
    if section.name:
        parts.append(section.name.text)
    if section.arguments is not None:
        parts[-1] += f"({arguments_of(section.arguments)})"
    if section.shape:
        parts.append(text_of(section.shape))
    if section.extends:
        parts.append(f"extends {section.extends.text}")
    if section.sources:
        parts.append(f"from {words(section.sources)}")
    if section.body is not None:
        parts.append(block_of(section.body))
    return " ".join(parts)


def bare(node: Any) -> Any:
    """A tree without its spans, to compare."""
    if isinstance(node, Struct):
        wanted = (name for name in node.__struct_fields__ if name not in ("span", "uses", "source"))
        return (type(node).__name__, *(bare(getattr(node, name)) for name in wanted))
    return tuple(map(bare, node)) if isinstance(node, tuple) else node


NAMES = ("rows", "c1", "x2", "_", "_1", "été", "層", "bit", "us", "Chip", "e3", "chip", "xx", "x_1", "let2", "froms")
WORDS = st.sampled_from(NAMES).map(lambda text: Word(text, NOWHERE))
UNITS = WORDS.filter(lambda word: word.text != "x2") | st.just(Word("%", NOWHERE))  # `3 x2` is a shape
DIGITS = st.sampled_from(("0", "7", "64", "1000", "2.5", "0.001", ".5", "1e9", "2.5e-3", "1E+2"))


SIGNS = st.sampled_from(("", "", "-", "+"))
NUMBERS = st.builds(lambda sign, digits, unit: Number(sign + digits, unit, NOWHERE), SIGNS, DIGITS, st.none() | UNITS)


TEXTS = st.builds(
    Text,
    st.text(st.characters(blacklist_categories=("Cc", "Cs", "Cf", "Zl", "Zp"), blacklist_characters='"')),
    st.just(NOWHERE),
)


def tuples(items: st.SearchStrategy[Any], least: int = 0, most: int = 3) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(items, min_size=least, max_size=most).map(tuple)


def here(kind: type, *parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(kind, *parts, st.just(NOWHERE))


def calls(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Call]:
    return here(Call, WORDS, tuples(here(Argument, st.none() | WORDS, values)))


OPERATORS = st.sampled_from("+-*/^").map(lambda text: Word(text, NOWHERE))
EXPRESSIONS = st.recursive(
    WORDS | NUMBERS,
    lambda inner: here(Binary, OPERATORS, inner, inner) | here(Negated, inner) | calls(inner),
    max_leaves=6,
)
VALUES = st.recursive(
    EXPRESSIONS | TEXTS | here(Range, EXPRESSIONS, EXPRESSIONS) | here(Shape, tuples(EXPRESSIONS, 2, 4)),
    lambda inner: here(ListValue, tuples(inner)) | calls(inner),
    max_leaves=4,
)
SIZES = st.builds(lambda sign, digits: Number(sign + digits, None, NOWHERE), st.sampled_from(("", "-")), DIGITS)
SHAPES = here(Shape, tuples(SIZES, 1)) | here(
    Shape, st.builds(lambda one, more: (one, *more), SIZES, tuples(SIZES | WORDS, 1))
)


def sections(bodies: st.SearchStrategy[Any]) -> st.SearchStrategy[Section]:
    def build(kind, name, tail, extends, sources, body):
        # `c1 -3` after a word is a difference.
        shape = tail if isinstance(tail, Shape) and not (name and str(tail.sizes[0].text).startswith("-")) else None
        arguments = tail if isinstance(tail, tuple) else None
        return Section(kind, name, shape, extends, sources or None, body, NOWHERE, arguments)

    arguments = tuples(here(Argument, st.none() | WORDS, VALUES))
    tails = st.none() | SHAPES | arguments
    return st.builds(build, WORDS, st.none() | WORDS, tails, st.none() | WORDS, tuples(WORDS), st.none() | bodies)


PLAIN = st.one_of(
    here(Import, TEXTS | calls(VALUES)),
    here(Let, WORDS, VALUES),
    here(Assign, WORDS, VALUES),
    here(Setting, tuples(WORDS, 2), VALUES),
    here(Definition, WORDS, WORDS, VALUES),
    here(
        Bound, WORDS, WORDS, st.sampled_from(("<=", ">=", "==", "<", ">")).map(lambda text: Word(text, NOWHERE)), VALUES
    ),
    here(Pin, WORDS, WORDS, tuples(VALUES, 1)),
    sections(st.nothing()),
)
STATEMENTS = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        sections(tuples(inner)),
        here(
            BlockDefinition,
            WORDS,
            tuples(here(Parameter, WORDS, st.none() | VALUES)),
            st.none() | tuples(WORDS, 1),
            tuples(inner),
        ),
        here(Repeat, st.none() | WORDS, VALUES.filter(lambda value: not isinstance(value, Text)), tuples(inner)),
    ),
    max_leaves=5,
)
