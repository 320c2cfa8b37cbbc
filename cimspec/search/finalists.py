"""From trials to the policies worth fine-tuning, and the comparison that decides among them.

A finalist is the trial that diverges least among those that are about as fast as the fastest one under a goal's limit;
tighter limits are there in case none of the looser ones is good enough. Finalists are compared with the 8/8 network
image by image on the validation split; the fastest that is accurate enough wins. "Fast" means little of whatever is
made small.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cimspec.search.evaluation import Trial
from cimspec.search.goal import ROUNDING, DivergenceLimit, Goal
from cimspec.spec.search import Requirements

Correct = npt.NDArray[np.bool_]
"""Which images a network gets right: [draws, images], a row for each chip that was drawn."""

ONE_SIDED_95 = 1.645
CERTIFIABLE = 3.0
"""With no differing image out of n, a loss above 3/n can be ruled out at 95 % (the rule of three)."""

TIGHTER = (0.5, 0.25, 0.125)
"""Further limits, relative to the tightest one."""
ABOUT_AS_FAST = 1.015
"""Times within 1.5 % are not worth a difference in accuracy."""


def finalists(trials: tuple[Trial, ...], goals: tuple[Goal, ...]) -> tuple[Trial, ...]:
    """The finalist of each goal, and of tighter limits in case none of those is good enough, without repetition.

    What takes least by the first goal comes first.
    """
    found = {trial.policy: trial for goal in (*goals, *_tighter(goals)) if (trial := finalist(trials, goal))}
    return tuple(sorted(found.values(), key=lambda trial: goals[0].objective(trial.values)))


def finalist(trials: tuple[Trial, ...], goal: Goal) -> Trial | None:
    """The trial that diverges least among those about as fast as the fastest one under the goal's limit."""
    fastest = goal.best(trials)
    if fastest is None:
        return None
    slowest = goal.objective(fastest.values) * ABOUT_AS_FAST
    near = [trial for trial in goal.feasible(trials) if goal.objective(trial.values) <= slowest]
    return min(near, key=lambda trial: (trial.score.kl, goal.objective(trial.values)))


def _tighter(goals: tuple[Goal, ...]) -> list[Goal]:
    """Goals with the first one's objective below the tightest limit on divergence."""
    limits = [goal.limit.nats for goal in goals if isinstance(goal.limit, DivergenceLimit)]
    return [Goal(DivergenceLimit(share * min(limits)), goals[0].weights) for share in TIGHTER if limits]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two networks on the same images, on the same chips."""

    images: int
    gained: int  # right now, wrong in the baseline, over all draws
    lost: int  # wrong now, right in the baseline
    draws: int = 1  # chips that the images met

    @classmethod
    def of(cls, baseline: Correct, candidate: Correct) -> "Comparison":
        """Compare which images two networks get right, `[draws, images]` each."""
        draws, images = baseline.shape
        return cls(images, int((candidate & ~baseline).sum()), int((baseline & ~candidate).sum()), draws)

    @property
    def loss_pp(self) -> float:
        """Accuracy lost against the baseline, mean over draws, percentage points."""
        return 100 * (self.lost - self.gained) / (self.images * self.draws)

    @property
    def loss_bound_pp(self) -> float:
        """What the true loss is below, at 95 %: normal approximation of paired differences, at least 3/n.

        Draws are taken as if they always agreed, so more of them do not make it smaller.
        """
        looks = self.images * self.draws
        mean = (self.lost - self.gained) / looks
        variance = (self.lost + self.gained) / looks - mean**2
        bound = mean + ONE_SIDED_95 * math.sqrt(max(0.0, variance) / self.images)
        return 100 * max(bound, CERTIFIABLE / self.images)

    def meets(self, allowed_pp: float) -> bool:
        """Whether at most `allowed_pp` is lost, or one image where that is finer than one image can show."""
        looks = self.images * self.draws
        return self.lost - self.gained <= max(self.draws, math.floor(allowed_pp / 100 * looks))


def is_good_enough(required: Requirements, baseline: Correct, candidate: Correct) -> bool:
    """Whether a network meets what is required of accuracy, beside the 8/8 network on the same images and chips."""
    allowed_pp, least = required.accuracy_loss_pp, required.accuracy
    if allowed_pp is not None and not Comparison.of(baseline, candidate).meets(allowed_pp):
        return False
    return least is None or float(candidate.mean()) >= least - ROUNDING
