"""Bad input: a diagnostic with its code and place, exit code 1, no traceback; interruption keeps what was finished."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time

import numpy as np
import pytest

from cimspec.compiler import compile_program, save_program
from tests.cli.conftest import ROOT
from tests.compiler.test_program import make_case, make_chip

QUICKSTART = (ROOT / "specs/quickstart.cim").read_text()


def diagnostics(done) -> list[str]:
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()


@pytest.mark.parametrize(
    ("old", "new", "where", "words"),
    [
        ("rows = 64", "rows = 0", "6:12: CIM", "rows"),
        ("rows = 64", "rows = 1000000000", "6:12: CIM", "rows"),
        ("bits = 8;", "bits = 0;", "14:16: CIM", "bits"),
        ("rows = 64", "rosw = 64", "6:5: CIM203", "rosw"),
        ("56 us", "56 pJ", "10:24: CIM", "pJ"),
        ("1.4 us", "1.4", "11:20: CIM", "unit"),
        ("conv2d c4 { channels = 32; kernel = 3", "conv2d c4 { channels = 32; kernel = 30", "36:3: CIM401", "c4"),
    ],
)
def test_a_wrong_spec_is_answered_at_its_place(cimspec, tmp_path, old, new, where, words):
    assert old in QUICKSTART
    (tmp_path / "wrong.cim").write_text(QUICKSTART.replace(old, new, 1))
    for command in ("validate", "evaluate", "run"):
        options = ["--format", "concise"] if command == "validate" else []
        done = cimspec(command, "wrong.cim", *options)
        (line, *_) = diagnostics(done)
        if command == "validate":
            assert line.startswith(f"wrong.cim:{where}")
            assert words in line


def test_a_missing_and_an_empty_spec_are_diagnostics(cimspec, tmp_path):
    assert "CIM" in diagnostics(cimspec("validate", "nowhere.cim"))[0]
    (tmp_path / "empty.cim").write_text("")
    assert "CIM" in diagnostics(cimspec("validate", "empty.cim"))[0]


def test_all_errors_are_told_at_once(cimspec, tmp_path):
    text = QUICKSTART.replace("rows = 64", "rows = 0").replace("1.4 us", "1.4 pF").replace("budget", "bugdet")
    (tmp_path / "wrong.cim").write_text(text)
    assert len(diagnostics(cimspec("validate", "wrong.cim", "--format", "concise"))) == 3


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("[[8, 8], [8, 8]]", "CIM602", "p.json:1:1"),
        ("[[8, 8],\n [8, ", "CIM601", "p.json:2:6"),
        ("{}", "CIM601", "p.json:1:1"),
        ("", "CIM601", None),
        (json.dumps([[8, 8]] * 7 + [[8, 9]]), "CIM604", "p.json:1:58"),
        (json.dumps([[8, 8]] * 7 + [[8, "8"]]), "CIM601", "p.json:1:58"),
        ('{"layers": [{"name": "c9", "weight_bits": 8, "activation_bits": 8}]}', "CIM603", "p.json:1:13"),
        ('{"layers": [{"name": "c1", "weight_bits": 8, "activation_bits": 8}]}', "CIM603", "p.json:1:12"),
    ],
)
def test_a_wrong_policy_is_answered_at_its_place(cimspec, tmp_path, text, code, place):
    (tmp_path / "p.json").write_text(text)
    lines = diagnostics(cimspec("evaluate", "specs/quickstart.cim", "--policy", "p.json"))
    assert code in lines[0]
    if place:
        assert place in lines[1]


def test_a_missing_policy_file_is_a_diagnostic(cimspec):
    assert "CIM601" in diagnostics(cimspec("evaluate", "specs/quickstart.cim", "--policy", "none.json"))[0]


def test_unknown_data_and_data_of_another_shape_are_diagnostics(cimspec, tmp_path):
    (tmp_path / "wrong.cim").write_text(QUICKSTART.replace("mnist5k", "mnist6k"))
    assert "CIM404" in diagnostics(cimspec("run", "wrong.cim"))[0]
    (tmp_path / "wrong.cim").write_text(QUICKSTART.replace("mnist5k", "digits"))
    assert "CIM405" in diagnostics(cimspec("run", "wrong.cim"))[0]


def test_comparing_needs_a_search(cimspec):
    assert "CIM606" in diagnostics(cimspec("compare", "specs/paper/vgg16.cim"))[0]


def test_inputs_that_do_not_fit_a_program_are_diagnostics(cimspec, tmp_path):
    assert "CIM501" in diagnostics(cimspec("simulate", "none.cimp", "--data", "digits"))[0]
    (tmp_path / "x.npy").write_text("no array")
    cimspec("compile", "specs/tiny.cim", "-o", "t.cimp")
    assert "CIM501" in diagnostics(cimspec("simulate", "t.cimp", "--input", "x.npy"))[0]


def test_wrong_usage_has_an_exit_code_of_its_own(cimspec):
    assert cimspec("validate").returncode == 2
    assert cimspec("valdate", "specs/tiny.cim").returncode == 2
    assert cimspec("simulate", "x.cimp").returncode in (1, 2)


def test_an_unwritable_folder_is_a_diagnostic(cimspec, tmp_path):
    (tmp_path / "file").write_text("")
    assert "CIM903" in diagnostics(cimspec("run", "specs/paper/vgg16.cim", "--out", "file/below"))[0]


@pytest.mark.slow
def test_an_interrupted_run_keeps_its_finished_evaluations(tmp_path):
    command = [sys.executable, "-m", "cimspec", "run", str(ROOT / "specs/tiny.cim"), "--out", str(tmp_path / "run")]
    command += ["--set", "training.epochs=1", "--set", "search.budget=1000000"]  # it does not end by itself
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests in the background ignore it
    )
    database = tmp_path / "run/evaluations.sqlite"
    try:
        assert wait_until(lambda: count(database) >= 5 or process.poll() is not None)
        kept = count(database)
        assert kept >= 5
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert "takes it up again" in errors
    assert count(database) >= kept


def count(database) -> int:
    if not database.exists():
        return 0
    connection = sqlite3.connect(database, timeout=60)
    try:
        return connection.execute("SELECT COUNT(*) FROM scores").fetchone()[0]
    except sqlite3.OperationalError:  # not yet there
        return 0
    finally:
        connection.close()


def wait_until(condition) -> bool:
    """Whether it comes true in five minutes: starting takes long where much else runs."""
    for _ in range(3000):
        if condition():
            return True
        time.sleep(0.1)
    return False


def test_inputs_of_another_shape_or_not_finite_are_diagnostics(cimspec, tmp_path):
    case, chip = make_case(), make_chip()
    save_program(compile_program(case.graph, case.policy, chip), case.network.constants, tmp_path / "net.cimp")
    np.save(tmp_path / "x.npy", np.zeros((1, 3, 5, 5)))
    assert "CIM405" in diagnostics(cimspec("simulate", "net.cimp", "--input", "x.npy"))[0]
    np.save(tmp_path / "x.npy", np.full((1, 2, 5, 5), np.nan))
    assert "not all finite" in diagnostics(cimspec("simulate", "net.cimp", "--input", "x.npy"))[0]
