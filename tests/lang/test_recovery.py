"""After an error the rest is read; each mistake is told once, at its place, in words."""

import time

import pytest

from cimspec.diag import Diagnostics, Source
from cimspec.lang import Assign, Section, Statement, parse


def told(text: str) -> list[str]:
    diagnostics = Diagnostics()
    parse(Source("t", text), diagnostics)
    return [f"{found.span.line}:{found.span.column} {found.message}" for found in diagnostics.all if found.span]


def outline(statements: tuple[Statement, ...]) -> str:
    names = []
    for each in statements:
        if isinstance(each, Section):
            inner = outline(each.body) if each.body is not None else ""
            names.append(each.kind.text + (f"({inner})" if each.body is not None else ""))
        elif isinstance(each, Assign):
            names.append(each.name.text)
    return " ".join(names)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a = 1\nb = \nc = 3", "a c"),
        ("a { b = ; c = 3 }\nd = 4", "a(c) d"),
        ("a b c { d = 4 }\ne = 5", "e"),
        ("a = [1 2,\n 3]\nb = 2", "b"),
        ("a = [1; 2]; b = 2", "b"),
        ("a = {1, 2}; b = 2", "b"),
        ("a = { b = 2 }; c = 3", "c"),
        ("a {\n b = (\n}\nc = 3", "a() c"),
        ("a { b = 2 } } c = 3\nd = 4", "a(b) c d"),
        ("a { b = 2\nc = 3", "a b c"),
        ("a { } b = 2\nc = 3", "a() c"),
        ("a: 1\nb = 'x'\nc = 2 ** 3", "a b c"),
        ("a = $1\nb = 2 $ 3\nc = 4", "a c"),
        ("a = -\n\n\n}\n{ b = 2 }\nc = 3", "c"),
    ],
)
def test_only_statements_with_errors_are_left_out(text, kept):
    diagnostics = Diagnostics()
    assert outline(parse(Source("t", text), diagnostics).statements) == kept
    assert diagnostics.has_errors


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("a b c { d = }", ["1:5 `c` does not belong to this statement", "1:13 expected a value after `=`, found `}`"]),
        ("a = 'b' 3", ["1:5 `'` has no meaning here"]),
        ("a: = 3\nb = ", ["1:2 `:` has no meaning here", "2:4 expected a value after `=`, found the end of the text"]),
        ("a = $ $$ % 3", ["1:5 `$` has no meaning here", "1:7 `$` has no meaning here"]),
        ("a = ]3[\nb = ]", ["1:5 `]` closes nothing"]),
        ('a { b = "x }\nc = = 1\n', ["1:9 this string is not closed", "2:5 expected a value after `=`, found `=`"]),
        ("a = " + "b" * 50 + " c\n", ["1:56 `c` does not belong to this statement"]),
        (
            "a = 1 " + "b" * 50 + " 2",
            ["1:58 expected the end of the statement after `" + "b" * 37 + "...`, found the number `2`"],
        ),
    ],
)
def test_each_mistake_is_told_once(text, messages):
    assert sorted(told(text)) == sorted(messages)


def test_a_file_that_is_none_is_given_up():
    assert len(told("a b c\n" * 5000)) == 100
    assert len(told("$ " * 5000)) == 100
    assert len(told("} " * 5000)) == 20
    assert len(told("a = '1' " + "'" * 5000)) <= 101
    assert told("a = 1\rb = 2\rc = = 3") == ["1:6 U+000D, a carriage return, stands here without a line feed"]


NASTY = [
    *(
        "[",
        "(",
        "{",
        "}",
        "]",
        ")",
        "-",
        "+",
        "a = ",
        "'",
        "\u00ab",
        "\u201c",
        "\r\n",
        '"',
        "1x",
        "a{",
        "a(",
        "x ",
        "3 x ",
    ),
    *(
        "..",
        ".",
        "//",
        "**",
        ":",
        "\0",
        "\u202e",
        "\n",
        "; ",
        "#",
        "\t",
        "{}",
        "{[",
        "[}",
        "{(]",
        "a = [1 2]\n",
        "a b c\n",
    ),
    *("a.", "a,", "f(f(", "1+", "1^", "-(", "a ((1)) x ", "a ({ ", "1_", "0e", "e\u0301", ": ", "a: ", "{1", "\r"),
]


@pytest.mark.parametrize("piece", NASTY)
def test_time_grows_with_the_length_only(piece):
    def seconds(length: int) -> float:
        text = piece * (length // len(piece))
        start = time.process_time()
        parse(Source("t", text), Diagnostics())
        return time.process_time() - start

    short, long = min(seconds(4000) for _ in range(3)), seconds(64_000)
    assert long < 16 * 4 * short + 0.2  # a quadratic parser takes 256 times as long
