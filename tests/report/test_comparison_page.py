"""Pictures and pages of comparisons: they open offline, say what the tables say, and can be written anywhere."""

import json
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimspec.diag import CimError
from cimspec.report import comparison_page
from cimspec.report.comparison_page import make_comparison_page, render_comparison, write_comparison
from cimspec.report.comparison_plot import Band, comparison_svg, draw_comparison, save_comparison_plot, spread
from cimspec.report.standing import Curve
from tests.report.comparisons import comparison, large_comparison, search_run
from tests.report.test_chart import texts
from tests.report.test_page import Page


@pytest.fixture(scope="module")
def report():
    return large_comparison(budget=70)


@pytest.fixture(scope="module")
def picture(report) -> str:
    return comparison_svg(report)


@pytest.fixture(scope="module")
def html(report, picture) -> str:
    return render_comparison(report, picture)


def test_a_band_is_the_mean_and_the_range_of_two_runs():
    band = Band.of([Curve(((0, 1.0), (3, 2.0))), Curve(((0, 1.0), (5, 4.0)))], budget=8)
    assert band.evaluations.tolist() == [1, 3, 5, 8]
    assert band.mean.tolist() == [1, 1.5, 3, 3]
    assert band.low.tolist() == [1, 1, 2, 2]
    assert band.high.tolist() == [1, 2, 4, 4]


def test_a_band_of_three_runs_is_student_s_interval():
    curves = [Curve(((0, 1.0), (1, gain))) for gain in (2.0, 3.0, 4.0)]
    band = Band.of(curves, budget=2)
    assert (band.high - band.mean).tolist() == pytest.approx([4.302653 / 3**0.5] * 2)


def test_the_picture_names_methods_and_what_they_stand_beside(report, picture):
    found = texts(picture)
    for result in report.results():
        assert result.name in found
        for standing in result.standings:
            assert f"{standing.method} {standing.over_runs(70).mean:.2f}" in found
        assert f"uniform {np.mean(result.uniform):.2f}" in found
        assert f"optimum {np.mean([best.gain for best in result.best]):.2f}" in found
    assert {"60", "70", "distinct evaluations", "gain over 8/8 bits"} <= set(found)


def test_every_goal_has_a_panel(report):
    assert len(draw_comparison(report).axes) == 3
    five = replace(
        report,
        goal_names=tuple("abcde"),
        arenas=tuple(
            replace(arena, goals=(arena.goals * 2)[:5], optima=(None,) * 5) for arena in report.arenas
        ),
    )  # fmt: skip
    figure = draw_comparison(five)
    assert len(figure.axes) == 5
    boxes = [axes.get_position() for axes in figure.axes]
    assert boxes[3].y1 < boxes[0].y0
    assert all(0 <= box.x0 < box.x1 <= 1 and 0 <= box.y0 < box.y1 <= 1 for box in boxes)
    assert "best known" in " ".join(texts(comparison_svg(five)))


def test_the_same_comparison_gives_the_same_picture(report, picture):
    assert comparison_svg(report) == picture


@pytest.mark.parametrize(("suffix", "magic"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_the_ending_says_what_is_written(report, tmp_path, suffix: str, magic: bytes):
    assert save_comparison_plot(report, tmp_path / f"a.{suffix}").read_bytes().startswith(magic)


def test_other_endings_are_refused(report, tmp_path):
    with pytest.raises(ValueError, match=r"\.png"):
        save_comparison_plot(report, tmp_path / "a.doc")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("budget", [1, 2, 1_000_000])
def test_any_budget_can_be_drawn(budget: int):
    ElementTree.fromstring(comparison_svg(comparison([search_run("rl", [900.0])], budget=budget)))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12).map(sorted), st.floats(0.01, 0.2))
def test_labels_keep_their_order_and_distance_and_move_little(places: list[float], spacing: float):
    moved = spread(places, spacing)
    assert (np.diff(moved) >= spacing - 1e-9).all()
    assert np.mean(moved) == pytest.approx(np.mean(places))
    if (np.diff(places) >= spacing).all():
        assert moved == pytest.approx(places)


def test_a_page_needs_nothing_else(html):
    page = Page(html)
    assert page.tags.count("svg") == 1
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert all(link.startswith("#") for link in page.links)
    assert "url(http" not in html
    assert "@import" not in html


def test_a_page_shows_tables_notes_and_provenance(report, html):
    text = Page(html).text
    (first, *_) = report.results()
    standing = first.standings[1]
    for part in (
        "spec: methods compared",
        "rl, evolution, nsga2, random, greedy: 70 distinct evaluations each, 3 trained networks, 3 search seeds",
        "Gain over 8/8 bits in latency, divergence <= 0.1 nats",
        str(standing.over_runs(60)),
        f"{standing.paired.ratio:.3f}",
        "Effort of one run",
        "sign-flip test",
        "cimspec compare spec.cim",
        "0123abcd" * 8,
        "0, 1, 2",
        "latency at 8/8 bits",
        "1,200 ns",
    ):
        assert any(part in each for each in text), part


def test_a_page_begins_with_the_method_that_gains_most():
    runs = [search_run("rl", [600.0]), search_run("evolution", [300.0])]
    page = make_comparison_page(comparison(runs), "<svg></svg>")
    assert page.verdicts == (
        ("divergence <= 0.1 nats: evolution gains 4.00", "Beside it: rl 2.00, uniform bits 2.00."),
    )
    assert "from the least to the largest" in page.caption


def test_names_cannot_become_markup():
    hostile = "<script>alert('x')</script> $x^2$ & 卷积"
    html = render_comparison(comparison([search_run(hostile, [600.0])], spec_name=hostile, goal_names=(hostile,)))
    assert "<script" not in html
    assert sum("<script>" in text for text in Page(html).text) >= 4


def test_a_comparison_is_written_as_json_page_and_picture(report, picture, html, tmp_path):
    written = write_comparison(report, tmp_path)
    assert {kind: path.name for kind, path in written.items()} == {
        "json": "comparison.json", "html": "comparison.html", "svg": "comparison.svg",
    }  # fmt: skip
    assert json.loads(written["json"].read_text()) == json.loads(json.dumps(report.as_json()))
    assert written["html"].read_text() == html
    assert written["svg"].read_text() == picture
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in written.values())


def test_without_the_packages_there_is_the_json_alone(report, tmp_path, monkeypatch):
    monkeypatch.setattr(comparison_page, "has_page_packages", lambda: False)
    assert list(write_comparison(report, tmp_path)) == ["json"]
    assert [path.name for path in tmp_path.iterdir()] == ["comparison.json"]


def test_a_folder_that_is_not_there_gets_a_diagnostic(report, tmp_path, monkeypatch):
    monkeypatch.setattr(comparison_page, "has_page_packages", lambda: False)
    with pytest.raises(CimError, match="cannot write into"):
        write_comparison(report, tmp_path / "absent")
