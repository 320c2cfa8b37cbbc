"""Quantization-aware fine-tuning of policies: Tables + data -> FineTuner; Policy -> FineTuned.

The student learns the labels and the float network's outputs on distorted training images (Hinton et al., "Distilling
the knowledge in a neural network", 2015). Images and the float network's outputs on them are made once and shared by
all policies: this saves a third of the time, and policies are compared on the same draws. Where chips lose something,
the student meets their errors (chip_errors.py), and is compared with the untuned network on one of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from threading import Event, Lock

import torch
from torch import Generator, Tensor
from torch.nn import functional

from cimspec.data.dataset import Dataset
from cimspec.graph.precision import Policy
from cimspec.quant.augment import distort
from cimspec.quant.chip_errors import BATCHES_OF_A_CHIP, ChipErrors, Chips
from cimspec.quant.device import CPU
from cimspec.quant.execute import float_outputs
from cimspec.quant.fake import fake_outputs
from cimspec.quant.optimize import Average, Progress, batches, make_optimizer, no_progress, rate
from cimspec.quant.parameters import QuantizedParameters
from cimspec.quant.quality import Quality, divergence, measure
from cimspec.quant.student import Student
from cimspec.quant.tables import Tables, quantize
from cimspec.spec.training import TrainingSpec

WARMUP = 0.1
ONE_SIDED_95 = 1.645
AVERAGE_DECAY = 0.995
"""Of the averaged parameters that fine-tuning ends with; at 2 and 3 bits single updates move many codes."""

ERRORS_SEED = 1 << 40
"""Of another stream than the one that distorts images."""


class StoppedError(Exception):
    """Fine-tuning was told to stop."""


@dataclass(frozen=True, slots=True, eq=False)
class FineTuned:
    """A policy's network after fine-tuning, or before it where that is better on the validation split."""

    policy: Policy
    parameters: QuantizedParameters
    improved: bool  # whether `parameters` are the tuned ones
    before: Quality | None = None  # on the validation split; None where nothing was tuned
    after: Quality | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """One pass over the training split: distorted images, and the float network's outputs on them."""

    batches: tuple[Tensor, ...]  # [images of the batch, channels, height, width]
    teacher: tuple[Tensor, ...]  # the float network's outputs [images of the batch, classes]
    labels: tuple[Tensor, ...]  # [images of the batch]


class FineTuner:
    """Fine-tunes policies of one float network, each from the same start on the same images.

    `tune` may run in several threads at once; the results do not depend on it. Fastest where torch itself uses one
    thread (`one_thread`): one network on each core is nearly twice as fast as two cores on each network.
    """

    def __init__(
        self,
        tables: Tables,
        data: Dataset,
        training: TrainingSpec,
        *,
        seed: int,
        device: torch.device = CPU,
        chips: Chips | None = None,
    ) -> None:
        """`chips` are those to train for; without them, chips are taken to compute exactly."""
        self._tables = tables
        self._train = data.train
        self._device = device
        self._images = torch.from_numpy(data.validation.images).to(device)
        self._labels = torch.from_numpy(data.validation.labels).to(device)
        self._teacher = _teacher_outputs(tables, self._images)
        self._training = training
        self._seed = seed
        self._chips = chips
        self._stopped = Event()
        self._preparing = Lock()
        self._lessons: tuple[Lesson, ...] | None = None

    def tune(self, policy: Policy, progress: Progress = no_progress) -> FineTuned:
        """The tuned network of `policy`, or the untuned one if that is clearly better on the validation split.

        Clearly: it is right on more images than chance explains (one-sided, 95 %), at no larger cross-entropy. Either
        alone often picks the wrong one: accuracy on a few hundred images is coarse, and training on distorted images
        makes a network less sure of plain ones. A network that hardly differs from the float one is not tuned at all
        where it could learn from that one alone. Raises `StoppedError` after `stop`.
        """
        untuned = quantize(self._tables, policy)
        if not self._training.finetune_epochs:
            return FineTuned(policy, untuned, improved=False)
        before = self._quality(untuned)
        if self._training.distillation == 1 and before.kl < self._training.finetune_above:
            return FineTuned(policy, untuned, improved=False, before=before)
        student = Student.of(self._tables, policy, self._device)
        self._learn(student, self._chips.errors(policy) if self._chips else None, progress)
        tuned = student.parameters()
        after = self._quality(tuned)
        improved = not _clearly_better(before, after)
        return FineTuned(policy, tuned if improved else untuned, improved, before, after)

    def _learn(self, student: Student, errors: ChipErrors | None, progress: Progress) -> None:
        training, lessons = self._training, self._prepared()
        peak = training.finetune_learning_rate
        groups = [
            {"params": list(student.values), "share": 1.0},
            {"params": list(student.steps), "share": training.step_rate},
        ]
        optimizer = make_optimizer(training.optimizer, groups, peak, weight_decay=0.0)
        average = Average([*student.values, *student.steps], AVERAGE_DECAY)
        generator = Generator(self._device).manual_seed(ERRORS_SEED + self._seed)
        plan, apply = student.plan, student.function({}, generator)
        steps, step = sum(len(lesson.batches) for lesson in lessons), 0
        for epoch, lesson in enumerate(lessons):
            for images, teacher, labels in zip(lesson.batches, lesson.teacher, lesson.labels, strict=True):
                _go_on_unless(self._stopped)
                if errors and step % BATCHES_OF_A_CHIP == 0:
                    apply = student.function(student.on_chip(errors, step // BATCHES_OF_A_CHIP), generator)
                for group in optimizer.param_groups:
                    group["lr"] = peak * group["share"] * rate(training.schedule, step, steps, WARMUP)
                loss = _loss(plan.run(images, apply).flatten(1), teacher, labels, training)
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
                student.keep_steps_positive()
                average.update()
                step += 1
            progress(epoch + 1, len(lessons), f"loss {loss.item():.3f}")
        average.put_back()

    def stop(self) -> None:
        """Let every `tune` that is running, or is called from now on, end before its next batch."""
        self._stopped.set()

    def _prepared(self) -> tuple[Lesson, ...]:
        with self._preparing:
            if self._lessons is None:
                self._lessons = tuple(self._draw_lessons())
            return self._lessons

    def _draw_lessons(self) -> Iterator[Lesson]:
        generator = Generator().manual_seed(self._seed)
        clean = torch.from_numpy(self._train.images).to(self._device)
        labels = torch.from_numpy(self._train.labels).to(self._device)
        for _ in range(self._training.finetune_epochs):
            _go_on_unless(self._stopped)
            order = list(batches(len(self._train), self._training.batch, generator))
            drawn = tuple(distort(clean[chosen], self._training.distortion, generator) for chosen in order)
            teacher = torch.split(_teacher_outputs(self._tables, torch.cat(drawn)), [len(chosen) for chosen in order])
            yield Lesson(drawn, tuple(teacher), tuple(labels[chosen] for chosen in order))

    def _quality(self, parameters: QuantizedParameters) -> Quality:
        """On the validation split; on a chip if it is trained for one."""
        _go_on_unless(self._stopped)
        if self._chips:
            executed = self._chips.network_outputs(parameters, self._images.cpu().numpy())
            outputs = torch.from_numpy(executed).float().to(self._device)
        else:
            outputs = fake_outputs(self._tables.graph, parameters, self._images).flatten(1)
        return measure(outputs, self._teacher, self._labels, self._training.temperature)


def _clearly_better(one: Quality, other: Quality) -> bool:
    """Whether `one` beats `other` on the same images by more than chance (sign test, normal approximation)."""
    won, lost = int((one.correct & ~other.correct).sum()), int((other.correct & ~one.correct).sum())
    return won - lost > ONE_SIDED_95 * (won + lost) ** 0.5 and one.loss <= other.loss


def _teacher_outputs(tables: Tables, images: Tensor) -> Tensor:
    return float_outputs(tables.graph, tables.weights, images).flatten(1)


def _go_on_unless(stopped: Event) -> None:
    if stopped.is_set():
        raise StoppedError


def _loss(outputs: Tensor, teacher: Tensor, labels: Tensor, training: TrainingSpec) -> Tensor:
    from_teacher = divergence(outputs, teacher, training.temperature)
    return torch.lerp(functional.cross_entropy(outputs, labels), from_teacher, training.distillation)
