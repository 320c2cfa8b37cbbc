"""Every command once, as a user would: what it prints, where, and its exit code."""

import json

import numpy as np
import pytest

from cimspec.compiler import parse_program

COMMANDS = ["run", "new", "validate", "show", "evaluate", "compile", "simulate", "compare", "explain", "list"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(cimspec, command):
    done = cimspec(command, "--help")
    assert done.returncode == 0
    assert f"Example: cimspec {command}" in " ".join(done.stdout.split())


def test_the_version_is_printed(cimspec_process):
    done = cimspec_process("--version")
    assert (done.returncode, done.stdout.split()[0]) == (0, "cimspec")


def test_a_valid_spec_is_called_valid(cimspec_process):
    done = cimspec_process("validate", "specs/quickstart.cim")
    assert done.returncode == 0
    assert "is valid: 8 layers on crossbars of 64 x 64" in done.stdout
    assert done.stderr == ""


def test_a_lossy_adc_is_a_warning(cimspec):
    done = cimspec("validate", "specs/lossy.cim", "--format", "json")
    assert done.returncode == 0
    assert [found["code"] for found in json.loads(done.stdout)] == ["CIM301"]


def test_evaluate_prints_the_documented_json(cimspec):
    done = cimspec("evaluate", "specs/paper/vgg16.cim", "--policy", "specs/paper/vgg16_policy.json", "--json")
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert {"latency_us", "baseline_latency_us", "speedup", "layers"} <= set(found)
    assert {"name", "weight_bits", "activation_bits", "crossbars", "latency_us"} <= set(found["layers"][0])
    # Published: 12394636.8 us at 8/8, 4993564.8 us with the policy.
    assert found["baseline_latency_us"] == pytest.approx(12394636.8, rel=1e-9)
    assert found["latency_us"] == pytest.approx(4993564.8, rel=1e-9)


def test_what_evaluate_prints_is_a_policy_that_it_reads(cimspec, tmp_path):
    first = cimspec("evaluate", "specs/quickstart.cim", "--json")
    (tmp_path / "policy.json").write_text(first.stdout)
    assert cimspec("evaluate", "specs/quickstart.cim", "--policy", "policy.json", "--json").stdout == first.stdout


def test_set_overrides_a_field(cimspec):
    done = cimspec("evaluate", "specs/quickstart.cim", "--set", "chip.crossbar.read_latency=2.8us", "--json")
    plain = cimspec("evaluate", "specs/quickstart.cim", "--json")
    slow, fast = (json.loads(each.stdout)["layers"][0] for each in (done, plain))
    # c1: 1 crossbar, 784 invocations, 8 steps: the reads' share doubles, the write's 56 us stay.
    assert slow["latency_us"] - 56 == pytest.approx(2 * (fast["latency_us"] - 56))
    assert fast["latency_us"] == pytest.approx(56 + 784 * 8 * 1.4)


def test_compile_prints_a_program_that_reads_back(cimspec, tmp_path):
    done = cimspec("compile", "specs/quickstart.cim")
    assert done.returncode == 0
    program = parse_program(done.stdout)
    assert [layer.name for layer in program.layers] == ["c1", "c2", "c3", "c4", "c5", "c6", "f1", "f2"]
    assert cimspec("compile", "specs/quickstart.cim", "-o", "q.cimp").stdout == ""
    assert (tmp_path / "q.cimp").read_text() == done.stdout


def test_explain_tells_what_a_code_means(cimspec):
    done = cimspec("explain", "CIM301")
    assert done.returncode == 0
    assert done.stdout.startswith("CIM301: ")
    wrong = cimspec("explain", "CIM3O4")
    assert wrong.returncode == 2
    assert "CIM304" in wrong.stderr


def test_list_shows_what_can_be_written(cimspec):
    done = cimspec("list")
    for word in ("conv2d", "differential_columns", "evolution", "mnist5k"):
        assert word in done.stdout
    assert "CIM301" in cimspec("list", "codes").stdout


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory):
    """One run of a very small spec, and where its files are."""
    import subprocess
    import sys

    from tests.cli.conftest import ROOT

    folder = tmp_path_factory.mktemp("run")
    arguments = ["run", str(ROOT / "specs/tiny.cim"), "--json", "--seed", "1", "--out", str(folder), *SMALL]
    done = subprocess.run(
        [sys.executable, "-m", "cimspec", *arguments], capture_output=True, text=True, timeout=200, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


SMALL = [
    "--set", "training.epochs=3", "--set", "training.finetune_epochs=1", "--set", "search.budget=20",
    "--set", "search.weight_bits=[3, 5, 8]", "--set", "search.activation_bits=[2, 4, 8]",
]  # fmt: skip


def test_run_prints_the_documented_json(finished_run):
    _, result = finished_run
    assert {"spec_digest", "seed", "baseline", "uniform", "best", "methods", "artifacts"} <= set(result)
    assert result["seed"] == 1
    assert {"accuracy", "latency_us"} <= set(result["baseline"])
    best = result["best"]
    assert {"method", "speedup", "accuracy", "accuracy_loss_pp", "evaluations", "policy"} <= set(best)
    assert set(result["methods"]) == {"rl", "evolution", "random"}
    found = [each["speedup"] for each in result["methods"].values() if each]
    assert best["speedup"] == max(found, default=1.0)  # without an answer the 8/8 network stands
    loss = 100 * (result["baseline"]["accuracy"] - best["accuracy"])
    assert best["accuracy_loss_pp"] == pytest.approx(loss)
    assert all(each["evaluations"] <= 20 for each in result["methods"].values() if each)


def test_the_files_of_a_run_agree_with_its_result(finished_run, cimspec):
    folder, result = finished_run
    assert json.loads((folder / "result.json").read_text()) == result
    cost = cimspec("evaluate", "specs/tiny.cim", "--policy", result["artifacts"]["policy"], "--json")
    assert json.loads(cost.stdout)["speedup"] == pytest.approx(result["best"]["speedup"])
    simulated = cimspec("simulate", result["artifacts"]["program"], "--data", "digits", "--json")
    assert json.loads(simulated.stdout)["accuracy"] == result["best"]["accuracy"]


@pytest.mark.slow
def test_on_noisy_cells_the_search_looks_at_the_chip_and_each_reported_chip_can_be_had_again(cimspec, tmp_path):
    noisy = ["--set", "chip.device.program_sigma=10%", "--set", "chip.device.read_sigma=2%"]
    done = cimspec("run", "specs/tiny.cim", "--json", "--seed", "1", "--out", str(tmp_path / "out"), *SMALL, *noisy)
    result = json.loads(done.stdout)
    assert result["evaluated_on"] == result["finetuned_on"] == "chip"
    best = result["best"]
    assert len(result["chip_seeds"]) == len(best["accuracy_by_draw"]) == 5
    assert len(set(result["chip_seeds"])) == 5
    assert best["accuracy"] == pytest.approx(sum(best["accuracy_by_draw"]) / 5)
    for seed, accuracy in list(zip(result["chip_seeds"], best["accuracy_by_draw"], strict=True))[:2]:
        again = cimspec("simulate", result["artifacts"]["program"], "--data", "digits", "--json", "--seed", str(seed))
        assert json.loads(again.stdout)["accuracy"] == accuracy


def test_a_program_runs_on_arrays_of_the_user(finished_run, cimspec, tmp_path):
    _, result = finished_run
    images = np.random.default_rng(0).random((5, 1, 8, 8))
    np.save(tmp_path / "x.npy", images)
    done = cimspec("simulate", result["artifacts"]["program"], "--input", "x.npy", "-o", "y.npy")
    slow = cimspec("simulate", result["artifacts"]["program"], "--input", "x.npy", "--reference")
    assert done.stdout == slow.stdout
    assert np.load(tmp_path / "y.npy").argmax(axis=1).tolist() == [int(line) for line in done.stdout.split()]


@pytest.mark.slow
def test_a_second_run_into_the_same_folder_measures_nothing_again(finished_run, cimspec):
    folder, result = finished_run
    done = cimspec("run", "specs/tiny.cim", "--json", "--seed", "1", "--out", str(folder), *SMALL)
    again = json.loads(done.stdout)
    assert again["best"] == result["best"]
    assert again["seconds"]["rl"] <= result["seconds"]["rl"] + 1


def test_without_data_a_run_reports_the_cost(cimspec, tmp_path):
    done = cimspec("run", "specs/paper/resnet18.cim", "--json", "--out", "r")
    result = json.loads(done.stdout)
    assert (done.returncode, result["best"], result["baseline"]["accuracy"]) == (0, None, None)
    assert result["baseline"]["latency_us"] == pytest.approx(1507464.0)  # published for 4-bit cells
    assert (tmp_path / "r/result.json").exists()


@pytest.mark.slow
def test_compare_prints_every_method_under_every_limit(cimspec, tmp_path):
    limits = ["--set", "search.kl_limits=[0.1, 0.3]", "--set", "search.seeds=2"]
    done = cimspec("compare", "specs/tiny.cim", "--json", *SMALL, *limits, "--out", "c", "--workers", "2")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["budget"], found["reference"]) == (20, "rl")
    assert [goal["name"] for goal in found["goals"]] == [f"divergence <= {nats} nats" for nats in (0.1, 0.3)]
    for goal in found["goals"]:
        assert [each["method"] for each in goal["methods"]] == ["rl", "evolution", "random"]
    runs = [(run["method"], run["training_seed"], run["search_seed"]) for run in found["runs"]]
    assert runs == [(method, 0, seed) for method in ("rl", "evolution", "random") for seed in (0, 1)]
    assert all(len(run["goals"]) == 2 and run["evaluations"] <= 20 for run in found["runs"])
    assert "6 searches of 20 evaluations" in done.stderr
    assert json.loads((tmp_path / "c/comparison.json").read_text()) == found
    assert found["command"].startswith("cimspec compare specs/tiny.cim --seed 0 --set ")
