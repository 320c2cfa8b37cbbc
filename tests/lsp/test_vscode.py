"""The extension for VS Code: its files are what the editor takes, its words are the language's."""

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from cimspec.lang.highlight import CONTROL, DECLARATIONS, FUNCTIONS
from cimspec.spec.layers import OPS
from cimspec.spec.reserved import FUNCTIONS as KNOWN_FUNCTIONS
from cimspec.spec.resolve import INNER, KINDS
from cimspec.units import UNITS

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "editors/vscode"
PACKAGE = json.loads((FOLDER / "package.json").read_text(encoding="utf-8"))
GRAMMAR = json.loads((FOLDER / "syntaxes/cim.tmLanguage.json").read_text(encoding="utf-8"))
RULES = GRAMMAR["repository"]


def rules(node=GRAMMAR):
    """All rules with a pattern of their own."""
    if isinstance(node, dict):
        if "match" in node:
            yield node
        for inner in node.values():
            yield from rules(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from rules(inner)


def in_order(patterns=GRAMMAR["patterns"]):
    """The rules in the order in which they are tried."""
    for each in patterns:
        if "include" in each:
            rule = RULES[each["include"][1:]]
            yield from in_order(rule.get("patterns", [rule]))
        else:
            yield each


def scope(text, word):
    """What a word of a line is: of the rules that match first, the first in order takes the text."""
    at = 0
    while at < len(text):
        matches = [(match, rule) for rule in in_order() if (match := re.compile(rule["match"]).search(text, at))]
        match, rule = min(matches, key=lambda each: each[0].start())
        for number in range(1, (match.lastindex or 0) + 1):
            if match[number] == word:
                return rule["captures"][str(number)]["name"]
        if match[0].strip() == word:
            return rule["name"]
        at = max(match.end(), at + 1)
    return None


def listed(rule, group=1):
    """The words in the alternatives of a rule."""
    found = re.findall(r"\((?:\?:)?((?:\w+\|)+\w+)\)", rule["match"])
    return set(found[group - 1].split("|"))


def test_every_pattern_compiles():
    found = list(rules())
    assert len(found) > 10
    for rule in found:
        groups = re.compile(rule["match"]).groups
        assert {int(number) for number in rule.get("captures", {})} <= set(range(groups + 1))


def test_every_include_is_there():
    text = json.dumps(GRAMMAR)
    assert set(re.findall(r'"include": "#(\w+)"', text)) == set(RULES)


def test_words_are_those_of_the_language():
    statements = listed(RULES["declaration"]) | listed(RULES["control"])
    blocks_of_chips = {word for word, block in INNER.items() if block == "chip"}
    assert statements == {*KINDS, *INNER} - blocks_of_chips == {*DECLARATIONS, *CONTROL}
    assert listed(RULES["named"]) == set(DECLARATIONS) - {"sweep"}
    assert listed(RULES["layer"]) == set(OPS)
    assert listed(RULES["number"]["patterns"][0]) | {"%"} == set(UNITS)
    assert listed(RULES["value"]["patterns"][3]) == set(KNOWN_FUNCTIONS) == set(FUNCTIONS)


@pytest.mark.parametrize(
    ("text", "word", "name"),
    [
        ("chip small extends base {", "chip", "keyword.declaration.cim"),
        ("chip small extends base {", "small", "entity.name.type.cim"),
        ("chip small extends base {", "extends", "keyword.other.cim"),
        ("  read_latency = 1.4 us", "read_latency", "variable.other.member.cim"),
        ("  read_latency = 1.4 us", "us", "keyword.other.unit.cim"),
        ("  noise = 5 %", "%", "keyword.other.unit.cim"),
        ("  conv2d c1 { channels = 8 }", "conv2d", "support.type.layer.cim"),
        ("  crossbar { rows = 64 }", "crossbar", "support.class.part.cim"),
        ("sweep chip.adc.bits = 4..8", "chip.adc.bits", "variable.other.member.cim"),
        ("  input 1 x 28 x 28", "x", "keyword.operator.cim"),
        ('import "a.cim"', '"a.cim"', "string.quoted.double.cim"),
        ("rows = 64  # many", "# many", "comment.line.number-sign.cim"),
        ("let b = max(a, 2)", "max", "support.function.cim"),
    ],
)
def test_what_words_are(text, word, name):
    assert scope(text, word) == name


def test_the_package_names_files_that_are_there():
    paths = [PACKAGE["main"], *(each["configuration"] for each in PACKAGE["contributes"]["languages"])]
    paths += [each["path"] for each in PACKAGE["contributes"]["grammars"]]
    assert all((FOLDER / path).is_file() for path in paths)
    configuration = json.loads((FOLDER / "language-configuration.json").read_text(encoding="utf-8"))
    for rule in configuration["indentationRules"].values():
        re.compile(rule)
    assert PACKAGE["contributes"]["grammars"][0]["scopeName"] == GRAMMAR["scopeName"]
    assert (FOLDER / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_the_version_is_that_of_cimspec():
    with (ROOT / "pyproject.toml").open("rb") as file:
        assert PACKAGE["version"] == tomllib.load(file)["project"]["version"]


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
def test_the_script_is_javascript():
    subprocess.run(["node", "--check", FOLDER / "src/extension.js"], check=True, capture_output=True)
