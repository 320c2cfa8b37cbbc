"""The HTML page of a run: well-formed, self-contained, harmless, and with the numbers of the report."""

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from cimspec.cost import program_cost
from cimspec.graph import Policy, Precision
from cimspec.report.outcomes import run_verdict
from cimspec.report.page import make_page, render_page
from cimspec.report.run_report import Outcome, RunReport
from cimspec.search.finalists import Comparison
from cimspec.spec.chip import WeightMode
from cimspec.spec.search import Metric
from tests.report.programs import named_program, small_program

RESIDENT = {"weights": WeightMode.RESIDENT}
VOID = {"meta", "br", "hr", "img", "link", "input"}


class Page(HTMLParser):
    """Complains about tags that are not closed; keeps elements, links and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attributes)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attributes if name in ("src", "href", "xlink:href", "action")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.text.append(data.strip())


def outcome(method: str, speedup: float, policy: Policy) -> Outcome:
    return Outcome(
        method=method,
        policy=policy,
        latency_us=33.6 / speedup,
        interval_us=28.0 / speedup,
        values={Metric.LATENCY: 33_600.0 / speedup},
        speedup=speedup,
        accuracy=0.97,
        accuracy_by_draw=(0.97,),
        test=Comparison(1000, 3, 9),
        validation=Comparison(600, 2, 2),
        evaluations=106,
        fine_tuned=True,
        kl=0.1,
    )


def searched(program, name: str = "spec") -> RunReport:
    """A report of a search that ends with `program`."""
    policy = Policy(("c", "f"), (Precision(4, 4), Precision(4, 4)))
    best = outcome("rl", 2.5, policy)
    return RunReport(
        spec_name=name,
        spec_digest="0123abcd" * 8,
        seed=7,
        versions={"cimspec": "0.1.0", "numpy": "2.3.4"},
        baseline_cost=program_cost(program),
        baseline_accuracy=0.976,
        baseline_accuracy_by_draw=(0.976,),
        float_accuracy=0.981,
        chip_seeds=(7000,),
        evaluated_on="quantized",
        finetuned_on="quantized",
        test_images=1000,
        uniform=outcome("uniform", 2.0, policy),
        best=best,
        methods={"rl": best, "evolution": outcome("evolution", 2.25, policy), "random": None},
        space_size=2401,
        allowed_loss_pp=0.086,
        seconds={"training": 12.34, "rl": 5.0},
        command="cimspec run spec.cim --seed 7",
    )


def costed(program) -> RunReport:
    """A report without data."""
    return RunReport("spec", "0123abcd" * 8, 0, {"cimspec": "0.1.0"}, program_cost(program))


PROGRAMS = {
    "reloaded": small_program(2),
    "pipeline": small_program(14, **RESIDENT),
    "segments": small_program(8, **RESIDENT),
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
@pytest.mark.parametrize("make", [searched, costed])
def test_a_page_is_well_formed_and_needs_nothing_else(make, program):
    html = render_page(make(program), program)
    page = Page(html)
    assert page.tags.count("svg") == 1
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert all(link.startswith("#") for link in page.links)
    assert "url(http" not in html
    assert "@import" not in html
    assert html.startswith("<!DOCTYPE html>")


def test_a_required_accuracy_is_shown_and_kept():
    program = PROGRAMS["reloaded"]
    report = replace(searched(program), allowed_loss_pp=None, least_accuracy=0.975)
    text = Page(render_page(report, program)).text
    assert "accuracy required" in text
    assert "97.5 %" in text
    assert "accuracy loss allowed" not in text
    kept = report.as_json()
    assert (kept["allowed_loss_pp"], kept["least_accuracy"], kept["baseline_suffices"]) == (None, 0.975, True)


@pytest.mark.parametrize(
    ("suffices", "verdict"),
    [
        (True, "(at least 97.5 % right); the 8/8 network stands."),
        (False, "(at least 97.5 % right); nor is the 8/8 network, which stands."),
    ],
)
def test_where_nothing_is_good_enough_that_is_said_of_the_8_bit_network_too(suffices, verdict):
    program = PROGRAMS["reloaded"]
    stands = outcome("baseline", 1.0, Policy(("c", "f"), (Precision(8, 8),) * 2))
    report = replace(
        searched(program), best=stands, methods={"rl": None}, least_accuracy=0.975, baseline_suffices=suffices
    )
    assert run_verdict(report) == f"No policy that was searched is as accurate as is required {verdict}"


def test_a_page_shows_what_was_found_and_where_it_comes_from():
    program = PROGRAMS["pipeline"]
    text = Page(render_page(searched(program), program)).text
    for part in (
        "net on small: 14 crossbars of 8 x 8 2-bit cells, 16-bit ADC, weights resident",
        "2.50x faster than 8/8 bits at +0.60 pp test accuracy lost; uniform bits reach 2.00x.",  # (9 - 3) of 1000
        "2.25x",  # evolution
        "8/8 baseline",
        "97.6",
        "33.6",  # latency: 6 turns of 4 steps of 1.4 us
        "28.0",  # interval: 5 turns
        "35,714.3",  # inputs per second
        "56.0",  # programming
        "0123abcd" * 8,
        "cimspec 0.1.0, numpy 2.3.4",
        "training 12.3 s, rl 5.0 s",
        "cimspec run spec.cim --seed 7",
        "7000",
        "2.4e+03",
        "0.086 pp",
    ):
        assert any(part in each for each in text), part


def test_without_data_a_page_shows_the_cost_only():
    program = PROGRAMS["reloaded"]
    page = make_page(costed(program), program)
    assert page.verdicts == ()
    assert page.results == ()
    assert page.commands == ()
    (layers,) = page.layers
    assert layers.title == "Layers with 8/8 bits"
    # 2 waves of 56 us and 9 turns of 5.6 us, 4 of 56 us and one turn
    assert [(row.cells[0], row.cells[4], row.style) for row in layers.rows] == [
        ("c", "212.8", ""), ("f", "246.4", ""), ("all", "459.2", "total"),
    ]  # fmt: skip


def test_the_best_method_is_bold():
    (results, *_) = make_page(searched(PROGRAMS["pipeline"]), PROGRAMS["pipeline"]).results
    assert [row.cells[0] for row in results.rows if row.style == "bold"] == ["rl"]
    assert [row.cells[0] for row in results.rows][2:] == ["rl", "evolution", "random"]


def test_names_cannot_become_markup():
    hostile = "<script>alert('x')</script>"
    program = replace(named_program(hostile), name=f"{hostile}&amp;")
    report = replace(
        costed(program), spec_name=f'"{hostile}', versions={hostile: "1"}, command=f"cimspec run '{hostile}'"
    )
    html = render_page(report, program)
    page = Page(html)
    assert "<script" not in html
    assert "script" not in page.tags
    assert sum(hostile in text for text in page.text) >= 5


def test_a_page_of_many_layers_stays_small():
    program = named_program("f", 4000)
    assert len(render_page(costed(program), program)) < 60_000


def test_on_a_chip_that_loses_something_the_float_network_stands_beside_the_result():
    report = searched(PROGRAMS["pipeline"])
    assert "float network" not in run_verdict(report)
    assert "The float network, which is on no chip, has 98.1 %." in run_verdict(replace(report, chip_is_exact=False))
