"""Chips whose weights stay: what is around the crossbars, and what a read takes."""

from pathlib import Path

import pytest

from cimspec.diag import CimError
from cimspec.spec import Attention, Chip, Digital, Memory, Network, Tile, WeightMode, load
from tests.spec.conftest import CHIP, MODEL

SPECS = Path(__file__).parents[2] / "specs"
RESIDENT = """
chip resident extends base {
  weights = resident; crossbars = 192; copies = false; batch = 16; attention = crossbars
  tile { crossbars = 96; buffer = 64 KiB }
  digital { lanes = 128; macs = 64; cycle = 2 ns }
  network { width = 256 bit; cycle = 1 ns; hop = 500 ps }
  memory { width = 64; cycle = 1.25 ns }
}
"""


def codes(loaded, *overrides: str) -> list[str]:
    """What is said about the chip of RESIDENT with overrides."""
    try:
        return [found.code for found in loaded('import "base.cim"' + RESIDENT + MODEL, *overrides, base=CHIP).warnings]
    except CimError as error:
        return [found.code for found in error.diagnostics]


def test_what_is_written(loaded):
    chip = loaded('import "base.cim"' + RESIDENT + MODEL, base=CHIP).spec.chip
    assert (chip.weights, chip.crossbars, chip.copies, chip.batch) == (WeightMode.RESIDENT, 192, False, 16)
    assert chip.attention is Attention.CROSSBARS
    assert chip.tile == Tile(crossbars=96, buffer_bytes=65536)
    assert chip.digital == Digital(lanes=128, macs=64, cycle_ns=2.0)
    assert chip.network == Network(width_bits=256, cycle_ns=1.0, hop_ns=0.5)
    assert chip.memory == Memory(width_bits=64, cycle_ns=1.25)


def test_what_is_not_written_is_not_modelled(loaded):
    chip = loaded(CHIP + MODEL, "chip.weights=resident").spec.chip
    assert (chip.copies, chip.batch, chip.attention) == (True, 1, Attention.DIGITAL)
    for block in (chip.tile, chip.digital, chip.network, chip.memory):
        assert set(block.model_dump().values()) == {None}


def test_a_buffer_has_whole_bytes(loaded):
    assert codes(loaded, "chip.tile.buffer=1.5 KiB") == []  # 1536 B
    assert codes(loaded, "chip.tile.buffer=0.3 B") == ["CIM205"]
    assert codes(loaded, "chip.tile.buffer=64 KB") == ["CIM211"]  # kB or KiB: it makes a difference
    assert codes(loaded, "chip.tile.buffer=64 bit") == ["CIM212"]


def test_a_buffer_has_a_size(loaded):
    for buffer in ("0 B", "1025 GiB"):
        with pytest.raises(CimError, match="must be from 1 B to 1024 GiB"):
            loaded(CHIP + MODEL, "chip.weights=resident", f"chip.tile.buffer={buffer}")


@pytest.mark.parametrize(
    ("overrides", "read_ns"),
    [
        ([], 1400),
        (["chip.adc.columns_per_adc=8"], 1400),  # it is not said what a conversion takes
        (["chip.adc.columns_per_adc=8", "chip.adc.conversion_latency=1 ns"], 1408),
        (["chip.adc.columns_per_adc=8", "chip.adc.conversion_latency=1 ns", "chip.dac.latency=10 ns"], 1418),
        # 8 columns are 4 differences.
        (["chip.adc.columns_per_adc=8", "chip.adc.conversion_latency=1 ns", "chip.adc.subtraction=before_adc"], 1404),
    ],
)
def test_a_read_is_the_sum_of_its_parts(loaded, overrides, read_ns):
    assert loaded(CHIP + MODEL, *overrides).spec.chip.read_ns == read_ns


@pytest.mark.parametrize(("conversion_ns", "read_ns"), [(1, 1400), (30, 1920)])  # 64 * 30 = 1920 > 1400
def test_a_pipelined_read_is_its_longest_part(loaded, conversion_ns, read_ns):
    overrides = ["chip.crossbar.pipelined=true", "chip.adc.columns_per_adc=64", "chip.dac.latency=10 ns"]
    chip = loaded(CHIP + MODEL, *overrides, f"chip.adc.conversion_latency={conversion_ns} ns").spec.chip
    assert chip.read_ns == read_ns


def test_half_of_a_time_says_nothing(loaded):
    assert codes(loaded) == []
    for half in ("crossbar.pipelined=true", "adc.conversion_latency=1 ns"):
        assert codes(loaded, f"chip.{half}") == ["CIM317"]
    assert codes(loaded, "chip.crossbar.pipelined=false") == []
    good = CHIP.replace("adc {", "weights = resident\n BLOCK\n adc {")
    for half in (
        *("digital { lanes = 1 }", "digital { macs = 1 }", "digital { cycle = 1 ns }"),
        *("network { width = 1 }", "network { cycle = 1 ns }", "memory { width = 1 }", "memory { cycle = 1 ns }"),
    ):
        with pytest.raises(CimError) as caught:
            loaded(good.replace("BLOCK", half) + MODEL)
        assert [found.code for found in caught.value.diagnostics] == ["CIM317"]
    for whole in ("digital { macs = 1; cycle = 1 ns }", "network { hop = 1 ns }", "tile { buffer = 1 kB }", "tile { }"):
        assert loaded(good.replace("BLOCK", whole) + MODEL).warnings == ()


def test_what_is_not_used_is_said_once(loaded):
    (warning,) = loaded('import "base.cim"' + RESIDENT + MODEL, "chip.weights=reloaded", base=CHIP).warnings
    assert warning.code == "CIM316"
    fields = "`copies`, `batch`, `attention`, `tile`, `digital`, `network`, `memory`"
    assert warning.message == f"with `weights = reloaded` {fields} have no effect"
    assert len(warning.related) == 7  # the others, and `weights`


@pytest.mark.parametrize(
    ("crossbars", "label"),
    [
        (192, None),
        (1, "the last tile has 1 only; write 96"),
        (200, "the last tile has 8 only; write 192 or 288"),  # 200 = 2 * 96 + 8
    ],
)
def test_tiles_are_full(loaded, crossbars, label):
    found = loaded('import "base.cim"' + RESIDENT + MODEL, f"chip.crossbars={crossbars}", base=CHIP).warnings
    assert [(each.code, each.label) for each in found] == ([("CIM320", label)] if label else [])


def test_columns_share_adcs_evenly(loaded):
    assert codes(loaded, "chip.adc.columns_per_adc=16") == []
    assert codes(loaded, "chip.adc.columns_per_adc=24") == ["CIM318"]  # 64 = 2 * 24 + 16
    assert codes(loaded, "chip.adc.columns_per_adc=65") == ["CIM318"]


def test_isaac_reads_in_100_ns():
    # 128 columns at 1.28 GS/s take 100 ns, as long as the crossbar, at the same time; 16128 / 96 = 168 tiles.
    chip: Chip = load(SPECS / "isaac_resident.cim").spec.chip
    assert chip.read_ns == 100.0
    assert chip.crossbars == 168 * 96
    assert chip.memory.width_bits / 8 / chip.memory.cycle_ns == 4 * 6.4  # bytes in a ns are GB/s
