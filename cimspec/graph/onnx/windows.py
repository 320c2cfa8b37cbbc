"""Windows of convolutions and poolings: ONNX's attributes and an image's size -> a `Window`."""

from cimspec.graph.onnx.node import Node, Problem
from cimspec.graph.window import Pair, Sides, Window

MAX_PADDING = MAX_STEP = 1024  # as in `.cim` files
FORMS = ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")


def window_of(node: Node, kernel: Pair, image: Pair, around: Sides = (0, 0, 0, 0)) -> Window:
    """The window of a node on an image, `around` which zeros have been put before.

    `auto_pad` is carried out; `ceil_mode` becomes padding below and to the right, as far as windows begin on the image.
    """
    stride, dilation = _pair(node, "strides"), _pair(node, "dilations")
    window = Window(kernel, stride, (0, 0, 0, 0), dilation)
    height, width = image[0] + around[0] + around[2], image[1] + around[1] + around[3]
    own = _sides(node, window, (height, width))
    if node.flag("ceil_mode"):
        own = _ceiled(window, own, (height, width))
    padding = tuple(a + b for a, b in zip(own, around, strict=True))
    if not all(0 <= side <= MAX_PADDING for side in padding):
        raise Problem(f"pads {', '.join(map(str, padding))}; each side can be from 0 to {MAX_PADDING}")
    top, left, bottom, right = padding
    window = Window(kernel, stride, (top, left, bottom, right), dilation)
    if min(window.count(*image)) < 1:
        raise Problem(f"has windows of {window.span[0]} x {window.span[1]} on an image of {image[0]} x {image[1]}")
    return window


def kernel_of(node: Node) -> Pair:
    """The kernel that a node's attribute gives."""
    kernel = node.wholes("kernel_shape")
    if kernel is None or len(kernel) != 2 or min(kernel) < 1:
        raise Problem(f"has a kernel of {list(kernel or ())}; only kernels with a height and a width are supported")
    return kernel[0], kernel[1]


def _sides(node: Node, window: Window, image: Pair) -> Sides:
    """The padding that a node says itself, by numbers or by a rule."""
    form = node.text("auto_pad", "NOTSET")
    if form not in FORMS:
        raise Problem(f"`auto_pad` is `{form}`, which is none of {', '.join(FORMS)}")
    if form == "NOTSET":
        pads = node.wholes("pads") or (0, 0, 0, 0)
        if len(pads) != 4:
            raise Problem(f"`pads` has {len(pads)} numbers, an image has 4 sides")
        return pads[0], pads[1], pads[2], pads[3]
    if form == "VALID":
        return 0, 0, 0, 0
    missing = [
        (-(-side // stride) - 1) * stride + span - side
        for side, stride, span in zip(image, window.stride, window.span, strict=True)
    ]
    if min(missing) < -1:  # some then cut the image, others do not
        raise Problem(f"`auto_pad` is `{form}` with windows far apart, which is understood in several ways")
    first = [(max(total, 0) + (form == "SAME_LOWER")) // 2 for total in missing]
    last = [max(total, 0) - before for total, before in zip(missing, first, strict=True)]
    return first[0], first[1], last[0], last[1]


def _ceiled(window: Window, sides: Sides, image: Pair) -> Sides:
    """The sides with what the last windows hang over below and to the right."""
    more = []
    for axis, side in enumerate(image):
        before, after = sides[axis], sides[axis + 2]
        stride, span = window.stride[axis], window.span[axis]
        steps = -(-(side + before + after - span) // stride)
        if steps * stride >= side + before:  # the last window would begin behind the image
            steps -= 1
        more.append(max(steps * stride + span - (side + before), after))
    return sides[0], sides[1], more[0], more[1]


def _pair(node: Node, name: str) -> Pair:
    pair = node.wholes(name) or (1, 1)
    if len(pair) != 2 or min(pair) < 1 or max(pair) > MAX_STEP:
        raise Problem(f"`{name}` is {list(pair)}; it has to be two numbers from 1 to {MAX_STEP}")
    return pair[0], pair[1]
