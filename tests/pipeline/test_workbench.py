"""What is made of a float network before anything is searched."""

from pathlib import Path

import numpy as np
import torch

from cimspec.graph import open_model
from cimspec.pipeline.drawn_chips import finetuned_on
from cimspec.pipeline.workbench import Workbench
from cimspec.quant.execute import float_outputs
from cimspec.quant.optimize import no_progress
from cimspec.quant.threads import one_thread
from cimspec.quant.weights import fold_batch_norm
from cimspec.spec import EvaluateOn, load_spec

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


NOISY_CHIP = ("chip.device.program_sigma=5%", "chip.adc.bits=6", "training.epochs=8", "training.finetune_epochs=6")


def accuracy_on_chips(cache: Path, monkeypatch, finetune_on: str) -> float:
    """Of the fine-tuned 4/4 network, in the mean over the chips of the report."""
    monkeypatch.setenv("CIMSPEC_CACHE", str(cache))
    spec = load_spec(TINY, (*NOISY_CHIP, f"training.finetune_on={finetune_on}"))
    with one_thread(), Workbench.prepare(spec, 0, None, no_progress) as bench:
        return float(bench.test_correct(bench.candidate(bench.graph.uniform(4, 4))).mean())


def test_networks_that_were_tuned_on_chips_do_better_on_others(tmp_path, monkeypatch):
    blind, aware = (accuracy_on_chips(tmp_path, monkeypatch, on) for on in ("quantized", "chip"))
    assert aware > blind + 0.03


def test_fine_tuning_sees_the_chip_where_it_matters():
    assert finetuned_on(load_spec(TINY, SHORT)) is None  # there is none
    assert finetuned_on(load_spec(TINY)) is EvaluateOn.QUANTIZED
    assert finetuned_on(load_spec(TINY, ("chip.adc.bits=6",))) is EvaluateOn.CHIP
    assert finetuned_on(load_spec(TINY, NOISY_CHIP)) is EvaluateOn.CHIP
    assert finetuned_on(load_spec(TINY, (*NOISY_CHIP, "training.finetune_on=quantized"))) is EvaluateOn.QUANTIZED
