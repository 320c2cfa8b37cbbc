"""Every block, field and option is described; the descriptions are what the checks go by."""

import pytest

from cimspec.diag import CimError
from cimspec.spec import Crossbar, Method
from cimspec.spec.describe import block, blocks, describe
from cimspec.spec.layers import OPS

FIELDS = [field for info in blocks() for field in info.fields]


@pytest.mark.parametrize("info", blocks(), ids=lambda info: info.path)
def test_a_block_says_what_it_is_and_how_it_is_written(info):
    assert info.meaning.endswith(".")
    assert info.name in info.form


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.path)
def test_a_field_says_what_it_means(field):
    assert field.meaning
    assert not field.meaning.endswith(".")
    assert all(option.meaning for option in field.options), 'say what the word means: `WORD = "word", "meaning"`'
    assert field.is_required or field.default is None or field.default.strip()


def test_all_layers_and_the_parts_of_a_chip_are_there():
    paths = {info.path for info in blocks()}
    assert {f"model.{kind}" for kind in OPS} < paths
    parts = ("crossbar", "adc", "dac", "device", "tile", "digital", "network", "memory")
    assert {f"chip.{part}" for part in parts} < paths
    assert {"data.builtin", "data.npz", "data.idx", "data.cifar", "data.folder", "model.onnx"} < paths
    assert {"training", "search", "search.require", "search.keep"} < paths


def test_a_field_with_a_unit():
    field = describe("chip.crossbar.read_latency")
    assert (field.name, field.units, field.needs_unit) == ("read_latency", ("ps", "ns", "us", "ms", "s"), True)
    assert (field.is_required, field.default) == (True, None)
    assert field.range == "above 0 ns and at most 1000 s"
    assert field.form == "read_latency = ... ns"
    assert field.meaning == Crossbar.model_fields["read_latency_ns"].description


def test_a_field_with_a_default_and_one_with_options():
    budget, methods = describe("search.budget"), describe("search.methods")
    assert (budget.default, budget.range, budget.is_required) == ("300 evaluations", "from 1 to 1000000", False)
    assert [option.word for option in methods.options] == [method.value for method in Method]
    assert methods.default == "[rl, evolution, random]"
    assert "default `300 evaluations`" in budget.summary


def test_a_unit_is_written_as_the_language_has_it():
    assert describe("chip.adc.energy").form == "energy = ... pJ"
    assert describe("chip.tile.buffer").form == "buffer = ... B"


def test_a_layer_shows_what_it_needs():
    assert block("model.conv2d").form == "conv2d NAME { channels = ...; kernel = ... }"
    assert block("model.add").form == "add NAME from A, B"
    assert block("model.relu6").meaning == "`min(max(x, 0), 6)`."


@pytest.mark.parametrize(("path", "meant"), [("chip.adc.bitz", "chip.adc.bits"), ("model.conv2d.kernal", "kernel")])
def test_an_unknown_path_names_a_known_one(path, meant):
    with pytest.raises(KeyError, match=meant):
        describe(path)


@pytest.mark.parametrize(
    "path", ["chip.adc.bits", "chip.crossbar.rows", "training.temperature", "chip.device.read_sigma", "search.scored"]
)
def test_a_range_is_the_one_that_is_checked(path, loaded):
    """The first number beyond the upper bound is refused, with the same words."""
    from tests.spec.conftest import CHIP, MODEL, SEARCH

    largest = describe(path).range.rpartition(" ")[2]
    with pytest.raises(CimError) as caught:
        loaded(CHIP + MODEL + SEARCH, f"{path}={float(largest) + 1:g}")
    assert describe(path).range in caught.value.diagnostics[0].message
