"""What may be written for each field of a block: pydantic models -> entries, read from their annotations.

A field added to a model can be written in a `.cim` file at once; its key is its name without a unit's suffix.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from msgspec import Struct
from pydantic.fields import FieldInfo

from cimspec.spec.base import FileModel, NamedFile, OneOf, ProductModel, SpecModel
from cimspec.units import Measured


class Scalar(Struct, frozen=True):
    """A number, a truth value or a text. `bounds` are the annotations that limit a number."""

    type: type
    measured: Measured | None
    bounds: tuple[Ge | Gt | Le | Lt, ...]


class Choice(Struct, frozen=True):
    """One of a few words, each with the value it stands for; `more` gives words that are looked for if need be."""

    options: Mapping[str, object]
    more: Callable[[], tuple[str, ...]] | None = None


class Powers(Struct, frozen=True):
    """A product of powers of a few words; `options` are the words."""

    options: Mapping[str, object]


class Items(Struct, frozen=True):
    """Several values of one type."""

    item: "FieldType"


class Extents(Struct, frozen=True):
    """Numbers in the two directions of an image (2) or on its four sides (4); fewer are repeated."""

    item: Scalar
    count: int


class Block(Struct, frozen=True):
    """A block of its own; of several models the call's name, or the field `kind`, says which."""

    models: tuple[type[SpecModel], ...]


class FromFile(Struct, frozen=True):
    """A model that is read from a file, or names it; its path is what is written."""

    model: type[FileModel] | type[NamedFile]


FieldType = Scalar | Choice | Powers | Items | Extents | Block | FromFile


class Entry(Struct, frozen=True):
    """A field as a user writes it."""

    key: str
    name: str  # of the model's field
    type: FieldType
    is_required: bool


@cache
def entries(model: type[SpecModel]) -> tuple[Entry, ...]:
    """The fields of a block, in the order of the model; `kind` is said by the statement, not in the block."""
    return tuple(entry(name, info) for name, info in model.model_fields.items() if name != "kind")


def entry(name: str, info: FieldInfo) -> Entry:
    """A field of a model as a user writes it."""
    found = field_type(info.annotation, tuple(info.metadata))
    measured = found.measured if isinstance(found, Scalar) else None
    key = name.removesuffix(measured.suffix) if measured else name
    return Entry(key, name, found, info.is_required())


def kind_of(model: type[SpecModel]) -> str:
    """The word that stands for a model: the default of its `kind`."""
    return str(model.model_fields["kind"].default)


def field_type(annotation: Any, metadata: tuple[Any, ...] = ()) -> FieldType:
    """What an annotation allows to be written."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return field_type(arguments[0], metadata + flat(arguments[1:]))
    if origin in (Union, UnionType):
        return union_type([argument for argument in arguments if argument is not NoneType], metadata)
    if origin is tuple:
        item = field_type(arguments[0])
        if arguments[-1] is not Ellipsis and isinstance(item, Scalar):
            return Extents(item, len(arguments))
        return Items(item)
    if words := _words(annotation, origin, metadata):
        return words
    if isinstance(annotation, type) and issubclass(annotation, FileModel | NamedFile):
        return FromFile(annotation)
    if isinstance(annotation, type) and issubclass(annotation, SpecModel):
        return Block((annotation,))
    if annotation in (bool, int, float, str):
        measured = [mark for mark in metadata if isinstance(mark, Measured)]
        bounds = tuple(mark for mark in metadata if isinstance(mark, Ge | Gt | Le | Lt))
        return Scalar(annotation, measured[-1] if measured else None, bounds)
    raise TypeError(f"a field of type {annotation} cannot be written in a .cim file")


def _words(annotation: Any, origin: Any, metadata: tuple[Any, ...]) -> Choice | Powers | None:
    """What is written with a few words, if it is."""
    if origin is Literal:
        return Choice({str(value): value for value in get_args(annotation)})
    for mark in metadata:
        if isinstance(mark, OneOf):
            return Choice({name: name for name in mark.names}, mark.more)
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return Choice({member.value: member for member in annotation})
    if isinstance(annotation, type) and issubclass(annotation, ProductModel):
        return Powers({member.value: member for member in annotation.Word})
    return None


def union_type(members: list[Any], metadata: tuple[Any, ...]) -> FieldType:
    """What a union without None allows: one type, or one of several blocks."""
    types = [field_type(member, metadata) for member in members]
    if len(types) == 1:
        return types[0]
    blocks = [member for member in types if isinstance(member, Block)]
    if len(blocks) != len(types):
        raise TypeError("of several types only blocks can be chosen from in a .cim file")
    return Block(tuple(model for block in blocks for model in block.models))


def flat(marks: tuple[Any, ...]) -> tuple[Any, ...]:
    """Annotations, with those inside a `Field(...)` taken out of it."""
    return tuple(inner for mark in marks for inner in (mark.metadata if isinstance(mark, FieldInfo) else (mark,)))
