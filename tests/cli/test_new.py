"""Starter files: every choice gives a file that is right, and nothing is overwritten."""

from itertools import product

import numpy as np
import pytest

from cimspec.cli.starter import MODELS, NONE, Choices, chip_names, data_names, model_names, search_names, starter
from cimspec.data.builtin import BUILTIN_DATA
from cimspec.graph import open_model
from cimspec.spec import load


def check(choices: Choices, folder) -> None:
    path = folder / "mychip.cim"
    path.write_text(starter("mychip.cim", "mychip", choices), encoding="utf-8")
    loaded = load(path)
    graph = open_model(loaded.spec, loaded.spans).graph
    assert loaded.warnings == ()
    assert loaded.spec.chip.name == "mychip"
    has_data = choices.data != NONE and choices.model in MODELS
    assert (loaded.spec.data is not None) == has_data
    assert (loaded.spec.search is not None) == (has_data and choices.search != NONE)
    if choices.data in BUILTIN_DATA and has_data:
        assert graph.layers[0].shape == BUILTIN_DATA[choices.data]().train.images.shape[1:]


@pytest.mark.slow
@pytest.mark.parametrize("model", model_names())
def test_every_chip_model_and_data_set(model, tmp_path):
    for chip, data in product(chip_names(), data_names()):
        check(Choices(chip, model, data), tmp_path)


@pytest.mark.parametrize("search", search_names())
def test_every_search(search, tmp_path):
    check(Choices(search=search), tmp_path)


def test_what_is_written_is_valid(cimspec):
    done = cimspec("new", "my-chip.cim", "--model", "lenet5", "--data", "digits", "--search", "evolution")
    assert (done.returncode, done.stderr) == (0, "")
    assert "cimspec run my-chip.cim" in done.stdout
    assert cimspec("validate", "my-chip.cim").returncode == 0


@pytest.mark.parametrize(
    ("option", "name", "meant"),
    [
        ("--chip", "blan", "blank"),
        ("--model", "lenet", "lenet5"),
        ("--data", "mnist", "mnist5k"),
        ("--search", "evolutoin", "evolution"),
    ],
)
def test_an_unknown_name_is_answered_with_a_known_one(cimspec, tmp_path, option, name, meant):
    done = cimspec("new", "a.cim", option, name)
    assert done.returncode == 2
    assert f"did you mean `{meant}`?" in done.stderr
    assert not (tmp_path / "a.cim").exists()


def test_nothing_is_overwritten_without_force(cimspec, tmp_path):
    (tmp_path / "a.cim").write_text("mine")
    done = cimspec("new", "a.cim")
    assert (done.returncode, (tmp_path / "a.cim").read_text()) == (2, "mine")
    assert "--force" in done.stderr
    assert cimspec("new", "a.cim", "--force").returncode == 0
    assert (tmp_path / "a.cim").read_text() != "mine"


@pytest.mark.parametrize(("name", "wrong"), [("a.txt", "does not end with .cim"), ("there/a.cim", "no folder")])
def test_a_place_that_does_not_suit_is_refused(cimspec, name, wrong):
    done = cimspec("new", name)
    assert done.returncode == 2
    assert wrong in " ".join(done.stderr.split())


@pytest.mark.parametrize(("name", "chip"), [("3d", "blank"), ("a b", "blank"), ("isaac", "isaac"), ("...", "blank")])
def test_a_name_that_a_chip_cannot_have_is_made_one(name, chip, cimspec, tmp_path):
    assert cimspec("new", f"{name}.cim", "--chip", chip).returncode == 0
    assert load(tmp_path / f"{name}.cim").spec.chip.name != name


def test_data_of_ones_own_is_a_matter_of_two_lines(tmp_path):
    np.savez(tmp_path / "images.npz", images=np.zeros((50, 28, 28)), labels=np.arange(50) % 10)
    text = starter("mychip.cim", "mychip", Choices(data="npz"))
    lines = [line.removeprefix("# ") if line.startswith("# data own") else line for line in text.splitlines()]
    path = tmp_path / "mychip.cim"
    path.write_text("\n".join(line for line in lines if not line.startswith("data digits")))
    data = load(path).spec.data
    assert (data.name, data.source.kind) == ("own", "npz")
