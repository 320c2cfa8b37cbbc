"""Trees written as text and parsed are the same trees; whatever the text, there is a tree."""

import cmath
import gc
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimspec.diag import Diagnostics, Source, Span
from cimspec.lang import Binary, File, Negated, Number, Section, Statement, Value, Word, lexemes, parse
from tests.lang.printing import STATEMENTS, VALUES, bare, line_of, text_of

ROOT = Path(__file__).parents[2]
SPECS = [*sorted(ROOT.glob("specs/**/*.cim")), *sorted(ROOT.glob("cimspec/library/**/*.cim"))]
PIECES = [
    *("{", "}", "[", "]", "(", ")", "=", ";", "\n", ",", "..", ".", "<=", "==", "#", '"', "'", "%", "\0", "\r", "\t"),
    *("+", "-", "*", "/", "^", "**", "//", ":", "\ufeff", "\u2212", "\u00d7", "\u201c", "界", "²", "\u202e", "\x0c"),
    *("chip", "model", "extends", "from", "at", "import", "input", "x", "let", "block", "repeat", "in", "sweep"),
    *("0", "-1", "1e30", "2..8", "1 x 2", "28x28", "us", '"a"', "a = ", "b {\n", "f(", "}\n", "a.b"),
]


def read(text: str) -> tuple[File, Diagnostics]:
    diagnostics = Diagnostics()
    return parse(Source("t.cim", text), diagnostics), diagnostics


def parsed(text: str) -> tuple[Statement, ...]:
    file, diagnostics = read(text)
    diagnostics.raise_if_errors()
    return file.statements


@settings(max_examples=100, deadline=None)
@given(st.lists(STATEMENTS, max_size=2))
def test_what_is_printed_is_parsed(statements):
    text = "\n".join(map(line_of, statements))
    assert bare(parsed(text)) == bare(tuple(statements))


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(VALUES)
def test_every_value_is_parsed_in_every_place(value):
    text = text_of(value)
    for line in (f"a = {text}", f"a b = [1, {text}]", f"f(a = {text})", f"keep c at {text}, 1", f"require l <= {text}"):
        (statement,) = parsed(line)
        assert bare(value) in parts(bare(statement))


def parts(tree: object) -> list[object]:
    return [tree, *(part for each in tree for part in parts(each))] if isinstance(tree, tuple) else [tree]


def value_of(value: Value, names: dict[str, float]) -> float:
    match value:
        case Number(text=text):
            return float(text)
        case Word(text=text):
            return names[text]
        case Negated(operand=operand):
            return -value_of(operand, names)
        case Binary(operator=operator, left=left, right=right):
            a, b = value_of(left, names), value_of(right, names)
            return {"+": a + b, "-": a - b, "*": a * b, "/": a / b, "^": a**b}[operator.text]
    raise AssertionError(value)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(["2", "3", "a", "-2", "-a", "(a - 1)", "-(3 + a)"]), min_size=2, max_size=6).flatmap(
        lambda operands: st.tuples(
            st.just(operands),
            st.lists(st.sampled_from("+-*/^"), min_size=len(operands) - 1, max_size=len(operands) - 1),
        )
    )
)
def test_operators_bind_as_in_python(case):
    operands, operators = case
    text = operands[0] + "".join(
        f" {operator} {operand}" for operator, operand in zip(operators, operands[1:], strict=True)
    )
    python = re.sub(r"(\d)", r"\1.0", text).replace("^", "**")  # whole numbers would grow without end: 2**3**3**3**3
    try:
        wanted = eval(python, {"a": 5.0})
    except (OverflowError, ZeroDivisionError):
        return
    if not cmath.isfinite(wanted):
        return
    (statement,) = parsed(f"v = {text}")
    try:
        found = value_of(statement.value, {"a": 5.0})
    except (OverflowError, ZeroDivisionError):
        return
    assert found == wanted or abs(found - wanted) <= 1e-12 * abs(wanted)


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_every_spec_is_the_same_after_printing(path):
    statements = parsed(path.read_text(encoding="utf-8"))
    text = "\n".join(map(line_of, statements))
    assert bare(parsed(text)) == bare(statements)


def check(text: str) -> None:
    file, diagnostics = read(text)
    assert isinstance(file, File)
    check_order(file.statements, 0, len(text))
    for found in diagnostics.all:
        assert found.span is not None
        assert 0 <= found.span.start <= found.span.end <= len(text)
    assert "".join(lexeme.text for lexeme in lexemes(file.source)) == text
    if not diagnostics.count:
        for statement in all_of(file.statements):
            assert "\0" not in statement.span.text


def check_order(statements: tuple[Statement, ...], start: int, end: int) -> None:
    """Statements lie one behind the other, those of a block behind its head and before what follows it."""
    for index, statement in enumerate(statements):
        span: Span = statement.span
        assert start <= span.start < span.end <= end
        start = span.end
        following = statements[index + 1].span.start if index + 1 < len(statements) else end
        body = getattr(statement, "body", None) or ()
        is_sweep_of_one = isinstance(statement, Section) and statement.kind.text == "sweep"
        check_order(body, start if not is_sweep_of_one else span.start, following)
        if body:
            start = body[-1].span.end


def all_of(statements: tuple[Statement, ...]) -> list[Statement]:
    return [each for one in statements for each in (one, *all_of(getattr(one, "body", None) or ()))]


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=300))
def test_any_text_gives_a_file(text):
    check(text)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=60), st.sampled_from(["", " "]))
def test_any_pieces_of_the_language_give_a_file(pieces, between):
    check(between.join(pieces))


@settings(max_examples=60, deadline=None)
@given(st.lists(STATEMENTS, min_size=1, max_size=2), st.integers(0, 10**9), st.integers(0, 8), st.sampled_from(PIECES))
def test_a_good_text_with_a_piece_changed_gives_a_file(statements, place, length, piece):
    text = "\n".join(map(line_of, statements))
    place %= len(text) + 1
    check(text[:place] + piece + text[place + length :])


def test_garbage_is_collected_after_parsing_as_before():
    assert gc.isenabled()
    read("a = 1")
    assert gc.isenabled()
    gc.disable()
    try:
        read("a = (")
        assert not gc.isenabled()
    finally:
        gc.enable()
