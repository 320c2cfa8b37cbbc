"""Overrides of the command line: same grammar, same checks, and messages that point into their text."""

import pytest

from cimspec.diag import CimError, render
from cimspec.spec import Encoding
from tests.spec.conftest import CHIP, MODEL, SEARCH

SPEC = CHIP + MODEL + SEARCH


def said(loaded, *overrides: str) -> list[str]:
    with pytest.raises(CimError) as caught:
        loaded(SPEC, *overrides)
    return [render([found], "concise") for found in caught.value.diagnostics]


def test_fields_anywhere_can_be_set(loaded):
    spec = loaded(
        SPEC,
        "chip.adc.bits=6",
        " chip.crossbar.encoding = offset",
        "chip.crossbar.read_latency=1.3us",
        "chip.dac.bits=2 bit",
        "model.c1.channels=16",
        "model.input.shape=3 x 16 x 16",
        "search.weight_bits=[2,4]",
        "search.require.accuracy_loss=0.5pp",
        "search.minimize=latency",
        "training.epochs=1",
        'data=builtin("mnist5k")',
    ).spec
    assert (spec.chip.adc.bits, spec.chip.dac.bits) == (6, 2)
    assert spec.chip.crossbar.encoding is Encoding.OFFSET
    assert spec.chip.crossbar.read_latency_ns == 1300.0
    assert spec.model.layers[1].op.channels == 16
    assert spec.model.layers[0].op.shape == (3, 16, 16)
    assert spec.search.weight_bits == (2, 4)
    assert spec.search.require.accuracy_loss_pp == 0.5
    assert spec.training.epochs == 1
    assert spec.data.source.dataset == "mnist5k"


def test_layers_without_a_name_can_be_set_by_the_one_they_get(loaded):
    model = "model net { input 1 x 8 x 8; conv2d { channels = 4; kernel = 3 }; linear { features = 10 } }"
    assert loaded(CHIP + model, "model.conv2d2.kernel=5").spec.model.layers[1].op.kernel == (5, 5)


def test_the_last_of_several_counts(loaded):
    assert loaded(SPEC, "chip.adc.bits=6", "chip.adc.bits=7").spec.chip.adc.bits == 7


def test_an_override_repairs_what_the_file_has_wrong(loaded):
    assert loaded(SPEC.replace("bits = 8 }", "bits = 99 }"), "chip.adc.bits=8").spec.chip.adc.bits == 8


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("chip.adc.bits=0", "--set:1:15: CIM208 `adc.bits` must be from 1 to 16, not 0"),
        ("chip.adc.bits=6 us", "--set:1:17: CIM212 `us` does not fit `bits`: it counts bits"),
        ("chip.crossbar.read_latency=1.4", "--set:1:28: CIM210 `read_latency` needs a unit: it measures time"),
        ("chip.adc.bits=", "--set:1:15: CIM101 expected a value, found the end of the text"),
        ("chip.adc.bits=6 7", "--set:1:17: CIM101 expected the end of the value after `6`, found the number `7`"),
        ("chip.adc.bits=[6", "--set:1:15: CIM103 `[` is not closed"),
        ("chip.adc.bits", "--set:1:1: CIM108 an override is `path=value`"),
        ("chip.adc.bitz=6", "--set:1:1: CIM207 unknown path `chip.adc.bitz`"),
        ("model.c9.channels=6", "--set:1:1: CIM207 unknown path `model.c9.channels`"),
    ],
)
def test_messages_point_into_the_override(loaded, override, message):
    assert message in said(loaded, override)


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("chip.encoding", "chip.crossbar.encoding"),
        ("chip.adc.bitz", "chip.adc.bits"),
        ("search.accuracy_loss", "search.require.accuracy_loss"),
        ("chip.crossbar.cell_bits", "chip.crossbar.cell"),
        ("model.c1.chanels", "model.c1.channels"),
        ("trainig.epochs", "training.epochs"),
    ],
)
def test_a_wrong_path_is_answered_with_the_right_one(loaded, path, meant):
    with pytest.raises(CimError) as caught:
        loaded(SPEC, f"{path}=3")
    assert caught.value.diagnostics[0].label == f"did you mean `{meant}`?"


def test_a_search_that_is_not_there_cannot_be_set(loaded):
    with pytest.raises(CimError) as caught:
        loaded(CHIP + MODEL, "search.budget=3")
    assert caught.value.diagnostics[0].label == "the file has no `search`"
