"""Evaluates files: modules -> modules of plain statements, without lets, blocks and sweeps; models are flat lists.

Each file is evaluated where it stands, before `extends` lays one tree over another. Names of lets and blocks come from
the file itself, else from the files it imports.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from msgspec import Struct, structs

from cimspec.diag import Diagnostics, Label, Span
from cimspec.lang import (
    Assign,
    BlockDefinition,
    Bound,
    Definition,
    Import,
    Let,
    Pin,
    Repeat,
    Section,
    Setting,
    Statement,
    Value,
    Wrong,
)
from cimspec.spec.bodies import SWEEP, plain_section, plain_statement, without_arguments
from cimspec.spec.evaluate import Evaluator, all_same
from cimspec.spec.expand_blocks import Block, Blocks, Expander
from cimspec.spec.files import Module
from cimspec.spec.reserved import check_block_name, check_name
from cimspec.spec.scopes import Ambiguous, Named, Scope, by_name, in_order

Known = TypeVar("Known", Named, Block)


class Names(Struct, frozen=True):
    """What a file makes known to those that import it, what it imports itself included."""

    lets: Mapping[str, Named | Ambiguous]
    blocks: Blocks

    @property
    def scope(self) -> Scope:
        """The lets as a scope."""
        return Scope(self.lets)


class Evaluated(Struct, frozen=True):
    """A module with plain statements, its names, and the sweeps of the file itself as they are written."""

    module: Module
    names: Names
    sweeps: tuple[Section, ...]


def evaluate_modules(module: Module, lets: Mapping[str, Value], diagnostics: Diagnostics) -> Evaluated:
    """The module and its imports with plain statements. `lets` replace top-level lets of the file itself.

    Raises `CimError` where blocks could not be expanded, or come to too much.
    """
    return _Modules(Evaluator(diagnostics, length_of(module))).evaluate(module, lets)


def length_of(module: Module) -> int:
    """Characters in a file and all that it imports, each counted once."""
    found: dict[int, int] = {}
    open_modules = [module]
    while open_modules:
        each = open_modules.pop()
        if id(each) not in found:
            found[id(each)] = len(each.file.source.text)
            open_modules += each.imports
    return sum(found.values())


class _Modules:
    """Evaluates modules, each once."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self._done: dict[int, Evaluated] = {}

    def evaluate(self, module: Module, lets: Mapping[str, Value]) -> Evaluated:
        found = self._done.get(id(module))
        if found is None:
            imports = [self.evaluate(imported, {}) for imported in module.imports]
            found = self._done[id(module)] = self._module(module, imports, lets)
        return found

    def _module(self, module: Module, imports: list[Evaluated], lets: Mapping[str, Value]) -> Evaluated:
        statements = module.file.statements
        names = self._names(statements, [each.names for each in imports], lets)
        plain = tuple(self._statements(statements, names))
        file = module.file if all_same(plain, statements) else structs.replace(module.file, statements=plain)
        sweeps = tuple(each for each in statements if isinstance(each, Section) and each.kind.text == SWEEP)
        return Evaluated(Module(file, tuple(each.module for each in imports)), names, sweeps)

    def _names(self, statements: Iterable[Statement], imports: list[Names], lets: Mapping[str, Value]) -> Names:
        """What is known in a file. Its lets may use each other in any order."""
        diagnostics = self._evaluator.diagnostics
        known = joined([each.lets for each in imports])
        written = [each for each in statements if isinstance(each, Let)]
        fitting = [each for each in written if check_name(each.name, "a `let`", diagnostics)]
        own = by_name(fitting, diagnostics)
        for each in written:
            if each.name.text not in own:  # is taken: what uses it is not reported for that
                known[each.name.text] = Named(Wrong(each.name.span), each.name.span)
        for name in lets.keys() & own.keys():
            own[name] = structs.replace(own[name], value=lets[name])
        ordered, circular = in_order(own, diagnostics)
        known |= {let.name.text: Named(Wrong(let.name.span), let.name.span) for let in circular}
        scope = Scope(known)
        named_circular = {let.name.text for let in circular}
        for let in ordered:
            if let.name.text not in named_circular:
                known[let.name.text] = Named(self._evaluator.named(let.value, scope), let.name.span)
        blocks = joined([each.blocks for each in imports])
        for definition in self._blocks(statements):
            blocks[definition.name.text] = Block(definition, scope, blocks)
        return Names(known, blocks)

    def _blocks(self, statements: Iterable[Statement]) -> Iterator[BlockDefinition]:
        """The blocks of a file that are well named."""
        first: dict[str, BlockDefinition] = {}
        diagnostics = self._evaluator.diagnostics
        for each in statements:
            if not isinstance(each, BlockDefinition) or not check_block_name(each.name, diagnostics):
                continue
            parameters: dict[str, Span] = {}
            for parameter in each.parameters:
                check_name(parameter.name, "a parameter", diagnostics)
                name, span = parameter.name.text, parameter.name.span
                if name in parameters:
                    related = [Label(parameters[name], "first defined here")]
                    message = f"two parameters are called `{name}`"
                    diagnostics.error("CIM209", message, span, label="rename one", related=related)
                parameters.setdefault(name, span)
            if each.name.text in first:
                related = [Label(first[each.name.text].span, "first defined here")]
                message = f"there are two blocks `{each.name.text}`"
                diagnostics.error("CIM209", message, each.span, label="rename one", related=related)
                continue
            first[each.name.text] = each
            yield each

    def _statements(  # noqa: C901 (one case a kind)
        self, statements: Iterable[Statement], names: Names
    ) -> Iterator[Statement]:
        """Top-level statements with plain values; lets, blocks and sweeps are taken out."""
        scope = names.scope
        diagnostics = self._evaluator.diagnostics
        for each in statements:
            match each:
                case Import():
                    yield each
                case Let() | BlockDefinition():
                    pass
                case Section(kind=kind) if kind.text == SWEEP:
                    pass
                case Section(kind=kind) if kind.text == "model":
                    expander = Expander(self._evaluator)
                    yield expander.expand(without_arguments(each, self._evaluator), scope, names.blocks)
                    if not expander.is_whole:  # what comes after would speak of layers that are not there
                        diagnostics.raise_if_errors()
                case Section(kind=kind) if kind.text in names.blocks:
                    message = f"the block `{kind.text}` is used in a model or in another block"
                    diagnostics.error("CIM213", message, each.span, label="move it into `model NAME { ... }`")
                case Section():
                    yield plain_section(without_arguments(each, self._evaluator), scope, self._evaluator)
                case Definition(value=value):
                    found = self._evaluator.value(value, scope)
                    yield each if found is value else structs.replace(each, value=found)
                case Assign() | Bound() | Pin():
                    yield plain_statement(each, scope, self._evaluator)
                case Repeat() | Setting():
                    what = (
                        "`repeat` stands in a model or in a block" if isinstance(each, Repeat) else "this is no sweep"
                    )
                    diagnostics.error("CIM213", what, each.span, label="move it there")


def joined(maps: list[Mapping[str, Known | Ambiguous]]) -> dict[str, Known | Ambiguous]:
    """What several files make known; names of two origins are ambiguous, not those that come from one by two ways."""
    found: dict[str, Known | Ambiguous] = {}
    for each in maps:
        for name, known in each.items():
            other = found.setdefault(name, known)
            if other is not known and not isinstance(other, Ambiguous):
                found[name] = Ambiguous(_span(other), _span(known))
    return found


def _span(known: Named | Block | Ambiguous) -> Span:
    match known:
        case Named():
            return known.span
        case Block():
            return known.definition.span
        case _:
            return known.second
