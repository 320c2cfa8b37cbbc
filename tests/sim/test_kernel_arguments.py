"""The compiled front, called directly: whatever it is given, it computes or says why not. It never reads beyond."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from cimspec._kernels import crossbar, noise
from cimspec.sim.packing import Extent, Form, pack_planes
from cimspec.sim.planes import Plane
from cimspec.sim.scaling import Scaling
from tests.sim.variants import KINDS

CELLS = np.arange(7 * 5).reshape(7, 5) % 4  # 7 rows, 5 outputs, of 2 bits
INPUTS = np.arange(3 * 7).reshape(3, 7) % 2  # 3 vectors of 1 bit


SHORT = [0] * 4 + [99] + [0] * 3 + [99, 8, 0, 256] + [0] * 4
UNSCALED = Scaling(0, 0, 0, 99, ()).numbers()
"""Conversions that give the sum itself: code = (sum << 8) * 256 >> 16, and code = sum >> 0."""

OFFSETS = {"start": 16, "shift": 17, "tie_bit": 20, "terms": 21, "term_shift": 22, "is_minus": 23, "constant": 24}
"""Where numbers of a scaling are among a converter's integers; of terms, the first one's."""


def scaled(**numbers: int) -> np.ndarray:
    """A converter's integers, some of a scaling's changed."""
    integers = np.array(SHORT + UNSCALED, np.int32)
    for name, number in numbers.items():
        integers[OFFSETS[name]] = number
    return integers


@dataclass
class Call:
    """Arguments of a row set and of its product: right ones, of which a test spoils some."""

    form: str = "words"
    rows: Any = 7
    cell_bits: Any = 2
    signs: Any = 1
    steps: Any = field(default_factory=lambda: np.array([[0, 1, 0, 1]], np.int32))
    planes: Any = None
    cells: Any = None
    factors: Any = None
    starts: Any = None
    lookups: Any = None
    integers: Any = field(default_factory=lambda: np.array(SHORT + UNSCALED, np.int32))
    reals: Any = field(default_factory=lambda: np.array([1, 0, 99, 0, 1, 0], np.float32))
    counters: Any = field(default_factory=lambda: np.zeros(3, np.uint32))
    instructions: Any = KINDS[-1][0]
    codes: Any = field(default_factory=lambda: INPUTS.astype(np.int16).ravel())
    origins: Any = field(default_factory=lambda: np.arange(3, dtype=np.int64) * 7)
    offsets: Any = field(default_factory=lambda: np.arange(7, dtype=np.int32))
    first_vector: Any = 0
    total: Any = field(default_factory=lambda: np.zeros((3, 5), np.int64))
    chunk: Any = 512
    threads: Any = 1
    packs: list[Plane] = field(default_factory=lambda: [Plane(CELLS.astype(np.int16), np.ones(5, np.int64), 0, 0)])
    """What planes, cells, factors, starts and lookups come from, if they are not given."""

    def __post_init__(self) -> None:
        form = Form(self.form) if self.form in list(Form) else Form.WORDS
        packed = pack_planes(form, self.packs, Extent(0, 3, 1, False, 7))
        found = packed.lookups
        lookups = np.array([found.at_once, found.total, found.cell_centre], np.int32)
        for name, value in {
            **{"planes": packed.table, "cells": packed.cells, "factors": packed.factors},
            **{"starts": found.starts, "lookups": lookups},
        }.items():
            if getattr(self, name) is None:
                setattr(self, name, value)

    def row_set(self) -> Any:
        return crossbar.RowSet(
            self.form and str(self.form), self.rows, self.cell_bits, self.signs, self.steps, self.planes,
            self.cells, self.factors, self.starts, self.lookups, self.integers, self.reals, self.counters,
        )  # fmt: skip

    def part(self, unit: Any = None, unit_factors: Any = None, *, counts_inputs: bool = False) -> tuple[Any, ...]:
        """The rows as calls take them."""
        return self.row_set(), self.offsets, counts_inputs, unit, unit_factors

    def given(self, *parts: Any) -> tuple[Any, ...]:
        """What calls of both kinds begin with."""
        return list(parts), self.instructions, self.codes, self.origins, self.first_vector

    def run(self) -> np.ndarray:
        """The total, after sums of codes have been put there."""
        constants = np.zeros((1, self.total.shape[-1]), np.int64)
        crossbar.add_integers(*self.given(self.part()), 1, constants, 0, False, self.total, self.chunk, self.threads)
        return self.total


@pytest.mark.parametrize(("instructions", "form"), KINDS)
def test_right_arguments_give_the_product(instructions, form):
    assert np.array_equal(Call(form=form, instructions=instructions).run(), INPUTS @ CELLS)


FACTORS = ((1, 4, 16), (-1, 2, -4, 8), (3, 6, 5), (2, 2, 1, 1), (0, 1, 0), (1, 1 << 20, 1 << 21), (-(1 << 20), 1, -1))
"""Of planes: powers of two of each other, with signs, of none, twice, nothing, and too far apart to be added up."""


@pytest.mark.parametrize("factors", FACTORS)
@pytest.mark.parametrize(("instructions", "form"), KINDS)
def test_planes_may_have_any_factors(instructions, form, factors):
    cells = [(CELLS + 3 * number) % 4 for number in range(len(factors))]
    planes = [
        Plane(
            own[:, first:].astype(np.int16), np.array([factor, factor, -factor, factor, 2 * factor][first:]), first, 0
        )
        for first, own, factor in zip((0, 2, 1, 3), cells, factors, strict=False)
    ]
    call = Call(form, instructions=instructions, packs=planes)
    expected = np.zeros((3, 5), np.int64)
    for plane in planes:
        expected[:, plane.outputs] += INPUTS @ plane.cells * plane.factors
    assert np.array_equal(call.run(), expected)


@pytest.mark.parametrize("chunk", [1, 2, 512])
@pytest.mark.parametrize("groups", [1, 2, 3])
@pytest.mark.parametrize("threads", [1, 2, 7])
def test_integers_are_put_into_a_total_or_added_to_it(threads, groups, chunk):
    call, total = Call(), np.full((3, 5), 99)
    ones = np.ones((7, 1), np.int16)
    packed = pack_planes(Form.WORDS, [Plane(ones, np.ones(1, np.int64), 0, 0)], Extent(0, 1, 1, False, 7))
    unit = Call(planes=packed.table, cells=packed.cells, factors=packed.factors).row_set()
    factors = np.array([0, 1, -2, 3, 4], np.int32)
    parts = [call.part(), call.part(counts_inputs=True), call.part(unit, factors, counts_inputs=True)]
    constants = np.zeros((groups, 5), np.int64)
    constants[0] = 10, 20, 30, 40, 50
    inputs = INPUTS.sum(axis=1)[:, None]
    expected = 4 * (3 * (INPUTS @ CELLS) + inputs * factors) + constants[0] - 7 * 2 * inputs
    for adds, times in ((False, 1), (True, 2), (True, 3)):
        crossbar.add_integers(*call.given(*parts), 4, constants, 7, adds, total, chunk, threads)
        assert np.array_equal(total, times * expected)


@pytest.mark.parametrize("chunk", [1, 2, 512])
@pytest.mark.parametrize("adds", [False, True])
@pytest.mark.parametrize("threads", [1, 3])
def test_reals_are_added_up_part_by_part_and_inputs_to_their_sums(threads, adds, chunk):
    call, total, input_sums = Call(), np.full((3, 5), 0.5), np.full(3, 100)
    parts = [call.part(), call.part(counts_inputs=True)]
    lsbs, constants = np.array([0.3, 0.7]), np.array([[0.1, 0.2, 0.3, 0.4, 0.5], [-1.1, 0, 2.2, 0, 3.3]])
    crossbar.add_reals(*call.given(*parts), lsbs, constants, 7, adds, input_sums, total, chunk, threads)
    product, inputs = INPUTS @ CELLS, 100 + INPUTS.sum(axis=1)
    expected = np.full((3, 5), 0.5 if adds else 0.0)
    for lsb, own in zip(lsbs, constants, strict=True):
        expected += product * lsb + own
    assert np.array_equal(total, expected - 7 * inputs[:, None])
    assert np.array_equal(input_sums, inputs)


def test_parts_must_be_whole():
    call, factors = Call(), np.ones(5, np.int32)
    means = (np.ones(1), np.zeros((1, 5)), 0, False)
    reals = (np.zeros(3, np.int64), np.zeros((3, 5)), 512, 1)

    def run(*parts: Any, groups: int = 1) -> None:
        crossbar.add_integers(*call.given(*parts), 1, np.zeros((groups, 5), np.int64), 0, False, call.total, 512, 1)

    with pytest.raises(ValueError, match="there is no set of rows"):
        run()
    with pytest.raises(TypeError):
        run(call.part(), (None, call.offsets, False, None, None))
    for part in (None, [*call.part()], call.row_set()):
        with pytest.raises(TypeError):
            run(part)
    for part in ((), call.part()[:4], (*call.part(), 1)):
        with pytest.raises(ValueError, match="values to unpack"):
            run(part)
    with pytest.raises(ValueError, match="one output"):
        run(call.part(call.row_set(), factors))
    single = Call(planes=table(outputs=1)).row_set()
    for wrong in (None, factors[:4], factors[:0]):
        with pytest.raises(ValueError, match="a factor for each output"):
            run(call.part(single, wrong))
    for groups in (0, 2):
        with pytest.raises(ValueError, match="as many groups as parts"):
            run(call.part(), groups=groups)
    with pytest.raises(TypeError):
        crossbar.add_reals(None, *call.given()[1:], *means, *reals)
    with pytest.raises(ValueError, match="a sum of inputs for each vector"):
        crossbar.add_reals(*call.given(call.part()), *means, np.zeros(2, np.int64), *reals[1:])
    with pytest.raises(ValueError, match="differ in shape"):
        crossbar.add_reals(*call.given(call.part()), np.ones(1), np.zeros((1, 4)), 0, False, *reals)
    for lsbs, constants in ((np.ones(2), np.zeros((1, 5))), (np.ones(1), np.zeros((2, 5)))):
        with pytest.raises(ValueError, match="for each part"):
            crossbar.add_reals(*call.given(call.part()), lsbs, constants, 0, False, *reals)
    assert not call.total.any()


def table(**changed: int) -> np.ndarray:
    """The plane's numbers, one of them changed."""
    names = ("cells", "first_output", "outputs", "factors", "number")
    return np.array([[changed.get(name, usual) for name, usual in zip(names, (0, 0, 5, 0, 0), strict=True)]], np.int64)


def step(*numbers: int) -> np.ndarray:
    return np.array([numbers], np.int32)


def changed(array: np.ndarray, index: int, value: float) -> np.ndarray:
    copy = array.copy()
    copy[index] = value
    return copy


FAR = 2**63 - 1

WRONG_ROW_SETS: list[tuple[dict[str, Any], str]] = [
    ({"form": "octets"}, "cells have no form octets"),
    ({"form": None}, "cells have no form None"),
    ({"rows": 0}, "out of range"),
    ({"rows": -1}, "out of range"),
    ({"rows": 2**31 - 1}, "out of range"),
    ({"rows": 9}, "not all there"),
    ({"cell_bits": 0}, "out of range"),
    ({"cell_bits": 9}, "out of range"),
    ({"form": "bits", "cell_bits": 5}, "out of range"),
    ({"signs": 3}, "out of range"),
    ({"steps": np.zeros((0, 4), np.int32)}, "steps of 4 numbers"),
    ({"steps": np.zeros((1, 3), np.int32)}, "steps of 4 numbers"),
    ({"steps": step(16, 1, 0, 1)}, "shift, mask or part"),
    ({"steps": step(-1, 1, 0, 1)}, "shift, mask or part"),
    ({"steps": step(0, 1, 3, 1)}, "shift, mask or part"),
    ({"steps": step(0, 1 << 20, 0, 1)}, "shift, mask or part"),
    ({"steps": step(0, -2, 0, 1)}, "shift, mask or part"),
    ({"form": "bytes", "steps": step(0, 256, 0, 1)}, "shift, mask or part"),
    ({"form": "amx_bytes", "steps": step(0, 256, 0, 1)}, "shift, mask or part"),
    ({"form": "amx_words", "steps": step(0, 256, 0, 1)}, "shift, mask or part"),
    ({"form": "amx_bytes", "cells": np.zeros(64 * 16 - 1, np.uint8)}, "not all there"),
    ({"form": "amx_words", "cells": np.zeros(2 * 64 * 16 - 1, np.uint8)}, "not all there"),
    ({"form": "bits", "steps": step(0, 3, 0, 1)}, "shift, mask or part"),
    ({"form": "tables", "steps": step(0, -1, 0, 1)}, "shift, mask or part"),
    ({"form": "nibbles", "steps": step(0, 3, 0, 1)}, "shift, mask or part"),
    ({"form": "nibbles", "cell_bits": 5}, "cell bits"),
    ({"form": "nibbles", "cells": np.zeros(9, np.uint8)}, "not all there"),
    ({"steps": step(0, 1, 0, 0)}, "no power of two"),
    ({"steps": step(0, 1, 0, 3)}, "no power of two"),
    ({"steps": step(0, 1, 0, -(2**31))}, "no power of two"),
    ({"planes": np.zeros((0, 5), np.int64)}, "planes of 5"),
    ({"planes": np.zeros((1, 4), np.int64)}, "planes of 5"),
    ({"planes": table(cells=-1)}, "begins outside"),
    ({"planes": table(cells=1)}, "not all there"),
    ({"planes": table(cells=FAR)}, "begins outside"),
    ({"planes": table(first_output=-1)}, "begins outside"),
    ({"planes": table(first_output=2**32)}, "begins outside"),
    ({"planes": table(outputs=0)}, "begins outside"),
    ({"planes": table(outputs=17)}, "not all there"),
    ({"planes": table(outputs=FAR)}, "begins outside"),
    ({"planes": table(factors=1)}, "not all there"),
    ({"planes": table(factors=FAR)}, "begins outside"),
    ({"planes": table(number=-1)}, "begins outside"),
    ({"cells": np.zeros(0, np.uint8)}, "not all there"),
    ({"factors": np.zeros(0, np.int32)}, "not all there"),
    ({"form": "tables", "cells": np.full(20, 64, np.uint8)}, "more than six bits"),
    ({"form": "sums", "cells": np.full(4 * 16 * 2, 6554, np.int16).view(np.uint8)}, "beyond 16 bits"),
    ({"form": "sums", "cells": np.full(4 * 16 * 2, -6554, np.int16).view(np.uint8)}, "beyond 16 bits"),
    ({"form": "sums", "steps": np.array([[0, 1, 0, 1]] * 129, np.int32)}, "steps are out of range"),
    ({"form": "sums", "steps": np.array([[0, 3, 0, 1]], np.int32)}, "mask or part is out of range"),
    ({"integers": np.zeros(12, np.int32)}, "31 integers"),
    ({"reals": np.zeros(5, np.float32)}, "31 integers"),
    ({"counters": np.zeros(2, np.uint32)}, "31 integers"),
    ({"reals": changed(np.zeros(6, np.float32), 3, np.nan)}, "not all finite"),
    ({"reals": changed(np.zeros(6, np.float32), 5, np.inf)}, "not all finite"),
    ({"integers": changed(np.zeros(31, np.int32), 0, 3)}, "conversion, shift or rounding"),
    ({"integers": changed(np.zeros(31, np.int32), 2, 32)}, "conversion, shift or rounding"),
    ({"integers": changed(np.zeros(31, np.int32), 5, -1)}, "conversion, shift or rounding"),
    ({"integers": changed(np.zeros(31, np.int32), 9, 16)}, "short conversion"),
    ({"integers": changed(np.zeros(31, np.int32), 13, -1)}, "short conversion"),
    ({"form": "adders", "rows": 1024}, "out of range"),
    ({"form": "adders", "cell_bits": 5}, "out of range"),
    ({"form": "adders", "steps": step(0, 3, 0, 1)}, "shift, mask or part"),
    ({"form": "adders", "steps": step(1, 1, 0, 1)}, "less than the weight"),
    ({"form": "adders", "steps": np.array([[0, 1, 0, 1]] * 33, np.int32)}, "steps are out of range"),
    ({"form": "adders", "cells": np.zeros(39, np.uint8)}, "not all there"),
    ({"integers": scaled(terms=-1)}, "terms or tie bit"),
    ({"integers": scaled(terms=4)}, "terms or tie bit"),
    ({"integers": scaled(tie_bit=32)}, "terms or tie bit"),
    ({"integers": scaled(start=-1)}, "start, shift or terms"),
    ({"integers": scaled(start=(1 << 16) + 1)}, "start, shift or terms"),
    ({"integers": scaled(shift=18)}, "start, shift or terms"),
    ({"integers": scaled(shift=21, terms=1, term_shift=3)}, "start, shift or terms"),
    ({"integers": scaled(terms=1)}, "a scaling's term"),
    ({"integers": scaled(terms=1, term_shift=22)}, "start, shift or terms"),
    ({"integers": scaled(terms=1, term_shift=3, constant=8)}, "a scaling's term"),
    ({"integers": scaled(terms=1, term_shift=3, is_minus=2)}, "a scaling's term"),
    # Other types, byte orders and strides than the kernels read.
    ({"cells": np.zeros(64, np.int16)}, "Buffer dtype mismatch"),
    ({"factors": np.zeros(16, np.int64)}, "Buffer dtype mismatch"),
    ({"factors": np.zeros(16, ">i4")}, "endian"),
    ({"reals": np.zeros(6)}, "Buffer dtype mismatch"),
    ({"cells": np.zeros(1024, np.uint8)[::2]}, "not C-contiguous|contiguous"),
    ({"steps": np.zeros((4, 2), np.int32).T}, "contiguous"),
    ({"planes": np.zeros(5, np.int64)}, "wrong number of dimensions"),
    *(
        ({"form": form, "instructions": instructions, **spoiled}, message)
        for instructions, form in KINDS
        if form in (Form.TABLES, Form.NIBBLES)
        for spoiled, message in (
            ({"starts": np.zeros((4, 2), np.uint8)}, "each sum of bytes has its start"),
            ({"starts": np.zeros((5, 0), np.uint8)}, "each sum of bytes has its start"),
            ({"lookups": np.array([1, 0, 0], np.int32), "starts": np.zeros((5, 1), np.uint8)}, "has its start"),
            ({"lookups": np.array([0, 0, 0], np.int32)}, "look-ups are how many"),
            ({"lookups": np.array([2, 0, 16], np.int32)}, "look-ups are how many"),
            ({"lookups": np.array([2, 0], np.int32)}, "look-ups are how many"),
        )
    ),
]


@pytest.mark.parametrize(("spoiled", "message"), WRONG_ROW_SETS)
def test_a_row_set_of_wrong_parts_is_refused(spoiled, message):
    with pytest.raises(ValueError, match=message):
        Call(**spoiled).row_set()


WRONG_PRODUCTS: list[tuple[dict[str, Any], str]] = [
    ({"instructions": "sse"}, "no instruction set sse"),
    ({"instructions": None}, "no instruction set None"),
    ({"form": "bytes", "instructions": "portable"}, "cannot read this form"),
    ({"form": "bits", "instructions": "portable"}, "cannot read this form"),
    ({"form": "tables", "instructions": "portable"}, "cannot read this form"),
    ({"form": "nibbles", "instructions": "portable"}, "cannot read this form"),
    ({"form": "adders", "instructions": "portable"}, "cannot read this form"),
    ({"total": np.zeros((2, 5), np.int64)}, "differ in shape"),
    ({"total": np.zeros((3, 4), np.int64)}, "reach beyond the outputs"),
    ({"total": np.zeros((3, 0), np.int64)}, "reach beyond the outputs"),
    ({"offsets": np.zeros(6, np.int32)}, "each row has an offset"),
    ({"chunk": 0}, "at least one vector"),
    ({"chunk": -1}, "at least one vector"),
    ({"origins": np.array([0, 7, 15], np.int64)}, "reaches beyond"),
    ({"origins": np.array([0, 7, 21], np.int64)}, "begins beyond"),
    ({"origins": np.array([0, 7, FAR], np.int64)}, "begins beyond"),
    ({"origins": np.array([0, -1, 7], np.int64)}, "begins beyond"),
    ({"origins": np.array([0, -FAR, 7], np.int64)}, "begins beyond"),
    ({"offsets": np.array([0, 1, 2, 3, 4, 5, 2**31 - 1], np.int32)}, "reaches beyond"),
    ({"offsets": np.array([0, 1, 2, 3, 4, 5, -1], np.int32)}, "reaches beyond"),
    ({"codes": np.zeros(0, np.int16)}, "begins beyond"),
    ({"codes": np.zeros(21, np.int32)}, "Buffer dtype mismatch"),
    ({"codes": np.zeros(21)}, "Buffer dtype mismatch"),
    ({"codes": np.zeros(21, ">i2")}, "endian"),
    ({"codes": np.zeros(42, np.int16)[::2]}, "contiguous"),
    ({"total": np.zeros((3, 10), np.int64)[:, ::2]}, "contiguous"),
    ({"total": np.zeros((5, 3), np.int64).T}, "contiguous"),
    ({"total": np.zeros((3, 5), np.int32)}, "Buffer dtype mismatch"),
    ({"total": np.zeros(15, np.int64)}, "wrong number of dimensions"),
]


@pytest.mark.parametrize(("spoiled", "message"), WRONG_PRODUCTS)
def test_a_product_of_wrong_arrays_is_refused(spoiled, message):
    call = Call(**spoiled)
    with pytest.raises(ValueError, match=message):
        call.run()
    assert not call.total.any()


def test_a_total_that_cannot_be_written_are_refused():
    call = Call()
    call.total.setflags(write=False)
    with pytest.raises(ValueError, match="read-only"):
        call.run()


@pytest.mark.parametrize("value", [-1, 2**64])
def test_a_vector_has_an_index_of_64_bits(value):
    with pytest.raises(OverflowError):
        Call(first_vector=value).run()


@pytest.mark.parametrize(("instructions", "form"), KINDS)
@pytest.mark.parametrize("arrays", ["read_only", "none", "wide", "overlapping", "unaligned"])
def test_unusual_arrays_are_read_as_they_are(instructions, form, arrays):
    call = Call(form=form, instructions=instructions)
    expected = INPUTS @ CELLS
    match arrays:
        case "read_only":
            for array in (call.codes, call.origins, call.offsets, call.cells, call.factors, call.starts, call.lookups):
                array.setflags(write=False)
        case "none":
            call.origins, call.total = np.zeros(0, np.int64), np.zeros((0, 5), np.int64)
            expected = expected[:0]
        case "wide":
            call.total = np.full((3, 9), 7)
            expected = np.pad(expected, ((0, 0), (0, 4)))
        case "overlapping":  # windows that begin at 0, 1 and 14; rows all driven by the same code
            call.origins, call.offsets = np.array([0, 1, 14], np.int64), np.zeros(7, np.int32)
            expected = call.codes[[0, 1, 14]][:, None] * CELLS.sum(axis=0)
        case "unaligned":  # no longer on a cache line
            call.cells = np.concatenate([np.zeros(2, np.uint8), call.cells])[2:]
    assert np.array_equal(call.run(), expected)


@pytest.mark.parametrize(("instructions", "form"), KINDS)
@pytest.mark.parametrize("first_output", [0, 3, 15, 16, 70])
def test_nothing_is_written_outside_of_the_total(instructions, form, first_output):
    rng = np.random.default_rng(first_output)
    for outputs in (1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 130):
        cells = rng.integers(0, 4, (7, outputs))
        plane = Plane(cells.astype(np.int16), np.ones(outputs, np.int64), first_output, 0)
        packed = pack_planes(form, [plane], Extent(0, 3, 1, False, 7))
        guarded = np.full((7, first_output + outputs), 5)
        call = Call(form=form, instructions=instructions, planes=packed.table, cells=packed.cells)
        call.factors, call.starts, call.total = packed.factors, packed.lookups.starts, guarded[2:5]
        call.run()
        expected = np.full(guarded.shape, 5)
        expected[2:5] = 0
        expected[2:5, first_output:] += INPUTS @ cells
        assert np.array_equal(guarded, expected)


def test_random_numbers_must_fit_their_arrays():
    words = np.zeros((4, 3), np.uint32)
    with pytest.raises(ValueError, match=r"must both be \[4, n\]"):
        noise.philox(words, 0, 0, np.zeros((4, 2), np.uint32))
    with pytest.raises(ValueError, match=r"must both be \[4, n\]"):
        noise.philox(words[:3], 0, 0, words[:3].copy())
    with pytest.raises(ValueError, match="differ in length"):
        noise.normals(words[0], np.zeros(2, np.float32))
    with pytest.raises(ValueError, match="differ in length"):
        noise.read_normals(0, 0, np.zeros(2, np.int64), 0, 0, np.zeros((3, 1, 1), np.float32), "portable")
    for shape in ((0, 0), (0, 5), (5, 0)):
        noise.cell_normals(0, 0, 0, 0, np.zeros(shape, np.float32), "portable")
        noise.read_normals(0, 0, np.zeros(shape[0], np.int64), 0, 0, np.zeros((*shape, 0), np.float32), "portable")
