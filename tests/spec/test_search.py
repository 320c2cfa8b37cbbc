"""What a search may be asked for: products of metrics, trade-offs, methods."""

import pytest

from cimspec.diag import CimError
from cimspec.lang import Binary, Word
from cimspec.spec import Metric, Objective
from tests.lang.test_parser import one
from tests.spec.conftest import CHIP, MODEL, SEARCH

SPEC = CHIP + MODEL + SEARCH


def searching(loaded, *statements: str, overrides: tuple[str, ...] = ()):
    """The search with more statements in it."""
    text = CHIP + MODEL + SEARCH.rstrip().removesuffix("}") + "".join(f"\n{each}" for each in statements) + "\n}\n"
    return loaded(text, *overrides).spec.search


@pytest.mark.parametrize(
    ("written", "factors"),
    [
        ("latency", [("latency", 1.0)]),
        ("latency * energy^0.5", [("latency", 1.0), ("energy", 0.5)]),
        ("latency*energy", [("latency", 1.0), ("energy", 1.0)]),
        ("energy ^ 2", [("energy", 2.0)]),
        ("interval^1e-1 * area * crossbars^3", [("interval", 0.1), ("area", 1.0), ("crossbars", 3.0)]),
    ],
)
@pytest.mark.parametrize("way", ["minimize {}", "minimize = {}", "override"])
def test_a_product_of_powers_is_made_small(loaded, written: str, factors: list, way: str):
    if way == "override":
        search = loaded(SPEC, f"search.minimize={written}").spec.search
    else:
        search = searching(loaded, way.format(written))
    assert search.minimize == Objective(factors=tuple((Metric(name), power) for name, power in factors))
    assert search.metrics == tuple(Metric(name) for name, _ in factors)


def test_an_override_of_a_product_replaces_the_one_in_the_file(loaded):
    search = searching(loaded, "minimize latency * energy^0.5", overrides=("search.minimize=latency*energy",))
    assert str(search.minimize) == "latency * energy"


def test_a_product_says_itself_as_it_is_written(loaded):
    for written in ("latency", "latency * energy^0.5", "energy^2 * area"):
        found = loaded(SPEC, f"search.minimize={written}").spec.search.minimize
        assert str(found) == written
        assert loaded(SPEC, f"search.minimize={found}").spec.search.minimize == found


def test_a_product_is_a_value_of_its_own_and_a_word_alone_is_none():
    value = one("minimize latency * energy^0.5").value
    assert isinstance(value, Binary)
    assert [part.span.text for part in (value.left, value.operator, value.right)] == ["latency", "*", "energy^0.5"]
    assert value.span.text == "latency * energy^0.5"
    assert isinstance(one("minimize = latency").value, Word)


def test_the_digest_knows_what_is_made_small(loaded):
    digests = {
        loaded(SPEC, f"search.minimize={each}").spec.digest
        for each in ("latency", "energy", "latency*energy", "energy^2")
    }
    assert len(digests) == 4
    assert loaded(SPEC).spec.digest == loaded(SPEC, "search.minimize=latency^1").spec.digest


@pytest.mark.parametrize("written", ["pareto latency, energy", "pareto = [latency, energy]"])
def test_trade_offs_add_to_the_metrics_that_are_asked_for(loaded, written: str):
    search = searching(loaded, "minimize interval", written)
    assert search.pareto == (Metric.LATENCY, Metric.ENERGY)
    assert search.metrics == (Metric.INTERVAL, Metric.LATENCY, Metric.ENERGY)
    assert search.minimize == Objective.of(Metric.INTERVAL)


def test_latency_alone_is_made_small_unless_something_is_said(loaded):
    search = loaded(SPEC).spec.search
    assert (search.minimize, search.pareto, search.metrics) == (Objective.of(Metric.LATENCY), (), (Metric.LATENCY,))


@pytest.mark.parametrize(
    ("override", "code", "place"),
    [
        ("search.minimize=latncy", "CIM204", (17, 23)),
        ("search.minimize=latency*latncy^2", "CIM204", (25, 31)),
        ("search.minimize=latency*energy*latency^2", "CIM205", (32, 41)),
        ("search.minimize=latency^0", "CIM208", (17, 26)),
        ("search.minimize=latency^-1", "CIM208", (17, 27)),
        ("search.minimize=latency*energy^11", "CIM208", (25, 34)),
        ("search.minimize=latency^energy", "CIM205", (17, 31)),
        ("search.minimize=latency*2", "CIM205", (17, 26)),
        ("search.minimize=2*latency", "CIM205", (17, 26)),
        ("search.minimize=latency*", "CIM101", None),
        ("search.minimize=5", "CIM205", (17, 18)),
        ('search.minimize="latency"', "CIM205", (17, 26)),
        ("search.minimize=[latency, energy]", "CIM205", (17, 34)),
        ("search.pareto=latency", "CIM219", (15, 22)),
        ("search.pareto=[latency, latency]", "CIM219", (15, 33)),
        ("search.pareto=[latency, energy, area, interval]", "CIM208", (15, 48)),
        ("search.pareto=latency*energy", "CIM205", (15, 29)),
        ("search.pareto=[latency, enrgy]", "CIM204", (25, 30)),
        ("search.methods=[rl, rl]", "CIM219", (16, 24)),
        ("search.methods=[rl, evolutoin]", "CIM204", (21, 30)),
        ("search.methods=[]", "CIM208", (16, 18)),
        ("search.bits=latency*energy", "CIM207", None),
        ("search.budget=latency*energy", "CIM205", (15, 29)),
    ],
)
def test_what_cannot_be_asked_for_is_answered_at_its_place(loaded, override: str, code: str, place):
    with pytest.raises(CimError) as caught:
        loaded(SPEC, override)
    (found,) = caught.value.diagnostics
    assert found.code == code
    if place:
        assert (found.span.column, found.span.column + len(found.span.text)) == place


def test_an_unknown_method_is_answered_with_the_one_that_was_meant(loaded):
    with pytest.raises(CimError) as caught:
        loaded(SPEC, "search.methods=[nsga, rl]")
    (found,) = caught.value.diagnostics
    assert found.label == "did you mean `nsga2`?"
    assert "maskable_ppo, evolution, nsga2" in found.notes[0]
