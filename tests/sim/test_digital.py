"""Codes made of values in one pass are those of numpy, however values lie in memory."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimspec._kernels import digital
from cimspec.quant.apply import apply_vector
from cimspec.quant.ops import AddCodes, Codes, Requantize, scale_name
from cimspec.sim.digital import added, apply_digital, requantized


@st.composite
def tensors(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, Codes]:
    """Values in some order of axes, a scale for all or for each place on one axis, and codes."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = draw(st.lists(st.integers(0 if draw(st.booleans()) else 1, 9), min_size=2, max_size=4))
    lying = draw(st.permutations(range(len(shape))))
    size = 10 ** draw(st.integers(0, 12))
    values = rng.integers(-size, size + 1, [shape[axis] for axis in lying])
    if draw(st.booleans()):
        values = values / 7
    values = values.transpose(np.argsort(lying))
    if draw(st.booleans()):
        values = values[..., ::2]
    axis = draw(st.integers(1, len(shape) - 1))
    own = [count if index == axis else 1 for index, count in enumerate(values.shape)][1:]
    scale = rng.uniform(1e-4, 1, own if draw(st.booleans()) else ())
    return values, scale, Codes(draw(st.integers(1, 17)), draw(st.booleans()))


@given(tensors(), st.floats(1e-3, 1e3))
def test_codes_are_those_of_numpy(drawn, step):
    values, scale, codes = drawn
    op = Requantize("codes", "values", codes)
    constants = {scale_name("values"): scale, scale_name("codes"): np.float64(step)}
    found = apply_digital(op, {"values": values}, constants)
    expected = apply_vector(op, {"values": values}, constants)
    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected)


@given(tensors(), st.floats(1e-3, 1e3), st.sampled_from([np.int16, np.int64, np.float64]), st.booleans())
def test_codes_of_sums_are_those_of_numpy(drawn, step, kind, other_order):
    values, scale, codes = drawn
    other = (values % 1000).astype(kind)  # lies as `values` do, or (numpy's own choice) not
    other = np.ascontiguousarray(other) if other_order else other
    constants = {scale_name("a"): scale, scale_name("b"): np.float64(0.37), scale_name("codes"): np.float64(step)}
    op, given = AddCodes("codes", "a", "b", codes), {"a": values, "b": other}
    found, expected = apply_digital(op, given, constants), apply_vector(op, given, constants)
    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected)


def test_ties_are_rounded_to_even_and_the_rest_is_clipped():
    values = np.array([[-900, -5, -3, -1, 1, 3, 5, 900]])
    found = requantized(values, np.float64(0.5), Codes(4, True))
    assert found.tolist() == [[-7, -2, -2, 0, 0, 2, 2, 7]]


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 2, 3, 1), (3, 1, 0, 2)])
def test_codes_lie_as_values_do(order):
    values = np.arange(2 * 3 * 4 * 5).reshape(np.array([2, 3, 4, 5])[list(order)]).transpose(np.argsort(order))
    found = requantized(values, np.float64(0.1), Codes(8, True))
    assert np.argsort(found.strides).tolist() == np.argsort(values.strides).tolist()


def test_what_no_single_pass_follows_is_left_to_numpy():
    values = np.arange(24).reshape(2, 3, 4)
    codes = Codes(4, False)
    for each, factor in (
        (values.astype(np.int32), np.float64(1)),
        (values, np.ones(0)),
        (values[:, :, ::2], np.float64(1)),
        (values[:, ::-1], np.float64(1)),
        (np.broadcast_to(values[:1], (5, 3, 4)), np.float64(1)),
        (values, np.ones((3, 1))),
        (values, np.ones((3, 4))),
        (values, np.ones((1, 2, 3, 4))),
    ):
        assert requantized(each, factor, codes) is None


def test_sums_of_other_shapes_or_orders_are_left_to_numpy():
    one, codes = np.float64(1), Codes(8, True)
    values = np.arange(24).reshape(2, 3, 4)
    assert added(values, values, one, one, codes) is not None
    for other in (values[:1], values[..., None], np.asfortranarray(values), values.astype(np.int32)):
        assert added(values, other, one, one, codes) is None
    assert added(values, values, np.ones((3, 1)), one, codes) is None


def test_arrays_must_fit():
    values, codes, one = np.zeros(3), np.zeros(3, np.int16), np.ones(1)
    for wrong in ((values, one, codes[:2]), (values, one[:0], codes)):
        with pytest.raises(ValueError, match="a code for each value"):
            digital.requantize(*wrong[:2], -7, 7, wrong[2])
    with pytest.raises(ValueError, match="contiguous"):
        digital.requantize(np.zeros(6)[::2], one, -7, 7, codes)
    with pytest.raises(ValueError, match="Buffer dtype mismatch"):
        digital.requantize(values, one, -7, 7, np.zeros(3))
    with pytest.raises(TypeError):
        digital.requantize(values.astype(np.float32), one, -7, 7, codes)
    codes.setflags(write=False)
    with pytest.raises(ValueError, match="read-only"):
        digital.requantize(values, one, -7, 7, codes)
    digital.requantize(values[:0], one, -7, 7, np.zeros(0, np.int16))
    codes = np.zeros(3, np.int16)
    for wrong in (
        (values[:2], values, one, one, codes),
        (values, values[:2], one, one, codes),
        (values, values, one, np.ones(2), codes),
        (values, values, one[:0], one[:0], codes),
        (values, values, one, one, codes[:2]),
    ):
        with pytest.raises(ValueError, match="a code for each place"):
            digital.add_codes(*wrong[:4], -7, 7, wrong[4])
    digital.add_codes(values[:0], values[:0], one, one, -7, 7, codes[:0])
