"""Evaluates the statements of a body: lets are taken out, values replaced; what needs neither stays the same object."""

from collections.abc import Iterator

from msgspec import structs

from cimspec.diag import Label, Span
from cimspec.lang import (
    Assign,
    BlockDefinition,
    Bound,
    Let,
    Number,
    Pin,
    Repeat,
    Section,
    Setting,
    Shape,
    Statement,
    Wrong,
)
from cimspec.spec.evaluate import Evaluator, all_same
from cimspec.spec.reserved import check_name
from cimspec.spec.scopes import Named, Scope

SWEEP = "sweep"


class Locals:
    """Lets of one body: each known from its statement to the end of the body."""

    def __init__(self, outer: Scope, evaluator: Evaluator) -> None:
        self._names: dict[str, Named] = {}
        self._evaluator = evaluator
        self.scope = Scope(self._names, outer)  # what is evaluated with it has been when the next let comes

    def add(self, let: Let) -> None:
        """Take in one more let."""
        name, diagnostics = let.name.text, self._evaluator.diagnostics
        if not check_name(let.name, "a `let`", diagnostics):
            self._names[name] = Named(Wrong(let.name.span), let.name.span)
            return
        if name in self._names:
            related = [Label(self._names[name].span, "first defined here")]
            message = f"there are two `let {name}`"
            diagnostics.error("CIM209", message, let.name.span, label="rename one", related=related)
            return
        self._names[name] = Named(self._evaluator.named(let.value, self.scope), let.name.span)


def plain_section(section: Section, scope: Scope, evaluator: Evaluator) -> Section:
    """A block of fields, or a layer, with plain values only."""
    shape = section.shape
    if shape is not None:
        found = evaluator.value(shape, scope)
        shape = found if isinstance(found, Shape) else Shape((found,), shape.span)
    body = section.body
    if body and not all(map(is_plain, body)):
        new = tuple(plain_statements(body, scope, evaluator))
        body = body if all_same(new, body) else new
    if body is section.body and shape is section.shape:
        return section
    return structs.replace(section, shape=shape, body=body)


def is_plain(statement: Statement) -> bool:
    """Whether nothing in it is to be evaluated, as in most fields of large models: `kernel = 3`."""
    return isinstance(statement, Assign) and isinstance(statement.value, Number)


def plain_statements(body: tuple[Statement, ...], scope: Scope, evaluator: Evaluator) -> Iterator[Statement]:
    """The statements of a body of fields, lets taken out."""
    lets: Locals | None = None
    for statement in body:
        if isinstance(statement, Let):
            lets = lets or Locals(scope, evaluator)
            lets.add(statement)
            scope = lets.scope
        elif isinstance(statement, Repeat | BlockDefinition | Setting):
            report_misplaced(statement, evaluator)
        elif isinstance(statement, Section) and statement.kind.text == SWEEP:
            label = "move it out of this one"
            evaluator.diagnostics.error("CIM213", "`sweep` stands outside of all others", statement.span, label=label)
        else:
            yield plain_statement(statement, scope, evaluator)


def plain_statement(statement: Statement, scope: Scope, evaluator: Evaluator) -> Statement:
    """A statement with plain values."""
    if isinstance(statement, Assign):
        found = evaluator.value(statement.value, scope)
        return statement if found is statement.value else Assign(statement.name, found, statement.span)
    match statement:
        case Bound(value=value):
            found = evaluator.value(value, scope)
            return statement if found is value else structs.replace(statement, value=found)
        case Pin(values=values):
            values = tuple(evaluator.value(value, scope) for value in values)
            return statement if all_same(values, statement.values) else structs.replace(statement, values=values)
        case Section():
            evaluator.spend(statement.kind)
            return plain_section(without_arguments(statement, evaluator), scope, evaluator)
        case _:
            return statement


def without_arguments(section: Section, evaluator: Evaluator) -> Section:
    """What is no block, without the arguments that are reported if it has some."""
    if section.arguments is None:
        return section
    report_arguments(section, evaluator)
    return structs.replace(section, arguments=None)


def report_arguments(section: Section, evaluator: Evaluator) -> None:
    """Report arguments of what is no block."""
    message = f"`{section.kind.text}` is no block, it takes no arguments"
    head = f"{section.kind.text} {section.name.text}" if section.name else section.kind.text
    label = f"write `{head} {{ ... }}`"
    evaluator.diagnostics.error("CIM230", message, section.span, label=label)


def report_misplaced(statement: Repeat | BlockDefinition | Setting, evaluator: Evaluator) -> None:
    """Report a statement that cannot stand in a body of fields."""
    what, label = {
        Repeat: ("`repeat` stands in a model or in a block", "move it there"),
        BlockDefinition: ("`block` stands outside of all others", "move it out of this one"),
        Setting: ("only a sweep sets fields by their path", "open the blocks: `adc { bits = 6 }`"),
    }[type(statement)]
    evaluator.diagnostics.error("CIM213", what, span_of(statement), label=label)


def span_of(statement: Statement) -> Span:
    """Where a statement, or its head, is."""
    return statement.span
