"""What names stand for at a place of a file: values of `let`, parameters and rounds; and in which order lets depend."""

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from cimspec.diag import Diagnostics, Label, Span
from cimspec.lang import Binary, Call, Let, ListValue, Negated, Number, Range, Shape, Value, Word


class Named(Struct, frozen=True, gc=False):
    """A value and where it was given its name."""

    value: Value
    span: Span


class Ambiguous(Struct, frozen=True, gc=False):
    """A name that two imports give; only who uses it need decide."""

    first: Span
    second: Span


class Scope:
    """Names known at a place; inner ones hide outer ones."""

    __slots__ = ("_names", "_outer")

    def __init__(self, names: Mapping[str, Named | Ambiguous], outer: "Scope | None" = None) -> None:
        self._names = names
        self._outer = outer

    def find(self, name: str) -> Named | Ambiguous | None:
        """What the name stands for here; None for a word that is no name of a value."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope._names:
                return scope._names[name]
            scope = scope._outer
        return None

    def names(self) -> Iterator[str]:
        """All names known here."""
        scope: Scope | None = self
        while scope is not None:
            yield from scope._names
            scope = scope._outer


def words_in(value: Value) -> list[Word]:
    """The words in a value that could be names of values. Without recursion: a sum may have thousands of terms."""
    words: list[Word] = []
    open_values = [value]
    while open_values:
        open_value = open_values.pop()
        if isinstance(open_value, Word):
            words.append(open_value)
        elif isinstance(open_value, Binary):
            open_values += (open_value.right, open_value.left)
        elif not isinstance(open_value, Number):
            open_values += reversed(_parts(open_value))
    return words


def _parts(value: Value) -> list[Value]:
    """What a value other than a sum or product is made of."""
    match value:
        case Negated(operand=operand):
            return [operand]
        case Range(low=low, high=high):
            return [low, high]
        case Shape(sizes=parts) | ListValue(items=parts):
            return list(parts)
        case Call(arguments=arguments):
            return [argument.value for argument in arguments]
        case _:
            return []


def by_name(lets: Iterable[Let], diagnostics: Diagnostics) -> dict[str, Let]:
    """Lets by name, the first of each; others of the name are reported."""
    found: dict[str, Let] = {}
    for let in lets:
        name = let.name.text
        if name in found:
            related = [Label(found[name].name.span, "first defined here")]
            diagnostics.error(
                "CIM209", f"there are two `let {name}`", let.name.span, label="rename one", related=related
            )
        found.setdefault(name, let)
    return found


def in_order(lets: Mapping[str, Let], diagnostics: Diagnostics) -> tuple[list[Let], list[Let]]:
    """Lets such that each comes after those that it uses; and those that come to no value as they use themselves."""
    ordered: dict[str, Let] = {}
    circular: dict[str, Let] = {}
    uses = {name: [word for word in words_in(let.value) if word.text in lets] for name, let in lets.items()}
    for first in lets:
        path = {first: iter(uses[first])} if first not in ordered else {}
        while path:
            name = next(reversed(path))
            for used in path[name]:
                if used.text not in ordered:
                    break
            else:
                path.popitem()
                ordered[name] = lets[name]
                continue
            if used.text in path:
                _report_circle(lets[name], used, [lets[each] for each in path], diagnostics)
                ordered[name] = circular[name] = lets[name]
                path.popitem()
            else:
                path[used.text] = iter(uses[used.text])
    return list(ordered.values()), list(circular.values())


def _report_circle(let: Let, used: Word, path: list[Let], diagnostics: Diagnostics) -> None:
    start = next(index for index, each in enumerate(path) if each.name.text == used.text)
    circle = [*(each.name.text for each in path[start:]), used.text]
    shown = " -> ".join(f"`{name}`" for name in (circle if len(circle) <= 6 else [*circle[:3], "...", *circle[-2:]]))
    related = [] if len(circle) == 2 else [Label(path[start].name.span, f"`{used.text}` is defined here")]
    message = f"`let {let.name.text}` uses itself: {shown}" if len(circle) == 2 else f"lets use each other: {shown}"
    diagnostics.error("CIM221", message, used.span, label="this closes the circle", related=related)
