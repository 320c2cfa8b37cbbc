"""Sweeps: `sweep chip.adc.bits = 4..8` -> points, each some fields with a value, in every combination.

The spec itself is the file without its sweeps. Only sweeps of the file itself count, not those of files it imports.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from math import prod

from cimspec.diag import Diagnostics, Label, Span
from cimspec.lang import Assign, Call, ListValue, Number, Quantity, Range, Section, Setting, Shape, Text, Value, Word
from cimspec.spec.dimensions import written_quantity
from cimspec.spec.evaluate import Evaluator
from cimspec.spec.rounds import whole_numbers
from cimspec.spec.scopes import Scope

MAX_POINTS = 1000
MAX_SHOWN = 5  # fields of a sweep that is too large


@dataclass(frozen=True, slots=True)
class Override:
    """A field of the spec, by its path, and the value it takes instead of what the file says."""

    path: tuple[Word, ...]
    value: Value

    @property
    def name(self) -> str:
        """`chip.adc.bits`."""
        return ".".join(word.text for word in self.path)

    @property
    def text(self) -> str:
        """As the command line takes it: `chip.adc.bits=6`."""
        return f"{self.name}={text_of(self.value)}"

    @property
    def span(self) -> Span:
        """The path, in the text."""
        return self.path[0].span.to(self.path[-1].span)


Point = tuple[Override, ...]


@dataclass(frozen=True, slots=True)
class Axis:
    """A field and the values that it takes in turn."""

    path: tuple[Word, ...]
    values: tuple[Value, ...]


def points_of(sweeps: Iterable[Section], scope: Scope, fixed: Iterable[str], evaluator: Evaluator) -> tuple[Point, ...]:
    """All combinations, the last field changing fastest. Fields in `fixed`, by path, stay as they are.

    Reports what no sweep can be, and more than `MAX_POINTS` points.
    """
    axes: dict[str, Axis] = {}
    span: Span | None = None
    for sweep in sweeps:
        span = sweep.span
        for setting in _settings(sweep, evaluator.diagnostics):
            name = ".".join(word.text for word in setting.path)
            if name in axes:
                first = axes[name].path
                related = [Label(first[0].span.to(first[-1].span), "first here")]
                at = setting.path[0].span.to(setting.path[-1].span)
                message = f"`{name}` is swept twice"
                evaluator.diagnostics.error("CIM209", message, at, label="write one list", related=related)
            axes.setdefault(name, Axis(setting.path, _values(setting, scope, evaluator)))
    kept = set(fixed)
    left = [axis for name, axis in axes.items() if name not in kept]
    count = prod(len(axis.values) for axis in left)
    if not left or count == 0:
        return ()
    if count > MAX_POINTS:
        sizes = " * ".join(str(len(axis.values)) for axis in left)
        message = f"the sweep has {f'{sizes} = ' * (len(left) > 1)}{count} points, more than {MAX_POINTS}"
        related = [
            Label(axis.path[0].span.to(axis.path[-1].span), f"{len(axis.values)} values")
            for axis in sorted(left, key=lambda axis: -len(axis.values))[:MAX_SHOWN]
        ]
        evaluator.diagnostics.error("CIM237", message, span, label="leave some values out", related=related)
        return ()
    combinations = product(*([Override(axis.path, value) for value in axis.values] for axis in left))
    return tuple(combinations)


def _settings(sweep: Section, diagnostics: Diagnostics) -> Iterable[Setting]:
    """The statements of a sweep."""
    form = "write `sweep chip.adc.bits = 4..8`"
    if sweep.body is None or sweep.name or sweep.shape or sweep.extends or sweep.sources or sweep.arguments:
        diagnostics.error("CIM213", "`sweep` is not written like this", sweep.span, label=form)
        return
    for statement in sweep.body:
        match statement:
            case Setting():
                yield statement
            case Assign(name=name, value=value):
                yield Setting((name,), value, statement.span)
            case _:
                message = "a sweep holds fields by their path only"
                diagnostics.error("CIM213", message, statement.span, label="write `chip.adc.bits = 4..8`")


def _values(setting: Setting, scope: Scope, evaluator: Evaluator) -> tuple[Value, ...]:
    """What a field takes in turn; none after reporting."""
    value = evaluator.value(setting.value, scope)
    found: list[Value] = []
    for item in value.items if isinstance(value, ListValue) else [value]:
        if isinstance(item, Range):
            found += whole_numbers(item, MAX_POINTS, evaluator) or []
        else:
            found.append(item)
        if names_file(item):
            message = "a sweep cannot name files, which its points would look for elsewhere"
            label = "write one spec for each file; numbers and words have no quotes"
            evaluator.diagnostics.error("CIM238", message, item.span, label=label)
            return ()
    if not found and isinstance(value, ListValue):
        evaluator.diagnostics.error("CIM238", "the sweep has no values", setting.value.span, label="write some")
    return tuple(found)


def names_file(value: Value) -> bool:
    """Whether a value has a path in it. As an override of the command line it could name any file."""
    match value:
        case Text():
            return True
        case ListValue(items=items):
            return any(names_file(item) for item in items)
        case Call(function=function, arguments=arguments):
            return function.text != "builtin" and any(names_file(argument.value) for argument in arguments)
        case _:
            return False


def text_of(value: Value) -> str:
    """A plain value as a `.cim` file, or an override, has it."""
    match value:
        case Word(text=text):
            return text
        case Text(text=text):
            return f'"{text}"'
        case Number(text=text, unit=unit):
            return f"{text} {unit.text}" if unit else text
        case Quantity():
            return written_quantity(value)
        case Range(low=low, high=high):
            return f"{text_of(low)}..{text_of(high)}"
        case Shape(sizes=sizes):
            return " x ".join(text_of(size) for size in sizes)
        case ListValue(items=items):
            return f"[{', '.join(text_of(item) for item in items)}]"
        case Call(function=function, arguments=arguments):
            names = (f"{each.name.text} = " if each.name else "" for each in arguments)
            written = (name + text_of(each.value) for name, each in zip(names, arguments, strict=True))
            return f"{function.text}({', '.join(written)})"
        case _:  # a product of metrics
            return value.span.text
