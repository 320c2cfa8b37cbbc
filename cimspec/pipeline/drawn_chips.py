"""Which chips a run draws and for what, and where it looks at them at all.

Cells that are not ideal are drawn anew for the search, for fine-tuning, for the decision and for the report: no draw
serves two of them.
"""

from cimspec.search.space import is_lossless
from cimspec.spec import EvaluateOn, Spec

CHIPS_OF_A_SEED = 1000
SEARCHED_CHIPS, DECIDED_CHIPS, REPORTED_CHIPS = range(2), range(100, 103), range(200, 205)
JUDGED_CHIP, TUNED_CHIPS = 300, range(301, CHIPS_OF_A_SEED)
"""Numbers of the chips that are drawn; the seed of a run makes others of them."""


def chip_seed(seed: int, number: int) -> int:
    """The seed of chip `number` in a run with `seed`."""
    return seed * CHIPS_OF_A_SEED + number


def chip_seeds(seed: int, numbers: range) -> tuple[int, ...]:
    """The seeds of some chips in a run with `seed`."""
    return tuple(chip_seed(seed, number) for number in numbers)


def evaluated_on(spec: Spec) -> EvaluateOn:
    """What evaluations look at: as written, or the chip where its ADC or its cells lose something."""
    return spec.search.evaluate_on if spec.search and spec.search.evaluate_on else _where_it_matters(spec)


def finetuned_on(spec: Spec) -> EvaluateOn | None:
    """What fine-tuning sees: as written, or the chip where its ADC or its cells lose something; None without it."""
    return (spec.training.finetune_on or _where_it_matters(spec)) if spec.training.finetune_epochs else None


def chip_is_exact(spec: Spec) -> bool:
    """Whether the chip computes what integers say, whatever the policy."""
    widest = max(spec.search.activation_bits) if spec.search else 8
    return spec.chip.device.is_ideal and is_lossless(spec.chip, widest)


def _where_it_matters(spec: Spec) -> EvaluateOn:
    return EvaluateOn.QUANTIZED if chip_is_exact(spec) else EvaluateOn.CHIP
