"""Programs on disk that were damaged or do not belong together: each is refused, none crashes."""

import json
from pathlib import Path

import numpy as np
import pytest

from cimspec.compiler import compile_program, load_program, save_program
from cimspec.compiler.artifact import check_constants
from cimspec.diag import CimError
from cimspec.sim import execute
from tests.compiler.test_program import make_case, make_chip


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A small program and its constants on disk."""
    case = make_case()
    path, _ = save_program(
        compile_program(case.graph, case.policy, make_chip()), case.network.constants, tmp_path / "p"
    )
    return path


def refusal(path: Path) -> str:
    with pytest.raises(CimError) as caught:
        load_program(path)
    (found,) = caught.value.diagnostics
    assert found.code == "CIM501"
    return found.message


@pytest.mark.parametrize("content", [b"", b"weights", b"PK\x03\x04"])
def test_constants_that_are_no_archive_are_refused(saved: Path, content: bytes):
    saved.with_suffix(".npz").write_bytes(content)
    assert refusal(saved).endswith("it is damaged")


def test_a_single_array_and_an_absent_file_are_refused(saved: Path):
    arrays = saved.with_suffix(".npz")
    with arrays.open("wb") as file:
        np.save(file, np.ones(3))
    assert refusal(saved).endswith("it is damaged")
    arrays.unlink()
    assert refusal(saved).endswith("No such file or directory")


def test_objects_are_not_loaded(saved: Path):
    """An archive of pickled objects could run code; it is refused unread."""
    np.savez(saved.with_suffix(".npz"), **{"c.weights": np.array([object()])})
    assert refusal(saved).endswith("it is damaged")


def test_a_changed_byte_of_the_constants_is_refused_or_changes_none(saved: Path):
    arrays = saved.with_suffix(".npz")
    whole, expected = arrays.read_bytes(), load_program(saved)[1]
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] ^= int(rng.integers(1, 256))
        arrays.write_bytes(damaged)
        try:
            _, constants = load_program(saved)
        except CimError:
            refused += 1
        else:  # a date, for example
            assert all(np.array_equal(constants[name], expected[name]) for name in expected)
    assert refused > 150


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_text_is_refused(saved: Path, share: float):
    text = saved.read_text()
    saved.write_text(text[: int(share * len(text))])
    assert refusal(saved)


def test_a_text_without_the_digest_of_its_constants_is_refused(saved: Path):
    text = saved.read_text()
    saved.write_text(text[: text.index("# constants")])
    assert refusal(saved).endswith("was compiled without weights")


def test_weights_must_fit_the_cells():
    # 4 bits hold -7..7. A weight of 8 would lose its highest bit, silently.
    case = make_case()
    program = compile_program(case.graph, case.policy, make_chip())
    weights = case.network.constants["c.weights"].copy()
    weights[0, 0] = 8
    message = r"`c.weights` holds -\d\.\.8, `c` stores 4 bits: -7\.\.7"
    with pytest.raises(CimError, match=message):
        check_constants(program, {**case.network.constants, "c.weights": weights})
    with pytest.raises(CimError, match=message):
        execute(program, {**case.network.constants, "c.weights": weights}, case.images)
    with pytest.raises(CimError, match=r"`c.weights` holds float64, the program reads integers"):
        check_constants(program, {**case.network.constants, "c.weights": weights / 2})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"c.weights": np.zeros((3, 17), np.int16)}, "`c.weights` has shape (3, 17), the program reads (3, 18)"),
        ({"f.bias": np.zeros(5, np.int64)}, "`f.bias` has shape (5,), the program reads (4,)"),
    ],
)
def test_constants_of_another_shape_are_refused(change: dict[str, np.ndarray], message: str):
    case = make_case()
    with pytest.raises(CimError) as caught:
        check_constants(compile_program(case.graph, case.policy, make_chip()), {**case.network.constants, **change})
    assert caught.value.diagnostics[0].message == message


@pytest.mark.parametrize("name", ["c.weights", "c.bias", "c.scale", "f.codes.scale"])
def test_a_missing_constant_is_refused(name: str):
    case = make_case()
    constants = {key: array for key, array in case.network.constants.items() if key != name}
    with pytest.raises(CimError, match=f"names `{name}`, which its constants do not hold"):
        execute(compile_program(case.graph, case.policy, make_chip()), constants, case.images)


def test_loops_within_loops_are_refused(saved: Path):
    """However deep: reading a file must not exhaust the stack."""
    deep = "for turn 0..1 {\n" * 5000 + "}\n" * 5000
    saved.write_text(saved.read_text().replace("accumulate\n", f"{deep}accumulate\n", 1))
    assert refusal(saved) == "loops are nested too deeply"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"full_scale": null', '"full_scale": 1' + 400 * "0"),  # no float
        ('"signed": false', '"signed": ""'),
        ('"reads": 1', '"reads": ' + 5000 * "9"),  # more digits than Python reads
        ('"op": "layer"', '"op": ["layer"]'),
        ('"parallel": [', '"parallel": [1, '),
    ],
)
def test_values_that_no_program_has_are_refused(tmp_path: Path, old: str, new: str):
    case = make_case()
    path, _ = save_program(
        compile_program(case.graph, case.policy, make_chip()), case.network.constants, tmp_path / "p.json"
    )
    text = json.dumps(json.loads(path.read_text()))  # on one line
    assert old in text
    path.write_text(text.replace(old, new, 1))
    assert refusal(path)
