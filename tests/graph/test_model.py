"""Networks in files of their own, as a `.cim` file names them."""

import os
import subprocess
import sys

import numpy as np
import onnx
import pytest

from cimspec import evaluate
from cimspec.diag import CimError
from cimspec.graph import Model, load_model, open_model
from cimspec.spec import Loaded, OnnxModelSpec, load
from tests.graph.onnx_models import model, node
from tests.graph.test_onnx_diagnostics import external

SPEC = """
chip base {
  crossbar {
    rows = 64; columns = 64; cell = 2 bit; encoding = differential_columns
    write_latency = 56 us; read_latency = 1.4 us
  }
  adc { bits = 8 }
}
model net = onnx("net.onnx")
"""
SEARCH = """
data digits = builtin("digits")
search { weight_bits = 2..8; activation_bits = 2..8; require accuracy_loss <= 1 pp; keep conv1 at 8 bit, 8 bit }
"""
WEIGHT = np.random.default_rng(2).standard_normal((4, 1, 3, 3)).astype(np.float32)


def network(weight: np.ndarray = WEIGHT, shape: tuple[int | str, ...] = ("batch", 1, 8, 8)) -> onnx.ModelProto:
    nodes = [node("Conv", ["x", "conv1.weight"], ["c"], pads=[1, 1, 1, 1]), node("Relu", ["c"], ["y"])]
    return model(nodes, shape, {"conv1.weight": weight})


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.onnx").write_bytes(network().SerializeToString())
    (tmp_path / "main.cim").write_text(SPEC)
    return tmp_path


def opened(path: str, *overrides: str) -> Model:
    loaded = load(path, overrides)
    return open_model(loaded.spec, loaded.spans)


def code_of(*overrides: str, path: str = "main.cim") -> str:
    with pytest.raises(CimError) as caught:
        opened(path, *overrides)
    (found,) = caught.value.diagnostics
    return found.code


@pytest.mark.usefixtures("folder")
def test_a_model_from_a_file():
    loaded = load("main.cim")
    assert isinstance(loaded.spec.model, OnnxModelSpec)
    network = load_model(loaded.spec.model, loaded.spans)
    assert network.graph.name == "net"
    assert [layer.name for layer in network.graph.layers] == ["input", "conv1", "y"]
    assert (network.weights["conv1"]["weight"] == WEIGHT).all()
    assert network.graph.signed_input
    assert not load_model(load("main.cim", ['model=onnx("net.onnx", signed=false)']).spec.model).graph.signed_input


def test_a_written_model_has_no_weights(folder):
    written = SPEC.replace('= onnx("net.onnx")', "{ input 1 x 8 x 8; conv2d c1 { channels = 4; kernel = 3 } }")
    (folder / "main.cim").write_text(written)
    assert load_model(load("main.cim").spec.model).weights is None


def test_its_cost_is_that_of_the_same_layers_written(folder):
    written = SPEC.replace(
        '= onnx("net.onnx")', "{ input 1 x 8 x 8; conv2d conv1 { channels = 4; kernel = 3; padding = 1 }; relu }"
    )
    (folder / "written.cim").write_text(written)
    assert evaluate(load("main.cim").spec).cost == evaluate(load("written.cim").spec).cost


def test_sizes_that_the_file_leaves_open(folder):
    (folder / "net.onnx").write_bytes(network(shape=("batch", 1, "height", "width")).SerializeToString())
    assert code_of() == "CIM424"
    assert code_of('model=onnx("net.onnx", input = 3 x 8 x 8)') == "CIM425"
    spec = load("main.cim", ['model=onnx("net.onnx", input = 1 x 16 x 20)']).spec
    assert load_model(spec.model).graph.output.shape == (4, 16, 20)
    assert code_of('model=onnx("net.onnx", input = 0 x 8 x 8)') == "CIM208"


def digest(*overrides: str) -> str:
    return load("main.cim", overrides).spec.digest


def test_the_digest_follows_the_content_of_the_file(folder):
    first = digest()
    (folder / "parts").mkdir()
    (folder / "net.onnx").rename(folder / "parts" / "other.onnx")
    assert digest('model=onnx("parts/other.onnx")') == first  # where the file is does not matter
    (folder / "net.onnx").write_bytes(network(WEIGHT * 2).SerializeToString())
    assert digest() != first
    assert digest('model=onnx("net.onnx", signed=false)') != digest()


def test_the_digest_follows_weights_in_other_files(folder):
    proto = external(network(), "weights.bin")
    (folder / "net.onnx").write_bytes(proto.SerializeToString())
    (folder / "weights.bin").write_bytes(WEIGHT.tobytes())
    first = digest()
    assert (load_model(load("main.cim").spec.model).weights["conv1"]["weight"] == WEIGHT).all()
    (folder / "weights.bin").write_bytes((WEIGHT * 2).tobytes())
    assert digest() != first


@pytest.mark.parametrize("path", ["../net.onnx", "link.onnx", "/etc/hostname"])
def test_files_stay_below_the_folder(folder, path):
    inner = folder / "inner"
    inner.mkdir()
    (inner / "link.onnx").symlink_to(folder / "net.onnx")
    (inner / "main.cim").write_text(SPEC.replace("net.onnx", path))
    assert code_of(path="inner/main.cim") == "CIM115"


def test_files_that_are_no_files(folder):
    (folder / "net.onnx").unlink()
    assert code_of() == "CIM110"
    (folder / "net.onnx").mkdir()
    assert code_of() == "CIM111"
    (folder / "net.onnx").rmdir()
    os.mkfifo(folder / "net.onnx")
    assert code_of() == "CIM111"
    (folder / "net.onnx").unlink()
    (folder / "net.onnx").write_bytes(b"")
    assert code_of() == "CIM420"


def test_keep_names_layers_of_the_file(folder):
    (folder / "main.cim").write_text(SPEC + SEARCH)
    loaded: Loaded = load("main.cim")
    assert [layer.name for layer in open_model(loaded.spec, loaded.spans).graph.crossbar_layers] == ["conv1"]
    (folder / "main.cim").write_text(SPEC + SEARCH.replace("keep conv1", "keep conv2"))
    assert code_of() == "CIM607"
    with pytest.raises(CimError):
        open_model(load("main.cim").spec)  # without spans as well


@pytest.mark.usefixtures("folder")
def test_a_missing_package_is_a_diagnostic(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert code_of() == "CIM902"


def test_checking_loads_neither_torch_nor_the_simulator(folder):
    code = (
        "import sys; from cimspec.cli.app import app\n"
        "try: app(['validate', 'main.cim'])\n"
        "except SystemExit as end: assert end.code in (0, None), end.code\n"
        "assert 'torch' not in sys.modules; assert 'onnx' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=folder, capture_output=True)
