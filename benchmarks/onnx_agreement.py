"""How often an exported ONNX model says the same class in onnxruntime as the executed Program.

    python benchmarks/onnx_agreement.py [SPEC] [--epochs 6] [--finetune-epochs 2] [--seed 0] [--repeat 3]

Trains as `cimspec run` does, and compares 3/3 bits and a mixed policy on the test split. For each image that gets
another class: the margin between the executed Program's two best classes, and the first layer that reads other codes.
`--repeat` compares on that many distorted copies of the split, besides.
"""

import argparse
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from rich.console import Console

from cimspec.graph import Graph, Policy, Precision
from cimspec.pipeline.workbench import Candidate, Workbench
from cimspec.quant.apply import apply_vector, matmul, real_values
from cimspec.quant.augment import distort
from cimspec.quant.integer import IntegerNetwork, integer_network
from cimspec.quant.onnx_export import export_qcdq
from cimspec.quant.ops import Array, MatMul, Requantize, scale_name, sources
from cimspec.quant.optimize import no_progress
from cimspec.report import rows_table
from cimspec.sim import execute
from cimspec.spec import load

ROOT = Path(__file__).parents[1]
MIXED = ((6, 6), (4, 3), (2, 4), (3, 5), (5, 2))
"""Bits of weights and activations, layer after layer."""


@dataclass(frozen=True)
class Difference:
    """An image that got another class, and where the two first parted."""

    image: int
    margin: float  # between the Program's two best classes
    place: str


def mixed(graph: Graph) -> Policy:
    """A policy of unequal bits."""
    layers = zip(graph.crossbar_layers, cycle(MIXED), strict=False)
    return Policy.of({layer.name: Precision(*bits) for layer, bits in layers})


def in_onnxruntime(model: onnx.ModelProto, images: Array, wanted: tuple[str, ...], *, optimized: bool) -> list[Array]:
    """The output and the tensors `wanted`."""
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    shown.graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted)
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.x64quantprecision", "1")  # no 16-bit sums of 8-bit products
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(shown.SerializeToString(), options, providers=["CPUExecutionProvider"])
    results: list[Array] = session.run(None, {session.get_inputs()[0].name: images})
    return results


def integer_tensors(network: IntegerNetwork, images: Array) -> dict[str, Array]:
    """All tensors of the integer network."""
    tensors: dict[str, Array] = {network.input: images.astype(np.float64)}
    for op in network.ops:
        if isinstance(op, MatMul):
            weights = tensors[op.weights] if op.moving else network.constants[op.weights]
            bias = network.constants[op.bias] if op.bias else None
            tensors[op.dst] = matmul(op, tensors[op.src], weights, bias)
        else:
            tensors[op.dst] = apply_vector(op, tensors, network.constants)
    return tensors


def first_difference(network: IntegerNetwork, model: onnx.ModelProto, image: Array, *, optimized: bool) -> str:
    """The first layer that reads other codes, how many, and how far before rounding they were from a tie at most."""
    tensors = integer_tensors(network, image)
    read = {op.layer: op.src for op in network.ops if isinstance(op, MatMul)}
    names = tuple(f"{layer}.codes" for layer in read)
    found = in_onnxruntime(model, image, names, optimized=optimized)[1:]
    for (layer, tensor), theirs in zip(read.items(), found, strict=True):
        where = tensors[tensor] != theirs
        if where.any():
            ties = (tensors[tensor][where] + theirs[where].astype(np.int64)) / 2
            distance = np.abs(before_rounding(network, tensors, layer)[tensor][where] - ties).max()
            return f"first `{layer}` reads {where.sum()} other codes, up to {distance:.1e} codes from a tie"
    return "all codes are the same"


def before_rounding(network: IntegerNetwork, tensors: dict[str, Array], layer: str) -> dict[str, Array]:
    """What a layer's codes were rounded from, in codes, and what pooling and reordering make of that."""
    exact: dict[str, Array] = {}
    for op in network.ops:
        if isinstance(op, Requantize) and op.dst == f"{layer}.codes":
            exact[op.dst] = real_values(op.src, tensors, network.constants) / network.constants[scale_name(op.dst)]
        elif not isinstance(op, MatMul | Requantize) and any(source in exact for source in sources(op)):
            exact[op.dst] = apply_vector(op, exact, {})
    return exact


def compare(
    graph: Graph, candidate: Candidate, images: Array, *, optimized: bool
) -> tuple[int, float, tuple[Difference, ...]]:
    """Images with the same class, the largest difference of an output, and the other images."""
    network, model = integer_network(graph, candidate.parameters), export_qcdq(graph, candidate.parameters)
    executed = execute(candidate.program, candidate.constants, images)
    (outputs,) = in_onnxruntime(model, images, (), optimized=optimized)
    differing = np.nonzero(executed.argmax(1) != outputs.argmax(1))[0]
    best = np.sort(executed, axis=1)
    differences = tuple(
        Difference(
            int(image),
            float(best[image, -1] - best[image, -2]),
            first_difference(network, model, images[image : image + 1], optimized=optimized),
        )
        for image in differing
    )
    return len(images) - len(differing), float(np.abs(executed - outputs).max()), differences


def report(bench: Workbench, images: Array, console: Console) -> None:
    """Print one line for each policy and way of running the model, then the images of another class."""
    rows, listed = [], []
    policies = {"3/3 everywhere": bench.graph.uniform(3, 3), "mixed": mixed(bench.graph)}
    for name, policy in policies.items():
        candidate = bench.candidate(policy)
        for optimized in (False, True):
            how = "optimized" if optimized else "as written"
            same, largest, differences = compare(bench.graph, candidate, images, optimized=optimized)
            share = f"{100 * same / len(images):.3f} %"
            rows.append((name, how, f"{same} / {len(images)}", share, f"{largest:.1e}"))
            listed += [f"{name}, {how}: image {one.image}, margin {one.margin:.2e}: {one.place}" for one in differences]
    headers = ("policy", "onnxruntime", "same class", "", "largest difference of outputs")
    console.print(rows_table(headers, rows))
    console.print("\n".join(listed) or "no image gets another class")


def main() -> None:
    """Train, compare, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("spec", nargs="?", default=str(ROOT / "specs/quickstart.cim"))
    parser.add_argument("--epochs", type=int, help="of the float training; as the spec says if left out")
    parser.add_argument("--finetune-epochs", type=int, help="of each policy; as the spec says if left out")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeat", type=int, default=0, help="distorted copies of the test split, besides")
    arguments = parser.parse_args()
    given = {"epochs": arguments.epochs, "finetune_epochs": arguments.finetune_epochs}
    spec = load(arguments.spec, [f"training.{key}={value}" for key, value in given.items() if value is not None]).spec
    with Workbench.prepare(spec, arguments.seed, None, no_progress) as bench:
        images, generator = bench.data.test.images, torch.Generator().manual_seed(arguments.seed)
        copies = (
            distort(torch.from_numpy(images), spec.training.distortion, generator) for _ in range(arguments.repeat)
        )
        images = np.concatenate([images, *(copy.numpy() for copy in copies)])
        report(bench, images, Console(width=160, highlight=False))


if __name__ == "__main__":
    main()
