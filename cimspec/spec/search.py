"""The search over bits per layer, as written in a `.cim` file."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from cimspec.spec.base import SpecModel
from cimspec.units import Bits, Evaluations, LossPp

BitWidth = Annotated[int, Field(ge=2, le=8)]
BitWidths = Annotated[tuple[BitWidth, ...], Field(min_length=1)]


class Objective(StrEnum):
    """What the search makes small."""

    LATENCY = "latency"  # from an input to its output, on a chip that does nothing else
    INTERVAL = "interval"  # from one input to the next: its inverse is the throughput


class Method(StrEnum):
    """Ways to search, all with the same budget of distinct evaluations."""

    RL = "rl"
    EVOLUTION = "evolution"
    RANDOM = "random"


class EvaluateOn(StrEnum):
    """What an evaluation looks at."""

    CHIP = "chip"  # the network on the simulated crossbars: ADC, cells and noise included
    QUANTIZED = "quantized"  # the quantized network alone, as if the chip computed exactly


class Keep(SpecModel):
    """`keep c1 at 8 bit, 8 bit`: a layer the search leaves alone."""

    layer: str
    weight_bits: Annotated[Bits, Field(ge=2, le=8)]
    activation_bits: Annotated[Bits, Field(ge=2, le=8)]


class Requirements(SpecModel):
    """`require accuracy_loss <= 0.086 pp`."""

    accuracy_loss_pp: LossPp = Field(description="percentage points below the same network at 8/8 bits")


class SearchSpec(SpecModel):
    """What may vary, what is wanted, how many evaluations it may take."""

    weight_bits: BitWidths = Field(description="allowed weight bits: `2..8` or `[2, 4, 8]`")
    activation_bits: BitWidths = Field(description="allowed activation bits")
    keep: tuple[Keep, ...] = ()
    minimize: Objective = Field(
        default=Objective.LATENCY, description="what is made small; the same where `chip.weights = reloaded`"
    )
    require: Requirements
    budget: Annotated[Evaluations, Field(ge=1, le=1_000_000)] = Field(
        default=300, description="distinct evaluations each method may use"
    )
    evaluate_on: EvaluateOn | None = Field(
        default=None,
        description="what an evaluation looks at; left out: `chip` where its ADC or its cells lose something",
    )
    methods: Annotated[tuple[Method, ...], Field(min_length=1)] = (Method.RL, Method.EVOLUTION, Method.RANDOM)
    kl_limits: Annotated[tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...], Field(min_length=1)] = Field(
        default=(0.1, 0.16, 0.22),
        description="limits on the divergence from the float network (nats, at `training.temperature`) to search under",
    )
    seeds: Annotated[int, Field(ge=1, le=1000)] = Field(default=3, description="search seeds of `compare`")
