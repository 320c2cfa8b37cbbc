"""Quantization-aware fine-tuning of policies: Tables + data -> FineTuner; Policy -> FineTuned.

The student learns the labels and the float network's outputs on distorted training images (Hinton et al., "Distilling
the knowledge in a neural network", 2015). Images and the float network's outputs on them are made once and shared by
all policies: this saves a third of the time, and policies are compared on the same draws.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional

from cimspec.data.dataset import Dataset, Split
from cimspec.graph.precision import Policy
from cimspec.quant.augment import distort
from cimspec.quant.execute import Plan, float_outputs
from cimspec.quant.fake import fake_outputs
from cimspec.quant.optimize import Average, Progress, batches, no_progress, one_cycle
from cimspec.quant.parameters import QuantizedParameters
from cimspec.quant.quality import Quality, measure
from cimspec.quant.student import Student
from cimspec.quant.tables import Tables, quantize
from cimspec.spec.training import TrainingSpec

WARMUP = 0.1
ONE_SIDED_95 = 1.645
AVERAGE_DECAY = 0.995
"""Of the averaged parameters that fine-tuning ends with; at 2 and 3 bits single updates move many codes."""


@dataclass(frozen=True, slots=True, eq=False)
class FineTuned:
    """A policy's network after fine-tuning, or before it where that is better on the validation split."""

    policy: Policy
    parameters: QuantizedParameters
    validation: Quality
    untuned: Quality  # on the same split
    improved: bool  # whether `parameters` are the tuned ones


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """One pass over the training split: distorted images, and the float network's outputs on them."""

    batches: tuple[Tensor, ...]  # [images of the batch, channels, height, width]
    teacher: tuple[Tensor, ...]  # the float network's log probabilities [images of the batch, classes]
    labels: tuple[Tensor, ...]  # [images of the batch]


class FineTuner:
    """Fine-tunes policies of one float network, each from the same start on the same images."""

    def __init__(self, tables: Tables, data: Dataset, training: TrainingSpec, *, seed: int) -> None:
        self._tables = tables
        self._training = training
        self._validation = data.validation
        self._float_log_probabilities = _log_probabilities(tables, torch.from_numpy(data.validation.images))
        self._lessons = _lessons(tables, data.train, training, seed)

    def tune(self, policy: Policy, progress: Progress = no_progress) -> FineTuned:
        """The tuned network of `policy`, or the untuned one if that is clearly better on the validation split.

        Clearly: it is right on more images than chance explains (one-sided, 95 %), at no larger cross-entropy. Either
        alone often picks the wrong one: accuracy on a few hundred images is coarse, and training on distorted images
        makes a network less sure of plain ones.
        """
        untuned = quantize(self._tables, policy)
        before = self.quality(untuned, self._validation)
        if not self._lessons:
            return FineTuned(policy, untuned, before, before, improved=False)
        student = Student.of(self._tables, policy)
        _learn(student, self._lessons, self._training, progress)
        tuned = student.parameters()
        after = self.quality(tuned, self._validation)
        improved = not _clearly_better(before, after)
        parameters, validation = (tuned, after) if improved else (untuned, before)
        return FineTuned(policy, parameters, validation, before, improved)

    def tune_all(
        self, policies: Sequence[Policy], *, threads: int = 2, progress: Progress = no_progress
    ) -> tuple[FineTuned, ...]:
        """`tune` for each policy, `threads` of them at once; the results do not depend on `threads`.

        Fastest where torch itself uses one thread (`torch.set_num_threads(1)`): one network per core is nearly
        twice as fast on two cores as two cores per network. `progress` counts policies, in the calling thread.
        """
        with ThreadPoolExecutor(threads) as executor:
            done = []
            for tuned in executor.map(self.tune, policies):
                done.append(tuned)
                progress(len(done), len(policies), f"validation loss {tuned.validation.loss:.4f}")
        return tuple(done)

    def quality(self, parameters: QuantizedParameters, split: Split) -> Quality:
        """The quality of any quantized network of this graph on `split`."""
        images, labels = torch.from_numpy(split.images), torch.from_numpy(split.labels)
        known = split is self._validation
        teacher = self._float_log_probabilities if known else _log_probabilities(self._tables, images)
        return measure(fake_outputs(self._tables.graph, parameters, images), teacher, labels)


def _clearly_better(one: Quality, other: Quality) -> bool:
    """Whether `one` beats `other` on the same images by more than chance (sign test, normal approximation)."""
    won, lost = int((one.correct & ~other.correct).sum()), int((other.correct & ~one.correct).sum())
    return won - lost > ONE_SIDED_95 * (won + lost) ** 0.5 and one.loss <= other.loss


def _lessons(tables: Tables, train: Split, training: TrainingSpec, seed: int) -> tuple[Lesson, ...]:
    generator = Generator().manual_seed(seed)
    clean, labels = torch.from_numpy(train.images), torch.from_numpy(train.labels)
    lessons = []
    for _ in range(training.finetune_epochs):
        order = list(batches(len(train), training.batch, generator))
        drawn = tuple(distort(clean[chosen], training.distortion, generator) for chosen in order)
        teacher = torch.split(_log_probabilities(tables, torch.cat(drawn)), [len(chosen) for chosen in order])
        lessons.append(Lesson(drawn, tuple(teacher), tuple(labels[chosen] for chosen in order)))
    return tuple(lessons)


def _log_probabilities(tables: Tables, images: Tensor) -> Tensor:
    return functional.log_softmax(float_outputs(tables.graph, tables.weights, images).flatten(1), 1)


def _learn(student: Student, lessons: tuple[Lesson, ...], training: TrainingSpec, progress: Progress) -> None:
    peak = training.finetune_learning_rate
    groups = [
        {"params": list(student.values), "share": 1.0},
        {"params": list(student.steps), "share": training.step_rate},
    ]
    optimizer = torch.optim.Adam(groups, lr=peak, fused=True)
    average = Average([*student.values, *student.steps], AVERAGE_DECAY)
    plan, apply = Plan.of(student.graph), student.function()
    steps, step = sum(len(lesson.batches) for lesson in lessons), 0
    for epoch, lesson in enumerate(lessons):
        for images, teacher, labels in zip(lesson.batches, lesson.teacher, lesson.labels, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = peak * group["share"] * one_cycle(step, steps, WARMUP)
            log_probabilities = functional.log_softmax(plan.run(images, apply).flatten(1), 1)
            divergence = functional.kl_div(log_probabilities, teacher, reduction="batchmean", log_target=True)
            loss = torch.lerp(functional.nll_loss(log_probabilities, labels), divergence, training.distillation)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            student.keep_steps_positive()
            average.update()
            step += 1
        progress(epoch + 1, len(lessons), f"loss {loss.item():.3f}")
    average.put_back()
