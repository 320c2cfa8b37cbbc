"""How the float network is trained and the quantized one fine-tuned, as written in a `.cim` file."""

from typing import Annotated

from pydantic import Field

from cimspec.spec.base import Option, SpecModel
from cimspec.spec.search import EvaluateOn

Epochs = Annotated[int, Field(ge=0, le=10_000)]
Rate = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Optimizer(Option):
    """What makes a step of the gradient."""

    ADAMW = "adamw", "Adam with decoupled weight decay (Loshchilov and Hutter, ICLR 2019)"
    SGD = "sgd", "Nesterov's momentum of 0.9, weight decay in the gradient"


class Schedule(Option):
    """The learning rate over time."""

    ONE_CYCLE = "one_cycle", "linear up to its peak, then a cosine to 0"
    COSINE = "cosine", "a cosine from its peak to 0"
    CONSTANT = "constant", "its peak all the time"


class TrainingSpec(SpecModel):
    """The recipe of one training; every field has a default that suits the shipped examples."""

    epochs: Epochs = Field(default=24, description="passes over the training split for the float network")
    finetune_epochs: Epochs = Field(default=8, description="passes for quantization-aware fine-tuning")
    batch: Annotated[int, Field(ge=1, le=65536)] = Field(default=64, description="images per step")
    optimizer: Optimizer = Field(
        default=Optimizer.ADAMW,
        description="of the float network and of fine-tuning; `sgd` needs larger learning rates",
    )
    schedule: Schedule = Field(
        default=Schedule.ONE_CYCLE, description="the learning rate over time, of the float network and of fine-tuning"
    )
    learning_rate: Rate = Field(default=6e-3, description="peak learning rate of the float network")
    finetune_learning_rate: Rate = Field(default=2e-3, description="peak learning rate of fine-tuning")
    step_rate: Rate = Field(default=0.1, description="learning rate of quantization steps, relative to the weights'")
    distillation: Share = Field(
        default=1.0, description="share of the float network's outputs in the loss of fine-tuning; labels are the rest"
    )
    finetune_above: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        default=1e-3,
        description="networks that diverge from the float network by less, nats, are not fine-tuned where its outputs "
        "are all they would learn, as it would make them worse: 8/8 bits on a chip that loses nothing",
    )
    finetune_on: EvaluateOn | None = Field(
        default=None,
        description="what fine-tuning sees; left out: `chip` where its ADC or its cells lose something",
    )
    temperature: Annotated[float, Field(ge=0.1, le=100, allow_inf_nan=False)] = Field(
        default=3.0, description="divides the outputs of both networks where they are compared"
    )
    weight_decay: Share = Field(default=1e-4, description="weight decay of the float network")
    distortion: Share = Field(
        default=0.6,
        description="strength of random distortions of training images: shift, rotation, scale, elastic",
    )
    noise: Share = Field(
        default=0.3,
        description="largest standard deviation of noise on the float network's training images, by their range",
    )
    calibration: Annotated[int, Field(ge=1, le=65536)] = Field(
        default=256, description="training images that quantization steps and biases are fitted to"
    )
    seed: Annotated[int, Field(ge=0, lt=2**31)] | None = Field(
        default=None, description="of training and fine-tuning, whatever `--seed` says; left out, `--seed` is"
    )
