"""One training of one spec, and all that is made from it: scores, fine-tuned candidates, executed Programs.

The search scores policies on the first half of the validation split; which of its finalists are good enough, and
whether fine-tuning helped them, is decided on the second half: on the first, policies that a search has found look
better than they are. `test_correct` is called at the end, once for each reported policy.
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from cimspec.compiler import Program, compile_program
from cimspec.cost import program_cost
from cimspec.data.dataset import Dataset
from cimspec.data.load import check_data, load_data
from cimspec.diag import fail
from cimspec.graph import Graph, Policy, build_graph
from cimspec.quant.calibrate import calibrate
from cimspec.quant.evaluator import FakeQuantEvaluator
from cimspec.quant.execute import float_outputs
from cimspec.quant.finetune import FineTuned, FineTuner
from cimspec.quant.integer import integer_network
from cimspec.quant.ops import Constants
from cimspec.quant.parameters import QuantizedParameters
from cimspec.quant.tables import Tables
from cimspec.quant.train import train_float
from cimspec.quant.weights import Weights, fold_batch_norm
from cimspec.search.evaluation import Score
from cimspec.search.finalists import Correct
from cimspec.sim import execute
from cimspec.sim.calibrate import calibrate_ranges
from cimspec.spec import AdcRange, Chip, Spec

Progress = Callable[[int, int, str], None]
"""Called with what is done, what there is to do, and what it is."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A policy, fine-tuned and compiled, and what its executed Program gets right on the validation split."""

    policy: Policy
    program: Program
    constants: Constants
    latency_ns: float
    validation_correct: Correct
    fine_tuned: bool


@dataclass(slots=True)
class Workbench:
    """Made by `prepare`. Candidates are made once for each policy."""

    graph: Graph  # batch normalization folded
    chip: Chip
    data: Dataset  # its validation split is the half that decides
    tables: Tables
    evaluator: FakeQuantEvaluator
    tuner: FineTuner
    digest: str  # of what scores depend on
    progress: Progress
    _candidates: dict[Policy, Candidate] = field(default_factory=dict)
    _tuned: int = 0

    @classmethod
    def prepare(cls, spec: Spec, seed: int, folder: Path | None, progress: Progress) -> "Workbench":
        """Load the data, train the float network (or take it from `folder`), and calibrate its quantization."""
        if spec.data is None:
            fail("CIM403", "the spec has no `data`, and training needs it")
        data = load_data(spec.data)
        graph = build_graph(spec.model)
        check_data(data, graph)
        digest = _digest(spec, seed)
        path = folder / f"weights-{digest[:16]}.npz" if folder else None
        weights = _load_weights(path)
        if weights is None:
            weights = train_float(graph, data.train, spec.training, seed=seed, progress=progress)
            _save_weights(path, weights)
        folded, folded_weights = fold_batch_norm(graph, weights)
        scored, decided = data.validation.halves()
        data = replace(data, validation=decided)
        tables = calibrate(folded, folded_weights, data.train.images[: spec.training.calibration])
        return cls(
            folded, spec.chip, data, tables,
            FakeQuantEvaluator(tables, scored),
            FineTuner(tables, data, spec.training, seed=seed),
            digest, progress,
        )  # fmt: skip

    def score(self, policy: Policy) -> Score:
        """What the search sees of `policy`: quantized but not fine-tuned, on the half that scores."""
        quality = self.evaluator.quality(policy)
        return Score(quality.kl, quality.accuracy)

    def candidates(self, policies: Sequence[Policy]) -> tuple[Candidate, ...]:
        """Each policy fine-tuned (where that helps), compiled, and executed on the validation split.

        New ones are fine-tuned side by side, one on each core.
        """
        new = [policy for policy in dict.fromkeys(policies) if policy not in self._candidates]
        tuned = self.tuner.tune_all(new, threads=os.cpu_count() or 1, progress=self._fine_tuned)
        for each in tuned:
            self._candidates[each.policy] = self._candidate(each)
        return tuple(self._candidates[policy] for policy in policies)

    def candidate(self, policy: Policy) -> Candidate:
        """The candidate of one policy."""
        return self.candidates([policy])[0]

    def _candidate(self, tuned: FineTuned) -> Candidate:
        program, constants = self._compile(tuned.policy, tuned.parameters)
        correct = self._correct(program, constants, self.data.validation.images, self.data.validation.labels)
        return Candidate(tuned.policy, program, constants, program_cost(program).latency_ns, correct, tuned.improved)

    def _fine_tuned(self, done: int, total: int, text: str) -> None:
        del text
        self._tuned += 1
        self.progress(self._tuned, self._tuned + total - done, "fine-tuning")

    def test_correct(self, candidate: Candidate) -> Correct:
        """Which test images the candidate's Program gets right on the described chip, ADC included."""
        return self._correct(candidate.program, candidate.constants, self.data.test.images, self.data.test.labels)

    def float_accuracy(self) -> float:
        """Share of the test images that the float network gets right, 0 .. 1; for the report alone."""
        test = self.data.test
        outputs = float_outputs(self.tables.graph, self.tables.weights, torch.from_numpy(test.images))
        return float((outputs.argmax(1).numpy() == test.labels).mean())

    def _compile(self, policy: Policy, parameters: QuantizedParameters) -> tuple[Program, Constants]:
        network = integer_network(self.graph, parameters)
        program = compile_program(self.graph, policy, self.chip)
        if self.chip.adc.range is AdcRange.CALIBRATED:
            images = self.data.train.images[: len(self.data.validation.images)]
            program = calibrate_ranges(program, network.constants, images)
        return program, network.constants

    def _correct(
        self, program: Program, constants: Constants, images: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]
    ) -> Correct:
        def executed(done: int) -> None:
            self.progress(done, len(images), "executing the program")

        outputs = execute(program, constants, images, progress=executed)
        return np.asarray(outputs.argmax(axis=1) == labels)


def _digest(spec: Spec, seed: int) -> str:
    """sha256 of what scores depend on: model, data, recipe, seed, and the version that measured them."""
    parts = {
        "version": version("cimspec"),
        "model": spec.model.model_dump(mode="json"),
        "data": spec.data.model_dump(mode="json") if spec.data else None,
        "training": spec.training.model_dump(mode="json"),
        "seed": seed,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _save_weights(path: Path | None, weights: Weights) -> None:
    if path is None:
        return
    arrays = {f"{layer}/{name}": array for layer, values in weights.items() for name, array in values.items()}
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, allow_pickle=False, **arrays)
    partial.replace(path)


def _load_weights(path: Path | None) -> Weights | None:
    if path is None or not path.exists():
        return None
    weights: dict[str, dict[str, npt.NDArray[np.float32]]] = {}
    with np.load(path, allow_pickle=False) as arrays:
        for key in arrays.files:
            layer, _, name = key.rpartition("/")
            weights.setdefault(layer, {})[name] = arrays[key]
    result: Mapping[str, Mapping[str, npt.NDArray[np.float32]]] = weights
    return result
