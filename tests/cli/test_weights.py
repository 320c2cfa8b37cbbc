"""Weights that a run leaves behind are what another spec takes up; where torch computes."""

import json
import re

import pytest
import torch
from typer.testing import CliRunner

from cimspec.cli.app import app
from tests.cli.conftest import ROOT

TINY = (ROOT / "specs/tiny.cim").read_text()
SHORT = (
    "--set", "training.epochs=2", "--set", "training.finetune_epochs=1",
    "--set", "search.budget=12", "--set", "search.methods=[random]",
)  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.cim").write_text(TINY)
    return tmp_path


def with_weights(file: str) -> str:
    return re.sub(r"(model \w+ \{)", rf'\1\n  weights = "{file}"', TINY, count=1)


@pytest.mark.slow
def test_a_run_with_the_weights_of_another_gives_the_same_without_training(folder, monkeypatch):
    trained = CliRunner().invoke(app, ["run", "tiny.cim", *SHORT, "--out", "first", "--device", "auto"])
    assert trained.exit_code == 0, trained.stderr
    first = json.loads((folder / "first/result.json").read_text())
    assert first["artifacts"]["weights"] == "first/weights.safetensors"
    assert ("--device" in first["command"]) == torch.cuda.is_available()
    (folder / "given.cim").write_text(with_weights("first/weights.safetensors"))
    monkeypatch.setattr("cimspec.pipeline.workbench.train_float", lambda *_, **__: pytest.fail("this trains"))
    done = CliRunner().invoke(app, ["run", "given.cim", *SHORT, "--out", "second"])
    assert done.exit_code == 0, done.stderr
    second = json.loads((folder / "second/result.json").read_text())
    assert second["best"] == first["best"]
    assert second["baseline"] == first["baseline"]
    assert "weights" not in second["artifacts"]


def test_weights_that_do_not_fit_are_told_before_anything_runs(folder):
    torch.save({"c1.weight": torch.ones(3, 1, 3, 3)}, folder / "net.pt")
    (folder / "given.cim").write_text(with_weights("net.pt"))
    for command in ("validate", "run", "compare"):
        done = CliRunner().invoke(app, [command, "given.cim"])
        assert done.exit_code == 1
        assert "CIM442" in done.stderr
        assert "CIM441" in done.stderr
    assert CliRunner().invoke(app, ["evaluate", "given.cim"]).exit_code == 0  # a cost needs no weights


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_gpu_that_is_not_there_is_a_diagnostic(folder):
    for command in ("run", "compare"):
        done = CliRunner().invoke(app, [command, "tiny.cim", *SHORT, "--device", "cuda"])
        assert done.exit_code == 1
        assert "CIM905" in done.stderr
    assert CliRunner().invoke(app, ["run", "tiny.cim", "--device", "gpu"]).exit_code == 2
    assert not (folder / "runs").exists()
