"""Programs to look at: a small one, known by hand, and random ones on chips where anything may take time."""

from hypothesis import strategies as st

from cimspec.compiler import Program, compile_program
from cimspec.graph import Graph
from cimspec.graph.layer import Input, Layer, Linear
from cimspec.spec.chip import Attention, Chip, WeightMode
from cimspec.spec.tile import Digital, Memory, Network, Tile
from tests.compiler.strategies import cases
from tests.compiler.test_program import make_case, make_chip
from tests.sim.strategies import chips

TURN_US = 4 * 1.4
"""Of the small network: 4-bit activations on 1-bit DACs are 4 steps, a read takes 1.4 us, all rows are read at once."""


def small_program(crossbars: int, **changes) -> Program:
    """A 3x3 convolution `c` of 2 x 5 x 5 to 3 x 3 x 3, then `f` from 27 to 4, 4-bit weights on 8 x 8 2-bit cells.

    Blocks of c: 18 rows take 3, 3 outputs * 2 slices + 1 columns take 1. Blocks of f: 27 rows take 4, 9 columns 2.
    """
    case = make_case()
    return compile_program(case.graph, case.policy, make_chip().model_copy(update={"crossbars": crossbars, **changes}))


@st.composite
def programs(draw) -> Program:
    """Any network of a few layers on any chip."""
    case, chip = draw(cases()), draw(chips())
    chip = draw(resident(chip)) if draw(st.booleans()) else chip
    return compile_program(case.graph, case.policy, chip)


@st.composite
def resident(draw, chip: Chip) -> Chip:
    """The chip with weights that stay."""
    any_time, count = st.floats(0.01, 5000), st.integers(1, 64)
    crossbars = draw(st.integers(1, 300))
    clock = draw(st.none() | any_time)
    network = Network(width_bits=draw(count), cycle_ns=draw(any_time), hop_ns=draw(st.none() | any_time))
    return chip.model_copy(
        update={
            "weights": WeightMode.RESIDENT,
            "crossbars": crossbars,
            "copies": draw(st.booleans()),
            "attention": draw(st.sampled_from(Attention)),
            "batch": draw(st.integers(1, 4)),
            "tile": Tile(crossbars=draw(st.none() | st.integers(1, crossbars))),
            "digital": Digital(lanes=draw(count), macs=draw(count), cycle_ns=clock) if clock else Digital(),
            "network": draw(st.sampled_from([Network(), network])),
            "memory": draw(st.sampled_from([Memory(), Memory(width_bits=draw(count), cycle_ns=draw(any_time))])),
        }
    )


def named_program(name: str, inputs: int = 8) -> Program:
    """One fully connected layer called `name`, of so many inputs and 4 outputs, on one crossbar of the same chip."""
    graph = Graph("net", (Layer("x", Input(False), (), (inputs,)), Layer(name, Linear(inputs, 4), ("x",), (4,))))
    return compile_program(graph, graph.uniform(4, 4), make_chip())
