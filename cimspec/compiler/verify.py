"""Prove that a Program computes what it says: every buffer written before it is read, every weight in its place.

Raises `CimError` (CIM503) at the first instruction that does not. What is checked: tensors are made once, of what was
made before, with the element, the shape and the number of reads that their buffer declares; constants belong to what
they are named after; crossbars are written before they are read, by one layer at a time, within the chip; every block
of every weight is placed exactly once in each copy, and read in all turns and all steps with its own factors
(`verify_layer.py`). Parameters of operations (windows, functions, ranges) are no structure: a digest covers them, as it
does the weights.
"""

from collections import Counter
from collections.abc import Iterable

from cimspec.compiler.fields import ACTIVATION_BITS, WEIGHT_BITS
from cimspec.compiler.program import CrossbarLayer, Crossbars, Place, Program, ProgramItem, Segment, operation
from cimspec.compiler.verify_layer import WrongError, check_layer
from cimspec.diag import fail
from cimspec.quant.lower import codes_name, stored_name
from cimspec.quant.ops import IntegerOp, Load, MatMul, Normalized, Scaled, Tensor, Wide, sources
from cimspec.quant.types import DoesNotFitError, result_type, spell
from cimspec.spec.chip import Attention, WeightMode


def verify(program: Program) -> None:
    """Raise `CimError` (CIM503) unless `program` computes what its operations say."""
    try:
        _check_buffers(program)
        _check_data_flow(program)
        for segment in program.segments:
            _check_segment(program, segment)
    except WrongError as error:
        fail("CIM503", f"the program is wrong: {error}", help="compile the spec again")


def _check_buffers(program: Program) -> None:
    _check_once((buffer.tensor.name for buffer in program.buffers), "two buffers are called `{}`")
    if len(program.buffers) < 2:
        raise WrongError("it has no output")
    if program.buffers[0].tensor.element is not Wide.REALS or program.buffers[-1].tensor.element is not Wide.REALS:
        raise WrongError("inputs and outputs are real values")
    if program.chip.weights is WeightMode.RELOADED:
        if len(program.segments) != 1:
            raise WrongError("reloaded weights need no segments")
        if program.segments[0].places:
            raise WrongError(f"`{program.segments[0].places[0].layer}` is placed, but weights are reloaded")


def _check_once(names: Iterable[str], message: str) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise WrongError(message.format(twice[0]))


def _check_data_flow(program: Program) -> None:
    declared = {buffer.tensor.name: buffer.tensor for buffer in program.buffers}
    made: dict[str, Tensor] = {program.input: declared[program.input]}
    reads: Counter[str] = Counter({program.output: 1})
    for item in program.items:
        op = operation(item)
        if op.dst in made:
            raise WrongError(f"`{op.dst}` is written twice")
        if op.dst not in declared:
            raise WrongError(f"`{op.dst}` has no buffer")
        _check_operands(op)
        try:
            found = result_type(op, made, declared[op.dst].shape if isinstance(op, Load) else None)
        except DoesNotFitError as error:
            raise WrongError(f"`{op.dst}` {error}") from None
        if found != declared[op.dst]:
            raise WrongError(f"`{op.dst}` is {_spell(found)}, its buffer holds {_spell(declared[op.dst])}")
        made[op.dst] = found
        reads.update(sources(op))
    for buffer in program.buffers:
        name = buffer.tensor.name
        if name not in made:
            raise WrongError(f"nothing writes `{name}`")
        if reads[name] != buffer.reads:
            raise WrongError(f"`{name}` is read {reads[name]} times, its buffer says {buffer.reads}")


def _check_operands(op: IntegerOp) -> None:
    """Constants are named after what they make, and so are the codes that enter a product."""
    match op:
        case MatMul():
            _check_product(op)
            expected = [(_stem(op.src, codes_name(op.dst)), codes_name(op.dst))]
            if op.bias is None:
                expected.append((_stem(op.weights, stored_name(op.dst)), stored_name(op.dst)))
            else:
                expected += [(op.weights, f"{op.dst}.weights"), (op.bias, f"{op.dst}.bias")]
        case Scaled():
            expected = [(op.factor, f"{op.dst}.factor"), (op.shift, f"{op.dst}.shift")]
        case Normalized():
            expected = [(op.gamma, f"{op.dst}.gamma"), (op.beta, f"{op.dst}.beta")]
        case Load():
            expected = [(op.value, f"{op.dst}.value")]
        case _:
            expected = []
    for found, name in expected:
        if name != found:
            raise WrongError(f"`{op.dst}` reads `{found}`, not `{name}`")


def _check_product(op: MatMul) -> None:
    if op.layer != op.dst:
        raise WrongError(f"`{op.dst}` is the product of a layer called `{op.layer}`")
    weight_bits, activation_bits = op.precision
    if min(op.matrices, op.inputs, op.outputs) < 1:
        raise WrongError(f"`{op.dst}` has {op.matrices} matrices of {op.inputs} inputs and {op.outputs} outputs")
    if weight_bits not in WEIGHT_BITS or activation_bits not in ACTIVATION_BITS:
        raise WrongError(f"`{op.dst}` has weights of {weight_bits} bits and activations of {activation_bits}")


def _stem(name: str, start: str) -> str:
    """`start` where `name` is that or goes on from there: codes are reordered under longer names."""
    return start if name.startswith(f"{start}.") else name


def _spell(tensor: Tensor) -> str:
    return f"{spell(tensor.element)} {'x'.join(map(str, tensor.shape))}"


def _check_segment(program: Program, segment: Segment) -> None:
    _check_once((place.layer for place in segment.places), "`{}` is placed twice")
    placed = {place.layer: place for place in segment.places}
    unread = placed.keys() - {item.name for item in segment.items if isinstance(item, CrossbarLayer)}
    if unread:
        raise WrongError(f"`{min(unread)}` is placed, and its segment does not read it")
    taken = []
    for item in segment.items:
        _check_item(program, item, placed)
        if isinstance(item, CrossbarLayer):
            taken.append((item.crossbars, item.name))
    if program.chip.weights is WeightMode.RESIDENT:
        _check_disjoint(taken)


def _check_item(program: Program, item: ProgramItem, placed: dict[str, Place]) -> None:
    match item:
        case CrossbarLayer():
            check_layer(program.matrices(item), item, placed.get(item.name))
        case MatMul():
            chip = program.chip
            is_digital = chip.weights is WeightMode.RESIDENT and chip.attention is Attention.DIGITAL
            if not (item.moving and is_digital):
                raise WrongError(f"`{item.dst}` is no product for the digital unit")
        case _:
            pass


def _check_disjoint(taken: list[tuple[Crossbars, str]]) -> None:
    """No crossbar serves two layers of a segment. Those of one layer are known to be its own."""
    owners: dict[int, str] = {}
    for crossbars, layer in taken:
        for own in crossbars.ranges:
            for number in own:
                if number in owners:
                    raise WrongError(f"crossbar {number} holds `{owners[number]}` and `{layer}`")
                owners[number] = layer
