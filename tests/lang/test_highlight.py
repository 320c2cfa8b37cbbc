"""The Pygments lexer: nothing of a text is lost, nothing of the language is taken for an error."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pygments.token import Comment, Error, Keyword, Name, Number, Operator, String

from cimspec.lang.highlight import CimLexer

ROOT = Path(__file__).parents[2]
SPECS = sorted([*(ROOT / "specs").rglob("*.cim"), *(ROOT / "cimspec/library").rglob("*.cim")])


def tokens(text: str) -> list[tuple[object, str]]:
    return [(kind, word) for kind, word in CimLexer(ensurenl=False, stripnl=False).get_tokens(text) if word.strip()]


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_every_spec_is_coloured_without_errors(path):
    text = path.read_text(encoding="utf-8")
    found = list(CimLexer(ensurenl=False, stripnl=False).get_tokens(text))
    assert "".join(word for _, word in found) == text
    assert Error not in {kind for kind, _ in found}


@given(st.text(alphabet=st.sampled_from('chip x=3.5e2 us"#;{}[]()\n\t.<%^*/-é\x00')))
def test_any_text_comes_out_as_it_went_in(text):
    found = list(CimLexer(ensurenl=False, stripnl=False).get_tokens(text))
    assert "".join(word for _, word in found) == text
    assert Error not in {kind for kind, _ in found}


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("rows = 64", [Name.Attribute, Operator, Number]),
        ("read_latency = 1.4 us", [Name.Attribute, Operator, Number, Keyword.Type]),
        ("noise = 5 %", [Name.Attribute, Operator, Number, Keyword.Type]),
        ("bits = 4..8  # few", [Name.Attribute, Operator, Number, Operator, Number, Comment.Single]),
        ("input 1 x 28 x side", [Keyword.Type, Number, Operator, Number, Operator, Name]),
        ("sweep chip.bits = b", [Keyword.Declaration, Name, Operator, Name.Attribute, Operator, Name]),
        ("let b = max(a, 2)", [Keyword.Declaration, Name.Attribute, Operator, Name.Builtin]),
    ],
)
def test_what_words_are(text, kinds):
    assert [kind for kind, _ in tokens(text)][: len(kinds)] == kinds


def test_line_ends_in_brackets_do_not_end_the_statement():
    assert (Name.Attribute, "layout") in tokens('data d = npz(\n  "d.npz",\n  layout = nchw\n)')
    assert (String, '"d.npz"') in tokens('data d = npz(\n  "d.npz")')
    assert (Keyword.Type, "adc") in tokens("crossbar { rows = [1,\n2] }\nadc { bits = 8 }")
