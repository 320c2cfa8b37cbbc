"""`weights = "file"` in a model: confined as imports are, part of the spec by what the file holds."""

from pathlib import Path

import pytest

from cimspec.diag import CimError
from cimspec.spec import load, load_spec

TEXT = """
chip c {
  crossbar {
    rows = 64; columns = 64; cell = 2 bit; encoding = differential_columns; write_latency = 1 us; read_latency = 1 us
  }
  adc { bits = 8 }
}
model net {
  WEIGHTS
  input 1 x 8 x 8
  relu
  linear f1 { features = 10 }
}
"""


def write(folder: Path, weights: str = 'weights = "net.pt"') -> Path:
    (folder / "net.cim").write_text(TEXT.replace("WEIGHTS", weights))
    return folder / "net.cim"


def codes(path: Path) -> list[str]:
    with pytest.raises(CimError) as raised:
        load(path)
    return [found.code for found in raised.value.diagnostics]


def test_a_model_names_its_weights_and_its_layers_keep_their_names(tmp_path):
    (tmp_path / "net.pt").write_bytes(b"1")
    loaded = load(write(tmp_path))
    model = loaded.spec.model
    assert model.weights.path == tmp_path / "net.pt"
    assert [layer.name for layer in model.layers] == ["input", "relu2", "f1"]
    span = loaded.span("model", "weights")
    assert span.text == '"net.pt"'
    assert load_spec(write(tmp_path), ["model.f1.features=5"]).model.layers[2].op.features == 5


def test_other_weights_are_another_spec_and_another_place_is_the_same(tmp_path):
    (tmp_path / "net.pt").write_bytes(b"1")
    (tmp_path / "same.pt").write_bytes(b"1")
    first, same = (load_spec(write(tmp_path, f'weights = "{name}.pt"')).digest for name in ("net", "same"))
    (tmp_path / "net.pt").write_bytes(b"2")
    assert first == same != load_spec(write(tmp_path)).digest


def test_weights_are_set_on_the_command_line(tmp_path, monkeypatch):
    (tmp_path / "other.safetensors").write_bytes(b"1")
    monkeypatch.chdir(tmp_path)
    spec = load_spec(write(tmp_path, ""), ['model.weights="other.safetensors"'])
    assert spec.model.weights.is_safetensors


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ('weights = "none.pt"', "CIM110"),
        ('weights = "."', "CIM111"),
        ('weights = "../net.pt"', "CIM115"),
        ('weights = "/etc/hostname"', "CIM115"),
        ('weights = "net.cim"', "CIM440"),
        ("weights = 3", "CIM205"),
        ('wieghts = "net.pt"', "CIM213"),
        ('weights = "net.pt"; weights = "net.pt"', "CIM209"),
    ],
)
def test_what_is_no_file_of_weights_is_told(weights, expected, tmp_path):
    (tmp_path / "spec").mkdir()
    (tmp_path / "spec/net.pt").write_bytes(b"1")
    (tmp_path / "net.pt").write_bytes(b"1")
    assert codes(write(tmp_path / "spec", weights)) == [expected]


def test_a_link_out_of_the_folder_is_not_followed(tmp_path):
    (tmp_path / "spec").mkdir()
    (tmp_path / "net.pt").write_bytes(b"1")
    (tmp_path / "spec/net.pt").symlink_to(tmp_path / "net.pt")
    assert codes(write(tmp_path / "spec")) == ["CIM115"]
