"""What can be written in a `.cim` file, for people: every block and field with meaning, units, default, range, options.

Read from the models, so that the manual, completion and hover say what the checks do. Paths name blocks and fields:
`chip.adc.bits`, `model.conv2d.kernel` (a layer by its kind), `model.onnx.file`, `data.npz.layout`, `search.require`.
"""

import inspect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TypeVar, get_args

from annotated_types import MaxLen, MinLen

from cimspec.diag import did_you_mean
from cimspec.spec.base import SpecModel
from cimspec.spec.blocks import form
from cimspec.spec.chip import Chip
from cimspec.spec.data_source import BuiltinData, OwnData
from cimspec.spec.fields import (
    Block,
    Choice,
    Entry,
    Extents,
    FieldType,
    FromFile,
    Items,
    Powers,
    Scalar,
    entries,
    kind_of,
)
from cimspec.spec.layers import OPS, READ_TWO
from cimspec.spec.model_errors import range_words
from cimspec.spec.model_file import OnnxSource
from cimspec.spec.operations import ConcatSpec, FunctionSpec, InputSpec
from cimspec.spec.search import SearchSpec
from cimspec.spec.spelling import spell_field
from cimspec.spec.training import TrainingSpec
from cimspec.spec.workload import ModelSpec
from cimspec.units import Measured, units_of

Info = TypeVar("Info", "BlockInfo", "FieldInfo")

DATA: tuple[type[SpecModel], ...] = (BuiltinData, *get_args(OwnData))
"""The functions that data comes from."""


@dataclass(frozen=True, slots=True)
class OptionInfo:
    """A word that a field takes."""

    word: str
    meaning: str


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """A field as it is written."""

    path: str  # "chip.adc.bits"
    name: str  # the key: "bits"
    meaning: str
    kind: str  # of its value: "whole number", "word", "list of words", "block"
    form: str  # how it is written: "bits = ..."
    units: tuple[str, ...]  # that fit; empty for what has none
    needs_unit: bool
    default: str | None  # as it is written; None where there is none, or where leaving it out means something itself
    is_required: bool
    range: str  # "from 1 to 16"; empty where there is no bound
    options: tuple[OptionInfo, ...]

    @property
    def summary(self) -> str:
        """All but name and meaning in one line: `whole number, bit or bits, from 1 to 16, required`."""
        default = "required" if self.is_required else f"default `{self.default}`" if self.default else "may be left out"
        units = f"{'in' if self.needs_unit else 'plain or in'} {', '.join(self.units)}" if self.units else ""
        return ", ".join(part for part in (self.kind, units, self.range, default) if part)


@dataclass(frozen=True, slots=True)
class BlockInfo:
    """A block, a kind of layer, or a function that data or a model comes from."""

    path: str  # "chip.adc", "model.conv2d"
    name: str  # the word that it starts with
    meaning: str
    form: str  # how it is written: `conv2d NAME { channels = ...; kernel = ... }`
    fields: tuple[FieldInfo, ...]


def blocks() -> tuple[BlockInfo, ...]:
    """All blocks in the order in which a person reads of them: chip and its parts, model, layers, data, the rest."""
    return tuple(_catalogue().values())


def block(path: str) -> BlockInfo:
    """The block at `path`. Raises KeyError, with what was probably meant."""
    return _found(path, _catalogue())


def describe(path: str) -> FieldInfo:
    """The field at `path`. Raises KeyError, with what was probably meant."""
    return _found(path, _fields())


def _found(path: str, known: Mapping[str, Info]) -> Info:
    if path in known:
        return known[path]
    meant = did_you_mean(path, known)
    raise KeyError(f"nothing is called `{path}`" + (f"; did you mean `{meant}`?" if meant else ""))


@cache
def _catalogue() -> Mapping[str, BlockInfo]:
    found = [
        *_nested(Chip, "chip", "chip NAME { ... }"),
        _model(),
        *(_layer(kind, op) for kind, op in OPS.items()),
        _function(OnnxSource, "model"),
        *(_function(source, "data") for source in DATA),
        *_nested(TrainingSpec, "training", "training { ... }"),
        *_nested(SearchSpec, "search", "search { ... }"),
    ]
    return MappingProxyType({info.path: info for info in found})


@cache
def _fields() -> Mapping[str, FieldInfo]:
    return MappingProxyType({field.path: field for info in blocks() for field in info.fields})


def _nested(model: type[SpecModel], path: str, how: str) -> Iterator[BlockInfo]:
    """A block and those in it."""
    own = [entry for entry in entries(model) if entry.key != "name"]
    yield BlockInfo(path, path.rpartition(".")[2], _meaning(model), how, _described(model, own, path))
    for entry in own:
        match entry.type:
            case Block(models=(inner,)) | Items(item=Block(models=(inner,))):
                yield from _nested(inner, f"{path}.{entry.key}", form(entry))
            case _:
                pass


def _model() -> BlockInfo:
    """The model's own fields; its layers are blocks of their own."""
    own = [entry for entry in entries(ModelSpec) if entry.key == "weights"]
    return BlockInfo("model", "model", _meaning(ModelSpec), "model NAME { ... }", _described(ModelSpec, own, "model"))


def _layer(kind: str, model: type[SpecModel]) -> BlockInfo:
    """A kind of layer: its name may be left out, and so may `from` where one tensor is read."""
    meaning = f"{FunctionSpec.FORMULAS[kind]}." if model is FunctionSpec else _meaning(model)
    sources = " from A, B" if model in READ_TWO else " from A, B, ..." if model is ConcatSpec else ""
    needed = [form(entry) for entry in entries(model) if entry.is_required]
    how = f"{kind} NAME{sources}" + (f" {{ {'; '.join(needed)} }}" if needed else "")
    if model is InputSpec:
        how = "input CHANNELS x HEIGHT x WIDTH"
    path = f"model.{kind}"
    return BlockInfo(path, kind, meaning, how, _described(model, entries(model), path))


def _function(model: type[SpecModel], statement: str) -> BlockInfo:
    """A function that data or a model comes from."""
    kind = kind_of(model)
    needed = [entry for entry in entries(model) if entry.is_required]
    arguments = ['"..."' if len(needed) == 1 else f'{entry.key} = "..."' for entry in needed]
    path = f"{statement}.{kind}"
    how = f"{statement} NAME = {kind}({', '.join(arguments)})"
    return BlockInfo(path, kind, _meaning(model), how, _described(model, entries(model), path))


def _described(model: type[SpecModel], own: Iterable[Entry], path: str) -> tuple[FieldInfo, ...]:
    return tuple(_field(model, entry, path) for entry in own)


def _field(model: type[SpecModel], entry: Entry, path: str) -> FieldInfo:
    info = model.model_fields[entry.name]
    measured = _measured(entry.type)
    return FieldInfo(
        path=f"{path}.{entry.key}",
        name=entry.key,
        meaning=info.description or "",
        kind=kind_words(entry.type),
        form=form(entry),
        units=tuple(unit.name for unit in units_of(measured.dimension)) if measured else (),
        needs_unit=measured is not None and measured.required,
        default=_default(entry, info.get_default()),
        is_required=entry.is_required,
        range=_range(entry.type, info.metadata),
        options=_options(entry.type),
    )


def _meaning(model: type[SpecModel]) -> str:
    """The first paragraph of a model's docstring, on one line."""
    return " ".join(inspect.cleandoc(model.__doc__ or "").partition("\n\n")[0].split())


def kind_words(type: FieldType) -> str:  # noqa: A002, C901
    """What kind of value a type takes."""
    match type:
        case Scalar():
            return {bool: "`true` or `false`", int: "whole number", float: "number", str: "text"}[type.type]
        case Choice():
            return "word"
        case Powers():
            return "word, or a product of powers of words"
        case Items(item=Block()):
            return "statement"
        case Items(item=Scalar(type=item)) if item is int:
            return "list or range of whole numbers"
        case Items(item=item):
            return f"list of {kind_words(item)}s"
        case Extents(count=2):
            return "whole number, or `HEIGHT x WIDTH`"
        case Extents():
            return "whole number, `HEIGHT x WIDTH`, or `[TOP, LEFT, BOTTOM, RIGHT]`"
        case Block():
            return "block"
        case FromFile():
            return "path in quotes"


def _measured(type: FieldType) -> Measured | None:  # noqa: A002
    return type.measured if isinstance(type, Scalar) else None


def _default(entry: Entry, default: object) -> str | None:
    if default is None or default == () or entry.is_required or isinstance(entry.type, Block):
        return None
    return spell_field(entry, default)


def _range(type: FieldType, metadata: list[object]) -> str:  # noqa: A002
    """Bounds of a number, or of the numbers in a list and of how many there are."""
    scalar = type.item if isinstance(type, Items | Extents) else type
    bounds = range_words(scalar) if isinstance(scalar, Scalar) else ""
    if not isinstance(type, Items):
        return bounds
    least = next((mark.min_length for mark in metadata if isinstance(mark, MinLen)), 0)
    most = next((mark.max_length for mark in metadata if isinstance(mark, MaxLen)), None)
    count = f"{least} to {most} of them" if most and least else f"at most {most} of them" if most else ""
    return ", ".join(words for words in (f"each {bounds}" if bounds else "", count) if words)


def _options(type: FieldType) -> tuple[OptionInfo, ...]:  # noqa: A002
    match type:
        case Choice(options=options) | Powers(options=options):
            return tuple(OptionInfo(str(word), getattr(value, "meaning", "")) for word, value in options.items())
        case Items(item=item):
            return _options(item)
        case _:
            return ()
