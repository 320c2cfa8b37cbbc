"""Searches that make no sense are refused, with what would; those that cannot succeed once that is known."""

from pathlib import Path

import pytest

from cimspec import load_spec
from cimspec.diag import CimError, render
from cimspec.pipeline.comparing import compare
from cimspec.pipeline.infeasible import check_feasible
from cimspec.pipeline.running import run
from cimspec.pipeline.searching import Contest
from cimspec.pipeline.workbench import Workbench
from cimspec.quant.optimize import no_progress
from cimspec.quant.threads import one_thread
from cimspec.search import exact
from cimspec.spec import Spec

TINY = Path(__file__).parents[2] / "specs/tiny.cim"


def tiny(*overrides: str) -> Spec:
    return load_spec(TINY, ("training.epochs=3", "training.finetune_epochs=1", "search.budget=10", *overrides))


def refused(spec: Spec, command=run) -> str:
    with pytest.raises(CimError) as caught:
        command(spec)
    return render(caught.value.diagnostics)


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong with the spec itself is told before anything is trained."""

    def trains(*_: object, **__: object) -> None:
        pytest.fail("it trains first")

    monkeypatch.setattr(Workbench, "prepare", trains)


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize("command", [run, compare])
@pytest.mark.parametrize(
    ("override", "code", "words"),
    [
        ("search.minimize=energy", "CIM608", "give the energy of `crossbar`, `adc` and `dac`"),
        ("search.pareto=[latency, energy]", "CIM608", "`energy`"),
        ("search.minimize=latency*area", "CIM608", "the area of a chip whose weights are reloaded is the same"),
        ("search.weight_bits=[4]", None, ""),
        ("search.budget=1", None, ""),
    ],
)
def test_a_chip_that_does_not_say_what_it_takes(command, override: str, code: str | None, words: str):
    if code is None:
        with pytest.raises(pytest.fail.Exception, match="it trains first"):
            command(tiny(override))
        return
    told = refused(tiny(override), command)
    assert f"error[{code}]" in told
    assert words in told


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize("command", [run, compare])
def test_nothing_to_choose_where_one_precision_is_allowed(command):
    told = refused(tiny("search.weight_bits=[2]", "search.activation_bits=[2]"), command)
    assert "CIM609" in told
    assert "allow more `weight_bits` and `activation_bits`" in told


@pytest.mark.usefixtures("untrained")
def test_nothing_to_choose_where_all_layers_are_kept(tmp_path: Path):
    text = TINY.read_text().replace(
        "minimize latency", "keep c1 at 8 bit, 8 bit; keep c2 at 6 bit, 4 bit; keep f1 at 8 bit, 8 bit"
    )
    (tmp_path / "kept.cim").write_text(text)
    told = refused(load_spec(tmp_path / "kept.cim"))
    assert "CIM609" in told
    assert "`keep` fewer layers" in told


@pytest.mark.usefixtures("untrained")
def test_several_networks_that_a_fixed_seed_makes_one():
    told = refused(tiny("training.seed=7", "search.training_seeds=3"), compare)
    assert "CIM613" in told
    assert "`training.seed = 7` makes all 3 networks the same" in told


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize("command", [run, compare])
def test_exact_search_of_a_pipeline_with_too_many_policies(command, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(exact, "LARGEST_PIPELINE", 1000)
    chip = ("chip.weights=resident", "chip.crossbars=24", "search.methods=[rl, exact]", "search.minimize=interval")
    told = refused(tiny(*chip), command)
    assert "CIM610" in told
    assert "policies of a pipeline in order, at most 1,000" in told


NARROW = ("search.weight_bits=[2]", "search.activation_bits=[2, 3]")


@pytest.fixture(scope="module")
def narrow() -> str:
    """What is said of two or three bits where only as much divergence is allowed as more bits have."""
    return refused(tiny(*NARROW, "search.kl_limits=[0.005, 0.02]"))


def test_bits_that_are_too_few_are_told_with_the_layers_and_what_would_do(narrow: str):
    headline, allowed, worst, advice = narrow.splitlines()
    assert headline.startswith(
        "error[CIM605]: no policy is good enough: with the most bits allowed, the network diverges"
    )
    assert headline.endswith("`kl_limits` allow 0.02")  # the loosest
    assert allowed.endswith("the most bits allowed for weights/activations: `c1` 2/3, `c2` 2/3, `f1` 2/3")
    assert "costs most: with 8/8 bits there, the network diverges by" in worst
    assert "help: allow up to " in advice


def test_the_advice_works_and_fewer_bits_do_not(narrow: str):
    *_, advice = narrow.splitlines()
    bits = int(advice.split("allow up to ")[1].split("/")[0])
    limit = float(advice.split("`kl_limits = [")[1].split("]")[0])
    with one_thread(), Workbench.prepare(tiny(*NARROW), 0, None, no_progress) as bench:

        def check(*overrides: str) -> None:
            contest = Contest.of(bench, tiny(*NARROW, *overrides).search, None)
            check_feasible(contest, contest.uniform())

        def up_to(most: int) -> tuple[str, str]:
            return f"search.weight_bits=2..{most}", f"search.activation_bits=2..{most}"

        check(*up_to(bits), "search.kl_limits=[0.005, 0.02]")
        with pytest.raises(CimError, match="CIM605"):
            check(*up_to(bits - 1), "search.kl_limits=[0.005, 0.02]")
        check(f"search.kl_limits=[{limit}]")
        with pytest.raises(CimError, match="CIM605"):
            check(f"search.kl_limits=[{limit * 0.9}]")


def test_a_limit_that_8_bits_exceed_is_not_answered_with_more_bits():
    told = refused(tiny("search.kl_limits=[1e-7]", "search.weight_bits=[2, 8]", "search.activation_bits=[2, 8]"))
    assert "CIM605" in told
    assert "allow up to" not in told
    assert "help: write `kl_limits = [" in told


def test_a_limit_on_accuracy_is_told_in_percentage_points():
    told = refused(tiny(*NARROW, "search.limit_on=accuracy"))
    assert "the network loses " in told
    assert "pp before fine-tuning, and 0.5 pp are allowed" in told
    assert "kl_limits" not in told


def test_a_required_accuracy_that_is_out_of_reach_is_told_in_percent():
    told = refused(tiny(*NARROW, "search.limit_on=accuracy", "search.require.accuracy=99.9%"))
    assert "the network gets " in told
    assert "% right before fine-tuning, and 99.9 % are required" in told
