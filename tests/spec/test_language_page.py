"""What docs/language.md shows is the language: every example parses, whole ones load."""

import re
from pathlib import Path

import pytest

from cimspec.diag import Diagnostics, Source
from cimspec.lang import parse
from tests.spec.conftest import CHIP

PAGE = (Path(__file__).parents[2] / "docs/language.md").read_text(encoding="utf-8")
EXAMPLES = [match.group() for match in re.finditer(r"(?m)(?:^    .*\n+)+", PAGE)]


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_is_written_right(number):
    diagnostics = Diagnostics()
    assert parse(Source("language.md", EXAMPLES[number]), diagnostics).statements
    assert diagnostics.all == ()


def test_the_first_example_is_a_whole_spec(loaded):
    assert len(loaded(EXAMPLES[0]).points) == 3


def test_the_example_of_a_block_has_the_names_that_the_page_says(loaded):
    (example,) = (each for each in EXAMPLES if "block residual" in each)
    names = [layer.name for layer in loaded(example + CHIP).spec.model.layers]
    assert names[2:6] == ["s1_c1", "s1_relu2", "s1_c2", "s1_add4"]
    assert names[-1] == "residual1_add4"


def test_the_example_of_a_network_has_the_name_that_the_page_says(loaded):
    (example,) = (each for each in EXAMPLES if "conv2d c2" in each and "block" not in each)
    assert loaded(example + CHIP).spec.model.layers[-1].name == "add5"
