"""Text to tree: statements, values, positions; and going on after errors."""

import sys

import pytest

from cimspec.diag import Diagnostics, Source
from cimspec.lang import (
    Assign,
    Bound,
    Call,
    Definition,
    File,
    Import,
    ListValue,
    Number,
    Pin,
    Range,
    Section,
    Statement,
    Text,
    Word,
    parse,
)


def tree(text: str) -> File:
    diagnostics = Diagnostics()
    file = parse(Source("t.cim", text), diagnostics)
    diagnostics.raise_if_errors()
    return file


def one(text: str) -> Statement:
    (statement,) = tree(text).statements
    return statement


def errors(text: str) -> list[tuple[int, int, str]]:
    diagnostics = Diagnostics()
    parse(Source("t.cim", text), diagnostics)
    return [(found.span.line, found.span.column, found.code) for found in diagnostics.all if found.span]


def test_each_statement_has_its_node():
    statements = tree(
        'import "a.cim"\nrows = 1; data d = builtin("x")\nrequire loss <= 1 pp\nkeep c at 8, 4 bit\nrelu'
    ).statements
    assert [type(statement) for statement in statements] == [Import, Assign, Definition, Bound, Pin, Section]


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("8", Number),
        ("8 bit", Number),
        ("-1.5e-3us", Number),
        ("offset", Word),
        ('"a b"', Text),
        ("2..8", Range),
        ("[1, 2 bit, [x]]", ListValue),
        ("[]", ListValue),
        ("[\n  1, # one\n  2,\n]", ListValue),
        ('f("a", limit = 3)', Call),
    ],
)
def test_each_value_has_its_node(written, kind):
    statement = one(f"x = {written}")
    assert isinstance(statement, Assign)
    assert isinstance(statement.value, kind)
    assert statement.value.span.text == written


def test_a_unit_may_touch_its_number_and_underscores_group_digits():
    statement = one("x = 1_000.5us")
    assert isinstance(statement, Assign)
    assert isinstance(statement.value, Number)
    assert statement.value.text == "1000.5"
    assert statement.value.unit
    assert statement.value.unit.text == "us"


def test_no_name_is_reserved():
    section = one("model { import = 1 }".replace("import", "at") + "\n")
    assert isinstance(section, Section)
    assert [type(each) for each in section.body or ()] == [Assign]
    assert isinstance(one("relu extends2 from at, x"), Section)
    statement = one("x = 3 from")
    assert isinstance(statement, Assign)
    assert isinstance(statement.value, Number)
    assert statement.value.unit
    assert statement.value.unit.text == "from"


def test_a_layer_keeps_name_shape_and_sources():
    layer = one("conv2d s1 1 x 28x28 from p1, p2 { kernel = 1 }")
    assert isinstance(layer, Section)
    assert layer.name
    assert layer.name.text == "s1"
    assert layer.shape
    assert [size.text for size in layer.shape.sizes] == ["1", "28", "28"]
    assert [size.span.column for size in layer.shape.sizes] == [11, 15, 18]
    assert [source.text for source in layer.sources or ()] == ["p1", "p2"]
    assert layer.span.text == "conv2d s1 1 x 28x28 from p1, p2"


def test_line_ends_comments_and_semicolons_separate_statements():
    text = "\r\n# first\r\na = 1 ; ; b = 2\r\n\r\nc {\r\n\r\n}\r\n;d { e = 1; f = 2 }"
    assert len(tree(text).statements) == 4


def test_errors_are_found_where_they_are_and_parsing_goes_on():
    text = "a = \nb = 2\nc 3 bit\nd { e = [1 2]; f = }\ng = 1 h = 2\n"
    assert errors(text) == [
        (1, 4, "CIM101"),
        (3, 3, "CIM101"),
        (4, 12, "CIM101"),
        (4, 20, "CIM101"),
        (5, 7, "CIM101"),
    ]


def test_statements_beside_an_error_are_kept():
    file = parse(Source("t.cim", "a = 1\nb = \nc = 3\n"), Diagnostics())
    assert [each.name.text for each in file.statements if isinstance(each, Assign)] == ["a", "c"]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("a {", (1, 3, "CIM103")),
        ("a { b = [1 }", (1, 9, "CIM103")),
        ("a }", (1, 3, "CIM104")),
        ("a = (1]", (1, 7, "CIM104")),
        ('a = "b', (1, 5, "CIM102")),
        ("a = 1 \x00", (1, 7, "CIM105")),
        ("a = 1e31", (1, 5, "CIM106")),
        ("a = " + "9" * 41, (1, 5, "CIM106")),
        ("a = " + "(" * 101 + ")" * 101, (1, 105, "CIM107")),
        ("a =", (1, 4, "CIM101")),
        ("a\n{ }", (2, 1, "CIM101")),
    ],
)
def test_broken_characters_and_brackets(text, where):
    assert where in errors(text)


def test_depth_of_100_is_parsed_without_deep_recursion():
    assert errors("a = " + "[" * 100 + "]" * 100) == []
    assert errors("a { " * 100 + "}" * 100) == []
    assert errors("a = " + "f(" * 100 + ")" * 100) == []
    assert errors("a = " + "(" * 99 + "1" + ")" * 99) == []
    assert errors("repeat 2 { " * 100 + "}" * 100) == []


@pytest.mark.parametrize("text", ["-" * 1000 + "1", "2" + "^2" * 1000, "1" + " + 1" * 1000, "-(1 " * 60 + ")" * 60])
def test_operators_are_nested_100_deep_at_most(text):
    assert {code for _, _, code in errors(f"a = {text}\nb = 1")} == {"CIM107"}
    assert errors("a = " + "1 + " * 100 + "1") == []
    assert errors(f"a = [{', '.join(['1 + 1'] * 1000)}]") == []


def test_nested_as_deep_as_may_be_a_tree_is_made_with_little_stack():
    def deeper(frames: int) -> None:
        if frames:
            deeper(frames - 1)
        else:
            assert errors("a { " * 50 + "b = " + "f([-(1 * " * 16 + "1" + ")])" * 16 + "}" * 50) == []
            assert errors("a { " * 100 + "b = " + "}" * 100) == [(1, 405, "CIM101")]

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(1000)
    try:
        deeper(200)
    finally:
        sys.setrecursionlimit(limit)
