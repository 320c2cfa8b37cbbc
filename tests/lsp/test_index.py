"""Names and the places that speak of them."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimspec.data.builtin import BUILTIN_DATA
from cimspec.lsp.completion import BUILTIN, proposals
from cimspec.lsp.entries import entries_of
from cimspec.lsp.hover import hover
from cimspec.lsp.place import place_at
from cimspec.lsp.project import Project
from cimspec.lsp.rename import objection
from cimspec.lsp.symbol import Occurrence, SymbolKind

ROOT = Path(__file__).parents[2]
SPECS = sorted([*(ROOT / "specs").rglob("*.cim"), *(ROOT / "cimspec/library").rglob("*.cim")])
FILE = Path("/names/all.cim")
TEXT = """let width = 8
let double = 2 * width

block pair(channels, kernel = 1) from x {
  let inner = channels / 2
  conv2d a { channels = inner; kernel = kernel }
  unit u(channels) from a
  add from u, x
}

block unit(channels) {
  conv2d c { channels = channels }
  relu
}

model derived extends base {
  pair p1(double)
  conv2d stem { channels = width }
  conv2d last from p1_u_c { channels = 4 }
}

model base {
  input 1 x width x 8
  conv2d stem { channels = 4 }
  repeat i in 1..3 {
    let own = i * width
    pair(own) from stem
    pair q(channels = own) from stem
  }
  add from pair1_a, q_2_u_c
}

search { keep stem at 8 bit, 8 bit }
sweep let.width = [4, 8]
"""


@pytest.fixture(scope="module")
def project() -> Project:
    return Project({FILE: TEXT})


def at(project: Project, mark: str) -> Occurrence | None:
    """What the place at the `|` of a stretch of the text speaks of."""
    assert TEXT.count(mark.replace("|", "")) == 1
    offset = TEXT.index(mark.replace("|", "")) + mark.index("|")
    return project.index(FILE).at(offset)


@pytest.mark.parametrize(
    ("mark", "kind", "line", "name"),
    [
        ("2 * wi|dth", SymbolKind.LET, 1, "width"),
        ("= inn|er;", SymbolKind.LET, 5, "inner"),
        ("kernel = ker|nel }", SymbolKind.PARAMETER, 4, "kernel"),
        ("un|it u(channels)", SymbolKind.BLOCK, 11, "unit"),
        ("from u, |x", SymbolKind.INPUT, 4, "x"),
        ("add from |u,", SymbolKind.USE, 7, "u"),
        ("extends ba|se", SymbolKind.MODEL, 22, "base"),
        ("st|em { channels = width", SymbolKind.LAYER, 24, "stem"),
        ("from p|1_u_c", SymbolKind.USE, 17, "p1"),
        ("from p1_|u_c", SymbolKind.USE, 7, "u"),
        ("from p1_u_|c", SymbolKind.LAYER, 12, "c"),
        ("own = |i *", SymbolKind.VARIABLE, 25, "i"),
        ("pair(o|wn)", SymbolKind.LET, 26, "own"),
        ("q(chan|nels = own)", SymbolKind.PARAMETER, 4, "channels"),
        ("add from pair1_|a", SymbolKind.LAYER, 6, "a"),
        ("add from pa|ir1_a", SymbolKind.BLOCK, 4, "pair"),
        ("a, |q_2_u_c", SymbolKind.USE, 28, "q"),
        ("q_2_u_|c", SymbolKind.LAYER, 12, "c"),
        ("keep st|em", SymbolKind.LAYER, 24, "stem"),
        ("let.wi|dth", SymbolKind.LET, 1, "width"),
        ("1 x wid|th x 8", SymbolKind.LET, 1, "width"),
    ],
)
def test_what_a_place_speaks_of(project, mark, kind, line, name):
    found = at(project, mark)
    assert (found.symbol.kind, found.symbol.span.line, found.symbol.name) == (kind, line, name)
    assert found.span.text == name


def test_fields_and_kinds_of_layers_are_no_names(project):
    assert at(project, "conv2d last from p1_u_c { chan|nels = 4") is None
    assert at(project, "con|v2d last") is None


def test_renaming_all_places_gives_a_text_in_which_the_same_places_speak_of_it(project):
    index = project.index(FILE)
    symbols = {each.symbol.key: each.symbol for each in index.occurrences}.values()
    assert len(symbols) > 15
    for symbol in symbols:
        spans = sorted({(span.start, span.end) for span in index.of(symbol)})
        text = TEXT
        for start, end in reversed(spans):
            text = f"{text[:start]}renamed{text[end:]}"
        other = Project({FILE: text}).index(FILE)
        longer = len("renamed") - len(symbol.name)
        shifted = [start + longer * number for number, (start, _) in enumerate(spans)]
        assert sorted(each.span.start for each in other.occurrences if each.symbol.name == "renamed") == shifted
        assert len(other.occurrences) == len(index.occurrences)


@pytest.mark.parametrize(
    ("mark", "name", "is_refused"),
    [
        ("2 * wi|dth", "double", True),
        ("2 * wi|dth", "side", False),
        ("2 * wi|dth", "x", True),
        ("un|it u(channels)", "relu", True),
        ("un|it u(channels)", "pair", True),
        ("from p1_u_|c", "d", False),
        ("st|em { channels = width", "q", True),
    ],
)
def test_names_that_are_taken_are_refused(project, mark, name, is_refused):
    assert (objection(at(project, mark).symbol, name, project.index(FILE)) is not None) == is_refused


def test_names_of_the_library_are_not_changed():
    index = Project().index(ROOT / "cimspec/library/chips/isaac.cim")
    (chip,) = (each for each in index.symbols if each.kind is SymbolKind.CHIP)
    assert "library" in objection(chip, "mine", index)


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_the_outline_holds_all_names_of_the_top_level(path):
    project = Project()
    parsed, index = project.parsed(path), project.index(path)
    assert not parsed.has_errors
    found = entries_of(parsed.module.file)
    assert {each.span.start for each in index.symbols} <= {entry.span.start for entry in found}
    assert all(entry.start <= entry.span.start < entry.span.end <= entry.end for entry in found)
    braces = [entry.end for entry in found if index.source.text[entry.end - 1] == "}"]
    assert all(index.source.text[end : end + 1] in ("", "\n", " ") for end in braces)


def test_data_sets_are_those_there_are():
    assert set(BUILTIN) == set(BUILTIN_DATA)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(SPECS), st.floats(0, 1), st.sampled_from([*' {}("', "", " = ", " from ", ". ", "3 "]))
def test_no_place_of_a_text_that_is_cut_off_anywhere_is_too_odd(path, share, more):
    whole = path.read_text(encoding="utf-8")
    cut = int(share * len(whole))
    for text in (whole[:cut] + more, whole[:cut] + more + whole[cut:]):
        project = Project({path: text})
        assert isinstance(proposals(place_at(text, cut + len(more)), path, project), list)
        hover(path, min(cut, len(text)), project, ())
