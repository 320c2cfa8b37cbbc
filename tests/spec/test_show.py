"""A spec shown and loaded again is the same spec, and every value says where it is from."""

from pathlib import Path

import numpy as np
import pytest

from cimspec.diag import CimError
from cimspec.spec import Loaded, load
from cimspec.spec.library import library_names
from cimspec.spec.show import origins, show
from tests.spec.conftest import CHIP, MODEL, SEARCH

LANGUAGE = """
let side = 64
let t_read = 1.4 us + 4 * 0.2 us
block twice(channels) from x {
  conv2d c1 from x { channels = channels / 2; kernel = 3; padding = 1 }
  relu
  conv2d c2 { channels = channels; kernel = 3; padding = 1 }
}
chip base {
  crossbar {
    rows = side; columns = 2 * side; cell = 2 bit; encoding = offset
    write_latency = 56 us; read_latency = t_read
  }
  adc { bits = 8 }
}
model net {
  input 1 x 8 x 8
  repeat width in [4, 8] { conv2d c { channels = width; kernel = 1 } }
  twice s1(16)
  repeat 2 { twice(8) }
  linear f1 { features = 10 }
}
sweep chip.adc.bits = 7..8
"""
SPECS = Path(__file__).parents[2] / "specs"


def whole(path: Path) -> bool:
    try:
        load(path)
    except CimError:
        return False  # a chip alone
    return True


WHOLE = [path for path in sorted(SPECS.rglob("*.cim")) if whole(path)]


def again(found: Loaded, folder: Path) -> Loaded:
    """What is shown, saved in `folder` and loaded."""
    path = folder / "shown.cim"
    path.write_text(show(found, folder), encoding="utf-8")
    return load(path)


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: path.stem)
def test_a_shipped_spec_means_the_same_when_it_is_shown(path, tmp_path):
    found = load(path)
    shown = again(found, tmp_path)
    assert shown.spec.digest == found.spec.digest
    assert [each.code for each in shown.warnings] == [each.code for each in found.warnings]
    assert again(shown, tmp_path).spec.digest == found.spec.digest


@pytest.mark.parametrize("name", library_names())
def test_what_the_library_has_survives(name, loaded, tmp_path):
    other = MODEL if name.startswith("chips/") else CHIP
    found = loaded(f'import library("{name}")\n{other}')
    shown = again(found, tmp_path)
    assert shown.spec.digest == found.spec.digest
    assert f"# library/{name}:" in show(found, tmp_path)


def test_values_blocks_and_rounds_survive(loaded, tmp_path):
    found = loaded(LANGUAGE)
    text = show(found, tmp_path)
    assert again(found, tmp_path).spec.digest == found.spec.digest
    assert "read_latency = 2.2 us" in text  # 1.4 us + 4 * 0.2 us
    assert "conv2d s1_c1 { channels = 8; kernel = 3; padding = 1 }" in text
    assert text.startswith("# Without its sweep of 2 points; the first is --set chip.adc.bits=7\n")


@pytest.mark.parametrize(
    "override",
    [
        "chip.crossbar.read_latency=1.23456789012345e-3 ns",
        "chip.device.read_sigma=0.1234567890123456789",
        "search.minimize=latency * energy^0.3333333",
        "search.pareto=[latency, energy]",
        "search.kl_limits=[0.1]",
        "search.require.accuracy=97.5 %",
        "search.weight_bits=[2, 3, 5]",
        "model.c1.padding=[0, 1, 2, 3]",
        "model.c1.kernel=3 x 1",
        'data=builtin("mnist5k")',
        "chip.tile.buffer=12345 B",
    ],
)
def test_any_value_survives(override, loaded, tmp_path):
    found = loaded(CHIP + MODEL + SEARCH, override)
    assert again(found, tmp_path).spec.digest == found.spec.digest


@pytest.mark.parametrize(
    "layer",
    [
        "reshape { shape = 2 x 3 x 48 }",
        "transpose { axes = [2, 0, 1] }",
        "clip { low = -1.5; high = 3 }",
        "gelu { form = tanh }",
        "softmax { axis = 0 }",
        "slice { start = 1; stop = 5; step = 2 }",
        "concat from c1, c1, c1",
    ],
)
def test_any_layer_survives(layer, loaded, tmp_path):
    found = loaded(CHIP + MODEL.replace("relu", layer))
    assert again(found, tmp_path).spec.digest == found.spec.digest


def test_files_are_named_from_the_folder_of_the_spec(loaded, tmp_path):
    (tmp_path / "parts").mkdir()
    np.savez(tmp_path / "parts/d.npz", images=np.zeros((9, 8, 8)), labels=np.zeros(9))
    (tmp_path / "parts/cells.csv").write_text("level,mean,sigma\n0,1e-6,1e-7\n1,2e-6,0\n2,3e-6,0\n3,4e-6,0\n")
    (tmp_path / "parts/m.pt").write_bytes(b"weights")
    (tmp_path / "parts/chip.cim").write_text(CHIP.replace("adc", 'device { table = "cells.csv" }\n  adc'))
    model = MODEL.replace("input", 'weights = "parts/m.pt"\n  input')
    found = loaded(f'import "parts/chip.cim"\n{model}\ndata d = npz("parts/d.npz", std = [0.5], resize = 8)')
    text = show(found, tmp_path)
    assert 'table = "parts/cells.csv"' in text
    assert 'weights = "parts/m.pt"' in text
    assert 'data d = npz("parts/d.npz", ' in text
    assert again(found, tmp_path).spec.digest == found.spec.digest


def test_a_network_in_a_file_survives(loaded, tmp_path):
    (tmp_path / "m.onnx").write_bytes(b"network")
    found = loaded(CHIP + 'model m = onnx("m.onnx", input = 3 x 8 x 8, signed = false)')
    assert again(found, tmp_path).spec.digest == found.spec.digest


def test_every_value_says_where_it_is_from(loaded, tmp_path):
    found = loaded(
        'import "base.cim"\nchip mine extends base { adc { step = power_of_two } }' + MODEL + SEARCH,
        "chip.crossbar.rows=32",
        base=CHIP,
    )
    lines = [[part.strip() for part in line.rsplit("#", 1)] for line in show(found, tmp_path).splitlines()]
    said = {text: origin for text, *origin in lines}
    assert said["columns = 64"] == ["base.cim:4"]
    assert said["step = power_of_two"] == ["main.cim:2"]
    assert said["rows = 32"] == ["--set"]
    assert said["# range = rows"] == ["default"]
    assert said["keep c1 at 8 bit, 8 bit"] == ["main.cim:11"]
    assert said["conv2d c1 { channels = 8; kernel = 3 }"][0].startswith("main.cim:5; default: stride = 1, padding = 0")
    assert origins(found)["chip.adc.bits"] == "base.cim:8"


def test_a_layer_with_a_field_from_elsewhere_goes_over_several_lines(loaded, tmp_path):
    found = loaded(CHIP + MODEL, "model.c1.kernel=5")
    assert "    kernel = 5                                            # --set" in show(found, tmp_path).splitlines()
    assert again(found, tmp_path).spec.digest == found.spec.digest
