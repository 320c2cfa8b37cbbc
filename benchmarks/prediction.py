"""Which measure of some policies tells which others keep the accuracy: what `rl` is to model where accuracy is limited.

    python benchmarks/prediction.py [SPEC ...] [--seed 0] [--policies 1000] [--loss 0]

Trains each spec's float network (specs/mlp.cim and specs/lenet.cim if none is named) and measures policies whose bits
are drawn evenly, as a search sees them. To one half of them a sum over layers is fitted, a share for each number of
weight bits and of activation bits (ridge regression); its predictions for the other half tell those that lose at most
`--loss` pp from the rest, with an area under the ROC curve of 0.5 by chance and 1 without error.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from divergence import draw_policies
from rich.console import Console
from sklearn.linear_model import RidgeCV
from sklearn.metrics import roc_auc_score

from cimspec import load_spec
from cimspec.graph import Policy
from cimspec.pipeline.workbench import Workbench
from cimspec.quant.optimize import no_progress
from cimspec.quant.threads import one_thread
from cimspec.report import rows_table
from cimspec.search.evaluation import Score

ROOT = Path(__file__).parents[1]
SPECS = tuple(str(ROOT / f"specs/{name}.cim") for name in ("mlp", "lenet"))
FEWEST_BITS, MOST_BITS = 2, 8
PENALTIES = np.logspace(-3, 3, 13)


def bits_of(policies: Sequence[Policy]) -> npt.NDArray[np.int64]:
    """Weight and activation bits: [policies, layers, 2]."""
    return np.array([[(own.weight_bits, own.activation_bits) for own in policy.precisions] for policy in policies])


def area(bits: npt.NDArray[np.int64], values: npt.NDArray[np.float64], keeps: npt.NDArray[np.bool_]) -> float:
    """Under the ROC curve of a sum that is fitted to the first half of some values, for the second half."""
    features = (bits[..., None] == np.arange(FEWEST_BITS, MOST_BITS + 1)).reshape(len(bits), -1)
    half = len(bits) // 2
    predicted = RidgeCV(PENALTIES).fit(features[:half], values[:half]).predict(features[half:])
    return float(roc_auc_score(keeps[half:], -predicted))


def measured(name: str, seed: int, count: int) -> tuple[npt.NDArray[np.int64], list[Score], Score]:
    """Bits of some policies, what a search sees of them, and of the 8/8 policy."""
    bench = Workbench.prepare(load_spec(name), seed, None, no_progress)
    with bench:
        policies = draw_policies(bench.graph, count, FEWEST_BITS, MOST_BITS, np.random.default_rng(seed))
        widest = bench.score(bench.graph.uniform(MOST_BITS, MOST_BITS))
        return bits_of(policies), [bench.score(policy) for policy in policies], widest


def main() -> None:
    """Print one row for each spec."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("specs", nargs="*", default=SPECS, metavar="SPEC")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--policies", type=int, default=1000)
    parser.add_argument("--loss", type=float, default=0.0, metavar="PP")
    arguments = parser.parse_args()
    rows = []
    with one_thread():
        for name in arguments.specs:
            bits, scores, widest = measured(name, arguments.seed, arguments.policies)
            accuracy = np.array([score.accuracy for score in scores])
            keeps = accuracy >= widest.accuracy - arguments.loss / 100
            divergences, soft_errors = [score.kl for score in scores], [score.soft_error for score in scores]
            areas = (area(bits, np.array(values), keeps) for values in (divergences, soft_errors, 1 - accuracy))
            rows.append((Path(name).stem, f"{100 * keeps.mean():.0f} %", *(f"{each:.2f}" for each in areas)))
    headers = ("network", "keep the accuracy", "by divergence", "by soft error", "by errors")
    Console(width=120, highlight=False).print(rows_table(headers, rows))


if __name__ == "__main__":
    main()
