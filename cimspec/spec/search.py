"""The search over bits per layer, as written in a `.cim` file."""

import sys
from functools import lru_cache
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from cimspec.spec.base import OneOf, Option, ProductModel, SpecModel
from cimspec.units import Bits, Evaluations, LossPp, Share

BitWidth = Annotated[int, Field(ge=2, le=8)]
BitWidths = Annotated[tuple[BitWidth, ...], Field(min_length=1)]

PLUGINS = "cimspec.search_methods"
"""Entry points by which installed packages add search methods: `(account, goals, seed) -> None`."""


class Metric(Option):
    """What a schedule takes, and a search can make small."""

    LATENCY = "latency", "time from an input to its output, on a chip that does nothing else (ns)"
    INTERVAL = "interval", "time from one input to the next: its inverse is the throughput (ns)"
    ENERGY = "energy", "energy of one input (pJ)"
    AREA = "area", "area of the crossbars that are used, with their converters and tiles (um2)"
    CROSSBARS = "crossbars", "crossbars that one copy of every layer takes"


class Objective(ProductModel):
    """`latency`, or a product of powers: `latency * energy^0.5`."""

    Word = Metric
    factors: Annotated[tuple[tuple[Metric, Annotated[float, Field(gt=0, le=10)]], ...], Field(min_length=1)]

    @classmethod
    def of(cls, metric: Metric) -> "Objective":
        """One metric alone."""
        return cls(factors=((metric, 1.0),))

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What is multiplied."""
        return tuple(metric for metric, _ in self.factors)

    def __str__(self) -> str:
        return " * ".join(metric if power == 1 else f"{metric}^{power:g}" for metric, power in self.factors)


LATENCY = Objective.of(Metric.LATENCY)


class Method(Option):
    """Ways to search that come with cimspec, all with the same budget of distinct evaluations."""

    RL = "rl", "posterior sampling with an exact planner (Osband et al., NIPS 2013)"
    DDPG = "ddpg", "the agent of arXiv 2601.21737: deep deterministic policy gradient (Lillicrap et al., ICLR 2016)"
    MASKABLE_PPO = (
        "maskable_ppo",
        "proximal policy optimization with invalid actions masked (Huang and Ontanon, 2020); extra `sb3`",
    )
    EVOLUTION = "evolution", "a genetic algorithm with Deb's feasibility rule (2000)"
    NSGA2 = "nsga2", "NSGA-II, objectives against divergence or error (Deb et al., 2002)"
    RANDOM = "random", "policies drawn evenly, without repetition"
    GREEDY = "greedy", "from the widest policy, always the step that gains most for what it loses"
    EXACT = "exact", "policies in the order of their objective until one meets the limit: the proven optimum"


def plugin_names() -> tuple[str, ...]:
    """The methods that installed packages add."""
    return _plugins_on(tuple(sys.path))


@lru_cache(maxsize=1)
def _plugins_on(path: tuple[str, ...]) -> tuple[str, ...]:  # noqa: ARG001 (where packages are looked for)
    from importlib.metadata import entry_points  # looks through all that is installed, which takes its time

    return tuple(sorted(entry_points(group=PLUGINS).names))


def method_names() -> tuple[str, ...]:
    """The methods that there are, those of installed packages last."""
    return (*Method, *plugin_names())


class EvaluateOn(Option):
    """What an evaluation looks at."""

    CHIP = "chip", "the network on the simulated crossbars: ADC, cells and noise included"
    QUANTIZED = "quantized", "the quantized network alone, as if the chip computed exactly"


class LimitOn(Option):
    """What a policy may lose before fine-tuning."""

    DIVERGENCE = "divergence", "divergence from the float network: `kl_limits`"
    ACCURACY = "accuracy", "accuracy on the images that score: what `require` asks for, the tighter of two bounds"


def _traded_off(metrics: tuple[Metric, ...]) -> tuple[Metric, ...]:
    if len(metrics) == 1 or len(set(metrics)) != len(metrics):
        raise ValueError("`pareto` takes two or three metrics, each once; write `pareto latency, energy`")
    return metrics


def _each_once(methods: tuple[str, ...]) -> tuple[str, ...]:
    """Runs of a method that is named twice would be the same, and look like evidence."""
    for index, method in enumerate(methods):
        if method in methods[:index]:
            raise ValueError(f"`methods` names `{method}` twice; write it once")
    return methods


class Keep(SpecModel):
    """`keep c1 at 8 bit, 8 bit`: a layer the search leaves alone."""

    layer: str = Field(description="name of a layer on crossbars; of attention `a1`, one of its parts: `a1_q`")
    weight_bits: Annotated[Bits, Field(ge=2, le=8)] = Field(description="bits of its weights")
    activation_bits: Annotated[Bits, Field(ge=2, le=8)] = Field(description="bits of its input")


class Requirements(SpecModel):
    """`require accuracy_loss <= 0.086 pp`, `require accuracy >= 97.5 %`, or both."""

    accuracy_loss_pp: LossPp | None = Field(
        default=None, description="percentage points below the same network at 8/8 bits, at most"
    )
    accuracy: Share | None = Field(
        default=None,
        description="share of images that are classified right, at least; says more than a loss where the chip spoils "
        "8/8 bits, too",
    )

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        if self.accuracy_loss_pp is None and self.accuracy is None:
            raise ValueError("`require` has no bound; write `require accuracy_loss <= ... pp` or `accuracy >= ... %`")
        return self


class SearchSpec(SpecModel):
    """What may vary, what is wanted, how many evaluations it may take."""

    weight_bits: BitWidths = Field(description="allowed weight bits: `2..8` or `[2, 4, 8]`")
    activation_bits: BitWidths = Field(description="allowed activation bits")
    keep: tuple[Keep, ...] = Field(default=(), description="layers that the search leaves alone; may be repeated")
    minimize: Objective = Field(
        default=LATENCY,
        description="what is made small: `latency`, `interval`, `energy`, `area`, `crossbars`, or a product of powers",
    )
    pareto: Annotated[tuple[Metric, ...], Field(max_length=3), AfterValidator(_traded_off)] = Field(
        default=(), description="two or three metrics, of which trade-offs are looked for as well"
    )
    require: Requirements = Field(description="what a result must meet")
    budget: Annotated[Evaluations, Field(ge=1, le=1_000_000)] = Field(
        default=300, description="distinct evaluations each method may use"
    )
    evaluate_on: EvaluateOn | None = Field(
        default=None,
        description="what an evaluation looks at; left out: `chip` where its ADC or its cells lose something",
    )
    limit_on: LimitOn = Field(
        default=LimitOn.DIVERGENCE,
        description="what a policy may lose before fine-tuning; accuracy on a few hundred images is easily fitted",
    )
    scored: Annotated[Share, Field(gt=0, lt=1)] = Field(
        default=0.25, description="share of the validation split that scores policies; the rest decides among finalists"
    )
    methods: Annotated[
        tuple[Annotated[str, OneOf(tuple(Method), plugin_names)], ...], Field(min_length=1), AfterValidator(_each_once)
    ] = Field(
        default=(Method.RL, Method.EVOLUTION, Method.RANDOM),
        description="ways to search, each with the same budget; the first is what `compare` measures others by",
    )
    kl_limits: Annotated[tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...], Field(min_length=1)] = Field(
        default=(0.04, 0.07, 0.1, 0.14),
        description="limits on the divergence from the float network (nats, at `training.temperature`) to search under",
    )
    shared_probes: bool = Field(
        default=False,
        description="whether all methods start from the same sensitivity probes and what is planned from them",
    )
    seeds: Annotated[int, Field(ge=1, le=1000)] = Field(default=3, description="search seeds of `compare`")
    training_seeds: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=1, description="networks that `compare` trains and searches"
    )

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What a policy's cost is asked for: those of `minimize`, then those of `pareto`."""
        return tuple(dict.fromkeys((*self.minimize.metrics, *self.pareto)))
