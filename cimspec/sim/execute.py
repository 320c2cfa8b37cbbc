"""Execute a Program on a batch of inputs: what is reported is what the emitted schedule does.

Program + constants -> Machine, whose cells are programmed once -> outputs of any number of inputs, some at a time on
each core. Needs neither the spec nor torch.
"""

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cimspec.compiler.program import CrossbarLayer, Program
from cimspec.compiler.slicing import input_steps
from cimspec.quant.ops import Array, Constants, Window, apply_vector, fold_pixels
from cimspec.sim.layer import Engine, ProductLayer
from cimspec.sim.mvm import flat_inputs
from cimspec.sim.programmed import ProgrammedRows
from cimspec.sim.reads import blocks_read
from cimspec.sim.row_set import Inputs

CHUNK_VALUES = 1 << 19
"""Values of a layer's output at once, for each core: larger arrays leave the caches, smaller ones cost more calls."""

MOST_INPUTS = 100
"""At once, so that progress is seen."""


def execute(
    program: Program,
    constants: Constants,
    inputs: npt.ArrayLike,
    *,
    engine: Engine = Engine.KERNEL,
    shortcut: bool = True,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> npt.NDArray[np.float64]:
    """Real-valued outputs `[batch, outputs]` of real-valued `inputs` `[batch, *program.input_shape]`.

    `shortcut` computes blocks whose ADC loses nothing as plain products: same bits, less time. `seed` keys what devices
    draw; results depend on an input's index, not on how many come at once.
    Raises `ValueError` for inputs of another shape or that are not finite, and for schedules that cannot be followed.
    """
    images = np.asarray(inputs, dtype=np.float64)
    if images.shape[1:] != program.input_shape:
        raise ValueError(f"inputs have shape {images.shape[1:]}, the program reads {program.input_shape}")
    if not np.isfinite(images).all():
        raise ValueError("inputs are not all finite")
    machine = Machine.of(program, constants, seed=seed, engine=engine, shortcut=shortcut)
    size = inputs_at_once(program)
    starts = range(0, len(images), size)
    outputs: list[Array] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for output in pool.map(lambda start: machine.run(images[start : start + size], first_input=start), starts):
            outputs.append(output)
            if progress:
                progress(sum(map(len, outputs)))
    return np.concatenate(outputs) if outputs else np.zeros((0, 0))


def inputs_at_once(program: Program) -> int:
    """How many inputs are executed together."""
    largest = max((int(np.prod(layer.op.shape)) for layer in program.layers), default=1)
    return max(1, min(MOST_INPUTS, CHUNK_VALUES // largest))


@dataclass(frozen=True, slots=True, eq=False)
class Machine:
    """A chip with a Program's cells programmed. Any thread may use it."""

    program: Program
    constants: Constants
    layers: Mapping[str, ProductLayer]
    engine: Engine
    shortcut: bool

    @classmethod
    def of(
        cls,
        program: Program,
        constants: Constants,
        *,
        seed: int = 0,
        engine: Engine = Engine.KERNEL,
        shortcut: bool = True,
    ) -> "Machine":
        """Program the cells of all layers, whose index keys what their devices draw."""
        layers = {
            layer.name: program_layer(program, layer, constants, seed=seed, index=index)
            for index, layer in enumerate(program.layers)
        }
        return cls(program, constants, layers, engine, shortcut)

    def run(self, images: Array, *, first_input: int = 0) -> Array:
        """Outputs of some inputs, the first of which has index `first_input`."""
        tensors: dict[str, Array] = {self.program.input: images}
        for item in self.program.items:
            if isinstance(item, CrossbarLayer):
                tensors[item.op.dst] = run_layer(
                    item,
                    self.layers[item.name],
                    self.constants,
                    tensors[item.op.src],
                    first_input,
                    engine=self.engine,
                    shortcut=self.shortcut,
                )
            else:
                tensors[item.dst] = apply_vector(item, tensors, self.constants)
        return tensors[self.program.output]


def program_layer(
    program: Program, layer: CrossbarLayer, constants: Constants, *, seed: int, index: int
) -> ProductLayer:
    """The cells that a layer's schedule reads, as they come out for `seed`; `index` is the layer's in the program."""
    op = layer.op
    rows = ProgrammedRows(
        program.layout(layer),
        constants[op.weights],
        input_steps(program.chip, op.precision.activation_bits, op.signed),
        layer.full_scale,
        blocks=blocks_read(program, layer),
        seed=seed,
        layer=index,
    )
    return ProductLayer(rows)


def run_layer(
    layer: CrossbarLayer,
    products: ProductLayer,
    constants: Constants,
    codes: Array,
    first_input: int,
    *,
    engine: Engine = Engine.KERNEL,
    shortcut: bool = True,
) -> Array:
    """The output `[batch, *shape]` of one layer for input codes `[batch, ...]`."""
    op = layer.op
    inputs = window_inputs(codes, op.window, first_input * op.invocations)
    total = products.products(inputs, engine=engine, shortcut=shortcut)
    total += constants[op.bias]
    return fold_pixels(total, len(codes), op.shape)


def window_inputs(codes: Array, window: Window, first_vector: int) -> Inputs:
    """All windows of images `[batch, channels, h, w]`, or vectors `[batch, inputs]`, without writing them out."""
    if window.kernel == 0:
        return flat_inputs(codes.reshape(len(codes), -1), first_vector)
    sides = (window.padding, window.padding)
    padded = np.pad(codes.astype(np.int16), ((0, 0), (0, 0), sides, sides))
    batch, channels, height, width = padded.shape
    kernel, stride = np.arange(window.kernel), window.stride
    tops = np.arange(0, height - window.kernel + 1, stride) * width
    lefts = np.arange(0, width - window.kernel + 1, stride)
    origins = (np.arange(batch) * (channels * height * width))[:, None, None] + tops[:, None] + lefts
    offsets = (np.arange(channels) * (height * width))[:, None, None] + (kernel * width)[:, None] + kernel
    return Inputs(
        padded.reshape(-1), origins.reshape(-1).astype(np.int64), offsets.reshape(-1).astype(np.int32), first_vector
    )
