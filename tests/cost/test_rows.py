"""What rows need: a row of a result does not change with rows that it does not wait for."""

from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cimspec.cost.rows import Cut, natural_cut, needs, result_cut
from cimspec.cost.stage import Rows, Whole
from cimspec.graph.window import Window
from cimspec.quant.apply import apply_vector, matmul
from cimspec.quant.lower import lower
from cimspec.quant.ops import Array, IntegerOp, MatMul, Reshaped, SumAxes, Tensor, Transposed, Wide
from tests.compiler.strategies import Case, cases


@dataclass
class Run:
    """A network's tensors for its images, and how each is cut."""

    case: Case
    types: dict[str, Tensor]
    tensors: dict[str, Array]
    cuts: dict[str, Cut]

    def compute(self, op: IntegerOp, tensors: dict[str, Array]) -> Array:
        constants = self.case.network.constants
        if isinstance(op, MatMul):
            weights = tensors[op.weights] if op.moving else constants[op.weights]
            return matmul(op, tensors[op.src], weights, constants[op.bias] if op.bias else None)
        return apply_vector(op, tensors, constants)


@settings(max_examples=60, deadline=None)
@given(cases(), st.integers(0, 2**32))
def test_a_row_does_not_depend_on_rows_that_it_does_not_wait_for(case: Case, seed: int):
    rng = np.random.default_rng(seed)
    lowered = lower(case.graph, case.policy)
    run = Run(case, {tensor.name: tensor for tensor in lowered.tensors}, {}, {})
    run.tensors[case.network.input] = case.images
    run.cuts[case.network.input] = natural_cut(case.graph.input_shape)
    for op in lowered.ops:
        run.tensors[op.dst] = run.compute(op, run.tensors)
        run.cuts[op.dst] = result_cut(op, run.types, run.cuts)
        assert run.types[op.dst].shape[run.cuts[op.dst].axis] % run.cuts[op.dst].rows == 0
        for need in needs(op, run.types, run.cuts):
            rows = run.cuts[op.dst].rows
            row = int(rng.integers(rows))
            last = int(need.last(np.array([row]), run.cuts[need.stage].rows)[0])
            changed = disturbed(run.tensors[need.stage], run.cuts[need.stage], last, rng)
            again = run.compute(op, run.tensors | {need.stage: changed})
            expected = part(run.tensors[op.dst], run.cuts[op.dst], row)
            assert np.array_equal(part(again, run.cuts[op.dst], row), expected), op


def disturbed(tensor: Array, cut: Cut, last: int, rng: np.random.Generator) -> Array:
    """Everything behind row `last` put in another order."""
    changed = tensor.copy()
    behind = changed.shape[cut.axis + 1] // cut.rows * (last + 1)
    view = np.moveaxis(changed, cut.axis + 1, 0)[behind:]
    view[...] = rng.permutation(view.ravel()).reshape(view.shape)
    return changed


def part(tensor: Array, cut: Cut, row: int) -> Array:
    extent = tensor.shape[cut.axis + 1] // cut.rows
    return np.moveaxis(tensor, cut.axis + 1, 0)[row * extent : (row + 1) * extent]


def test_patches_become_tokens_row_by_row():
    """(8, 4, 5) -> (8, 20) -> (20, 8): four rows of five pixels each stay four parts, along the axis of tokens."""
    types = {
        "image": Tensor("image", Wide.SUMS, (8, 4, 5)),
        "flat": Tensor("flat", Wide.SUMS, (8, 20)),
        "tokens": Tensor("tokens", Wide.SUMS, (20, 8)),
        "mean": Tensor("mean", Wide.SUMS, (8,)),
    }
    cuts = {"image": natural_cut((8, 4, 5))}
    assert cuts["image"] == Cut(1, 4)
    for op in (Reshaped("flat", "image", (8, 20)), Transposed("tokens", "flat", (1, 0))):
        cuts[op.dst] = result_cut(op, types, cuts)
        assert needs(op, types, cuts) == (Rows(op.src),)
    assert (cuts["flat"], cuts["tokens"]) == (Cut(1, 4), Cut(0, 4))
    total = SumAxes("mean", "tokens", (0,))
    cuts["mean"] = result_cut(total, types, cuts)
    assert needs(total, types, cuts) == (Whole("tokens"),)


def test_a_window_waits_for_its_last_row():
    """Rows 2r - 1 to 2r + 1: row 3 waits for row 7, the first for row 1."""
    need = Rows.of("image", Window.square(3, 2, 1))
    assert list(need.last(np.arange(4), 8)) == [1, 3, 5, 7]
