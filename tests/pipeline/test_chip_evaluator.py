"""What the search sees of a policy on the chip is what its Program does there."""

import os

import numpy as np
import pytest

from cimspec.compiler import compile_program, with_full_scales
from cimspec.data.dataset import Split
from cimspec.graph.precision import Policy, Precision
from cimspec.pipeline.chip_evaluator import ChipEvaluator
from cimspec.pipeline.chip_ranges import ChipRanges
from cimspec.quant.calibrate import calibrate
from cimspec.quant.integer import integer_network
from cimspec.quant.tables import Tables, quantize
from cimspec.sim.execute import Machine, execute
from cimspec.spec import Adc, AdcRange, Chip, Crossbar, Device, Encoding, WeightMode
from tests.quant.nets import random_images, random_weights, residual_net

LOSSLESS = Adc(bits=8)
SHORT = Adc(bits=4, range=AdcRange.CALIBRATED)
NOISY = Device(program_sigma=0.05, read_sigma=0.02)
READ_NOISE = Device(read_sigma=0.02)


def make_chip(adc: Adc, device: Device | None = None) -> Chip:
    crossbar = Crossbar(
        rows=16,
        columns=24,
        cell_bits=2,
        encoding=Encoding.DIFFERENTIAL_COLUMNS,
        write_latency_ns=56000.0,
        read_latency_ns=1400.0,
    )
    return Chip(name="test", crossbar=crossbar, adc=adc, device=device or Device())


@pytest.fixture(scope="module")
def tables() -> Tables:
    graph = residual_net(normalized=False)
    return calibrate(graph, random_weights(graph), random_images(64))


@pytest.fixture(scope="module")
def split() -> Split:
    return Split(random_images(11, seed=2), np.arange(11, dtype=np.int64) % 10)


def make_evaluator(tables: Tables, split: Split, chip: Chip, **options) -> ChipEvaluator:
    return ChipEvaluator(tables, chip, split, 3.0, make_ranges(tables, chip), seeds=(5, 6), **options)


def make_ranges(tables: Tables, chip: Chip) -> ChipRanges:
    return ChipRanges.of(tables, chip, random_images(32, seed=3))


def random_policies(tables: Tables, count: int) -> list[Policy]:
    rng = np.random.default_rng(0)
    names = [layer.name for layer in tables.graph.crossbar_layers]
    return [
        Policy.of({name: Precision(*map(int, rng.choice([2, 5, 8], size=2))) for name in names}) for _ in range(count)
    ]


def test_on_a_chip_that_loses_nothing_it_is_the_integer_network(tables: Tables, split: Split):
    evaluator = make_evaluator(tables, split, make_chip(LOSSLESS))
    for policy in random_policies(tables, 5):
        network = integer_network(tables.graph, quantize(tables, policy))
        assert np.array_equal(evaluator.outputs(policy), network.run(split.images))


@pytest.mark.parametrize("crossbars", [None, 30], ids=["reloaded", "resident"])
@pytest.mark.parametrize("device", [Device(), READ_NOISE, NOISY], ids=["ideal cells", "read noise", "noisy cells"])
def test_each_chip_executes_the_program_on_its_share_of_the_images(
    tables: Tables, split: Split, device: Device, crossbars: int | None
):
    """Where weights stay, copies of a layer are other cells, and how many there are depends on the whole policy."""
    chip = make_chip(SHORT, device)
    if crossbars:
        chip = chip.model_copy(update={"weights": WeightMode.RESIDENT, "crossbars": crossbars})
    evaluator, ranges = make_evaluator(tables, split, chip), make_ranges(tables, chip)
    first, *others = random_policies(tables, 3)
    widened = Policy(first.names, (*first.precisions[:-1], Precision(8, 8)))  # the first layer has 8 copies, then 7
    for policy in (first, widened, *others):
        constants = integer_network(tables.graph, quantize(tables, policy)).constants
        program = compile_program(tables.graph, policy, chip)
        scales = {layer.name: ranges.full_scale(program, layer) for layer in program.layers}
        program = with_full_scales(program, {name: scale for name, scale in scales.items() if scale})
        shares = [range(11)] if device.cells_are_exact else [range(6), range(6, 11)]
        expected = [
            Machine.of(program, constants, seed=seed).run(
                split.images[share.start : share.stop].astype(np.float64), first_input=share.start
            )
            for seed, share in zip((5, 6), shares, strict=False)
        ]
        assert np.array_equal(evaluator.outputs(policy), np.concatenate(expected))


@pytest.mark.slow
@pytest.mark.parametrize("cache_bytes", [0, 20_000, 100_000_000])
def test_what_is_kept_changes_no_result(tables: Tables, split: Split, cache_bytes: int):
    policies = random_policies(tables, 6)
    chip = make_chip(SHORT, NOISY)
    expected = {policy: make_evaluator(tables, split, chip).outputs(policy) for policy in policies}
    evaluator = make_evaluator(tables, split, chip, cache_bytes=cache_bytes)
    for policy in [*policies, *reversed(policies)]:
        assert np.array_equal(evaluator.outputs(policy), expected[policy])


def test_a_short_adc_and_noise_cost_something(tables: Tables, split: Split):
    policy = tables.graph.uniform(8, 8)
    exact, short, noisy = (
        make_evaluator(tables, split, chip).quality(policy).kl
        for chip in (make_chip(LOSSLESS), make_chip(SHORT), make_chip(SHORT, Device(program_sigma=0.2)))
    )
    assert exact < short < noisy


def test_there_is_no_chip_without_an_image(tables: Tables, split: Split):
    evaluator = make_evaluator(tables, split.cut(1)[0], make_chip(SHORT, NOISY))
    assert evaluator.outputs(tables.graph.uniform(4, 4)).shape == (1, 10)


@pytest.mark.parametrize("device", [Device(), READ_NOISE, NOISY], ids=["ideal", "read noise", "noisy"])
def test_the_number_of_threads_changes_no_result(monkeypatch, tables: Tables, split: Split, device: Device):
    chip = make_chip(SHORT, device)
    (policy,) = random_policies(tables, 1)
    network = integer_network(tables.graph, quantize(tables, policy))
    program = with_full_scales(compile_program(tables.graph, policy, chip), {})
    found = []
    for threads in ("1", "3"):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(4)), raising=False)
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        seen = make_evaluator(tables, split, chip).outputs(policy)
        found.append((seen, execute(program, network.constants, np.tile(split.images, (20, 1, 1, 1)), seed=5)))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)
