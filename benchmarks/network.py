"""Whole schedules on lossy chips: how long a test set takes, where the time goes, and how much memory is held.

    python benchmarks/network.py [--images 500] [--profile] [--json]

ResNet-18 for 32 x 32 images at 4/4 bits on crossbars of 128 x 128 and 256 x 256 one-bit cells with an ADC of 6 bits,
and the VGG-8 of specs/quickstart.cim at 4/4 bits with the ADC of specs/lossy.cim; random weights and images. ASiM
(arXiv 2411.11022) reports 6000 s for 10,000 CIFAR images through ResNet-18 on a laptop's CPU of 24 cores.
"""

import argparse
import json
import resource
import time
import tracemalloc
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from networks import random_network, resnet18
from rich.console import Console
from threadpoolctl import threadpool_limits

from cimspec import load_spec
from cimspec.compiler import CrossbarLayer, Program, compile_program, with_full_scales
from cimspec.compiler.schedule import schedule
from cimspec.data.cores import cores
from cimspec.graph import Graph, Precision
from cimspec.graph.window import Window
from cimspec.pipeline.costing import compiled_graph
from cimspec.quant.integer import IntegerNetwork
from cimspec.quant.lower import Lowered
from cimspec.quant.ops import Codes, Dequantize, MatMul, Requantize, Tensor, Wide
from cimspec.report import rows_table
from cimspec.sim import execute
from cimspec.sim.digital import apply_digital
from cimspec.sim.execute import Machine, inputs_at_once
from cimspec.sim.on_crossbars import How, put_on_crossbars
from cimspec.spec.chip import Adc, Chip, Crossbar, Encoding
from cimspec.spec.device import Device

ROOT = Path(__file__).parents[1]
TEST_SET = 10_000
REQUIRED_S, ASIM_S = 120, 6000
BITS = 4
NOISY = Device(program_sigma=0.05, read_sigma=0.01)
FULL_SCALE = 64.0
"""Of the calibrated ADC: a third of what its rows can make."""


@dataclass(frozen=True, eq=False)
class Job:
    """A network on a chip."""

    name: str
    program: Program
    network: IntegerNetwork


def chip(size: int, encoding: Encoding, device: Device | None = None) -> Chip:
    """Square crossbars of one-bit cells with an ADC of 6 bits; cells are ideal unless a device is given."""
    crossbar = Crossbar(
        rows=size, columns=size, cell_bits=1, encoding=encoding, write_latency_ns=56e3, read_latency_ns=1.4e3
    )
    return Chip(name="lossy", crossbar=crossbar, adc=Adc(bits=6), device=device or Device())


def jobs() -> Iterator[Job]:
    """What is executed."""
    graph = resnet18()
    for encoding in (Encoding.DIFFERENTIAL_COLUMNS, Encoding.OFFSET):
        for size in (128, 256):
            yield _job(f"ResNet-18, {encoding}, {size} rows", graph, chip(size, encoding))
    spec = load_spec(ROOT / "specs/lossy.cim")
    job = _job("VGG-8, lossy.cim", compiled_graph(spec), spec.chip)
    scales = {layer.name: FULL_SCALE for layer in job.program.layers}
    yield Job(job.name, with_full_scales(job.program, scales), job.network)


def _job(name: str, graph: Graph, chip: Chip) -> Job:
    policy = graph.uniform(BITS, BITS)
    return Job(name, compile_program(graph, policy, chip), random_network(graph, policy, seed=0))


def measure(job: Job, images: int) -> dict[str, Any]:
    """Wall and processor time of a few images and of `images` more, and of a test set at that pace.

    Programming and packing cells takes as long for few images as for many.
    """
    few = 2 * inputs_at_once(job.program) * cores()
    inputs = np.random.default_rng(0).uniform(-1, 1, (few + images, *job.program.input_shape))
    start, busy = _run(job, inputs[:few])
    wall, all_busy = _run(job, inputs)
    pace, busy_pace = (wall - start) / images, (all_busy - busy) / images
    return {
        "network": job.name,
        "images": images,
        "wall_s_per_image": pace,
        "cpu_s_per_image": busy_pace,
        "test_set_s": start + pace * (TEST_SET - few),
        "test_set_cpu_s_per_core": (busy + busy_pace * (TEST_SET - few)) / cores(),
        "peak_memory_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }


def _run(job: Job, inputs: Any) -> tuple[float, float]:
    start, busy = time.perf_counter(), time.process_time()
    execute(job.program, job.network.constants, inputs)
    return time.perf_counter() - start, time.process_time() - busy


def profile(job: Job) -> dict[str, float]:
    """Seconds per image on one core: each layer's products, and each kind of digital operation."""
    size = inputs_at_once(job.program)
    images = np.random.default_rng(0).uniform(-1, 1, (size, *job.program.input_shape))
    machine = Machine.of(job.program, job.network.constants)
    machine.run(images)  # packs cells for so many vectors
    tensors = {job.program.input: images}
    spent: dict[str, float] = defaultdict(float)
    for item in job.program.items:
        start = time.perf_counter()
        if isinstance(item, CrossbarLayer):
            codes, products = tensors[item.op.src], machine.layers[item.name]
            tensors[item.op.dst] = products.run(codes, 0, How())
            key = f"product {item.op.inputs} x {item.op.outputs} x {item.op.invocations}"
        else:
            tensors[item.dst] = apply_digital(item, tensors, job.network.constants)
            key = type(item).__name__
        spent[key] += (time.perf_counter() - start) / size
    return dict(spent)


def memory(device: Device, images: int = 8) -> dict[str, float]:
    """What a large layer holds: 512 channels of 3 x 3 windows to 512 channels of 32 x 32 pixels."""
    codes_of, shape = Codes(BITS, False), (512, 32, 32)
    window, bits = Window.square(3, 1, 1), Precision(BITS, BITS)
    op = MatMul("y", "y.codes", "y", "y.weights", "y.bias", window, 1, 4608, 512, shape, bits, False)
    tensors = tuple(
        Tensor(name, element, shape)
        for name, element in (("x", Wide.REALS), ("y.codes", codes_of), ("y", Wide.SUMS), ("logits", Wide.REALS))
    )
    ops = (Requantize("y.codes", "x", codes_of), op, Dequantize("logits", "y"))
    program = schedule("one", Lowered(ops, tensors), chip(128, Encoding.DIFFERENTIAL_COLUMNS, device))
    (layer,) = program.layers
    rng = np.random.default_rng(0)
    constants = {"y.weights": rng.integers(-7, 8, (512, 4608)), "y.bias": np.zeros(512, np.int64)}
    codes = rng.integers(0, 16, (images, *shape))
    tracemalloc.start()
    products = put_on_crossbars(program, layer, constants, seed=0, index=0)
    products.run(np.zeros((1, *shape), np.int16), 0, How())  # programs the cells
    held, programming = tracemalloc.get_traced_memory()
    cells = program.layout(layer).rows * program.layout(layer).columns
    tracemalloc.reset_peak()
    output = products.run(codes, 0, How())
    peak = tracemalloc.get_traced_memory()[1] - held
    tracemalloc.stop()
    return {
        "held_bytes_per_cell": held / cells,
        "programming_peak_bytes_per_cell": programming / cells,
        "running_bytes_per_value": peak / (codes.size + output.size),
        "running_bytes_over_activations": peak / (codes.nbytes + output.nbytes),
    }


def main() -> None:
    """Measure and print; with `--json`, tables go to stderr."""
    threadpool_limits(1, user_api="blas")  # images are executed side by side instead
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--profile", action="store_true", help="say where the time goes, on one core")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    console = Console(width=160, highlight=False, stderr=arguments.json)
    results = []
    for job in jobs():
        results.append(measure(job, arguments.images))
        if arguments.profile:
            results[-1]["profile"] = profile(job)
            _print_profile(job, results[-1]["profile"], console)
    headers = (
        "", "images", "ms an image", f"{TEST_SET} images (s)", "of processor time, per core (s)", "memory so far (GB)",
    )  # fmt: skip
    lines = [
        (
            each["network"], str(each["images"]), f"{1e3 * each['wall_s_per_image']:.1f}", f"{each['test_set_s']:.0f}",
            f"{each['test_set_cpu_s_per_core']:.0f}", f"{each['peak_memory_gb']:.2f}",
        )
        for each in results
    ]  # fmt: skip
    console.print(rows_table(headers, lines))
    console.print(f"{cores()} cores; at most {REQUIRED_S} s are required of ResNet-18; ASiM: {ASIM_S} s, 24 cores")
    held = {"ideal": memory(Device()), "noisy": memory(NOISY)}
    for name, own in held.items():
        console.print(
            f"{name} cells, 4608 x 512 weights, 1024 pixels: {own['held_bytes_per_cell']:.2f} bytes a cell held "
            f"(2 allowed), {own['programming_peak_bytes_per_cell']:.2f} at the peak of programming; running, "
            f"{own['running_bytes_over_activations']:.2f} times the bytes of input and output (4 allowed)"
        )
    if arguments.json:
        print(json.dumps({"networks": results, "memory": held}, indent=2))


def _print_profile(job: Job, spent: dict[str, float], console: Console) -> None:
    total = sum(spent.values())
    lines = [(name, f"{1e3 * own:.2f}", f"{100 * own / total:.0f} %") for name, own in spent.items()]
    console.print(f"\n{job.name}: {1e3 * total:.1f} ms an image on one core")
    console.print(rows_table(("", "ms an image", "share"), sorted(lines, key=lambda line: -float(line[1]))))


if __name__ == "__main__":
    main()
