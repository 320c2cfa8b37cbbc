"""Rendering: carets under what was meant whatever the text, and one line or JSON for tools."""

import json

import pytest

from cimspec.diag import (
    CODES,
    CimError,
    Diagnostic,
    Diagnostics,
    Severity,
    Source,
    Span,
    compatible,
    did_you_mean,
    fail,
    fixed_text,
    render,
    respelled,
    written_instead,
)


def caret(text: str, start: int, end: int) -> list[str]:
    found = Diagnostic("CIM101", Severity.ERROR, "wrong", Span(Source("a.cim", text), start, end), "here")
    return render([found]).splitlines()[1:]


def test_line_and_column_start_at_one():
    source = Source("a.cim", "ab\ncd\n")
    assert [(Span(source, at, at).line, Span(source, at, at).column) for at in (0, 1, 3, 4, 6)] == [
        (1, 1),
        (1, 2),
        (2, 1),
        (2, 2),
        (3, 1),
    ]


@pytest.mark.parametrize(
    ("text", "start", "end", "shown"),
    [
        ("rows = 1", 0, 4, ["1 | rows = 1", "  | ^^^^ here"]),
        ("\trows", 1, 5, ["1 |     rows", "  |     ^^^^ here"]),
        ("界 x", 2, 3, ["1 | 界 x", "  |    ^ here"]),
        ("e\u0301 x", 3, 4, ["1 | e\u0301 x", "  |   ^ here"]),
        ("a\r\nb\r\n", 3, 4, ["2 | b", "  | ^ here"]),
        ("a {\nb\n}", 2, 7, ["1 | a {", "  |   ^... here"]),
        ("end", 3, 3, ["1 | end", "  |    ^ here"]),
        ("end\n", 4, 4, ["2 |", "  | ^ here"]),
        ("", 0, 0, ["1 |", "  | ^ here"]),
        ("a\x1b[31m\u202eb", 0, 1, ["1 | a\ufffd[31m\ufffdb", "  | ^ here"]),
    ],
)
def test_the_caret_stands_below_the_span(text, start, end, shown):
    assert [line.strip() for line in caret(text, start, end)[2:]] == [line.strip() for line in shown]
    assert caret(text, start, end)[3].index("^") == [" " + line for line in shown][1].index("^")


def test_long_lines_are_cut_around_the_span():
    lines = caret("x" * 5000 + "y" + "z" * 5000, 5000, 5001)
    assert len(lines[2]) < 160
    assert lines[2][lines[3].index("^")] == "y"


def test_concise_names_place_code_and_message():
    found = Diagnostic("CIM203", Severity.ERROR, "unknown field `a`", Span(Source("s.cim", "x\n  a = 1"), 4, 5))
    assert render([found], "concise") == "s.cim:2:3: CIM203 unknown field `a`"
    placeless = Diagnostic("CIM301", Severity.WARNING, "short")
    assert render([placeless], "concise") == "warning: CIM301 short"


def test_json_holds_the_whole_diagnostic():
    span = Span(Source("s.cim", "ab\ncd"), 1, 4)
    (found,) = json.loads(render([Diagnostic("CIM101", Severity.ERROR, "m", span, "l", (), ("n",), "h")], "json"))
    assert found == {
        "code": "CIM101",
        "severity": "error",
        "message": "m",
        "file": "s.cim",
        "line": 1,
        "column": 2,
        "end_line": 2,
        "end_column": 2,
        "label": "l",
        "related": [],
        "notes": ["n"],
        "help": "h",
        "fixes": [],
    }


def test_color_only_when_asked():
    found = [Diagnostic("CIM101", Severity.ERROR, "m", Span(Source("s.cim", "ab"), 0, 1), "l")]
    assert "\x1b[1;31m" in render(found, color=True)
    assert "\x1b" not in render(found)


def test_errors_are_raised_together_in_reading_order():
    source = Source("s.cim", "abc")
    diagnostics = Diagnostics()
    diagnostics.warning("CIM301", "second", Span(source, 1, 2))
    diagnostics.raise_if_errors()
    diagnostics.error("CIM101", "first", Span(source, 0, 1))
    with pytest.raises(CimError) as caught:
        diagnostics.raise_if_errors()
    assert [found.message for found in caught.value.diagnostics] == ["first", "second"]
    with pytest.raises(CimError, match="CIM901 not built"):
        fail("CIM901", "not built", help="pip install -e .")
    with pytest.raises(AssertionError, match="CIM999"):
        diagnostics.error("CIM999", "no such code")


def test_every_page_of_the_catalogue_is_written():
    for name, code in CODES.items():
        assert name == code.code
        assert all((code.title, code.what, code.why, code.example, code.fix)), name
        assert code.title[0].islower() or code.title.split()[0].isupper() or code.title.startswith("ADC"), name


@pytest.mark.parametrize(
    ("word", "meant"),
    [("colums", "columns"), ("ROWS", "rows"), ("col", "columns"), ("zzz", None), ("", None), ("x" * 10_000, None)],
)
def test_did_you_mean(word, meant):
    assert did_you_mean(word, ["rows", "columns", "cell"]) == meant


def test_fixes_are_carried_out_where_they_do_not_overlap():
    source = Source("s.cim", "row: 3 us")
    fixes = [
        written_instead(Span(source, 3, 4), " ="),
        written_instead(Span(source, 0, 3), "rows"),
        written_instead(Span(source, 2, 5), "?"),  # overlaps both
        written_instead(Span(source, 3, 4), " ="),
        written_instead(Span(source, 6, 9), ""),
        written_instead(Span(source, 9, 9), "  # three"),
    ]
    chosen = compatible(fixes)
    assert fixed_text(source.text, chosen) == "rows = 3  # three"
    assert [fix.title for fix in chosen] == [
        "replace `row` by `rows`",
        "replace `:` by `=`",
        "remove `us`",
        "add `# three`",
    ]
    assert respelled(Span(source, 0, 3), "row", "rows") == (fixes[1],)
    assert respelled(Span(source, 0, 3), "other", "rows") == respelled(Span(source, 0, 3), "row", None) == ()


def test_names_in_a_value_are_shown_with_what_is_found_there():
    source = Source("s.cim", "a = 3; b = a + 1; c = b * 2")
    diagnostics = Diagnostics()
    diagnostics.came_from(Span(source, 11, 12), Span(source, 4, 5))
    diagnostics.came_from(Span(source, 22, 23), Span(source, 11, 16))
    diagnostics.error("CIM208", "too much", Span(source, 22, 27))
    diagnostics.error("CIM206", "no value", Span(source, 0, 27))
    first, second = diagnostics.all
    assert [(label.span.text, label.text) for label in first.related] == [
        ("a + 1", "`b` is this"),
        ("3", "`a` is this"),
    ]
    assert second.related == ()
