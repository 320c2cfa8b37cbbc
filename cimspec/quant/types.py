"""What each operation of an integer network makes of which tensors: element and shape, or why it cannot."""

from collections.abc import Mapping
from math import prod
from typing import assert_never

from cimspec.graph.layer import Shape
from cimspec.graph.window import Window
from cimspec.quant.ops import (
    AddCodes,
    Clipped,
    Codes,
    Dequantize,
    Element,
    Evaluate,
    IntegerOp,
    Joined,
    Load,
    LocallyNormalized,
    MatMul,
    Multiplied,
    Normalized,
    PoolMax,
    PoolSum,
    Rectify,
    Requantize,
    Reshaped,
    Scaled,
    Sliced,
    Softmaxed,
    SumAxes,
    Tensor,
    Transposed,
    VectorOp,
    Wide,
    sources,
)

Types = Mapping[str, Tensor]


class DoesNotFitError(Exception):
    """An operation cannot read what it is given; the message says why."""


def result_type(op: IntegerOp, types: Types, constant_shape: Shape | None = None) -> Tensor:
    """What `op` makes; `constant_shape` is that of the constant that a `Load` reads.

    Raises `DoesNotFitError`.
    """
    for name in sources(op):
        if name not in types:
            raise DoesNotFitError(f"reads `{name}`, which nothing makes before")
    if isinstance(op, MatMul):
        return _product(op, types)
    if isinstance(op, Load):
        if constant_shape is None:
            raise DoesNotFitError(f"loads `{op.value}`, whose shape is not known")
        return Tensor(op.dst, Wide.REALS, constant_shape)
    return Tensor(op.dst, _element(op, types), _shape(op, types))


def _element(op: VectorOp, types: Types) -> Element:
    match op:
        case Requantize() | AddCodes():
            return op.codes
        case Rectify() | PoolMax() | Reshaped() | Transposed() | Sliced():
            return types[op.src].element
        case PoolSum() | SumAxes():
            return Wide.REALS if types[op.src].element is Wide.REALS else Wide.SUMS
        case Joined():
            elements = {types[name].element for name in op.ordered}
            if len(elements) == 1:
                return elements.pop()
            return Wide.REALS if Wide.REALS in elements else Wide.SUMS
        case _:
            return Wide.REALS


def _shape(op: VectorOp, types: Types) -> Shape:  # noqa: C901 (one case per operation)
    shapes = [types[name].shape for name in sources(op)]
    match op:
        case AddCodes() | Multiplied():
            return _broadcast(*shapes)
        case PoolMax() | PoolSum():
            return _windows(op, shapes[0])
        case SumAxes():
            _check_axes(op.axes, shapes[0])
            return tuple(extent for axis, extent in enumerate(shapes[0]) if axis not in op.axes) or (1,)
        case Reshaped():
            if prod(op.shape) != prod(shapes[0]):
                raise DoesNotFitError(f"cannot make {op.shape} of {shapes[0]}")
            return op.shape
        case Transposed():
            if sorted(op.axes) != list(range(len(shapes[0]))):
                raise DoesNotFitError(f"axes {op.axes} are no order of those of {shapes[0]}")
            return tuple(shapes[0][axis] for axis in op.axes)
        case Sliced():
            _check_axes((op.axis,), shapes[0])
            if not 0 <= op.start < op.stop <= shapes[0][op.axis] or op.step < 1:
                raise DoesNotFitError(f"{op.start}..{op.stop} is not part of axis {op.axis} of {shapes[0]}")
            return _with_extent(shapes[0], op.axis, len(range(op.start, op.stop, op.step)))
        case Joined():
            return _joined(op, types)
        case Softmaxed():
            _check_axes((op.axis,), shapes[0])
            return shapes[0]
        case Requantize() | Rectify() | Dequantize() | Evaluate() | Clipped() | Scaled() | Normalized():
            return shapes[0]
        case LocallyNormalized():
            return shapes[0]
        case Load():
            raise AssertionError("a constant's shape is given")
        case _:
            assert_never(op)


def _product(op: MatMul, types: Types) -> Tensor:
    source = types[op.src]
    wanted = Codes(op.precision.activation_bits, op.signed)
    if source.element != wanted:
        raise DoesNotFitError(f"reads {spell(wanted)}, `{op.src}` holds {spell(source.element)}")
    if op.moving:
        stored = types[op.weights]
        if stored.element != Codes(op.precision.weight_bits, True):
            raise DoesNotFitError(f"stores s{op.precision.weight_bits}, `{op.weights}` holds {spell(stored.element)}")
        expected = (*source.shape[:-2], source.shape[-1], stored.shape[-1])
        heads = prod(source.shape[:-2])
        found = (heads, source.shape[-1], stored.shape[-1], (*source.shape[:-1], stored.shape[-1]))
        fits = stored.shape == expected and found == (op.matrices, op.inputs, op.outputs, op.shape)
    elif op.window is None:
        found_shape = (*source.shape[:-1], op.outputs)
        fits = op.matrices == 1 and source.shape[-1] == op.inputs and op.shape == found_shape
    else:
        rows, columns = _window_count(op.window, source.shape)
        channels = source.shape[0]
        inputs = channels // op.matrices * op.window.area
        fits = channels % op.matrices == 0 and inputs == op.inputs
        fits = fits and op.shape == (op.matrices * op.outputs, rows, columns)
    if not fits:
        raise DoesNotFitError(f"its matrices and shape do not fit `{op.src}` of {source.shape}")
    return Tensor(op.dst, Wide.SUMS, op.shape)


def spell(element: Element) -> str:
    """An element as text: `u8`, `s4`, `sums`, `reals`."""
    return f"{'s' if element.signed else 'u'}{element.bits}" if isinstance(element, Codes) else element.value


def _windows(op: PoolMax | PoolSum, shape: Shape) -> Shape:
    return (shape[0], *_window_count(op.window, shape))


def _window_count(window: Window, shape: Shape) -> tuple[int, int]:
    if len(shape) != 3:
        raise DoesNotFitError(f"cuts windows from {shape}, which is no image")
    rows, columns = window.count(*shape[1:])
    if rows < 1 or columns < 1:
        raise DoesNotFitError(f"has windows larger than {shape}")
    return rows, columns


def _broadcast(a: Shape, b: Shape) -> Shape:
    axes = max(len(a), len(b))
    a, b = ((1,) * (axes - len(shape)) + shape for shape in (a, b))
    if any(1 not in pair and pair[0] != pair[1] for pair in zip(a, b, strict=True)):
        raise DoesNotFitError(f"combines {a} with {b}")
    return tuple(map(max, a, b))


def _joined(op: Joined, types: Types) -> Shape:
    if not op.parts:
        raise DoesNotFitError("joins nothing")
    shapes = [types[name].shape for name in op.ordered]
    _check_axes((op.axis,), shapes[0])
    if any(len(shape) != len(shapes[0]) for shape in shapes) or any(
        _with_extent(shape, op.axis, 0) != _with_extent(shapes[0], op.axis, 0) for shape in shapes
    ):
        raise DoesNotFitError(f"joins {shapes} along axis {op.axis}")
    end = 0
    for start, shape in zip(sorted(start for _, start in op.parts), shapes, strict=True):
        if start != end:
            raise DoesNotFitError(f"leaves a gap or an overlap at {start} of axis {op.axis}")
        end += shape[op.axis]
    return _with_extent(shapes[0], op.axis, end)


def _with_extent(shape: Shape, axis: int, extent: int) -> Shape:
    return (*shape[:axis], extent, *shape[axis + 1 :])


def _check_axes(axes: tuple[int, ...], shape: Shape) -> None:
    if any(not 0 <= axis < len(shape) for axis in axes):
        raise DoesNotFitError(f"has axes {axes}, {shape} has {len(shape)}")
