"""Files of 60 KB that are one mistake after the other: told in a second, however many names could have been meant."""

import time

import pytest

from cimspec.diag import CimError, render
from tests.spec.conftest import CHIP, MODEL

GOOD = CHIP + MODEL


def lines(pattern: str, count: int) -> str:
    """A line many times, `#` in it replaced by a number."""
    return "".join(pattern.replace("#", str(number)) + "\n" for number in range(count))


def model(body: str) -> str:
    return f"{CHIP}model m {{ input 4\n{body}}}\n"


MISTAKES = {
    "statements": (lines("z#", 9500), "CIM201"),
    "fields": (GOOD.replace("adc", lines("z# = 1", 6000) + "adc"), "CIM203"),
    "fields set twice": (GOOD.replace("adc", lines("weights = resident", 3000) + "adc"), "CIM209"),
    "layers": (model(lines("z#", 9500)), "CIM202"),
    "layers of one name": (model(lines("relu r", 8000)), "CIM209"),
    "sources": (model(lines("relu from z#", 4000)), "CIM402"),
    "sources among named layers": (model(lines("relu a#\nrelu from z#", 2400)), "CIM402"),
    "sources in a block": (
        "block b(n) {\n" + lines("relu a#\nrelu from z#", 2200) + "}\n" + model("relu; b(1)\n"),
        "CIM402",
    ),
    "names in arithmetic": (GOOD + lines("let a# = 1", 2200) + lines("let b# = 1 + c#", 1500), "CIM220"),
    "units": (GOOD + lines("let a# = 1 + 1 u#", 2500), "CIM211"),
    "options": (GOOD + "search { methods = [" + ",".join(f"r{number}" for number in range(9000)) + "] }", "CIM204"),
    "metrics": (GOOD + "search { pareto " + ",".join(f"r{number}" for number in range(9000)) + " }", "CIM204"),
    "kept layers": (
        model("repeat 5000 { linear { features = 4 } }")
        + 'data d = builtin("digits")\nsearch { weight_bits = 2..8; activation_bits = 2..8\n'
        + "require accuracy_loss <= 1 pp\n"
        + lines("keep c# at 8 bit, 8 bit", 2200)
        + "}",
        "CIM607",
    ),
    "paths": (GOOD + lines("sweep chip.q#.z = 3", 2700), "CIM207"),
    "bases": (GOOD + lines("chip c# extends d# { }", 2300) + "chip z extends y { }", "CIM216"),
    "imports": (lines('import "f#.cim"', 3400), "CIM110"),
    "imports of the library": (lines('import library("f#")', 2700), "CIM239"),
    "blocks": (lines("block b#(x#) { q#(1) }", 1600) + model(lines("b#(1)", 1600)), "CIM230"),
    "parameters": ("block b(n) { relu }\n" + model(lines("b(1, m# = 1)", 3800)), "CIM231"),
    "blocks in rounds": (model("repeat 5000 { repeat 3 {\n" + lines("zz(1)", 7000) + "} }\n"), "CIM230"),
    "arguments in rounds": (
        "block b(n) { relu }\n" + model("repeat 5000 { repeat 3 {\n" + lines("b(1, m = 1)", 3500) + "} }\n"),
        "CIM231",
    ),
    "fields in rounds": (model("repeat 5000 { repeat 3 {\n" + lines("rows = 1", 5000) + "} }\n"), "CIM234"),
    "names in rounds": (model("repeat 5000 { repeat 3 {\n" + lines("let x = 1", 5000) + "} }\n"), "CIM222"),
    "arithmetic in rounds": (model("repeat 5000 { repeat 3 {\n" + lines("let a# = 1 + c", 3500) + "} }\n"), "CIM220"),
    "texts that are not closed": (lines('a = "', 10_000), "CIM102"),
    "characters": (lines("$ # ?", 7000), "CIM105"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_many_mistakes_are_told_in_a_second(loaded, name):
    text, code = MISTAKES[name]
    assert len(text) < 66_000
    started = time.process_time()
    with pytest.raises(CimError) as caught:
        loaded(text)
    found = caught.value.diagnostics
    assert code in {each.code for each in found}
    assert len(found) <= 201
    assert len(render(found)) < 1_000_000
    assert time.process_time() - started < 3  # a second, on a machine that does something else as well
