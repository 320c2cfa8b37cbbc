"""A network that one run leaves behind as ONNX is run by another one as it is."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper
from typer.testing import CliRunner

from cimspec.cli.app import app
from cimspec.data.load import load_data
from cimspec.diag import CimError
from cimspec.pipeline.running import run
from cimspec.spec import load

TINY = Path(__file__).parents[2] / "specs/tiny.cim"
SMALL = [
    "training.epochs=3", "training.finetune_epochs=1", "search.budget=12", "search.methods=[random]",
    "search.weight_bits=[3, 4]", "search.activation_bits=[3, 5]", "search.require.accuracy_loss=20 pp",
]  # fmt: skip


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """The folder and the spec of a run whose policy is mixed."""
    folder = tmp_path_factory.mktemp("first")
    spec = load(TINY, SMALL).spec
    report = run(spec, seed=3, out=folder)
    assert report.best.policy != report.best.policy.uniform(report.best.policy.names, 8, 8)
    return folder, spec, report


def spec_in(folder: Path) -> Path:
    """The tiny spec without a search, its network that of `model.onnx` in the same folder."""
    chip, _ = TINY.read_text().split("model tiny {")
    rest = ['model m = onnx("model.onnx", signed = false)', 'data digits = builtin("digits")']
    path = folder / "given.cim"
    path.write_text("\n".join([chip, *rest, "training { finetune_epochs = 0 }", ""]))
    return path


def test_it_has_the_same_bits_the_same_codes_and_the_same_accuracy(first, tmp_path):
    folder, _, report = first
    shutil.copy(folder / "model.onnx", tmp_path)
    again = run(load(spec_in(tmp_path)).spec, seed=4, out=tmp_path / "out")
    assert again.best.method == "as given"
    assert again.best.policy == report.best.policy
    assert again.best.accuracy == report.best.accuracy
    assert again.best.latency_us == report.best.latency_us
    assert json.loads((tmp_path / "out/policy.json").read_text()) == json.loads((folder / "policy.json").read_text())
    with np.load(folder / "program.npz") as one, np.load(tmp_path / "out/program.npz") as other:
        for layer in ("c1", "c2", "f1"):
            assert np.array_equal(one[f"{layer}.weights"], other[f"{layer}.weights"])
            assert np.array_equal(one[f"{layer}.bias"], other[f"{layer}.bias"])


def test_onnxruntime_gets_the_same_images_right(first):
    """Every code is the same but for ties, so that on 359 digits no class differs."""
    folder, spec, report = first
    test = load_data(spec.data).test
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    (outputs,) = session.run(None, {session.get_inputs()[0].name: test.images})
    assert (outputs.argmax(1) == test.labels).mean() == report.best.accuracy


def test_what_no_chip_can_take_over_is_told_before_anything_is_trained(first, tmp_path):
    folder, _, _ = first
    proto = onnx.load(folder / "model.onnx")
    (zero,) = (each for each in proto.graph.initializer if each.name == "c1.codes.zero_point")
    zero.CopyFrom(numpy_helper.from_array(np.uint8(3), zero.name))
    onnx.save(proto, tmp_path / "model.onnx")
    with pytest.raises(CimError) as error:
        run(load(spec_in(tmp_path)).spec)
    (found,) = error.value.diagnostics
    assert (found.code, "the zero point is 3" in found.message) == ("CIM432", True)


def test_without_the_package_a_run_leaves_the_model_out_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    chip_model_and_data = TINY.read_text().split("training {")[0]
    (tmp_path / "plain.cim").write_text(f"{chip_model_and_data}training {{ epochs = 1; finetune_epochs = 0 }}\n")
    done = CliRunner().invoke(app, ["run", str(tmp_path / "plain.cim"), "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert "pip install 'cimspec[onnx]'" in done.stderr
    assert (tmp_path / "out/program.cimp").exists()
    assert not (tmp_path / "out/model.onnx").exists()
