"""`cimspec validate --fix`: every kind of fix makes its file valid, and nothing else is touched."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cimspec.cli.app import app

runner = CliRunner()
BASE = """\
chip c {
  crossbar {
    rows = 32
    columns = 32
    cell = 2 bit
    encoding = differential_columns
    write_latency = 56 us
    read_latency = 1.4 us; read_energy = 1 pJ
  }
  adc { bits = 7 }
  weights = reloaded
}
block pair(channels, stride = 1) {
  conv2d c1 { channels = channels; kernel = 3; stride = stride; padding = 1 }
  relu r from c1
}
model m {
  input 1 x 8 x 8 { signed = false }
  pair first(4, stride = 2)
  repeat i in 1..2 { relu }
  linear f1 from first { features = 10 }
}
let seconds = 2
data digits = builtin("digits")
training { epochs = 10; finetune_epochs = 1 + seconds }
search {
  weight_bits = 2..8
  activation_bits = [2, 4, 8]
  keep f1 at 8 bit, 8 bit
  minimize latency * energy^0.5
  require accuracy_loss <= 0.1 pp
  require accuracy >= 90 %
  budget = 30 evaluations
  methods = [rl, random]
}
"""
MISTAKES = {
    "field": ("rows = 32", "row = 32"),
    "field, by its name inside": ("cell = 2 bit", "cell_bits = 2 bit"),
    "option": ("differential_columns", "diferential_columns"),
    "option of a product": ("* energy^", "* enrgy^"),
    "option in a list": ("[rl, random]", "[rl, randon]"),
    "layer": ("  linear f1", "  dense f1"),
    "layer after from": ("from first", "from frist"),
    "layer after from, in a block": ("r from c1", "r from c11"),
    "layer after keep": ("keep f1", "keep f11"),
    "block": ("  pair first", "  pairs first"),
    "parameter": ("(4, stride = 2)", "(4, strid = 2)"),
    "name in arithmetic": ("1 + seconds", "1 + second"),
    "function": ('builtin("digits")', 'buildin("digits")'),
    "statement": ("training {", "trainings {"),
    "micro sign": ("1.4 us", "1.4 \N{MICRO SIGN}s"),
    "Greek letter": ("1.4 us", "1.4 \N{GREEK SMALL LETTER MU}s"),
    "unit": ("30 evaluations", "30 evaluatoins"),
    "unit, a letter twice": ("56 us", "56 uss"),
    "range": ("2..8", "8..2"),
    "range of a repeat": ("1..2", "2..1"),
    "colon": ("rows = 32", "rows: 32"),
    "colon in a call": ("stride = 2)", "stride: 2)"),
    "colon before a block": ("adc {", "adc: {"),
    "colon and equals": ("rows = 32", "rows := 32"),
    "two equals": ("rows = 32", "rows == 32"),
    "no equals": ("rows = 32", "rows 32"),
    "no equals before an option": ("weights = reloaded", "weights reloaded"),
    "no equals before a unit": ("cell = 2 bit", "cell 2 bit"),
    "no equals of a let": ("let seconds = 2", "let seconds 2"),
    "equals before a block": ("adc {", "adc = {"),
    "comparison": ("<= 0.1 pp", "\N{LESS-THAN OR EQUAL TO} 0.1 pp"),
    "comparison turned": ("<= 0.1 pp", "=< 0.1 pp"),
    "strict comparison": ("<= 0.1 pp", "< 0.1 pp"),
    "strict comparison, the other way": (">= 90 %", "> 90 %"),
    "no comparison, the other way": (">= 90 %", "90 %"),
    "no comparison of a plain number": ("accuracy >= 90 %", "accuracy 0.9"),
    "equals for a comparison, the other way": (">= 90 %", "= 90 %"),
    "no comparison": ("<= 0.1 pp", "0.1 pp"),
    "equals for a comparison": ("<= 0.1 pp", "= 0.1 pp"),
    "single quotes": ('"digits"', "'digits'"),
    "typographic quotes": ('"digits"', "\N{LEFT DOUBLE QUOTATION MARK}digits\N{RIGHT DOUBLE QUOTATION MARK}"),
    "name in quotes": ("chip c {", 'chip "c" {'),
    "comma between fields": ("channels = channels; kernel", "channels = channels, kernel"),
    "comma after a field": ("rows = 32\n", "rows = 32,\n"),
    "nothing between fields": ("epochs = 10; fine", "epochs = 10 fine"),
    "no comma in a list": ("[2, 4, 8]", "[2, 4 8]"),
    "semicolon in a list": ("[2, 4, 8]", "[2, 4; 8]"),
    "other bracket": ("[2, 4, 8]", "[2, 4, 8)"),
    "three dots": ("2..8", "2...8"),
    "ellipsis": ("2..8", "2\N{HORIZONTAL ELLIPSIS}8"),
    "power": ("energy^0.5", "energy**0.5"),
    "product": ("latency * energy", "latency \N{MIDDLE DOT} energy"),
    "minus": ("1 + seconds", "5 \N{MINUS SIGN} seconds"),
    "comment": ("let seconds = 2", "// one\nlet seconds = 2  // two"),
    "full width": ("rows = 32", "rows \N{FULLWIDTH EQUALS SIGN} 32"),
    "blank": ("rows = 32", "rows\N{NO-BREAK SPACE}= 32"),
    "nothing to be seen": ("rows = 32", "ro\N{ZERO WIDTH SPACE}ws = 32"),
    "several": ("rows = 32\n    columns = 32", "row: 32,\n    column 32"),
}


def validate(path: Path, *arguments: str):
    return runner.invoke(app, ["validate", str(path), *arguments])


@pytest.fixture
def spec(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = Path("a.cim")
    path.write_text(BASE, encoding="utf-8")
    return path


def test_the_base_is_valid(spec):
    found = validate(spec, "--fix")
    assert found.exit_code == 0, found.output
    assert "nothing to fix" in found.output
    assert spec.read_text(encoding="utf-8") == BASE


@pytest.mark.parametrize("kind", MISTAKES)
def test_a_fix_makes_its_file_valid(kind, spec):
    right, wrong = MISTAKES[kind]
    assert BASE.count(right), kind
    spec.write_text(BASE.replace(right, wrong, 1), encoding="utf-8")
    assert validate(spec).exit_code == 1
    found = validate(spec, "--fix")
    assert found.exit_code == 0, found.output
    assert "fixed " in found.output
    assert validate(spec).exit_code == 0


@pytest.mark.parametrize(
    "wrong",
    [
        ("1.4 us", "1.4 fs"),  # `s` is close, and wrong by 10^15
        ("1.4 us", "1.4"),
        ("0.1 pp", "0.1 %"),
        ("rows = 32", "rows = 32 us"),
        ("1 x 8 x 8", "1 \N{MULTIPLICATION SIGN} 8 x 8"),
        ("f1 from first", "f1 from zzzzz"),
        ("rows = 32", "rows = 0"),
        ("rows = 32", "rows = 32; row = 32"),  # a second one is no spelling mistake of the first
        ("adc { bits = 7 }", "adc { bits = 7"),
    ],
)
def test_what_could_be_meant_in_two_ways_stays(wrong, spec):
    text = BASE.replace(*wrong, 1)
    spec.write_text(text, encoding="utf-8")
    found = validate(spec, "--fix")
    assert found.exit_code == 1
    assert "nothing to fix" in found.output
    assert spec.read_text(encoding="utf-8") == text


def test_imported_files_below_are_mended_and_shared_bytes_stay(spec):
    chip, rest = BASE.split("block ", 1)
    Path("parts").mkdir()
    part = Path("parts/chip.cim")
    part.write_bytes(b"\xef\xbb\xbf" + chip.replace("rows", "row").replace("\n", "\r\n").encode())
    part.chmod(0o640)
    spec.write_text(f'import "parts/chp.cim"\nimport library("models/lenet.cim")\nblock {rest}', encoding="utf-8")
    found = validate(spec, "--fix")
    assert found.exit_code == 0, found.output
    assert 'a.cim:1:8: replace `"parts/chp.cim"` by `"parts/chip.cim"`' in found.output
    assert "parts/chip.cim:3:5: replace `row` by `rows`" in found.output
    assert part.read_bytes() == b"\xef\xbb\xbf" + chip.replace("\n", "\r\n").encode()
    assert part.stat().st_mode & 0o777 == 0o640
    assert 'import library("models/lenet5.cim")' in spec.read_text(encoding="utf-8")
    assert [path.name for path in Path("parts").iterdir()] == ["chip.cim"]


def test_files_of_the_library_stay(tmp_path, monkeypatch):
    library = tmp_path / "library"
    shutil.copytree(Path(__file__).parents[2] / "cimspec" / "library", library)
    monkeypatch.setattr("cimspec.spec.library.FOLDER", library)
    chip = library / "chips" / "rram_64.cim"
    chip.write_text(chip.read_text(encoding="utf-8").replace("rows", "row"), encoding="utf-8")
    before = chip.read_text(encoding="utf-8")
    spec = tmp_path / "a.cim"
    spec.write_text('import library("chips/rram_64.cim")\nimport library("models/lenet5.cim")\n', encoding="utf-8")
    found = validate(spec, "--fix")
    assert found.exit_code == 1
    assert chip.read_text(encoding="utf-8") == before


def test_overrides_stay(spec):
    found = validate(spec, "--fix", "--set", "chip.adc.bit=6")
    assert found.exit_code == 1
    assert "nothing to fix" in found.output
    assert spec.read_text(encoding="utf-8") == BASE


def test_fixes_are_listed_as_json(spec):
    spec.write_text(BASE.replace("rows = 32", "row: 32"), encoding="utf-8")
    (found,) = json.loads(validate(spec, "--format", "json").stdout)
    assert found["fixes"] == [
        {
            "file": "a.cim",
            "line": 3,
            "column": 8,
            "end_line": 3,
            "end_column": 9,
            "replacement": " =",
            "title": "replace `:` by `=`",
        }
    ]
