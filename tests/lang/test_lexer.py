"""A text in pieces: nothing is lost, each piece has its kind."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimspec.diag import Source
from cimspec.lang import LexemeKind, characters, lexemes, lexer

KINDS = {kind.value: kind for kind in LexemeKind}


def cut(text: str) -> list[tuple[str, str]]:
    return [(each.kind.value, each.text) for each in lexemes(Source("t", text)) if each.kind is not LexemeKind.SPACE]


@given(st.text(alphabet=st.sampled_from("ax19._ \t\r\n\f#\"'{}[]()=;,%*^+-/<>:é²\u201c\u00d7\ufeff\0")))
def test_nothing_is_lost_and_spans_are_true(text):
    pieces = list(lexemes(Source("t", text)))
    assert "".join(piece.text for piece in pieces) == text
    assert all(piece.span.text == piece.text and piece.text and piece.end == piece.span.end for piece in pieces)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("rows = 64", "name:rows symbol:= number:64"),
        ("28x28 x2", "number:28 name:x number:28 name:x number:2"),
        ("c28x28", "name:c28x28"),
        ("1.5e-3us", "number:1.5e-3 name:us"),
        ("2..8 1...5", "number:2 symbol:.. number:8 number:1 strange:... number:5"),
        (".5 a.b 5.", "number:.5 name:a symbol:. name:b number:5 symbol:."),
        ("a<=b>=c==d<e>f", "name:a symbol:<= name:b symbol:>= name:c symbol:== name:d symbol:< name:e symbol:> name:f"),
        (
            "-1+2*3/4^5%",
            "symbol:- number:1 symbol:+ number:2 symbol:* number:3 symbol:/ number:4 symbol:^ number:5 symbol:%",
        ),
        ('"a#b"#c', 'text:"a#b" comment:#c'),
        ('"a', 'strange:"a'),
        ("a//b", "name:a strange://b"),
        ("'a' ** :=", "strange:'a' strange:** strange::="),
        ("été 層 _a", "name:été name:層 name:_a"),
    ],
)
def test_kinds(text, pieces):
    assert cut(text) == [tuple(piece.split(":", 1)) for piece in pieces.split(" ")]


def test_comments_and_empty_lines_are_pieces_of_their_own():
    text = "# one \r\n\n  a = 1  # two\n\t# three\n"
    assert cut(text) == [
        ("comment", "# one"),
        ("line", "\n"),
        ("line", "\n"),
        ("name", "a"),
        ("symbol", "="),
        ("number", "1"),
        ("comment", "# two"),
        ("line", "\n"),
        ("comment", "# three"),
        ("line", "\n"),
    ]


def test_no_group_is_possessive():
    # Python before 3.11.5 goes on at the wrong place where one fails half-way: `2..8` became `2.` and `.8`.
    patterns = [each for room in (lexer, characters) for each in vars(room).values() if isinstance(each, re.Pattern)]
    assert len(patterns) > 4
    assert not [each.pattern for each in patterns if re.search(r"\)[?*+]\+", each.pattern)]
