"""Execute a Program on a batch of inputs: what is reported is what the emitted schedule does.

Program + constants -> Machine, whose cells are programmed once -> outputs of any number of inputs, some at a time on
each core. Needs neither the spec nor torch.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cimspec.compiler.artifact import check_constants
from cimspec.compiler.program import CrossbarLayer, Program
from cimspec.compiler.verify import verify
from cimspec.data.cores import cores
from cimspec.quant.apply import apply_vector, matmul
from cimspec.quant.ops import Array, Constants, MatMul
from cimspec.sim.digital import apply_digital
from cimspec.sim.layer import Engine
from cimspec.sim.on_crossbars import How, OnCrossbars, put_on_crossbars, run_moving

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
    Raises `ValueError` for inputs of another shape or that are not finite, and `CimError` for schedules that do not
    compute what they say and for constants that they do not read.
    """
    verify(program)
    check_constants(program, constants)
    images = np.asarray(inputs, dtype=np.float64)
    if images.shape[1:] != program.input_shape:
        raise ValueError(f"inputs have shape {images.shape[1:]}, the program reads {program.input_shape}")
    if not np.isfinite(images).all():
        raise ValueError("inputs are not all finite")
    machine = Machine.of(program, constants, seed=seed, engine=engine, shortcut=shortcut)
    size = inputs_at_once(program)
    starts = range(0, len(images), size)
    outputs: list[Array] = []
    with ThreadPoolExecutor(cores()) as pool:
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
    layers: Mapping[str, OnCrossbars]  # those whose weights stay the same
    seed: int
    how: How

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
            layer.name: put_on_crossbars(program, layer, constants, seed=seed, index=index)
            for index, layer in enumerate(program.layers)
            if not layer.op.moving
        }
        return cls(program, constants, layers, seed, How(engine, shortcut))

    def run(self, images: Array, *, first_input: int = 0) -> Array:
        """Outputs of some inputs, the first of which has index `first_input`."""
        tensors: dict[str, Array] = {self.program.input: images}
        index = {layer.name: number for number, layer in enumerate(self.program.layers)}
        for item in self.program.items:
            match item:
                case CrossbarLayer(op) if op.moving:
                    tensors[op.dst] = run_moving(
                        item,
                        self.program.matrices(item),
                        tensors[op.src],
                        tensors[op.weights],
                        first_input,
                        seed=self.seed,
                        index=index[item.name],
                        how=self.how,
                    )
                case CrossbarLayer(op):
                    tensors[op.dst] = self.layers[item.name].run(tensors[op.src], first_input, self.how)
                case MatMul():
                    tensors[item.dst] = matmul(item, tensors[item.src], tensors[item.weights], None)
                case _:
                    apply = apply_digital if self.how.engine is Engine.KERNEL else apply_vector
                    tensors[item.dst] = apply(item, tensors, self.constants)
        return tensors[self.program.output]
