"""Wires: by hand, against the exact network, and in the limits."""

import sys

import numpy as np
import pytest

from cimspec.sim.wires import attenuation, solve_nodal

ON = 1e-4  # siemens


def conductances(rows: int = 24, columns: int = 16) -> np.ndarray:
    return np.random.default_rng(0).uniform(0.05, 1, (rows, columns)) * ON


def currents(cells: np.ndarray, voltages: np.ndarray, resistance: float, activity: float) -> np.ndarray:
    return voltages @ (cells * attenuation(cells, resistance, activity))


def test_without_resistance_nothing_is_lost():
    cells, voltages = conductances(), np.linspace(0, 1, 24)
    assert np.all(attenuation(cells, 0.0, 0.5) == 1)
    assert np.array_equal(solve_nodal(cells, voltages, 0.0), voltages @ cells)


def test_two_cells_in_a_row():
    # The first cell sits at the source, the second behind r: r + 1/G2 in series.
    first, second, r = 1e-4, 2e-4, 100.0
    cells = np.array([[first, second]])
    expected = np.array([first, 1 / (r + 1 / second)])
    assert np.allclose(solve_nodal(cells, np.array([1.0]), r), expected, rtol=1e-12)
    assert np.allclose(cells[0] * attenuation(cells, r, 0.3)[0], expected, rtol=1e-12)


def test_two_cells_in_a_column():
    # The upper cell reaches the foot through r; the lower one sits on it. Neither shares a wire with the other.
    upper, lower, r = 1e-4, 2e-4, 100.0
    cells = np.array([[upper], [lower]])
    expected = 1 / (r + 1 / upper) + lower
    assert np.allclose(solve_nodal(cells, np.ones(2), r), expected, rtol=1e-12)
    assert np.allclose(currents(cells, np.ones(2), r, 0.3), expected, rtol=1e-12)


def test_the_sums_of_the_docstring():
    cells, r, activity = conductances(5, 4), 50.0, 0.3
    rows, columns = cells.shape
    factor = attenuation(cells, r, activity)
    for i in range(rows):
        for j in range(columns):
            drop = sum(cells[i, m] * min(j, m) for m in range(columns))
            drop += sum((1 if m == i else activity) * cells[m, j] * (rows - 1 - max(i, m)) for m in range(rows))
            assert factor[i, j] == pytest.approx(1 / (1 + r * drop), rel=1e-12)


@pytest.mark.parametrize("driven", ["all", "some"])
def test_the_error_is_quadratic_in_the_resistance(driven):
    # Rows at zero volts stay connected: then `activity = 1` is exact to first order for every input.
    cells = conductances()
    voltages = np.ones(24) if driven == "all" else np.random.default_rng(1).uniform(0, 1, 24).round()
    errors = [
        np.abs(currents(cells, voltages, r, 1.0) - solve_nodal(cells, voltages, r)).max() for r in (0.4, 0.2, 0.1, 0.05)
    ]
    ratios = np.array(errors[:-1]) / errors[1:]
    assert np.all((ratios > 3.8) & (ratios < 4.2))
    assert errors[-1] < 1e-4 * (voltages @ cells).max()


def test_rows_that_are_cut_off_load_the_columns_by_their_activity():
    cells, r, rng = conductances(), 0.2, np.random.default_rng(2)
    patterns = rng.uniform(size=(300, 24)) < 0.5
    exact = np.mean([solve_nodal(cells * driven[:, None], driven * 1.0, r) for driven in patterns], axis=0)
    mean = np.mean([currents(cells, driven * 1.0, r, 0.5) for driven in patterns], axis=0)
    ideal = np.mean([driven @ cells for driven in patterns], axis=0)
    # What is lost is right to 5 % on average: the pairs of 300 patterns scatter by about that.
    assert np.allclose(ideal - mean, ideal - exact, rtol=0.05)


def test_far_cells_lose_most():
    factor = attenuation(np.full((8, 8), ON), 10.0, 0.5)
    assert np.all(np.diff(factor, axis=1) < 0)
    assert np.all(np.diff(factor, axis=0) > 0)
    assert factor[-1, 0] == 1


def test_extreme_wires_leave_positive_conductances():
    assert np.all(attenuation(conductances(), 1e9, 1.0) > 0)


def test_without_scipy_small_networks_are_solved_alike(monkeypatch):
    cells, voltages = conductances(), np.ones(24)
    expected = solve_nodal(cells, voltages, 5.0)
    monkeypatch.setitem(sys.modules, "scipy.sparse", None)
    assert np.allclose(solve_nodal(cells, voltages, 5.0), expected, rtol=1e-10)
    with pytest.raises(ValueError, match="need scipy"):
        solve_nodal(conductances(64, 64), np.ones(64), 5.0)


@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (3, 1)])
def test_the_smallest_crossbars(shape):
    cells = conductances(*shape)
    assert np.allclose(
        solve_nodal(cells, np.ones(shape[0]), 1.0), currents(cells, np.ones(shape[0]), 1.0, 1.0), rtol=1e-7
    )
