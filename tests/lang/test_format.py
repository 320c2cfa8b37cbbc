"""The canonical form of a text: the same tree, the same comments, and nothing left to change."""

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimspec.diag import CimError, Source
from cimspec.lang import LexemeKind, lexemes
from cimspec.lang.format import format_text
from tests.lang.printing import STATEMENTS, bare, line_of
from tests.lang.test_round_trip import SPECS, parsed


def comments(text: str) -> list[str]:
    return [each.text for each in lexemes(Source("t.cim", text)) if each.kind is LexemeKind.COMMENT]


def check(text: str) -> str:
    formatted = format_text(text)
    assert bare(parsed(formatted)) == bare(parsed(text))
    assert comments(formatted) == comments(text)
    assert format_text(formatted) == formatted
    assert not any(line.endswith((" ", "\t", "\r")) for line in formatted.split("\n"))
    assert "\n\n\n" not in formatted
    assert "{\n\n" not in formatted
    return formatted


@st.composite
def scrambled(draw: st.DrawFn) -> str:
    """Random statements with blanks, empty lines and comments put where they change nothing."""
    text = "\n".join(map(line_of, draw(st.lists(STATEMENTS, max_size=2))))
    random = draw(st.randoms(use_true_random=False))
    depth, pieces = 0, list[str]()
    for lexeme in lexemes(Source("t.cim", text)):
        kind = lexeme.kind
        depth += (lexeme.text in ("(", "[")) - (lexeme.text in (")", "]"))
        if kind is LexemeKind.LINE:
            pieces.append(
                random.choice(["\n", " ;\n", "\n\n\n", "  # c\n", "#\n", "\r\n\t", "\n  # own\n\n", "\n \n#a\n#b\n"])
            )
        elif kind is LexemeKind.SPACE:
            pieces.append(random.choice([" ", "  ", "\t"]))
        else:
            pieces.append(lexeme.text)
            if lexeme.text in (",", "[", "(") and depth and random.random() < 0.2:
                pieces.append(random.choice(["\n", "# inside\n", "\n\n # own\n"]))
    return "".join(pieces)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(scrambled())
def test_tree_and_comments_stay(text):
    check(text)


@pytest.mark.parametrize("path", SPECS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_specs_are_in_canonical_form(path: Path):
    text = path.read_text(encoding="utf-8")
    check(text)
    assert format_text(text) == text


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", ""),
        ("\ufeff\r\n# a\r\n", "# a\n"),
        ("a=1;b = 2 ; # c", "a = 1\nb = 2  # c\n"),
        ("\n\n a = 1\n\n\n\n  b=2\n\n", "a = 1\n\nb = 2\n"),
        ("a{b=1;c{d=2}}# x", "a { b = 1; c { d = 2 } }  # x\n"),
        ("a{b=1\n}", "a {\n  b = 1\n}\n"),
        ("a { # x\n\n b=1\n\n # y\n\n}", "a {  # x\n  b = 1\n\n  # y\n}\n"),
        ("a {\n }\nb { # x\n}", "a {}\nb {  # x\n}\n"),
        ("v=-2*( 3+- a )^2/b ^-1", "v = -2 * (3 + -a)^2 / b^-1\n"),
        ("v = (2 us^2) + 3 %^2", "v = (2 us ^ 2) + 3 % ^ 2\n"),
        ("v = 1.4us .. 5us; w = .5.. .7", "v = 1.4 us..5 us\nw = .5.. .7\n"),
        ("input 1x28 x n{signed=false}", "input 1 x 28 x n { signed = false }\n"),
        ("input (n+1)x(m) ; v = a x -1", "input (n + 1) x (m)\nv = a x -1\n"),
        ("residual s1 (16,stride=2 ,) from a,b", "residual s1(16, stride = 2) from a, b\n"),
        ("repeat i in -1 ..n-1 {relu}", "repeat i in -1..n - 1 { relu }\n"),
        ("repeat (n+1){relu}", "repeat (n + 1) { relu }\n"),
        ("keep c1 at -1,8bit", "keep c1 at -1, 8 bit\n"),
        ("minimize (a+b)*c; minimize a-b", "minimize (a + b) * c\nminimize a - b\n"),
        ("sweep chip.adc . bits=[\n4,\n6,\n]", "sweep chip.adc.bits = [4, 6]\n"),
        ("v = [1, # one\n\n 2]# x", "v = [1,  # one\n  2]  # x\n"),
        ("v = f(\n# own\n a,[\n1])", "v = f(\n  # own\n  a, [\n    1])\n"),
        ('data d = npz( "a  b.npz" ,limit=3)', 'data d = npz("a  b.npz", limit = 3)\n'),
    ],
)
def test_what_is_written(text, wanted):
    assert check(text) == wanted


def test_what_is_too_long_is_broken():
    words = ", ".join(["random"] * 30)
    lines = check(f"search {{ methods = [{words}] }}").splitlines()
    assert lines[:2] == ["search {", "  methods = ["]
    assert all(line.startswith("    random") and 90 < len(line) <= 100 for line in lines[2:-3])
    assert lines[-2:] == ["  ]", "}"]
    name = "n" * 40
    assert check(f"v = f({name} = [1, 2], {name} = 2, g(3))") == (
        f"v = f(\n  {name} = [1, 2],\n  {name} = 2,\n  g(3)\n)\n"
    )
    assert check(f"v = (a + {name}) * max({name}, {name})") == f"v = (a + {name}) * max(\n  {name}, {name}\n)\n"
    assert check(f"v = {name * 3}") == f"v = {name * 3}\n"


@pytest.mark.parametrize("length", [98, 99, 100, 101])
def test_a_block_on_one_line_has_100_columns_at_most(length):
    text = f"a {{ b = 1; c = {'d' * (length - 17)} }}"
    assert len(text) == length
    assert (check(text) == f"{text}\n") == (length <= 100)
    assert check(f"{text}  # comments do not count").count("\n") == (1 if length <= 100 else 4)


@pytest.mark.parametrize("text", ["a = ", "a {", "a = 1 : 2", "a = 'x'", "a\rb", "a = 1 \u202e", 'a = "x'])
def test_what_is_no_text_of_the_language_is_refused(text):
    with pytest.raises(CimError):
        format_text(text)


def test_time_grows_with_the_number_of_lines_and_no_faster():
    def seconds(lines: int) -> float:
        text = "".join(f"conv2d c{n}{{channels=8;kernel=3 ;  padding = 1}}  # n\n" for n in range(lines))
        start = time.process_time()
        assert format_text(text).count("\n") == lines
        return time.process_time() - start

    assert min(seconds(4_000) for _ in range(2)) < 10 * max(seconds(1_000) for _ in range(2))
