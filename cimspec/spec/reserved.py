"""Words that mean something already: a `let`, a parameter or a block of such a name could not be told from them."""

from collections.abc import Iterator
from functools import cache

from cimspec.diag import Diagnostics
from cimspec.lang import Word
from cimspec.spec.base import SpecModel
from cimspec.spec.chip import Chip
from cimspec.spec.fields import Block, Choice, FieldType, Items, Powers, Scalar, entries
from cimspec.spec.layers import OPS
from cimspec.spec.model_file import OnnxModelSpec
from cimspec.spec.search import Metric, SearchSpec
from cimspec.spec.training import TrainingSpec
from cimspec.spec.workload import DataSpec
from cimspec.units import UNITS

FUNCTIONS = ("min", "max", "ceil", "floor", "log2")
METRICS = frozenset(metric.value for metric in Metric)
"""Words that may stand in arithmetic though they have no value: `minimize latency * energy^0.5`."""

STATEMENTS = ("import", "let", "chip", "model", "data", "training", "search", "block", "repeat", "sweep", "weights")


def check_name(name: Word, what: str, diagnostics: Diagnostics) -> bool:
    """Whether a value may have this name; reports that it may not."""
    taken = "the sign between the sizes of a shape" if name.text == "x" else taken_words().get(name.text)
    if taken is None:
        return True
    message = f"{what} cannot be called `{name.text}`: it is {taken}"
    diagnostics.error("CIM222", message, name.span, label="choose another name")
    return False


def check_block_name(name: Word, diagnostics: Diagnostics) -> bool:
    """Whether a block may have this name; reports that it may not."""
    if name.text in OPS:
        taken = "a kind of layer"
    elif name.text in STATEMENTS:
        taken = "a statement"
    else:
        return True
    message = f"a block cannot be called `{name.text}`: it is {taken}"
    diagnostics.error("CIM222", message, name.span, label="choose another name")
    return False


@cache
def taken_words() -> dict[str, str]:
    """Every word that a value can be, with what it is."""
    words: dict[str, str] = {}
    models: tuple[type[SpecModel], ...] = (Chip, OnnxModelSpec, DataSpec, TrainingSpec, SearchSpec, *OPS.values())
    for model in models:
        words |= dict(_options(model))
    words |= dict.fromkeys(("true", "false"), "a truth value")
    words |= dict.fromkeys(UNITS, "a unit")
    return words | dict.fromkeys((*FUNCTIONS, "library"), "a function")


def _options(model: type[SpecModel]) -> Iterator[tuple[str, str]]:
    """Options of a block's fields, and of the blocks in it."""
    for entry in entries(model):
        yield from _words(entry.type, entry.key)


def _words(type: FieldType, key: str) -> Iterator[tuple[str, str]]:  # noqa: A002
    match type:
        case Choice(options=options) | Powers(options=options):
            for option in options:
                yield option, f"an option of `{key}`"
        case Items(item=item):
            yield from _words(item, key)
        case Block(models=models):
            for model in models:
                yield from _options(model)
        case Scalar() | _:
            pass
