"""Shapes of operations against those that torch and numpy make."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cimspec.graph.layer import Add, AvgPool, Concat, Conv2d, Linear, MaxPool, Multiply, Product, Slice, Transpose
from cimspec.graph.shapes import DoesNotFitError, output_shape
from cimspec.graph.window import Window

pairs = st.tuples(st.integers(1, 4), st.integers(1, 4))
sides = st.tuples(*(st.integers(0, 3),) * 4)
images = st.tuples(st.integers(1, 6), st.integers(1, 12), st.integers(1, 12))


@settings(deadline=None)
@given(images, pairs, pairs, sides, pairs, st.integers(1, 3), st.integers(1, 3))
def test_convolutions(shape, kernel, stride, padding, dilation, groups, factor):
    channels, out = shape[0] * groups, groups * factor
    top, left, bottom, right = padding
    window = Window(kernel, stride, padding, dilation)
    op = Conv2d(channels, out, window, groups)
    image = torch.nn.functional.pad(torch.empty(1, channels, *shape[1:], device="meta"), (left, right, top, bottom))
    layer = torch.nn.Conv2d(channels, out, kernel, stride, 0, dilation, groups, device="meta")
    if window.span[0] <= image.shape[2] and window.span[1] <= image.shape[3]:
        assert output_shape(op, [(channels, *shape[1:])]) == tuple(layer(image).shape[1:])
    else:
        with pytest.raises(DoesNotFitError, match="larger than its input's"):
            output_shape(op, [(channels, *shape[1:])])


@pytest.mark.slow
@settings(deadline=None)
@given(images, pairs, pairs, sides)
def test_every_window_that_is_pooled_holds_a_value_of_the_image(shape, kernel, stride, padding):
    window = Window(kernel, stride, padding)
    try:
        _, *counts = output_shape(MaxPool(window), [shape])
    except DoesNotFitError:
        assume(False)
    assert output_shape(AvgPool(window), [shape]) == (shape[0], *counts)
    for axis, count in enumerate(counts):
        starts = np.arange(count) * stride[axis] - padding[axis]
        assert (starts + kernel[axis] > 0).all()
        assert (starts < shape[1 + axis]).all()


shapes = st.lists(st.integers(1, 3), min_size=1, max_size=3).map(tuple)


@settings(deadline=None)
@given(shapes, shapes, st.sampled_from([Add(), Multiply()]))
def test_smaller_operands_are_repeated_as_numpy_does(a, b, op):
    try:
        expected = np.broadcast_shapes(a, b)
    except ValueError:
        with pytest.raises(DoesNotFitError):
            output_shape(op, [a, b])
    else:
        assert output_shape(op, [a, b]) == expected


@settings(deadline=None)
@given(st.lists(st.integers(1, 3), max_size=1), st.integers(1, 4), st.integers(1, 4), st.integers(1, 4))
def test_products(heads, rows, inner, columns):
    a, b = (*heads, rows, inner), (*heads, inner, columns)
    assert output_shape(Product(), [a, b]) == np.matmul(np.zeros(a), np.zeros(b)).shape


@settings(deadline=None)
@given(st.permutations(range(3)), images)
def test_transposes(axes, shape):
    assert output_shape(Transpose(tuple(axes)), [shape]) == np.zeros(shape).transpose(axes).shape


@settings(deadline=None)
@given(images, st.integers(0, 2), st.integers(0, 11), st.integers(1, 12), st.integers(1, 4))
def test_slices(shape, axis, start, stop, step):
    assume(start < stop <= shape[axis])
    taken = np.take(np.zeros(shape), range(start, stop, step), axis)
    assert output_shape(Slice(axis, start, stop, step), [shape]) == taken.shape


@settings(deadline=None)
@given(images, st.integers(0, 2), st.lists(st.integers(1, 5), max_size=3))
def test_joined_tensors(shape, axis, extents):
    parts = [shape, *((*shape[:axis], extent, *shape[axis + 1 :]) for extent in extents)]
    assert output_shape(Concat(axis), parts) == np.concatenate([np.zeros(part) for part in parts], axis).shape


def test_channels_and_features_must_be_those_of_the_operation():
    with pytest.raises(DoesNotFitError, match="takes 4 channels, not 3"):
        output_shape(Conv2d(4, 8, Window.square(1)), [(3, 5, 5)])
    with pytest.raises(DoesNotFitError, match="takes 4 features, not 3"):
        output_shape(Linear(4, 8), [(5, 3)])
