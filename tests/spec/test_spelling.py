"""What is written for a value reads back to exactly this value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimspec.diag import Diagnostics, Source
from cimspec.lang import parse_value
from cimspec.spec import Adc, Chip, Crossbar, Device, Encoding, Metric, Objective, SearchSpec, SpecModel, TrainingSpec
from cimspec.spec.describe import DATA
from cimspec.spec.fields import Block, Entry, FromFile, Items, entries
from cimspec.spec.layers import OPS
from cimspec.spec.operations import Conv2dSpec, ReshapeSpec
from cimspec.spec.spelling import spell_field
from cimspec.spec.tile import Digital, Network, Tile
from cimspec.spec.values import convert_value

MODELS = (Chip, Crossbar, Adc, Device, Tile, Digital, Network, TrainingSpec, SearchSpec, *OPS.values(), *DATA)


def entry_of(model: type[SpecModel], key: str) -> Entry:
    return next(entry for entry in entries(model) if entry.key == key)


def read(entry: Entry, text: str) -> object:
    """What binding makes of a written value, before pydantic repeats what was written once."""
    diagnostics = Diagnostics()
    value = parse_value(Source("--set", text), 0, diagnostics)
    assert value is not None, text
    converted = convert_value(value, entry.type, entry.key, diagnostics)
    assert converted is not None, [found.message for found in diagnostics.all]
    return converted.value


def own_defaults() -> list[tuple[type[SpecModel], Entry]]:
    found = [(model, entry) for model in MODELS for entry in entries(model)]
    return [(model, entry) for model, entry in found if not entry.is_required and not is_inner(entry)]


def is_inner(entry: Entry) -> bool:
    item = entry.type.item if isinstance(entry.type, Items) else entry.type
    return isinstance(item, Block | FromFile)


@pytest.mark.parametrize(("model", "entry"), own_defaults(), ids=lambda each: getattr(each, "key", None))
def test_a_default_reads_back(model, entry):
    default = model.model_fields[entry.name].get_default()
    if default is None or default == ():
        return
    found = read(entry, spell_field(entry, default))
    if isinstance(default, Objective):
        found = Objective.model_validate(found)
    elif isinstance(default, tuple) and isinstance(found, tuple):
        found = found * (len(default) // len(found))  # `1` for `1 x 1`
    assert found == default


@given(st.floats(min_value=1e-12, max_value=1e12))
def test_a_time_reads_back_to_the_last_bit(time_ns):
    entry = entry_of(Crossbar, "read_latency")
    assert read(entry, spell_field(entry, time_ns)) == time_ns


@given(st.integers(min_value=1, max_value=1 << 40))
def test_a_size_reads_back(size):
    entry = entry_of(Tile, "buffer")
    assert read(entry, spell_field(entry, size)) == size


@given(st.floats(min_value=1e-12, max_value=1))
def test_a_share_reads_back(share):
    entry = entry_of(Device, "read_sigma")
    assert read(entry, spell_field(entry, share)) == share


@given(st.dictionaries(st.sampled_from(Metric), st.floats(min_value=1e-6, max_value=10), min_size=1))
def test_a_product_of_powers_reads_back(powers):
    entry = entry_of(SearchSpec, "minimize")
    objective = Objective(factors=tuple(powers.items()))
    assert Objective.model_validate(read(entry, spell_field(entry, objective))) == objective


@given(st.lists(st.integers(min_value=0, max_value=9), min_size=4, max_size=4))
def test_sides_read_back(sides):
    entry = entry_of(Conv2dSpec, "padding")
    found = read(entry, spell_field(entry, tuple(sides)))
    assert Conv2dSpec(channels=1, kernel=1, padding=found).padding == tuple(sides)


@pytest.mark.parametrize(
    ("model", "key", "value", "text"),
    [
        (Crossbar, "read_latency", 1400.0, "1.4 us"),
        (Crossbar, "cell", 2, "2 bit"),
        (Crossbar, "encoding", Encoding.OFFSET, "offset"),
        (Adc, "bits", 8, "8"),
        (Tile, "buffer", 65536, "64 KiB"),
        (Device, "program_sigma", 0.05, "5 %"),
        (Chip, "copies", False, "false"),
        (SearchSpec, "weight_bits", (2, 3, 4), "2..4"),
        (SearchSpec, "weight_bits", (2, 4), "[2, 4]"),
        (Conv2dSpec, "kernel", (3, 1), "3 x 1"),
        (Conv2dSpec, "padding", (1, 2, 1, 2), "1 x 2"),
        (Conv2dSpec, "padding", (0, 1, 2, 3), "[0, 1, 2, 3]"),
        (ReshapeSpec, "shape", (2, 3, 4), "2 x 3 x 4"),
    ],
)
def test_it_is_written_as_a_person_would(model, key, value, text):
    assert spell_field(entry_of(model, key), value) == text
