"""One training of one spec, and all that is made from it: scores, fine-tuned candidates, executed Programs.

The search scores policies on the first part of the validation split, a quarter unless `scored` says otherwise; which of
its finalists are good enough, and whether fine-tuning helped them, is decided on the rest: on images that a search has
seen, what it found looks better than it is. `test_correct` is called at the end, once for each reported policy.

Where the chip's ADC or its cells lose something, the search looks at policies on the simulated chip, and fine-tuning
meets its errors; which chips are drawn for what says drawn_chips.py.

Candidates are made in the background, on all cores: those that are needed in any case while the search goes on.
"""

import hashlib
import json
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Protocol, Self, assert_never

import numpy as np
import torch

from cimspec.compiler import Program, compile_program
from cimspec.cost import Cost, program_cost
from cimspec.data.cores import cores
from cimspec.data.dataset import Dataset, Images, Split
from cimspec.data.load import check_data, load_data
from cimspec.diag import Diagnostic, fail
from cimspec.graph import Graph, Policy, open_model
from cimspec.pipeline.chip_evaluator import ChipEvaluator
from cimspec.pipeline.chip_ranges import ChipRanges
from cimspec.pipeline.drawn_chips import (
    DECIDED_CHIPS,
    JUDGED_CHIP,
    REPORTED_CHIPS,
    SEARCHED_CHIPS,
    TUNED_CHIPS,
    chip_seed,
    chip_seeds,
    evaluated_on,
    finetuned_on,
)
from cimspec.pipeline.tuning_chips import TuningChips, compile_network
from cimspec.pipeline.weights_cache import WeightsCache, weights_key
from cimspec.quant.calibrate import calibrate
from cimspec.quant.device import CPU, torch_device
from cimspec.quant.equalize import equalize
from cimspec.quant.evaluator import FakeQuantEvaluator
from cimspec.quant.execute import float_outputs
from cimspec.quant.finetune import FineTuner
from cimspec.quant.onnx_import import QuantizedModel
from cimspec.quant.ops import Constants
from cimspec.quant.optimize import Progress, no_progress
from cimspec.quant.parameters import QuantizedParameters
from cimspec.quant.quality import Quality
from cimspec.quant.tables import Tables
from cimspec.quant.train import train_float
from cimspec.quant.weights import Weights, fold_batch_norm
from cimspec.quant.weights_file import has_safetensors, open_weights, save_weights
from cimspec.search.evaluation import Score
from cimspec.search.finalists import Correct
from cimspec.search.objective import metric_values
from cimspec.sim import execute
from cimspec.spec import Chip, EvaluateOn, Metric, ModelSpec, Spec, TrainingSpec

SCORED_SHARE = 0.25
"""Of the validation split, where there is no search to say. Few images rank policies (`benchmarks/divergence.py`); to
compare accuracies takes many."""

CHIP_SHARE = 0.5
"""Of the images that score, where the chip is looked at: that takes longer, and ranks nearly as well."""

CALIBRATION_IMAGES = 256
"""Training images that ADC ranges are taken from before networks are fine-tuned, and to compare networks."""

SPARE_WORKERS = 1
"""Candidates in the making beyond one for each core: two cores make three side by side in the time of one and a half,
and one after the other in that of two. `is_idle` knows nothing of it, so no candidate is made early for its sake."""

WEIGHTS_FILE = "weights.safetensors"
"""Of trained weights, in the folder of a run; a spec takes them up with `weights = "..."`."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A policy, fine-tuned and compiled, and what its executed Program gets right on the validation split."""

    policy: Policy
    parameters: QuantizedParameters
    program: Program
    constants: Constants
    cost: Cost
    validation_correct: Correct
    fine_tuned: bool


class Evaluator(Protocol):
    """What a search asks."""

    def quality(self, policy: Policy) -> Quality:
        """The quality of a policy without fine-tuning."""
        ...


@dataclass(slots=True)
class Workbench:
    """Made by `prepare`; left as a context, it stops what is still being made. One candidate for each policy."""

    graph: Graph  # batch normalization folded
    chip: Chip
    data: Dataset  # its validation split is the part that decides
    float_weights: Weights  # batch normalization still apart
    tables: Tables
    evaluator: Evaluator
    evaluated_on: EvaluateOn
    seed: int
    tuner: FineTuner
    digest: str  # of what scores depend on
    progress: Progress
    device: torch.device = CPU
    warnings: tuple[Diagnostic, ...] = ()  # about the data
    _workers: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(cores() + SPARE_WORKERS))
    _candidates: dict[Policy, Future[Candidate]] = field(default_factory=dict)
    _floor: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.tuner.stop()
        self._workers.shutdown(cancel_futures=True)

    @classmethod
    def prepare(
        cls,
        spec: Spec,
        seed: int,
        folder: Path | None,
        progress: Progress,
        device: str = "cpu",
        weights: Weights | None = None,
    ) -> "Workbench":
        """Load the data, train the float network (or take its weights from a file), and calibrate its quantization.

        `device` is where torch computes: `cpu`, `cuda` or `auto`. Trained weights are left in `folder`. `weights` are
        those that another process trained in the same way.
        """
        where = torch_device(device)
        if spec.data is None:
            fail("CIM403", "the spec has no `data`, and training needs it")
        data = load_data(spec.data)
        content = data.digest
        model = open_model(spec)
        graph = model.graph
        weights = weights or model.weights or _given(spec, graph)
        warnings = check_data(data, graph, has_weights=weights is not None)
        if weights is None:
            weights = _trained(graph, data, spec.training, training_seed(spec, seed), where, progress)
            if folder and has_safetensors():
                save_weights(folder / WEIGHTS_FILE, graph, weights)
        folded, folded_weights = fold_batch_norm(graph, weights)
        scored, decided = data.validation.cut(round(scored_share(spec) * len(data.validation)))
        data = replace(data, validation=decided)
        fitted = data.train.images[: spec.training.calibration]
        tables = calibrate(folded, equalize(folded, folded_weights, fitted, device=where), fitted, device=where)
        on, tuned_on = evaluated_on(spec), finetuned_on(spec)
        calibrating = data.train.images[:CALIBRATION_IMAGES]
        ranges = ChipRanges.of(tables, spec.chip, calibrating) if EvaluateOn.CHIP in (on, tuned_on) else None
        evaluator: Evaluator
        match on:
            case EvaluateOn.QUANTIZED:
                evaluator = FakeQuantEvaluator(tables, scored, spec.training.temperature, device=where)
                digest = _digest(spec, content, seed, where)
            case EvaluateOn.CHIP:
                seeds = chip_seeds(seed, SEARCHED_CHIPS)
                assert ranges
                seen, _ = scored.cut(max(1, round(CHIP_SHARE * len(scored))))
                evaluator = ChipEvaluator(tables, spec.chip, seen, spec.training.temperature, ranges, seeds=seeds)
                digest = _digest(spec, content, seed, where, spec.chip)
            case _:
                assert_never(on)
        chips = None
        if ranges and tuned_on is EvaluateOn.CHIP:
            seeds, judged = chip_seeds(seed, TUNED_CHIPS), chip_seed(seed, JUDGED_CHIP)
            chips = TuningChips(ranges, calibrating, seeds, judged)
        tuner = FineTuner(tables, data, spec.training, seed=training_seed(spec, seed), device=where, chips=chips)
        return cls(
            folded, spec.chip, data, weights, tables, evaluator, on, seed, tuner, digest, progress, where, warnings
        )

    def score(self, policy: Policy) -> Score:
        """What the search sees of `policy`: quantized but not fine-tuned, on the part that scores."""
        quality = self.evaluator.quality(policy)
        return Score(quality.kl - self._divergence_at_8_bits(), quality.accuracy, quality.soft_error)

    def values(self, policy: Policy, metrics: tuple[Metric, ...]) -> tuple[float, ...]:
        """What the schedule of `policy` takes on the chip, one for each metric."""
        return metric_values(program_cost(compile_program(self.graph, policy, self.chip)), metrics)

    def _divergence_at_8_bits(self) -> float:
        """What the chip costs the 8/8 network, nats; 0 where an evaluation does not look at the chip."""
        if self.evaluated_on is EvaluateOn.QUANTIZED:
            return 0.0
        if self._floor is None:
            self._floor = self.evaluator.quality(self.graph.uniform(8, 8)).kl
        return self._floor

    @property
    def is_idle(self) -> bool:
        """Whether a core has no candidate to make."""
        return sum(not each.done() for each in self._candidates.values()) < cores()

    def start(self, policy: Policy) -> Future[Candidate]:
        """The candidate of `policy`, in the making: fine-tuned (where that helps), compiled, executed on validation."""
        if policy not in self._candidates:
            self._candidates[policy] = self._workers.submit(self._candidate, policy)
        done = sum(each.done() for each in self._candidates.values())
        self.progress(done, len(self._candidates), "fine-tuning")
        return self._candidates[policy]

    def candidate(self, policy: Policy) -> Candidate:
        """The candidate of `policy`, waited for."""
        return self.start(policy).result()

    def _candidate(self, policy: Policy) -> Candidate:
        tuned = self.tuner.tune(policy)
        return self._made(self.graph, policy, tuned.parameters, tuned.improved)

    def given(self, model: QuantizedModel) -> Candidate:
        """The candidate of a network that was quantized elsewhere, as it is."""
        return self._made(model.graph, model.policy, model.parameters, fine_tuned=False)

    def _made(self, graph: Graph, policy: Policy, parameters: QuantizedParameters, fine_tuned: bool) -> Candidate:
        program, constants = compile_network(graph, parameters, self.chip, _calibrating(self.data))
        correct = self._executed(program, constants, self.data.validation, DECIDED_CHIPS)
        return Candidate(policy, parameters, program, constants, program_cost(program), correct, fine_tuned)

    def test_correct(self, candidate: Candidate) -> Correct:
        """Which test images the candidate's Program gets right on the described chip: `[draws, images]`."""

        return self._executed(candidate.program, candidate.constants, self.data.test, REPORTED_CHIPS, self.progress)

    def _executed(
        self,
        program: Program,
        constants: Constants,
        split: Split,
        chips: range,
        progress: Progress = no_progress,
    ) -> Correct:
        """Which images a Program gets right, on each of some chips: `[draws, images]`."""
        seeds = self.seeds_of(chips)
        correct = []
        for draw, seed in enumerate(seeds):

            def executed(done: int, before: int = draw * len(split)) -> None:
                progress(before + done, len(seeds) * len(split), "executing the program")

            outputs = execute(program, constants, split.images, seed=seed, progress=executed)
            correct.append(outputs.argmax(axis=1) == split.labels)
        return np.stack(correct)

    def seeds_of(self, chips: range) -> tuple[int, ...]:
        """The seeds of some chips; of one of them where cells are ideal, and all chips the same."""
        drawn = chips[:1] if self.chip.device.is_ideal else chips
        return chip_seeds(self.seed, drawn)

    def float_accuracy(self) -> float:
        """Share of the test images that the float network gets right, 0 .. 1; for the report alone."""
        test = self.data.test
        images = torch.from_numpy(test.images).to(self.device)
        outputs = float_outputs(self.tables.graph, self.tables.weights, images)
        return float((outputs.argmax(1).cpu().numpy() == test.labels).mean())


def scored_share(spec: Spec) -> float:
    """The share of the validation split that scores policies."""
    return spec.search.scored if spec.search else SCORED_SHARE


def training_seed(spec: Spec, seed: int) -> int:
    """The seed of training and fine-tuning in a run with `seed`: the one in the spec, if it has one."""
    return seed if spec.training.seed is None else spec.training.seed


def _calibrating(data: Dataset) -> Images:
    """The training images that ADC ranges of whole networks are taken from."""
    return data.train.images[: len(data.validation.images)]


def _given(spec: Spec, graph: Graph) -> Weights | None:
    """Weights from the file that the spec names, if it does."""
    read = open_weights(spec.model, graph) if isinstance(spec.model, ModelSpec) else None
    return read.weights if read else None


def _trained(
    graph: Graph, data: Dataset, training: TrainingSpec, seed: int, device: torch.device, progress: Progress
) -> Weights:
    """Weights that an earlier run trained in the same way, or newly trained ones."""
    cache = WeightsCache.of_user()
    key = weights_key(graph, data.train, training, seed, device) if cache else ""
    weights = cache.get(key) if cache else None
    if weights is None:
        weights = train_float(graph, data.train, training, seed=seed, device=device, progress=progress)
        if cache:
            cache.put(key, weights)
    return weights


def _digest(spec: Spec, data: str, seed: int, device: torch.device, chip: Chip | None = None) -> str:
    """sha256 of what scores depend on: model, images, recipe, seed, the chip if measured on it, and version."""
    parts = {
        "version": version("cimspec"),
        "model": spec.model.model_dump(mode="json"),
        "data": data,
        "scored": scored_share(spec),
        "training": spec.training.model_dump(mode="json"),
        "seed": seed,
        "device": device.type,
        "chip": chip.model_dump(mode="json") if chip else None,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
