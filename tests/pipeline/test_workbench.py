"""What is made of a float network before anything is searched."""

from pathlib import Path

import numpy as np
import torch

from cimspec.graph import open_model
from cimspec.pipeline.workbench import Workbench
from cimspec.quant.execute import float_outputs
from cimspec.quant.optimize import no_progress
from cimspec.quant.threads import one_thread
from cimspec.quant.weights import fold_batch_norm
from cimspec.spec import load_spec

TINY = Path(__file__).parents[2] / "specs/tiny.cim"
SHORT = ("training.epochs=1", "training.finetune_epochs=0")


def test_what_is_quantized_is_the_equalized_network(tmp_path, monkeypatch):
    monkeypatch.setenv("CIMSPEC_CACHE", str(tmp_path))
    spec = load_spec(TINY, SHORT)
    with one_thread(), Workbench.prepare(spec, 0, None, no_progress) as bench:
        tables = bench.tables
    graph, folded = fold_batch_norm(open_model(spec).graph, bench.float_weights)
    images = torch.from_numpy(bench.data.validation.images)
    assert any(not np.array_equal(own["weight"], folded[name]["weight"]) for name, own in tables.weights.items())
    torch.testing.assert_close(
        float_outputs(tables.graph, tables.weights, images),
        float_outputs(graph, folded, images),
        rtol=1e-3,
        atol=1e-4,
    )
