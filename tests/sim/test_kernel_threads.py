"""Threads of the kernels: whoever comes, and whenever, gets the product of one thread."""

import multiprocessing
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from cimspec.compiler.layout import Layout
from cimspec.compiler.slicing import input_steps
from cimspec.sim.layer import ProductLayer
from cimspec.sim.mvm import flat_inputs
from cimspec.sim.programmed import ProgrammedRows
from cimspec.spec.chip import Adc, Chip, Crossbar, Encoding

VECTORS = 700


def layer_of(inputs: int) -> tuple[ProductLayer, np.ndarray]:
    """A layer, and vectors for it."""
    crossbar = Crossbar(
        rows=32, columns=64, cell_bits=2, encoding=Encoding.OFFSET, write_latency_ns=1.0, read_latency_ns=1.0
    )
    chip = Chip(name="threads", crossbar=crossbar, adc=Adc(bits=5))
    rng = np.random.default_rng(inputs)
    weights, vectors = rng.integers(-7, 8, (24, inputs)), rng.integers(0, 8, (VECTORS, inputs))
    return ProductLayer(
        ProgrammedRows(Layout(chip, inputs, 24, 4), weights, input_steps(chip, 3, False), None)
    ), vectors


@pytest.mark.parametrize("threads", [2, 3, 8, 1000])
@pytest.mark.parametrize("inputs", [40, 700], ids=["chunks", "groups"])  # of 700, 3 threads share sets of rows
def test_any_number_of_threads_gives_the_same(inputs, threads):
    layer, vectors = layer_of(inputs)
    expected = layer.products(flat_inputs(vectors))
    for _ in range(20):
        assert np.array_equal(layer.products(flat_inputs(vectors), threads=threads), expected)
    time.sleep(0.01)  # helpers sleep by now
    assert np.array_equal(layer.products(flat_inputs(vectors), threads=threads), expected)


def test_callers_do_not_wait_for_each_other():
    layer, vectors = layer_of(700)
    expected = layer.products(flat_inputs(vectors))
    with ThreadPoolExecutor(4) as callers:
        results = [callers.submit(layer.products, flat_inputs(vectors), threads=1 + call % 3) for call in range(60)]
        assert all(np.array_equal(result.result(timeout=60), expected) for result in results)


def in_child(queue, layer, vectors):
    queue.put(layer.products(flat_inputs(vectors), threads=2))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_starts_threads_of_its_own():
    layer, vectors = layer_of(700)
    expected = layer.products(flat_inputs(vectors), threads=2)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=in_child, args=(queue, layer, vectors))
    child.start()
    assert np.array_equal(queue.get(timeout=60), expected)
    child.join(60)
    assert child.exitcode == 0
