"""IR drop in the wires of one crossbar: a first-order attenuation of each cell, and the exact network to check it with.

A row is driven at its first column and held there at its voltage; a column is held at zero at its last row, where it is
converted. Between neighbouring cells lies a wire of resistance `r`, in rows and in columns. Conductances in siemens.
"""

from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float64]

LARGEST_DENSE = 4000
"""Nodes of the largest network that is solved without scipy: a matrix of 128 MB."""


def attenuation(conductances_siemens: Reals, wire_resistance_ohm: float, activity: float) -> Reals:
    """The factor `[rows, columns]` by which each cell seems to conduct less; exact to first order in `r`.

    With cell currents `I = G V`, to first order, the voltages of a cell's two ends are

        row:     V_i - r sum_m I_im min(j, m)              m over the columns
        column:      r sum_m I_mj (R - 1 - max(i, m))      m over the rows

    Voltages of rows that are not driven are zero. Where their cells are cut off by transistors, a column's sum depends
    on pairs of driven rows; the other row of a pair is taken to be driven with the probability `activity`. Where they
    stay connected, and with every row driven, `activity = 1` is exact for every input: cells of rows at zero volts
    carry back what the column's rise drives through them, and by the symmetry of `max(i, m)` that is the same sum. So

        factor = 1 / (1 + r (sum_m G_im min(j, m)  +  a sum_{m != i} G_mj (R - 1 - max(i, m))  +  G_ij (R - 1 - i)))

    The quotient is `1 - x` to first order, stays positive, and is exact for one cell at the end of a wire.
    """
    rows = conductances_siemens.shape[0]
    beyond = np.flip(np.cumsum(np.flip(conductances_siemens, 1), 1), 1)  # [i, p]: sum over m >= p
    beyond[:, :1] = 0  # no wire before the first column
    along_row = np.cumsum(beyond, 1)
    above = np.cumsum(conductances_siemens, 0)  # [q, j]: sum over m <= q
    above[-1:] = 0  # no wire behind the last row
    along_column = np.flip(np.cumsum(np.flip(above, 0), 0), 0)
    own = conductances_siemens * np.arange(rows - 1, -1, -1)[:, None]
    drop = along_row + activity * along_column + (1 - activity) * own
    return np.asarray(1 / (1 + wire_resistance_ohm * drop))


def solve_nodal(conductances_siemens: Reals, voltages: Reals, wire_resistance_ohm: float) -> Reals:
    """Currents `[columns]` at the feet of the columns, in amperes, of rows driven at `voltages` `[rows]`.

    Kirchhoff's equations of all nodes, solved at once: exact and slow. Rows at zero volts stay connected; a row that is
    cut off has conductances of zero. Uses scipy where it is installed; without it, small crossbars only.
    """
    if wire_resistance_ohm == 0:
        return np.asarray(voltages @ conductances_siemens)
    rows, columns = conductances_siemens.shape
    row_nodes = np.arange(rows * columns).reshape(rows, columns)
    column_nodes = row_nodes + rows * columns
    wire = 1 / wire_resistance_ohm
    edges = [
        (row_nodes, column_nodes, conductances_siemens),
        (row_nodes[:, :-1], row_nodes[:, 1:], np.full((rows, columns - 1), wire)),
        (column_nodes[:-1], column_nodes[1:], np.full((rows - 1, columns), wire)),
    ]
    potentials = np.zeros(2 * rows * columns)
    potentials[row_nodes[:, 0]] = voltages
    is_free = np.ones(potentials.size, bool)
    is_free[row_nodes[:, 0]] = is_free[column_nodes[-1]] = False
    first, second, values = (np.concatenate([edge[part].ravel() for edge in edges]) for part in range(3))
    _solve(first, second, values, potentials, is_free)
    across = potentials[row_nodes] - potentials[column_nodes]
    return np.asarray((conductances_siemens * across).sum(axis=0))


def _solve(
    first: npt.NDArray[Any], second: npt.NDArray[Any], values: Reals, potentials: Reals, is_free: npt.NDArray[np.bool_]
) -> None:
    """Fill in the free potentials of a network of conductances between nodes `first` and `second`."""
    if not is_free.any():
        return
    nodes = np.concatenate([first, second, first, second])
    others = np.concatenate([first, second, second, first])
    entries = np.concatenate([values, values, -values, -values])
    try:
        sparse, linalg = import_module("scipy.sparse"), import_module("scipy.sparse.linalg")
    except ImportError:
        if potentials.size > LARGEST_DENSE:
            raise ValueError(f"{potentials.size} nodes need scipy, which is not installed") from None
        matrix = np.zeros((potentials.size, potentials.size))
        np.add.at(matrix, (nodes, others), entries)
        known = matrix[is_free] @ potentials
        potentials[is_free] = np.linalg.solve(matrix[np.ix_(is_free, is_free)], -known)
        return
    network = sparse.coo_matrix((entries, (nodes, others)), shape=(potentials.size,) * 2).tocsr()[is_free]
    known = network @ potentials
    potentials[is_free] = linalg.spsolve(network[:, is_free].tocsc(), -known)
