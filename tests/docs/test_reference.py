"""The manual is up to date, and holds everything."""

import pytest

from cimspec.docs import reference, statements
from cimspec.docs.markdown import anchor, table
from cimspec.spec.describe import blocks
from cimspec.spec.reserved import FUNCTIONS
from cimspec.units import UNITS


@pytest.fixture(scope="module")
def page() -> str:
    return reference.page()


def test_it_is_up_to_date(page):
    assert reference.PAGE.read_text(encoding="utf-8") == page, "run `python -m cimspec.docs.reference`"


def test_it_has_every_field_option_and_unit(page):
    for info in blocks():
        assert info.form in page
        for field in info.fields:
            assert f"| `{field.name}` | {field.meaning.replace('|', chr(92) + '|')} |" in page
            assert all(f"| `{option.word}` | {option.meaning} |" in page for option in field.options)
    assert all(f"`{unit}`" in page for unit in UNITS)


def test_it_has_every_function():
    assert [row[0].strip("`").partition("(")[0] for row in statements.FUNCTIONS] == list(FUNCTIONS)


def test_its_contents_lead_somewhere(page):
    headings = {anchor(line.lstrip("# ")) for line in page.splitlines() if line.startswith("##")}
    links = {part.partition(")")[0] for part in page.split("](#")[1:]}
    assert links <= headings


def test_out_of_date_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(reference, "PAGE", tmp_path / "reference.md")
    assert reference.main(["--check"]) == 1
    assert "python -m cimspec.docs.reference" in capsys.readouterr().err
    assert reference.main([]) == 0
    assert reference.main(["--check"]) == 0


def test_a_bar_in_a_cell_does_not_end_it():
    assert table(("a",), [("x | y",)]).splitlines()[-1] == "| x \\| y |"
