"""Files that cannot be read give a diagnostic each, and imports stay below their folder."""

import os
from pathlib import Path

import pytest

from cimspec.diag import CimError
from cimspec.spec import load_spec
from tests.spec.conftest import CHIP, MODEL


def code_of(path: str | Path) -> list[str]:
    with pytest.raises(CimError) as caught:
        load_spec(path)
    return [found.code for found in caught.value.diagnostics]


def test_files_that_cannot_be_read(tmp_path):
    assert code_of(tmp_path / "none.cim") == ["CIM110"]
    assert code_of(tmp_path / "none.cim" / "more.cim") == ["CIM110"]
    assert code_of(tmp_path) == ["CIM111"]
    assert code_of("nul\0.cim") == ["CIM111"]
    assert code_of("x" * 5000) == ["CIM111"]
    (tmp_path / "a.cim").write_bytes(b"chip \xff\xfe")
    assert code_of(tmp_path / "a.cim") == ["CIM112"]
    (tmp_path / "a.cim").write_bytes(b"")
    assert code_of(tmp_path / "a.cim") == ["CIM113"]
    (tmp_path / "a.cim").write_text(" \n# nothing\n;;\n")
    assert code_of(tmp_path / "a.cim") == ["CIM113"]
    with (tmp_path / "a.cim").open("wb") as file:
        file.truncate(4_000_001)
    assert code_of(tmp_path / "a.cim") == ["CIM114"]


def test_pipes_and_loops_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.cim")
    assert code_of(tmp_path / "pipe.cim") == ["CIM111"]
    (tmp_path / "loop.cim").symlink_to("loop.cim")
    assert code_of(tmp_path / "loop.cim") == ["CIM111"]


def test_a_file_without_permission(tmp_path):
    path = tmp_path / "a.cim"
    path.write_text(CHIP)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    assert code_of(path) == ["CIM111"]


def test_the_closest_name_is_suggested(tmp_path):
    (tmp_path / "quickstart.cim").write_text(CHIP)
    with pytest.raises(CimError) as caught:
        load_spec(tmp_path / "quikstart.cim")
    assert caught.value.diagnostics[0].help == "did you mean `quickstart.cim`?"


@pytest.mark.parametrize("target", ["../outside.cim", "link.cim", "folder/../../outside.cim", "/etc/passwd"])
def test_imports_stay_below_their_folder(tmp_path, target):
    (tmp_path / "outside.cim").write_text(CHIP + MODEL)
    inner = tmp_path / "inner"
    (inner / "folder").mkdir(parents=True)
    (inner / "link.cim").symlink_to(tmp_path / "outside.cim")
    (inner / "a.cim").write_text(f'import "{target}"')
    assert code_of(inner / "a.cim") == ["CIM115"]


def test_an_import_of_a_lower_folder_starts_there(tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "base.cim").write_text(CHIP + MODEL)
    (tmp_path / "parts" / "all.cim").write_text('import "base.cim"')
    (tmp_path / "a.cim").write_text('import "parts/all.cim"')
    assert load_spec(tmp_path / "a.cim").chip.name == "base"


def test_circles_and_chains_end(tmp_path):
    (tmp_path / "self.cim").write_text('import "self.cim"')
    assert code_of(tmp_path / "self.cim") == ["CIM116"]
    for number in range(150):
        (tmp_path / f"{number}.cim").write_text(f'import "{number + 1}.cim"')
    assert code_of(tmp_path / "0.cim") == ["CIM117"]
