"""Several runs of one spec that differ in their seed: what speedup and loss come to, seed by seed and on average.

`result.json` of every run, or the RunReport it is made of -> one table. A run has one network, so the intervals here
are over networks that were trained, searched and fine-tuned apart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from cimspec.report.run_report import RunReport
from cimspec.report.statistics import Interval
from cimspec.report.table import rows_table

SCHEMA_VERSION = 1

FIXED = ("best", "uniform")
"""What every run with a search has beside its methods."""


@dataclass(frozen=True, slots=True)
class SeedOutcome:
    """What one run came to, by one method."""

    seed: int
    speedup: float
    loss_pp: float  # on the test split, against the 8/8 network of the same run; percentage points
    gained: float  # test images that only this network gets right, mean over chips
    lost: float  # those that only the 8/8 network gets right

    @classmethod
    def of(cls, seed: int, outcome: Mapping[str, Any]) -> "SeedOutcome":
        """From an outcome of `result.json`."""
        draws = len(outcome["accuracy_by_draw"])
        gained, lost = outcome["images_gained"] / draws, outcome["images_lost"] / draws
        return cls(seed, outcome["speedup"], outcome["accuracy_loss_pp"], gained, lost)

    def as_json(self) -> dict[str, Any]:
        """Its fields, named as in `result.json`."""
        return {
            "seed": self.seed,
            "speedup": self.speedup,
            "accuracy_loss_pp": self.loss_pp,
            "images_gained": self.gained,
            "images_lost": self.lost,
        }


@dataclass(frozen=True, slots=True)
class SeedsLine:
    """One method, or the best or the uniform policy, over all seeds; None where a run found nothing good enough."""

    name: str
    outcomes: tuple[SeedOutcome | None, ...]

    @property
    def found(self) -> tuple[SeedOutcome, ...]:
        """The outcomes that there are."""
        return tuple(outcome for outcome in self.outcomes if outcome)

    @property
    def slowest(self) -> SeedOutcome | None:
        """The run with the least speedup."""
        return min(self.found, key=lambda outcome: outcome.speedup, default=None)

    @property
    def worst(self) -> SeedOutcome | None:
        """The run that loses most."""
        return max(self.found, key=lambda outcome: outcome.loss_pp, default=None)

    def as_json(self) -> dict[str, Any]:
        """Every seed, means with intervals, and the worst seeds."""
        speedups, losses = [each.speedup for each in self.found], [each.loss_pp for each in self.found]
        return {
            "name": self.name,
            "found": len(self.found),
            "speedup": Interval.of(speedups).as_json() if speedups else None,
            "accuracy_loss_pp": Interval.of(losses).as_json() if losses else None,
            "seed_of_least_speedup": self.slowest.seed if self.slowest else None,
            "seed_of_largest_loss": self.worst.seed if self.worst else None,
            "by_seed": [outcome.as_json() if outcome else None for outcome in self.outcomes],
        }


@dataclass(frozen=True, slots=True)
class SeedsReport:
    """The runs of one spec with several seeds. Lines are aligned with `seeds`."""

    spec_name: str
    spec_digest: str
    minimize: str
    seeds: tuple[int, ...]
    baseline_accuracies: tuple[float, ...]  # of the 8/8 network on the test split, 0 .. 1
    lines: tuple[SeedsLine, ...]  # the best policy, the uniform one, then each method's

    @classmethod
    def of(cls, reports: Sequence[RunReport]) -> "SeedsReport":
        """From the reports of at least one run; raises as `read` does."""
        return cls.read([report.as_json() for report in reports])

    @classmethod
    def read(cls, results: Sequence[Mapping[str, Any]]) -> "SeedsReport":
        """From what their `result.json` hold.

        Raises ValueError where they are not of one spec, a seed is there twice, or a run has no data to be right about.
        """
        if len({(result["spec_digest"], *result["methods"]) for result in results}) != 1:
            raise ValueError("runs are compared that are not of one spec")
        first, seeds = results[0], tuple(result["seed"] for result in results)
        if len(set(seeds)) < len(seeds):
            raise ValueError(f"a seed is there twice: {', '.join(map(str, seeds))}")
        accuracies = tuple(result["baseline"]["accuracy"] for result in results)
        if None in accuracies:
            raise ValueError("a run had no data, and its accuracy is not known")
        lines = []
        for name in (*FIXED, *first["methods"]):
            found = [result[name] if name in FIXED else result["methods"][name] for result in results]
            outcomes = (
                SeedOutcome.of(seed, outcome) if outcome else None for seed, outcome in zip(seeds, found, strict=True)
            )
            lines.append(SeedsLine(name, tuple(outcomes)))
        return cls(first["spec"], first["spec_digest"], first["minimize"], seeds, accuracies, tuple(lines))

    def as_json(self) -> dict[str, Any]:
        """The whole summary."""
        return {
            "schema": SCHEMA_VERSION,
            "spec": self.spec_name,
            "spec_digest": self.spec_digest,
            "minimize": self.minimize,
            "seeds": list(self.seeds),
            "baseline_accuracy": {
                **Interval.of(self.baseline_accuracies).as_json(),
                "by_seed": list(self.baseline_accuracies),
            },
            "lines": [line.as_json() for line in self.lines],
        }


def seeds_table(report: SeedsReport) -> RenderableType:
    """Speedup and test loss of every seed, their means, and the seed that does worst in each."""
    headers = (
        *("", f"{report.minimize} speedup by seed", "mean", "least (seed)"),
        *("test loss by seed (pp)", "mean", "largest (seed)", "images gained and lost"),
    )
    percent = tuple(100 * accuracy for accuracy in report.baseline_accuracies)
    accuracies = " ".join(f"{accuracy:.1f}" for accuracy in percent)
    notes = [
        f"8/8 test accuracy by seed (%): {accuracies}; mean {Interval.of(percent)}.",
        f"Seeds {', '.join(map(str, report.seeds))}, each a run of its own. Means ± half of Student's 95 % interval.",
    ]
    if any(None in line.outcomes for line in report.lines):
        notes.append("- : nothing good enough was found with that seed; means are over the others.")
    return Group(rows_table(headers, map(_cells, report.lines)), Text(), *(Text(note, style="dim") for note in notes))


def _cells(line: SeedsLine) -> tuple[str, ...]:
    slowest, worst = line.slowest, line.worst
    if slowest is None or worst is None:
        return line.name, "none", *("-",) * 6
    return (
        line.name,
        " ".join(f"{each.speedup:.2f}" if each else "-" for each in line.outcomes),
        str(Interval.of([each.speedup for each in line.found])),
        f"{slowest.speedup:.2f} ({slowest.seed})",
        " ".join(f"{each.loss_pp:+.1f}" if each else "-" for each in line.outcomes),
        str(Interval.of([each.loss_pp for each in line.found])),
        f"{worst.loss_pp:+.1f} ({worst.seed})",
        " ".join(f"+{each.gained:.3g}-{each.lost:.3g}" if each else "-" for each in line.outcomes),
    )
