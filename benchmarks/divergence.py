"""How well a few images rank policies, by the temperature at which divergence from the float network is taken.

    python benchmarks/divergence.py [SPEC] [--seed 0] [--images 200] [--policies 60]

Trains the spec's float network, draws policies of 3 to 5 bits per layer, and measures each on disjoint parts of the
validation split. Spread: the standard deviation of a policy's divergence over the parts, relative to its mean. Rank
correlation (Spearman's): of the policies, between two parts.
"""

import argparse
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console

from cimspec import load_spec
from cimspec.data.dataset import Split
from cimspec.data.load import load_data
from cimspec.graph import Graph, Policy, Precision, build_graph
from cimspec.quant.calibrate import calibrate
from cimspec.quant.equalize import equalize
from cimspec.quant.evaluator import FakeQuantEvaluator
from cimspec.quant.threads import one_thread
from cimspec.quant.train import train_float
from cimspec.quant.weights import fold_batch_norm
from cimspec.report import rows_table

ROOT = Path(__file__).parents[1]
TEMPERATURES = (1.0, 2.0, 3.0, 4.0, 6.0)

FEWEST_BITS, MOST_BITS = 3, 5
"""Of layers of policies that are about as far from the float network as the limits of a search."""


def draw_policies(graph: Graph, count: int, fewest: int, most: int, rng: np.random.Generator) -> list[Policy]:
    """Policies whose bits are drawn evenly from `fewest .. most`."""
    names = tuple(layer.name for layer in graph.crossbar_layers)
    drawn = rng.integers(fewest, most, size=(count, len(names), 2), endpoint=True).tolist()
    return [Policy(names, tuple(Precision(*bits) for bits in policy)) for policy in drawn]


def rank_correlation(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> float:
    """Spearman's, without ties."""
    ranks = [values.argsort().argsort() for values in (one, other)]
    return float(np.corrcoef(*ranks)[0, 1])


def main() -> None:
    """Print one row for each temperature."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("spec", nargs="?", default=str(ROOT / "specs/quickstart.cim"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--policies", type=int, default=60)
    arguments = parser.parse_args()
    spec = load_spec(arguments.spec)
    if spec.data is None:
        parser.error("the spec has no data")
    data, graph = load_data(spec.data), build_graph(spec.model)
    validation = data.validation
    parts = [
        Split(validation.images[start : start + arguments.images], validation.labels[start : start + arguments.images])
        for start in range(0, len(validation) - arguments.images + 1, arguments.images)
    ]
    rows = []
    with one_thread():
        folded, weights = fold_batch_norm(graph, train_float(graph, data.train, spec.training, seed=arguments.seed))
        images = data.train.images[: spec.training.calibration]
        tables = calibrate(folded, equalize(folded, weights, images), images)
        rng = np.random.default_rng(arguments.seed)
        policies = draw_policies(tables.graph, arguments.policies, FEWEST_BITS, MOST_BITS, rng)
        for temperature in TEMPERATURES:
            evaluators = [FakeQuantEvaluator(tables, part, temperature) for part in parts]
            kl = np.array([[evaluator.quality(policy).kl for policy in policies] for evaluator in evaluators])
            spread = (kl.std(axis=0, ddof=1) / kl.mean(axis=0)).mean()
            ranks = np.mean([rank_correlation(one, other) for one, other in combinations(kl, 2)])
            rows.append((f"{temperature:g}", f"{100 * spread:.0f} %", f"{ranks:.3f}"))
    headers = ("temperature", f"spread over {len(parts)} x {arguments.images} images", "rank correlation")
    Console(width=120, highlight=False).print(rows_table(headers, rows))


if __name__ == "__main__":
    main()
