"""The same product by every way there is through the kernels."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

import numpy as np

from cimspec.sim import layer as layer_module
from cimspec.sim.layer import ProductLayer
from cimspec.sim.packing import Extent, Form, fastest_form, kernels, possible_forms
from cimspec.sim.row_set import Inputs

KINDS = [(name, Form(form)) for name in kernels().instruction_sets() for form in kernels().forms(name)]
"""Instruction sets of this machine, each with the forms of cells that it reads."""


@dataclass(frozen=True)
class Variant:
    """How a product is computed."""

    instructions: str
    form: Form | None = None  # where cells and ADC allow it; None takes the fastest
    shortcut: bool = True
    threads: int = 1
    chunk: int = 512  # vectors at once, at most
    aligned: bool = True  # packed cells on a cache line; else wherever, with nothing around them

    def products(self, layer: ProductLayer, inputs: Inputs) -> np.ndarray:
        """The layer's products, nothing remembered of how others computed them."""
        fresh = replace(layer, _prepared={})
        with running(self.instructions, self.form), chunks_of(self.chunk), cells_on_lines(self.aligned):
            return fresh.products(inputs, shortcut=self.shortcut, threads=self.threads)


def draw_variants(rng: np.random.Generator, count: int) -> list[Variant]:
    """Some kinds of kernels, with or without the shortcut and threads, and in chunks of different sizes."""
    kinds = [*KINDS, (KINDS[0][0], None)]
    return [
        Variant(
            *kinds[index],
            shortcut=bool(rng.integers(2)),
            threads=int(rng.integers(1, 3)),
            chunk=int(rng.choice([5, 64, 512])),
            aligned=bool(rng.integers(2)),
        )
        for index in rng.permutation(len(kinds))[:count]
    ]


@contextmanager
def running(instructions: str, form: Form | None = None) -> Iterator[set[Form]]:
    """Kernels of one instruction set, and one form of cells where that is possible. Yields the forms really taken."""
    taken: set[Form] = set()

    def choose(name: str, extent: Extent, vectors: int, **conversion: Any) -> Form:
        possible = possible_forms(name, extent, **conversion)
        chosen = form if form in possible else fastest_form(name, extent, vectors, **conversion)
        taken.add(chosen)
        return chosen

    with ExitStack() as stack:
        stack.enter_context(patch.object(layer_module, "instruction_set", lambda: instructions))
        stack.enter_context(patch("cimspec.sim.kernel_rows.fastest_form", choose))
        yield taken


@contextmanager
def chunks_of(vectors: int) -> Iterator[None]:
    """Vectors in chunks of at most so many, instead of hundreds."""
    fewest = min(vectors, layer_module.FEWEST_VECTORS)
    with patch.object(layer_module, "MOST_VECTORS", vectors), patch.object(layer_module, "FEWEST_VECTORS", fewest):
        yield


@contextmanager
def cells_on_lines(aligned: bool) -> Iterator[None]:
    """Packed cells where they usually are, or in memory of exactly their size, so that sanitizers see what is read."""
    if aligned:
        yield
        return
    with patch("cimspec.sim.packing.on_cache_line", np.empty):
        yield
