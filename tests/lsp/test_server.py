"""The language server as editors meet it: a process that is spoken to over stdin and stdout."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("pygls")

from lsprotocol import types

from cimspec.diag import CimError
from cimspec.lang.format import format_text
from cimspec.validation import validated
from tests.lsp.client import Editor, edited, marked, texts_at

pytestmark = pytest.mark.slow
SPECS = Path(__file__).parents[2] / "specs"
TINY = (SPECS / "tiny.cim").read_text(encoding="utf-8")
BASE = "let side = 32\nblock half(channels) from x {\n  conv2d c { channels = channels; kernel = 1 }\n  relu\n}\n"


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    folder = tmp_path_factory.mktemp("work")
    shutil.copy(SPECS / "tiny.cim", folder)
    (folder / "base.cim").write_text(BASE, encoding="utf-8")
    editor = Editor(folder)
    yield editor
    assert editor.close() == 0


def test_what_it_says_it_can_do(editor):
    offers = editor.server.capabilities
    assert offers.text_document_sync.change == types.TextDocumentSyncKind.Full
    assert offers.completion_provider
    assert offers.hover_provider
    assert offers.definition_provider
    assert offers.rename_provider.prepare_provider
    assert offers.document_formatting_provider
    assert offers.code_action_provider


def test_diagnostics_are_those_of_validate_and_go_with_the_mistake(editor):
    wrong = TINY.replace("rows", "rwos", 1)
    editor.open("typing.cim", wrong)
    found = editor.diagnostics("typing.cim", bool)
    with pytest.raises(CimError) as said:
        validated(editor.folder / "typing.cim")
    assert [each.code for each in found] == [each.code for each in said.value.diagnostics]
    assert texts_at(wrong, found[:1]) == ["rwos"]
    assert said.value.diagnostics[0].message in found[0].message
    assert found[0].severity is types.DiagnosticSeverity.Error
    assert found[0].code_description.href.endswith(f"{found[0].code}.md")
    editor.change("typing.cim", TINY)  # not saved: the file still has the mistake
    assert editor.diagnostics("typing.cim", lambda each: not each) == []


def test_errors_of_an_imported_file_are_shown_there_from_its_unsaved_text(editor):
    editor.open("part.cim", "let side = 8\n")
    editor.open("whole.cim", TINY + '\nimport "part.cim"\n')
    editor.diagnostics("whole.cim", lambda each: not each)
    editor.change("part.cim", "let side = 8 us + 3 pJ\n")
    found = editor.diagnostics("part.cim", lambda each: any(one.code == "CIM224" for one in each))
    assert not [each for each in editor.shown[editor.uri("whole.cim")] if each.code == "CIM224"]
    editor.change("part.cim", "let side = 8\n")
    editor.diagnostics("part.cim", lambda each: not any(one.code == "CIM224" for one in each))
    assert found


def test_a_second_place_is_related(editor):
    text = TINY + "\nlet a = 1\nlet a = 2\n"
    editor.open("twice.cim", text)
    (found,) = editor.diagnostics("twice.cim", bool)
    (related,) = found.related_information
    assert related.message == "first defined here"
    assert related.location.uri == editor.uri("twice.cim")
    assert related.location.range.start.line == found.range.start.line - 1


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("chip a {\n  crossbar { rows = 64; col|", "columns"),
        ("chip a {\n  crossbar { encoding = |", "differential_columns"),
        ("chip a { crossbar { read_latency = 1.4 |", "ps"),
        ('import "tiny.cim"\nchip a extends |', "a"),
        ('import library("chips/is|', "chips/isaac.cim"),
        ('import "ba|', "base.cim"),
        ('import "base.cim"\nchip a { crossbar { rows = si|', "side"),
        ('import "base.cim"\nmodel m {\n  input 1 x 8 x 8\n  ha|', "half"),
        ("model m {\n  input 1 x 8 x 8\n  conv2d stem { channels = 8 }\n  relu\n  add from s|", "stem"),
        ("search { methods = [evo|", "evolution"),
        ("search { require accuracy|", "accuracy"),
        ("sweep chip.adc.bi|", "bits"),
        ("# Größe 𝄞\nlet b = 3 # 𝄞\nlet a𝄞 = 1; let c = lo|", "log2"),
    ],
)
def test_completion_in_half_written_text(editor, text, first):
    text, at = marked(text)
    name = "half.cim"
    editor.open(name, text, saved=False) if name not in editor.versions else editor.change(name, text)
    found = editor.ask("completion", name, at)
    assert found.items[0].label == first
    assert edited(text, []) == text


def test_a_completion_replaces_the_word_and_says_what_it_is(editor):
    text, at = marked("chip a { crossbar { col|")
    editor.open("replace.cim", text, saved=False)
    item = editor.ask("completion", "replace.cim", at).items[0]
    assert edited(text, [item.text_edit]) == "chip a { crossbar { columns = "
    assert "whole number" in item.detail
    assert "`chip.crossbar`" in item.documentation.value


@pytest.mark.parametrize(("name", "written"), [("accuracy", "accuracy >= "), ("accuracy_l", "accuracy_loss <= ")])
def test_a_completed_bound_has_its_comparison(editor, name, written):
    text, at = marked(f"search {{ require {name}|")
    editor.open(f"{name}.cim", text, saved=False)
    item = editor.ask("completion", f"{name}.cim", at).items[0]
    assert edited(text, [item.text_edit]) == f"search {{ require {written}"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("chip a { adc { bi|ts = 8 } }", "from 1 to 16"),
        ("chip a { crossbar { encoding = off|set } }", "offset"),
        ("let side = 64\nlet twice = 2 * side\nlet more = tw|ice", "= 128"),
        ("let t_cycle = 1.4 us + 2 * 300 ns\nchip a { crossbar { read_latency = t_|cycle } }", "= 2 us"),
        ("# see CIM|301", "CIM301: "),
        ("model m {\n  con|v2d c { channels = 3 }\n}", "channels"),
    ],
)
def test_hover(editor, text, says):
    text, at = marked(text)
    name = "hover.cim"
    editor.open(name, text, saved=False) if name not in editor.versions else editor.change(name, text)
    assert says in editor.ask("hover", name, at).contents.value


def test_hover_of_a_layer_says_its_shapes(editor):
    text = TINY
    line = next(number for number, line in enumerate(text.split("\n")) if "conv2d" in line)
    editor.open("shapes.cim", text)
    editor.diagnostics("shapes.cim", lambda each: not each)
    at = types.Position(line, text.split("\n")[line].index("conv2d") + 8)
    graph = validated(editor.folder / "shapes.cim").graph
    layer = next(each for each in graph.layers if type(each.op).__name__ == "Conv2d")
    shape = " x ".join(map(str, layer.shape))
    assert f"-> {shape}" in editor.ask("hover", "shapes.cim", at).contents.value


USES = """import "base.cim"
model m {
  input 1 x 8 x 8
  half s1(side)
  repeat i in 1..2 {
    let width = i * 2
    half r(channels = width) from s1_c
  }
  linear f { features = 10 }
}
search { keep s1_c at 8 bit, 8 bit; keep f at 8, 8 }
"""


@pytest.mark.parametrize(
    ("mark", "file", "line", "word"),
    [
        ("(si|de)", "base.cim", 0, "side"),
        ("ha|lf s1", "base.cim", 1, "half"),
        ("from s1_|c", "base.cim", 2, "c"),
        ("from s|1_c", "uses.cim", 3, "s1"),
        ("(channel|s =", "base.cim", 1, "channels"),
        ("= wid|th)", "uses.cim", 5, "width"),
        ("width = i| *", "uses.cim", 4, "i"),
        ("keep f| at", "uses.cim", 8, "f"),
        ("keep s1_|c at", "base.cim", 2, "c"),
    ],
)
def test_definition(editor, mark, file, line, word):
    plain = mark.replace("|", "")
    text, at = marked(USES.replace(plain, mark, 1))
    if "uses.cim" not in editor.versions:
        editor.open("uses.cim", text)
    found = editor.ask("definition", "uses.cim", at)
    assert found.uri == editor.uri(file)
    assert found.range.start.line == line
    assert texts_at({"base.cim": BASE, "uses.cim": USES}[file], [found]) == [word]


def test_definition_of_a_path_is_the_file(editor):
    text, at = marked('import "ba|se.cim"\n')
    editor.open("path.cim", text, saved=False)
    assert editor.ask("definition", "path.cim", at).uri == editor.uri("base.cim")


def test_rename_changes_all_open_files_that_speak_of_it(editor):
    editor.open("base.cim", BASE)
    editor.open("uses2.cim", USES)
    _, at = marked(BASE.replace("conv2d c", "conv2d |c"))
    edits = editor.ask("rename", "base.cim", at, new_name="squeeze").changes
    assert edited(BASE, edits[editor.uri("base.cim")]) == BASE.replace("conv2d c ", "conv2d squeeze ")
    assert edited(USES, edits[editor.uri("uses2.cim")]) == USES.replace("s1_c", "s1_squeeze")
    _, at = marked(BASE.replace("side", "|side"))
    edits = editor.ask("rename", "base.cim", at, new_name="width_of_all").changes
    assert edited(USES, edits[editor.uri("uses2.cim")]) == USES.replace("side", "width_of_all")


@pytest.mark.parametrize("name", ["2d", "us", "a b", "min"])
def test_a_name_that_cannot_be_is_refused(editor, name):
    text, at = marked("let si|de = 3\n")
    if "refused.cim" not in editor.versions:
        editor.open("refused.cim", text, saved=False)
    with pytest.raises(Exception, match=f"`{name}`"):
        editor.ask("rename", "refused.cim", at, new_name=name)


def test_references(editor):
    text, at = marked("let si|de = 3\nchip a { crossbar { rows = side; columns = 2 * side } }\n")
    editor.open("references.cim", text, saved=False)
    found = editor.ask("references", "references.cim", at, context=types.ReferenceContext(include_declaration=False))
    assert texts_at(text, found) == ["side", "side"]
    assert [each.range.start.line for each in found] == [1, 1]


def test_formatting_gives_the_canonical_form(editor):
    text = "chip a {\n    crossbar{rows=64 ; columns = 64}\n}\n# the end\n"
    editor.open("format.cim", text, saved=False)
    params = types.DocumentFormattingParams(editor.document("format.cim"), types.FormattingOptions(2, True))
    edits = editor.run(editor.client.text_document_formatting_async(params))
    assert edited(text, edits) == format_text(text) != text


def test_a_quick_fix_mends_the_mistake(editor):
    wrong = TINY.replace("columns = ", "colums = ", 1)
    editor.open("mend.cim", wrong)
    (found, *_) = editor.diagnostics("mend.cim", bool)
    params = types.CodeActionParams(editor.document("mend.cim"), found.range, types.CodeActionContext([found]))
    (action,) = editor.run(editor.client.text_document_code_action_async(params))
    assert edited(wrong, action.edit.changes[editor.uri("mend.cim")]) == TINY


def test_the_outline_is_a_tree(editor):
    editor.open("outline.cim", USES, saved=False)
    params = types.DocumentSymbolParams(editor.document("outline.cim"))
    found = editor.run(editor.client.text_document_document_symbol_async(params))
    assert [each.name for each in found] == ["m", "search"]
    assert [each.name for each in found[0].children] == ["input", "s1", "i", "f"]
    assert [each.name for each in found[0].children[2].children] == ["width", "r"]
    assert found[0].range.end == types.Position(9, 1)


def test_a_document_that_is_closed_shows_nothing(editor):
    editor.open("closed.cim", "chip {", saved=False)
    editor.diagnostics("closed.cim", bool)
    editor.shut("closed.cim")
    assert editor.diagnostics("closed.cim", lambda each: not each) == []
