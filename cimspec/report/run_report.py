"""What a run found, as data: frozen values that become `result.json` and the tables of table.py."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cimspec.cost import Cost
from cimspec.diag import Diagnostic
from cimspec.graph import Policy, policy_as_json
from cimspec.search.finalists import Comparison
from cimspec.spec.search import LATENCY, Metric, Objective

SCHEMA_VERSION = 3


@dataclass(frozen=True, slots=True)
class Outcome:
    """One policy at the end of a run: what it costs, and what the executed Program gets right."""

    method: str
    policy: Policy
    latency_us: float
    interval_us: float
    values: Mapping[Metric, float]  # what the search looked at: ns, pJ, um2, crossbars
    speedup: float  # gain in what was minimised, over the same network at 8/8 bits on the same chip
    accuracy: float  # 0 .. 1, of the executed Program on the test split, mean over chips
    accuracy_by_draw: tuple[float, ...]  # on each chip that was drawn; one, where its cells are ideal
    test: Comparison  # with the 8/8 network, image by image
    validation: Comparison  # what the policy was chosen by
    evaluations: int  # distinct ones that the method used
    fine_tuned: bool  # False where the network without fine-tuning was better on the validation split
    kl: float | None  # divergence from the float network before fine-tuning, validation split, nats; see `Score`

    def as_json(self) -> dict[str, Any]:
        """The fields of `result.json`."""
        return {
            "method": self.method,
            "speedup": self.speedup,
            "latency_us": self.latency_us,
            "interval_us": self.interval_us,
            "values": {metric.value: value for metric, value in self.values.items()},
            "accuracy": self.accuracy,
            "accuracy_by_draw": list(self.accuracy_by_draw),
            "accuracy_loss_pp": self.test.loss_pp,
            "images_gained": self.test.gained,
            "images_lost": self.test.lost,
            "validation_loss_pp": self.validation.loss_pp,
            "validation_loss_bound_pp": self.validation.loss_bound_pp,
            "evaluations": self.evaluations,
            "fine_tuned": self.fine_tuned,
            "kl": self.kl,
            "policy": policy_as_json(self.policy),
        }


@dataclass(frozen=True, slots=True)
class RunReport:
    """The whole run. Without data there is only the cost; without a search only the 8-bit policy."""

    spec_name: str
    spec_digest: str
    seed: int
    versions: Mapping[str, str]
    baseline_cost: Cost
    minimize: Objective = LATENCY  # what speedups are of
    baseline_accuracy: float | None = None
    baseline_accuracy_by_draw: tuple[float, ...] = ()
    chip_seeds: tuple[int, ...] = ()  # of the chips that accuracies are reported on: `cimspec simulate --seed`
    evaluated_on: str | None = None  # what the search looked at: the chip, or the quantized network
    finetuned_on: str | None = None  # what fine-tuning saw, if there was any
    chip_is_exact: bool = True  # whether it computes what integers say
    test_images: int = 0
    float_accuracy: float | None = None
    uniform: Outcome | None = None
    best: Outcome | None = None
    methods: Mapping[str, Outcome | None] = field(
        default_factory=dict
    )  # None: nothing that the method found is good enough
    trade_offs: tuple[Outcome, ...] = ()  # good enough, and none beats another one in all that `pareto` names
    space_size: int | None = None
    allowed_loss_pp: float | None = None
    least_accuracy: float | None = None  # required, 0 .. 1
    baseline_suffices: bool = True  # whether the 8/8 network is as accurate as is required
    seconds: Mapping[str, float] = field(default_factory=dict)
    artifacts: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[Diagnostic, ...] = ()  # of the data
    command: str = ""  # the command line that gives these numbers, where it came from one

    @property
    def has_searched(self) -> bool:
        """Whether policies were looked for, not just one executed."""
        return self.space_size is not None

    def as_json(self) -> dict[str, Any]:
        """The content of `result.json`."""
        return {
            "schema": SCHEMA_VERSION,
            "spec": self.spec_name,
            "spec_digest": self.spec_digest,
            "seed": self.seed,
            "command": self.command,
            "versions": dict(self.versions),
            "minimize": str(self.minimize),
            "baseline": {
                "weight_bits": 8,
                "activation_bits": 8,
                "accuracy": self.baseline_accuracy,
                "accuracy_by_draw": list(self.baseline_accuracy_by_draw),
                "float_accuracy": self.float_accuracy,
                "latency_us": self.baseline_cost.latency_ns / 1e3,
                "interval_us": self.baseline_cost.interval_ns / 1e3,
                "test_images": self.test_images,
            },
            "allowed_loss_pp": self.allowed_loss_pp,
            "least_accuracy": self.least_accuracy,
            "baseline_suffices": self.baseline_suffices,
            "evaluated_on": self.evaluated_on,
            "finetuned_on": self.finetuned_on,
            "chip_seeds": list(self.chip_seeds),
            "space_size": self.space_size,
            "uniform": self.uniform.as_json() if self.uniform else None,
            "best": self.best.as_json() if self.best else None,
            "methods": {name: outcome.as_json() if outcome else None for name, outcome in self.methods.items()},
            "trade_offs": [outcome.as_json() for outcome in self.trade_offs],
            "seconds": dict(self.seconds),
            "artifacts": dict(self.artifacts),
        }
