"""Single random edits of a Program, of every kind that a wrong compiler or a slip of the hand could make.

Parameters of operations (windows, functions, axes, ranges of slices) are left alone: a digest covers them.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from random import Random
from typing import Any

from cimspec.compiler.program import (
    Buffer,
    CrossbarLayer,
    Crossbars,
    Loop,
    Program,
    Read,
    ShiftAdd,
    Write,
    operation,
)
from cimspec.quant.ops import Codes, MatMul, Tensor, Wide

Path = tuple[str | int, ...]
"""From a Program to one of its values: fields, and places in tuples."""


@dataclass(frozen=True, slots=True)
class Edit:
    """An edited Program, and what was edited."""

    kind: str
    path: Path
    program: Program
    description: str


@dataclass(frozen=True, slots=True)
class Site:
    """A field of a part of a Program, or an element of a field that is a tuple."""

    path: Path
    owner: Any  # the dataclass whose field it is
    field: str
    value: Any


@dataclass(frozen=True, slots=True)
class Sites:
    """All sites of a Program, and what chooses among them."""

    program: Program
    every: tuple[Site, ...]
    rng: Random

    def of(self, *names: str, owner: type[Any] = object, kind: type[Any] = object) -> list[Site]:
        """Those of fields with one of these names, of a type of owner, whose value has a type."""
        return [s for s in self.every if s.field in names and isinstance(s.owner, owner) and isinstance(s.value, kind)]

    def choose(self, sites: list[Site]) -> Site | None:
        """Any of them."""
        return self.rng.choice(sites) if sites else None


def random_edits(program: Program, rng: Random) -> Iterator[Edit]:
    """The program with one edit, again and again, of kinds drawn evenly among those that it has a place for."""
    sites = Sites(program, tuple(walk(program)), rng)
    while True:
        kind = rng.choice(list(KINDS))
        found = KINDS[kind](sites)
        if found is None:
            continue
        path, value = found
        edited = put(program, path, value)
        if edited != program:
            where = ".".join(map(str, path))
            yield Edit(kind, path, edited, f"{kind}: {where} = {value!r}, was {get(program, path)!r}")


def walk(owner: Any, path: Path = ()) -> Iterator[Site]:
    """All fields below a dataclass, and the elements of those that are tuples."""
    for field in fields(owner):
        yield from _walk_value(owner, field.name, getattr(owner, field.name), (*path, field.name))


def _walk_value(owner: Any, field: str, value: Any, path: Path) -> Iterator[Site]:
    yield Site(path, owner, field, value)
    if isinstance(value, tuple):
        for index, element in enumerate(value):
            yield from _walk_value(owner, field, element, (*path, index))
    elif is_dataclass(value):
        yield from walk(value, path)


def get(node: Any, path: Path) -> Any:
    """The value at a path."""
    for step in path:
        node = getattr(node, step) if isinstance(step, str) else node[step]
    return node


def put(node: Any, path: Path, value: Any) -> Any:
    """`node` with another value at a path."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(step, str):
        return replace(node, **{step: put(getattr(node, step), rest, value)})
    elements = [put(element, rest, value) if index == step else element for index, element in enumerate(node)]
    return type(node)(*elements) if hasattr(node, "_fields") else tuple(elements)


Found = tuple[Path, Any] | None
Kind = Callable[[Sites], Found]

OPERANDS = ("src", "a", "b", "parts", "weights", "bias", "factor", "shift", "value", "gamma", "beta")
LISTS = ("segments", "items", "places", "buffers", "body", "parts", "slices", "steps")


def _operand(sites: Sites) -> Found:
    """Another tensor or constant, usually one of the same element and shape: those are hard to tell."""
    rng = sites.rng
    site = sites.choose(sites.of(*OPERANDS, kind=str))
    if site is None:
        return None
    if site.field == "bias" and rng.random() < 0.2:
        return site.path, None
    types = {buffer.tensor.name: (buffer.tensor.element, buffer.tensor.shape) for buffer in sites.program.buffers}
    if site.value not in types:
        return site.path, rng.choice([each.value for each in sites.of(site.field, kind=str)])
    alike = [name for name in types if types[name] == types[site.value]]
    return site.path, rng.choice(alike if len(alike) > 1 and rng.random() < 0.8 else list(types))


def _operands_exchanged(sites: Sites) -> Found:
    """Two operands of one operation in each other's place."""
    pairs = [("a", "b"), ("src", "weights"), ("factor", "shift"), ("gamma", "beta"), ("weights", "bias")]
    found: list[tuple[Path, Any]] = []
    for number, segment in enumerate(sites.program.segments):
        for index, item in enumerate(segment.items):
            path: Path = ("segments", number, "items", index)
            for one, other in pairs:
                first, second = (getattr(operation(item), name, None) for name in (one, other))
                if isinstance(first, str) and isinstance(second, str):
                    within: Path = ("op",) if isinstance(item, CrossbarLayer) else ()
                    exchanged = put(put(item, (*within, one), second), (*within, other), first)
                    found.append((path, exchanged))
    return sites.rng.choice(found) if found else None


def _name(field: str, owner: type[Any] = object) -> Kind:
    """A name that another one has, or none."""

    def edit(sites: Sites) -> Found:
        own = sites.of(field, owner=owner, kind=str)
        site = sites.choose(own)
        return None if site is None else (site.path, sites.rng.choice([*(each.value for each in own), "other"]))

    return edit


def _variable(sites: Sites) -> Found:
    site = sites.choose(sites.of("variable"))
    return None if site is None else (site.path, sites.rng.choice(["wave", "turn", "step"]))


def _number(owner: type[Any], *names: str) -> Kind:
    """One more or less, twice or half, negated, or what the same field of another one says."""

    def edit(sites: Sites) -> Found:
        own = sites.of(*names, owner=owner, kind=int)
        site = sites.choose(own)
        if site is None:
            return None
        value, others = site.value, [each.value for each in own if each.field == site.field]
        near = [value - 1, value + 1]
        return site.path, sites.rng.choice([*near, *near, 2 * value, value // 2, -value, sites.rng.choice(others)])

    return edit


def _crossbars(sites: Sites) -> Found:
    """Those of another layer, or others."""
    own = sites.of("crossbars", kind=Crossbars)
    if own and sites.rng.random() < 0.3:
        return sites.rng.choice(own).path, sites.rng.choice(own).value
    return _number(Crossbars, "first", "width", "stride")(sites)


def _signed(sites: Sites) -> Found:
    site = sites.choose(sites.of("signed", owner=MatMul))
    return None if site is None else (site.path, not site.value)


def _element(sites: Sites) -> Found:
    """One bit more or less, with a sign or without, or values that are no codes."""
    site = sites.choose(sites.of("element", owner=Tensor))
    if site is None:
        return None
    others: list[Codes | Wide] = list(Wide)
    if isinstance(site.value, Codes):
        bits, signed = site.value.bits, site.value.signed
        others += [Codes(max(1, bits - 1), signed), Codes(bits + 1, signed), Codes(bits, not signed)] * 2
    return site.path, sites.rng.choice(others)


def _extents(sites: Sites) -> Found:
    shapes = sites.of("shape", owner=Tensor, kind=tuple) + sites.of("shape", owner=MatMul, kind=tuple)
    site = sites.choose(shapes)
    return None if site is None else (site.path, _swapped(site.value, sites.rng))


def _order(sites: Sites) -> Found:
    site = _list(sites, 2)
    return None if site is None else (site.path, _swapped(site.value, sites.rng))


def _swapped(values: tuple[Any, ...], rng: Random) -> tuple[Any, ...]:
    """Two neighbours, or any two, in each other's place."""
    if len(values) < 2:
        return values
    first = rng.randrange(len(values) - 1)
    second = first + 1 if rng.random() < 0.5 else rng.randrange(len(values))
    swapped = list(values)
    swapped[first], swapped[second] = swapped[second], swapped[first]
    return tuple(swapped)


def _deletion(sites: Sites) -> Found:
    site = _list(sites, 1)
    if site is None:
        return None
    index = sites.rng.randrange(len(site.value))
    return site.path, (*site.value[:index], *site.value[index + 1 :])


def _duplication(sites: Sites) -> Found:
    """An element once more, at any place of its list."""
    site = _list(sites, 1)
    if site is None:
        return None
    index = sites.rng.randrange(len(site.value) + 1)
    return site.path, (*site.value[:index], sites.rng.choice(site.value), *site.value[index:])


def _move(sites: Sites) -> Found:
    """An operation at another place, perhaps of another segment."""
    rng, segments = sites.rng, [list(segment.items) for segment in sites.program.segments]
    source = rng.choice(segments) if segments else []
    if not source:
        return None
    item = source.pop(rng.randrange(len(source)))
    target = rng.choice(segments)
    target.insert(rng.randint(0, len(target)), item)
    pairs = zip(sites.program.segments, segments, strict=True)
    return ("segments",), tuple(replace(segment, items=tuple(items)) for segment, items in pairs)


def _body(sites: Sites) -> Found:
    """The instructions of another layer, or of another loop."""
    bodies = sites.of("body", kind=tuple)
    site = sites.choose(bodies)
    return None if site is None else (site.path, sites.rng.choice(bodies).value)


def _list(sites: Sites, least: int) -> Site | None:
    """A list of at least so many elements; each kind of list is as likely, however many there are."""
    lists: dict[tuple[str, str], list[Site]] = {}
    for site in sites.of(*LISTS, kind=tuple):
        is_part = site.field == "parts" and isinstance(site.path[-1], int)  # a name and where it starts
        if len(site.value) >= least and not is_part:
            lists.setdefault((type(site.owner).__name__, site.field), []).append(site)
    return sites.rng.choice(sites.rng.choice(list(lists.values()))) if lists else None


KINDS: Mapping[str, Kind] = {
    "operand": _operand,
    "operands exchanged": _operands_exchanged,
    "dst": _name("dst"),
    "layer name": _name("layer"),
    "buffer name": _name("name", Tensor),
    "loop variable": _variable,
    "loop bound": _number(Loop, "start", "stop"),
    "crossbars": _crossbars,
    "copies": _number(Crossbars, "count"),
    "blocks": _number(Write, "first", "stop"),
    "groups of rows": _number(Read, "groups"),
    "factor": _number(ShiftAdd, "slices", "steps"),
    "bundle": _number(CrossbarLayer, "bundle"),
    "matrices": _number(MatMul, "matrices"),
    "inputs": _number(MatMul, "inputs"),
    "outputs": _number(MatMul, "outputs"),
    "shape of a product": _number(MatMul, "shape"),
    "precision": _number(MatMul, "precision"),
    "signed": _signed,
    "reads of a buffer": _number(Buffer, "reads"),
    "element": _element,
    "extent": _number(Tensor, "shape"),
    "extents swapped": _extents,
    "order": _order,
    "deletion": _deletion,
    "duplication": _duplication,
    "move": _move,
    "body": _body,
}
"""Kinds of edits. Each says where a value is put and which, or None where a program has no place for it."""
