"""Which rows are computed how: sets of rows -> rows for the kernels, or for numpy, in row order.

Rows whose ADC loses nothing become plain products, one for all of them where totals are integers; integers that mean
the same are added up in one array.
"""

from collections.abc import Iterable, Sequence

from cimspec.compiler.slicing import Part, largest_input
from cimspec.sim.kernel_rows import LARGEST_CODE, MOST, KernelRows, NumpyRows, PlainRows, Rows, kernel_rows, plain_rows
from cimspec.sim.row_set import RowSet


def prepared_rows(
    row_sets: Iterable[RowSet], instructions: str, vectors: int, *, is_integer: bool, offset: int, shortcut: bool
) -> tuple[Rows, ...]:
    """The fastest rows for about so many `vectors`. Of sets that are packed nothing else is kept.

    `is_integer`: whether totals are. Plain products of integers take the `offset` of weights off themselves.
    """
    rows: list[Rows] = []
    waiting: PlainRows | None = None
    steps: tuple[Part, ...] = ()
    for row_set in row_sets:
        steps = row_set.steps  # the same for all
        plain = _plain(row_set) if shortcut else None
        if plain is None:
            rows.append(kernel_rows(row_set, instructions, vectors) or NumpyRows(row_set))
        elif not is_integer:
            rows.append(plain.compiled(instructions, steps, counts_inputs=True))
        else:
            plain = plain.without(offset)
            joined = waiting.joined(plain) if waiting else plain
            if waiting and joined.largest(steps) > MOST:
                rows.append(waiting.compiled(instructions, steps, counts_inputs=False))
                joined = plain
            waiting = joined
    if waiting:
        rows.append(waiting.compiled(instructions, steps, counts_inputs=False))
    return _joined(rows, is_integer=is_integer)


def _plain(row_set: RowSet) -> PlainRows | None:
    plain = plain_rows(row_set)
    if plain is None or plain.largest(row_set.steps) > MOST or largest_input(row_set.steps) > LARGEST_CODE:
        return None
    return plain


def _joined(rows: Sequence[Rows], *, is_integer: bool) -> tuple[Rows, ...]:
    """Neighbours as one: where totals are integers, those whose codes mean the same and add up within 32 bits."""
    joined: list[Rows] = []
    for each in rows:
        last = joined[-1] if joined else None
        if (
            isinstance(each, KernelRows)
            and isinstance(last, KernelRows)
            and (last.means_the_same(each) or not is_integer)
        ):
            joined[-1] = last.joined(each)
        else:
            joined.append(each)
    return tuple(joined)
