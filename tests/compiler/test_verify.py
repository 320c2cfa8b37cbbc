"""The verifier: it accepts what is compiled, and of what is edited only what computes the same."""

import itertools
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cimspec.compiler import compile_program
from cimspec.compiler.matrices import Matrices
from cimspec.compiler.program import Loop, Program
from cimspec.compiler.verify import verify
from cimspec.diag import CimError
from cimspec.quant.lower import lower
from cimspec.quant.ops import Joined, MatMul
from cimspec.sim import execute
from cimspec.spec.chip import Attention, Chip, WeightMode
from tests.compiler.interpreter import MisbehavedError, interpret
from tests.compiler.mutate import KINDS, Edit, random_edits
from tests.compiler.strategies import Case, cases
from tests.sim.strategies import chips

EDITS_OF_A_PROGRAM = 10
ENOUGH = 1000
"""Edits after which every kind was drawn, of every kind of program."""


@st.composite
def networks_on_chips(draw) -> tuple[Case, Chip]:
    """A network, and a chip that tells all sums apart: weights reloaded, or resident, in one segment or in several."""
    case, chip = draw(cases()), draw(chips(lossless=True))
    size = {"rows": max(8, chip.crossbar.rows), "columns": max(8, chip.crossbar.columns)}
    crossbar = chip.crossbar.model_copy(update=size)
    chip = chip.model_copy(update={"crossbar": crossbar})
    if draw(st.booleans()):
        return case, chip.model_copy(update={"crossbars": draw(st.integers(1, 9))})
    products = [op for op in lower(case.graph, case.policy).ops if isinstance(op, MatMul)]
    blocks = sum(Matrices.of(chip, op).blocks for op in products)
    resident = {
        "weights": WeightMode.RESIDENT,
        "attention": draw(st.sampled_from(Attention)),
        "copies": draw(st.booleans()),
        "crossbars": draw(st.integers(max(1, blocks // 3), 2 * blocks + 3)),
    }
    return case, chip.model_copy(update=resident)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(networks_on_chips())
def test_what_is_compiled_verifies_and_its_instructions_make_the_outputs(network: tuple[Case, Chip]):
    """Instruction by instruction, from what crossbars hold: bit for bit what the integer network computes."""
    case, chip = network
    program = compile_program(case.graph, case.policy, chip)
    verify(program)
    outputs = interpret(program, case.network.constants, case.images)
    assert np.array_equal(outputs, case.network.run(case.images))


@dataclass
class Tally:
    """What became of edits, by kind, and which programs they were made in."""

    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    features: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> Counter[str]:
        return sum(self.counts.values(), Counter())

    def __str__(self) -> str:
        lines = [f"{kind:20} {dict(counts)}" for kind, counts in sorted(self.counts.items())]
        return "\n".join([*lines, f"{'all':20} {dict(self.total)}", f"programs: {dict(self.features)}"])


def test_an_edit_is_rejected_or_harmless(request: pytest.FixtureRequest):
    count = request.config.getoption("--cases")
    tally = Tally()

    @settings(
        max_examples=max(1, count // EDITS_OF_A_PROGRAM),
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(networks_on_chips(), st.integers(0, 2**32))
    def check(network: tuple[Case, Chip], seed: int) -> None:
        case, chip = network
        program = compile_program(case.graph, case.policy, chip)
        tally.features.update(features(program))
        judge = Judge(program, case)
        for edit in itertools.islice(random_edits(program, Random(seed)), EDITS_OF_A_PROGRAM):
            tally.counts[edit.kind][judge.verdict(edit)] += 1

    check()
    print(f"\n{tally}")  # pytest -s, or after a failure
    if count >= ENOUGH:
        assert tally.total["rejected"] >= 0.9 * tally.total.total()
        assert tally.total["harmless"] > 0
        assert set(tally.counts) == set(KINDS)
        assert set(tally.features) == {
            "segments", "copies", "waves", "runs of waves", "bundles", "groups", "join", "products on crossbars",
            "digital products",
        }  # fmt: skip


def features(program: Program) -> set[str]:
    """What the program has that edits could go wrong in."""
    layers, chip = list(program.layers), program.chip
    found = {
        "segments": len(program.segments) > 1,
        "copies": any(program.copies(layer) > 1 for layer in layers),
        "waves": any(isinstance(layer.body[0], Loop) and layer.body[0].stop > 1 for layer in layers),
        "runs of waves": any(len(layer.body) > 2 for layer in layers),
        "bundles": any(layer.bundle > 1 for layer in layers),
        "groups": any(layer.op.matrices > 1 and not layer.op.moving for layer in layers),
        "join": any(isinstance(item, Joined) for item in program.items),
        "products on crossbars": any(layer.op.moving for layer in layers),
        "digital products": chip.attention is Attention.DIGITAL and any(isinstance(i, MatMul) for i in program.items),
    }
    return {name for name, is_so in found.items() if is_so}


class Judge:
    """Says what an edited program does, against the integer network on some inputs."""

    def __init__(self, program: Program, case: Case) -> None:
        self.program = program
        self.constants = case.network.constants
        # The first input comes again: what others leave in crossbars is what it finds.
        self.images = np.concatenate([case.images, case.images[:1]])
        self.expected = case.network.run(self.images)
        self.memo: dict = {}

    def verdict(self, edit: Edit) -> str:
        """`rejected`, `harmless`, or what else keeps the edited program from being taken for the compiled one."""
        if not verifies(edit.program):
            return "rejected"
        try:
            executed = execute(edit.program, self.constants, self.images)
        except CimError:
            # How many bits weights have, and the shape of a constant tensor, their arrays say too.
            assert edit.kind in ("precision", "extent"), edit.description
            return "constants do not fit"
        try:
            interpreted = interpret(edit.program, self.constants, self.images, self.memo)
        except MisbehavedError as error:
            pytest.fail(f"{edit.description}: verified, but {error}")
        if np.array_equal(executed, self.expected) and np.array_equal(interpreted, self.expected):
            return "harmless"
        pytest.fail(f"{edit.description}: verified, and computes something else")


def verifies(program: Program) -> bool:
    """Whether the verifier accepts a program; anything but CIM503 is a fault of its own."""
    try:
        verify(program)
    except CimError as error:
        if [found.code for found in error.diagnostics] != ["CIM503"]:
            raise
        return False
    return True


@pytest.mark.slow
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(networks_on_chips(), st.integers(0, 2**32))
def test_no_number_of_edits_crashes_the_verifier(network: tuple[Case, Chip], seed: int):
    case, chip = network
    program, rng = compile_program(case.graph, case.policy, chip), Random(seed)
    for _ in range(5):
        edited = program
        for _ in range(rng.randint(2, 5)):
            edited = next(random_edits(edited, rng)).program
            verifies(edited)
