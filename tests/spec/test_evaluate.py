"""Lets and arithmetic: values from the arithmetic of Python's fractions, dimensions, and where errors are."""

import re
from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimspec.diag import CimError, Diagnostics, Source, Span
from cimspec.lang import Quantity, parse_value
from cimspec.spec.dimensions import PLAIN, spell_dimension, written_quantity
from cimspec.spec.evaluate import Evaluator
from cimspec.spec.reserved import taken_words
from cimspec.spec.scopes import Named, Scope
from cimspec.units import Dimension
from tests.spec.conftest import CHIP, MODEL


def value_of(text: str, **names: Quantity):
    diagnostics = Diagnostics()
    value = parse_value(Source("value", text), 0, diagnostics)
    assert value is not None, diagnostics.all
    scope = Scope({name: Named(quantity, quantity.span) for name, quantity in names.items()})
    found = Evaluator(diagnostics).value(value, scope)
    diagnostics.raise_if_errors()
    return found


def number(text: str, **names: Quantity) -> tuple[Fraction, object]:
    found = value_of(f"({text}) + 0 * ({text})", **names)
    assert isinstance(found, Quantity)
    return found.value, found.dimension


def errors_of(text: str) -> list[tuple[str, int, str]]:
    with pytest.raises(CimError) as caught:
        value_of(text)
    return [(found.code, found.span.column, found.span.text) for found in caught.value.diagnostics]


@pytest.mark.parametrize(
    ("text", "value", "dimension"),
    [
        ("1.4 us + 4 * 1.2 ns / 2", Fraction("1402.4"), ((Dimension.TIME, 1),)),
        ("56 us", 56000, ((Dimension.TIME, 1),)),
        ("2 + 3 * 4 ^ 2 / 6", 10, PLAIN),
        ("2 ^ 3 ^ 2", 512, PLAIN),
        ("-2 ^ 2", -4, PLAIN),
        ("(1 - 4) / 3 - -1", 0, PLAIN),
        ("2 ^ -3", Fraction(1, 8), PLAIN),
        ("6 pJ / 2 ns", 3, ((Dimension.ENERGY, 1), (Dimension.TIME, -1))),
        ("6 pJ / 2 ns * 1 us", 3000, ((Dimension.ENERGY, 1),)),
        ("1 us / 1 ns", 1000, PLAIN),
        ("(3 ns)^2", 9, ((Dimension.TIME, 2),)),
        ("10 % * 30 ns", 3, ((Dimension.TIME, 1),)),
        ("0.1 + 0.2", Fraction(3, 10), PLAIN),
        ("min(3 ns, 2 ns)", 2, ((Dimension.TIME, 1),)),
        ("max([3, 7, 5])", 7, PLAIN),
        ("ceil(7 / 2) + floor(7 / 2)", 7, PLAIN),
        ("log2(1024)", 10, PLAIN),
        ("log2(1 / 8)", -3, PLAIN),
        ("ceil(log2(1025))", 11, PLAIN),
        ("ceil(log2(2 ^ 80 + 1))", 81, PLAIN),
        ("0 ^ 0", 1, PLAIN),
        ("(0 - 1) ^ 1000000001", -1, PLAIN),
    ],
)
def test_arithmetic_is_exact(text, value, dimension):
    assert number(text) == (value, dimension)


LEAVES = st.integers(0, 50).map(str) | st.decimals(0, 50, places=3).map(str)
EXPRESSIONS = st.recursive(
    LEAVES, lambda inner: st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda parts: f"({' '.join(parts)})")
)


@settings(max_examples=200, deadline=None)
@given(EXPRESSIONS)
def test_arithmetic_is_that_of_fractions(text: str):
    expected = eval(re.sub(r"[\d.]+", lambda match: f"Fraction('{match.group()}')", text), {"Fraction": Fraction})
    if abs(expected) < 10**29:
        assert number(text)[0] == expected


@settings(max_examples=200, deadline=None)
@given(st.fractions(min_value=Fraction(1, 10**4), max_value=10**6, max_denominator=10**4))
def test_rounding_and_logarithms_are_right(value: Fraction):
    text = f"{value.numerator} / {value.denominator}"
    assert number(f"ceil({text})")[0] == ceil(value)
    assert number(f"floor({text})")[0] == floor(value)
    whole = number(f"floor(log2({text}))")[0]
    assert Fraction(2) ** int(whole) <= value < Fraction(2) ** int(whole + 1)


@settings(max_examples=200, deadline=None)
@given(
    st.fractions(max_denominator=10**6, min_value=-(10**9), max_value=10**9),
    st.dictionaries(st.sampled_from(sorted(set(Dimension) - {Dimension.SHARE})), st.integers(-3, 3).filter(bool)),
)
def test_a_quantity_reads_back_to_itself(value: Fraction, powers: dict):
    dimension = tuple(sorted(powers.items()))
    source = Source("value", "1")
    found = number(written_quantity(Quantity(value, dimension, Span(source, 0, 1))))
    assert found == (value, dimension)


@pytest.mark.parametrize(
    ("text", "code", "column"),
    [
        ("56 us + 3 pJ", "CIM224", 9),
        ("1 / (3 - 3)", "CIM226", 1),
        ("2 ^ 0.5", "CIM226", 5),
        ("2 ^ (1 ns)", "CIM224", 6),
        ("10 ^ 31", "CIM227", 1),
        ("(1 / 3) ^ 500", "CIM227", 1),
        ("2 * nothing", "CIM220", 5),
        ("2 * min([1, [2]])", "CIM225", 13),
        ("ceil(1, 2)", "CIM228", 1),
        ("3 parsec * 2", "CIM211", 3),
    ],
)
def test_what_comes_to_nothing_is_told_at_its_place(text, code, column):
    assert [(found, at) for found, at, _ in errors_of(text)] == [(code, column)]


def test_a_dimension_in_words():
    time, energy = Dimension.TIME, Dimension.ENERGY
    assert spell_dimension(((energy, 1), (time, -1))) == "energy / time"
    assert spell_dimension(((time, -2),)) == "1 / time^2"
    assert spell_dimension(PLAIN) == "a plain number"


LETS = """
let t_cycle = t_read + 4 * 1.2 ns / 2
let t_read = 1.4 us
let side = 2 ^ 6
let shape = 1 x side x side
let adc_bits = 8
"""


def test_lets_may_stand_in_any_order_and_reach_every_kind_of_field(loaded):
    text = (
        'import "base.cim"'
        + LETS
        + """
    chip small extends base {
      crossbar { rows = side; let half = side / 2; columns = half; read_latency = t_cycle }
      adc { bits = adc_bits - 1 }
    }
    model m {
      let wide = 4
      input { shape = shape }
      let wider = wide * 2
      conv2d c1 { channels = wider; kernel = wide - 1 x 3; padding = [1, wide - 3, 0, 0] }
    }
    """
    )
    spec = loaded(text, base=CHIP).spec
    crossbar = spec.chip.crossbar
    assert (crossbar.rows, crossbar.columns, crossbar.read_latency_ns, spec.chip.adc.bits) == (64, 32, 1402.4, 7)
    image, conv = (layer.op for layer in spec.model.layers)
    assert (image.shape, conv.channels, conv.kernel, conv.padding) == ((1, 64, 64), 8, (3, 3), (1, 1, 0, 0))


def test_lets_come_from_imports_and_own_ones_hide_them(loaded):
    main = 'import "a.cim"\nlet side = 16\nchip c extends base { crossbar { rows = side; columns = far } }' + MODEL
    spec = loaded(main, a='import "b.cim"\nlet side = 128\n' + CHIP, b="let far = 32\nlet side = 3").spec
    assert (spec.chip.crossbar.rows, spec.chip.crossbar.columns) == (16, 32)


def test_a_let_that_two_imports_have_from_one_file_is_one(loaded):
    main = 'import "a.cim"\nimport "b.cim"\nchip c extends base { crossbar { rows = side } }' + MODEL
    files = {"a": 'import "c.cim"', "b": 'import "c.cim"', "c": "let side = 16\n" + CHIP}
    assert loaded(main, **files).spec.chip.crossbar.rows == 16


def test_an_expression_means_what_it_does_in_its_own_file(loaded):
    main = 'import "base.cim"\nlet side = 16\n' + MODEL
    base = "let side = 32\n" + CHIP.replace("rows = 64", "rows = side * 2")
    assert loaded(main, base=base).spec.chip.crossbar.rows == 64


def test_a_let_of_the_file_itself_can_be_set(loaded):
    text = "let side = 64\nlet half = side / 2\n" + CHIP.replace("columns = 64", "columns = half") + MODEL
    assert loaded(text).spec.chip.crossbar.columns == 32
    assert loaded(text, "let.side=2 * 64").spec.chip.crossbar.columns == 64
    assert loaded(text, "chip.crossbar.rows=side * 2").spec.chip.crossbar.rows == 128
    for override in ("let.sid=3", "let=3", "let.side.x=3"):
        with pytest.raises(CimError) as caught:
            loaded(text, override)
        assert [found.code for found in caught.value.diagnostics] == ["CIM207"]


def test_an_imported_let_cannot_be_set(loaded):
    with pytest.raises(CimError) as caught:
        loaded('import "base.cim"' + MODEL, "let.side=3", base="let side = 64\n" + CHIP)
    assert [found.code for found in caught.value.diagnostics] == ["CIM207"]


def test_a_path_in_a_let_belongs_to_the_file_where_it_is_written(loaded, tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "cells.csv").write_text(
        "level,mean,sigma\n0,1e-6,1e-7\n1,4e-6,1e-7\n2,7e-6,2e-7\n3,9e-6,2e-7\n"
    )
    (tmp_path / "parts" / "names.cim").write_text('let cells = "cells.csv"\nlet secret = "../secret.csv"\n')
    text = 'import "parts/names.cim"' + CHIP.replace("adc {", "device { table = cells }; adc {") + MODEL
    assert loaded(text).spec.chip.device.table is not None
    with pytest.raises(CimError) as caught:
        loaded(text.replace("table = cells", "table = secret"))
    assert [found.code for found in caught.value.diagnostics] == ["CIM115"]


def test_words_that_are_options_are_none_of_ours():
    for word in ("offset", "latency", "rl", "ns", "bit", "max", "true", "library", "digits"):
        assert (word in taken_words()) == (word != "digits")


def test_a_wrong_let_is_told_once_however_often_it_is_used(loaded):
    text = "let a = 1 / 0\nlet b = a * 2\n" + CHIP.replace("rows = 64", "rows = b").replace(
        "columns = 64", "columns = a"
    )
    with pytest.raises(CimError) as caught:
        loaded(text + MODEL)
    assert [(found.code, found.span.line) for found in caught.value.diagnostics] == [("CIM226", 1)]
