"""The shipped library: every file is one, says where it comes from, and nothing outside of it can be named by it."""

import re

import pytest

from cimspec.diag import CimError
from cimspec.spec.library import FOLDER, about, library_names
from tests.spec.conftest import CHIP, MODEL

NAMES = library_names()
MODELS = [name for name in NAMES if name.startswith("models/")]
CHIPS = [name for name in NAMES if name.startswith("chips/")]


def test_what_is_in_it():
    assert {"chips/isaac.cim", "chips/isaac_resident.cim", "chips/paper_256.cim", "chips/rram_64.cim"} == set(CHIPS)
    models = ("lenet5", "vgg8", "vgg16", "resnet8", "resnet18", "resnet50", "mobilenet_v2", "vit_b32")
    assert {f"models/{name}.cim" for name in models} == set(MODELS)


@pytest.mark.parametrize("name", CHIPS)
def test_a_chip_of_the_library_runs_a_network(loaded, name):
    assert loaded(f'import library("{name}")' + MODEL).warnings == ()


@pytest.mark.parametrize("name", MODELS)
def test_a_model_of_the_library_runs_on_a_chip(loaded, name):
    spec = loaded(f'import library("{name}")' + CHIP).spec
    assert spec.model.name == name.removeprefix("models/").removesuffix(".cim")


@pytest.mark.parametrize("name", NAMES)
def test_a_file_says_where_it_comes_from(name):
    text = (FOLDER / name).read_text(encoding="utf-8")
    comment = text.partition("\n\n")[0]
    assert all(line.startswith("#") for line in comment.splitlines())
    assert re.search(r"arXiv \d{4}\.\d{4,5}|doi:10\.", comment)
    assert about(name)


def test_files_are_as_short_as_the_language_allows():
    assert len((FOLDER / "models/resnet18.cim").read_text().splitlines()) <= 45
    assert len((FOLDER / "models/vit_b32.cim").read_text().splitlines()) <= 35


@pytest.mark.parametrize(
    "path",
    [
        "../spec/base.py",
        "chips/../../pyproject.toml",
        "/etc/passwd",
        "chips",
        "chips/none.cim",
        "",
        "chips/./isaac.cim",
    ],
)
def test_only_files_of_the_library_can_be_named(loaded, path):
    with pytest.raises(CimError) as caught:
        loaded(f'import library("{path}")\n' + CHIP + MODEL)
    assert [found.code for found in caught.value.diagnostics] == ["CIM239"]


def test_a_file_of_the_folder_is_not_taken_for_one_of_the_library(loaded, tmp_path):
    (tmp_path / "chips").mkdir()
    (tmp_path / "chips" / "isaac.cim").write_text(CHIP)
    assert loaded('import library("chips/isaac.cim")' + MODEL).spec.chip.name == "isaac"


def test_a_library_file_and_one_that_it_imports_are_read_once(loaded):
    text = (
        'import library("chips/isaac.cim")\nimport library("chips/isaac_resident.cim")\nchip c extends isaac_resident\n'
    )
    assert loaded(text + MODEL).spec.chip.crossbars == 16128


def test_errors_in_a_use_of_the_library_show_both_places(loaded):
    text = 'import library("models/resnet18.cim")\nmodel m extends resnet18 { conv2d b1_2 { kernel = 0 } }' + CHIP
    with pytest.raises(CimError) as caught:
        loaded(text)
    (found,) = caught.value.diagnostics
    assert (found.span.source.name, found.span.text) == ("main.cim", "0")
    assert [(label.span.source.name, label.span.text) for label in found.related] == [
        ("library/models/resnet18.cim", "basic b1(64) from pool, pool")
    ]


def test_the_installed_package_has_the_library():
    text = (FOLDER.parents[1] / "pyproject.toml").read_text()
    assert '"library/*/*.cim"' in text
