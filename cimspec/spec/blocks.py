"""Binds a block of the tree to its pydantic model, whichever it is: statements -> validated model, spans.

Everything wrong with a block is reported in one go. Layers and files are bound by layers.py and bind.py.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from types import MappingProxyType
from typing import TypeVar

from msgspec import Struct, field
from pydantic import ValidationError

from cimspec.diag import Diagnostics, Label, Span, respelled, written_instead
from cimspec.lang import (
    COMPARISONS,
    Assign,
    BlockDefinition,
    Call,
    Definition,
    Import,
    Let,
    Number,
    Pin,
    Quantity,
    Repeat,
    Section,
    Setting,
    Shape,
    Statement,
    Word,
)
from cimspec.spec.base import SpecModel
from cimspec.spec.dimensions import PLAIN
from cimspec.spec.fields import Block, Choice, Entry, Extents, FromFile, Items, Scalar, entries, kind_of
from cimspec.spec.model_errors import report_model_errors
from cimspec.spec.values import convert_value, one_of
from cimspec.units import units_of

Model = TypeVar("Model", bound=SpecModel)
Path = tuple[str | int, ...]  # where a value is in the Spec: ("chip", "adc", "bits"), ("model", "layers", 3)
Spans = Mapping[Path, Span]  # where what is in the Spec was written


class Binding(Struct, frozen=True):
    """What binding writes to: diagnostics, and the span of everything that was written."""

    diagnostics: Diagnostics
    spans: dict[Path, Span] = field(default_factory=dict)


class Place(Struct, frozen=True):
    """The block being bound: its word, the span of its head, its path in the Spec."""

    word: str
    head: Span
    path: Path

    def inner(self, section: Section, name: str | int) -> "Place":
        """The place of a block inside this one."""
        return Place(section.kind.text, section.span, (*self.path, name))


class _Draft(Struct):
    """A block under construction: values by field name, fields that are wrong, and where each was written."""

    values: dict[str, object]
    wrong: set[str] = field(default_factory=set)
    spans: dict[str | tuple[str, int], Span] = field(default_factory=dict)
    repeated: dict[str, list[SpecModel | None]] = field(default_factory=dict)  # None for a wrong one


def bind_block(
    model: type[Model],
    place: Place,
    body: Iterable[Statement],
    binding: Binding,
    given: Mapping[str, object] | None = None,
) -> Model | None:
    """The block as a `model`, or None after reporting. `given` are fields that the statement itself says."""
    given = given or {}
    known = entries_by_key(model, frozenset(given))
    draft = _Draft(dict(given))
    before = binding.diagnostics.count
    binding.spans[place.path] = place.head
    for statement in body:
        if not _bind_digits(statement, known, place, draft, binding):
            _bind_statement(statement, known, place, draft, binding)
    _report_missing(known.values(), place, draft, binding.diagnostics)
    draft.values |= {name: tuple(found) for name, found in draft.repeated.items()}
    try:
        result = model.model_validate(draft.values)
    except ValidationError as error:
        is_whole = binding.diagnostics.count == before
        report_model_errors(
            error, model, place.word, place.head, draft.spans, draft.wrong, binding.diagnostics, is_whole=is_whole
        )
        return None
    return result if binding.diagnostics.count == before else None


@cache
def entries_by_key(model: type[SpecModel], given: frozenset[str]) -> Mapping[str, Entry]:
    """The fields that can be written in a block, by how they are written; `given` are said by the statement itself."""
    return MappingProxyType({entry.key: entry for entry in entries(model) if entry.name not in given})


def _bind_digits(
    statement: Statement, known: Mapping[str, Entry], place: Place, draft: _Draft, binding: Binding
) -> bool:
    """Put `kernel = 3` into the draft, if the statement is of this form: large models are made of such fields."""
    if not isinstance(statement, Assign):
        return False
    value, entry = statement.value, known.get(statement.name.text)
    if entry is None:
        return False
    if isinstance(value, Number) and value.unit is None and value.text.isdigit():
        number = int(value.text)
    elif isinstance(value, Quantity) and value.dimension == PLAIN and value.value.denominator == 1:
        number = value.value.numerator
    else:
        return False
    name, kind, span = entry.name, entry.type, value.span
    if isinstance(kind, Extents):
        draft.spans[name, 0] = binding.spans[(*place.path, name, 0)] = span
        draft.values[name] = (number,)
    elif isinstance(kind, Scalar) and kind.type is int and kind.measured is None:
        draft.values[name] = number
    else:
        return False
    draft.spans[name] = binding.spans[(*place.path, name)] = span
    return True


def _bind_statement(
    statement: Statement, known: Mapping[str, Entry], place: Place, draft: _Draft, binding: Binding
) -> None:
    """Put what one statement says into the draft."""
    if isinstance(statement, Import):
        label = "move it to the top of the file"
        binding.diagnostics.error("CIM213", "`import` stands outside of all blocks", statement.span, label=label)
        return
    assert not isinstance(statement, Let | Setting | BlockDefinition | Repeat), (
        "these are gone once a file is evaluated"
    )
    word = statement.name if isinstance(statement, Assign) else statement.kind
    entry = known.get(word.text)
    if entry is None:
        _report_unknown(word, known, place, draft, binding.diagnostics)
        return
    before = binding.diagnostics.count
    match statement, entry.type:
        case Assign(value=Call() as call), Block():
            value: object = bind_call(entry.type, call, (*place.path, entry.name), binding)
        case Assign(), _:
            value = _bind_field(statement, entry, place, draft, binding)
        case Section(name=None, shape=None, extends=None, sources=None, body=tuple()), Block(models=(one,)):
            value = bind_block(one, place.inner(statement, entry.name), statement.body or (), binding)
        case Pin(), Items(item=Block(models=(one,))):
            _bind_pin(statement, entry, one, place, draft, binding)
            return
        case _:
            meant = meant_form(statement, entry)
            label = f"write `{meant or form(entry)}`"
            fixes = [written_instead(statement.span, meant)] if meant else []
            message = f"`{word.text}` is not written like this"
            binding.diagnostics.error("CIM213", message, statement.span, label=label, fixes=fixes)
            value = None
    if value is None or binding.diagnostics.count > before:
        draft.wrong.add(entry.name)
    else:
        draft.values[entry.name] = value


def _bind_field(statement: Assign, entry: Entry, place: Place, draft: _Draft, binding: Binding) -> object:
    """The value of `name = value`, or None after reporting."""
    if isinstance(entry.type, Block) or (isinstance(entry.type, Items) and isinstance(entry.type.item, Block)):
        message = f"`{entry.key}` is not written with `=`"
        binding.diagnostics.error("CIM213", message, statement.span, label=f"write `{form(entry)}`")
        return None
    span = statement.value.span
    draft.spans[entry.name] = binding.spans[(*place.path, entry.name)] = span
    converted = convert_value(statement.value, entry.type, entry.key, binding.diagnostics)
    if converted is None:
        return None
    for index, item in enumerate(converted.items):
        draft.spans[entry.name, index] = binding.spans[(*place.path, entry.name, index)] = item
    return converted.value


def _bind_pin(
    statement: Pin, entry: Entry, model: type[SpecModel], place: Place, draft: _Draft, binding: Binding
) -> None:
    """Add one of the statements that may be repeated: `keep c1 at 8 bit, 8 bit`."""
    so_far = draft.repeated.setdefault(entry.name, [])
    inner = Place(entry.key, statement.span, (*place.path, entry.name, len(so_far)))
    first, *others = entries(model)
    bound: SpecModel | None = None
    if len(statement.values) == len(others):
        body = [
            Assign(Word(other.key, value.span), value, value.span)
            for other, value in zip(others, statement.values, strict=True)
        ]
        bound = bind_block(model, inner, body, binding, given={first.name: statement.name.text})
        binding.spans[(*inner.path, first.name)] = statement.name.span
    else:
        message = f"`{entry.key}` takes {len(others)} values after `at`, not {len(statement.values)}"
        binding.diagnostics.error("CIM213", message, statement.span, label=f"write `{form(entry)}`")
    so_far.append(bound)
    if bound is None:
        draft.wrong.add(entry.name)


def bind_call(type: Block, call: Call, path: Path, binding: Binding) -> SpecModel | None:  # noqa: A002
    """`builtin("mnist5k")` as the model of that kind."""
    models = {kind_of(model): model for model in type.models}
    model = models.get(call.function.text)
    if model is None:
        meant = binding.diagnostics.did_you_mean(call.function.text, models)
        binding.diagnostics.error(
            "CIM408",
            f"unknown function `{call.function.text}`",
            call.function.span,
            label=f"did you mean `{meant}`?" if meant else f"write {one_of(list(models))}",
            fixes=respelled(call.function.span, call.function.text, meant),
        )
        return None
    body: list[Statement] = []
    keys = [entry.key for entry in entries(model)]
    for position, argument in enumerate(call.arguments):
        if argument.name is None and position >= len(keys):
            message = f"`{call.function.text}` takes {len(keys)} argument{'s' * (len(keys) != 1)}"
            binding.diagnostics.error("CIM408", message, argument.span, label="remove this one")
            return None
        name = argument.name or Word(keys[position], argument.span)
        body.append(Assign(name, argument.value, argument.span))
    return bind_block(model, Place(call.function.text, call.span, path), body, binding)


OF_OTHERS = {
    "activation": "write it as a layer of its own, such as `relu`",
    "batch_norm": "write it as a layer of its own: `batchnorm`",
    "bias": "remove it: weights without a bias have zeros",
    "name": "write the name before the `{`",
    **dict.fromkeys(("input", "inputs"), "write `from LAYER` before the `{`"),
    "algorithm": "write `methods = [...]`",
    "objective": "write `minimize METRIC`",
    "maximize": "accuracy has a bound: `require accuracy_loss <= ... pp` or `require accuracy >= ... %`",
    "constraint": "write `require accuracy_loss <= ... pp` or `require accuracy >= ... %`",
}
"""Fields that other tools have and this language does not, with what to write."""


def _report_unknown(
    word: Word, known: Mapping[str, Entry], place: Place, draft: _Draft, diagnostics: Diagnostics
) -> None:
    """Report a field that the block does not have; a field it was probably meant for counts as given."""
    by_name = {entry.name: entry.key for entry in known.values()}
    meant = by_name.get(word.text) or diagnostics.did_you_mean(word.text, known)
    blocks = [key for key, entry in known.items() if word.text in inner_keys(entry)]
    label = f"did you mean `{meant}`?" if meant else "remove it"
    if word.text in OF_OTHERS:
        meant, label = None, OF_OTHERS[word.text]
    other_file = place.head.source is not word.span.source  # the field of a base, and a block that is laid over it
    is_given = meant is not None and known[meant].name in draft.values
    if blocks:
        label = f"move it into `{blocks[0]} {{ ... }}`"
    elif meant and known[meant].name not in draft.values:
        draft.wrong.add(known[meant].name)
    diagnostics.error(
        "CIM203",
        f"unknown field `{word.text}` in `{place.word}`",
        word.span,
        label=label,
        related=[Label(place.head, f"this `{place.word}` is laid over it")] if other_file else (),
        notes=[f"fields of `{place.word}`: {', '.join(known)}" if known else f"`{place.word}` has no fields"],
        fixes=respelled(word.span, word.text, None if blocks or is_given else meant),
    )


def inner_keys(entry: Entry) -> list[str]:
    """Keys of the block that a field is, if it is one."""
    return (
        [inner.key for model in entry.type.models for inner in entries(model)] if isinstance(entry.type, Block) else []
    )


def _report_missing(known: Iterable[Entry], place: Place, draft: _Draft, diagnostics: Diagnostics) -> None:
    """Report required fields that are neither given nor wrong."""
    for entry in known:
        if entry.is_required and entry.name not in draft.values and entry.name not in draft.wrong:
            draft.wrong.add(entry.name)
            message = f"`{place.word}` needs `{entry.key}`"
            diagnostics.error("CIM206", message, place.head, label=f"add `{form(entry)}`")


def meant_form(statement: Statement, entry: Entry) -> str | None:
    """The statement as it was meant, if that is plain: `rows 64` and `weights reloaded` lack their `=`."""
    match statement, entry.type:
        case Section(shape=Shape(sizes=(size,)), body=None), Scalar():
            return f"{entry.key} = {size.span.text}"
        case Section(shape=Shape(span=written), body=None), Extents():
            return f"{entry.key} = {written.text}"
        case Section(name=Word(text=option), body=None), Choice(options=options) if option in options:
            return f"{entry.key} = {option}"
        case Definition(name=name, value=value), Block() if entry.key == "require":
            return f"{entry.key} {name.text} {COMPARISONS.get(name.text, '<=')} {value.span.text}"
        case Section(name=Word(text=name), shape=Shape(sizes=(size,)), body=None), Block() if entry.key == "require":
            return f"{entry.key} {name} {COMPARISONS.get(name, '<=')} {size.span.text}"
        case _:
            return None


def form(entry: Entry) -> str:
    """How a field is written."""
    match entry.type:
        case Items(item=Block(models=(model, *_))):
            first, *others = (inner.name for inner in entries(model))
            return f"{entry.key} {first.upper()} at {', '.join(other.upper() for other in others)}"
        case Block(models=(model, *_)) if "kind" in model.model_fields:
            return f"{entry.key} = {kind_of(model)}(...)"
        case Block(models=(model,)) if entry.key == "require":
            return f"{entry.key} {form(entries(model)[0])}".replace("=", "<=")
        case Block():
            return f"{entry.key} {{ ... }}"
        case Choice(options=options):
            return f"{entry.key} = {next(iter(options))}"
        case Items():
            return f"{entry.key} = [...]"
        case FromFile():
            return f'{entry.key} = "..."'
        case Scalar(measured=measured) if measured and measured.required:
            own = next(unit.name for unit in units_of(measured.dimension) if unit.factor == 1)
            return f"{entry.key} = ... {own}"
        case _:
            return f"{entry.key} = ..."
