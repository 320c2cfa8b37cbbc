"""Windows of an image: what convolutions and pooling cut out of `(channels, height, width)`."""

from dataclasses import dataclass

Pair = tuple[int, int]
"""Along the height, along the width."""

Sides = tuple[int, int, int, int]
"""Top, left, bottom, right, as in ONNX's `pads`."""


@dataclass(frozen=True, slots=True)
class Window:
    """Rectangular windows; what is added around the image is no part of it."""

    kernel: Pair
    stride: Pair = (1, 1)
    padding: Sides = (0, 0, 0, 0)
    dilation: Pair = (1, 1)

    @classmethod
    def square(cls, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> "Window":
        """The same in both directions and on all sides."""
        return cls((kernel, kernel), (stride, stride), (padding,) * 4, (dilation, dilation))

    @property
    def area(self) -> int:
        """Values of one channel in one window."""
        return self.kernel[0] * self.kernel[1]

    @property
    def span(self) -> Pair:
        """Height and width from the first to the last value of a window."""
        (height, width), (down, right) = self.kernel, self.dilation
        return down * (height - 1) + 1, right * (width - 1) + 1

    def padded(self, height: int, width: int) -> Pair:
        """The image's height and width with its padding."""
        top, left, bottom, right = self.padding
        return height + top + bottom, width + left + right

    def count(self, height: int, width: int) -> Pair:
        """Number of windows down and across an image; below 1 where it is too small for one."""
        sides = zip(self.padded(height, width), self.span, self.stride, strict=True)
        rows, columns = ((side - span) // stride + 1 for side, span, stride in sides)
        return rows, columns
