"""Names and where they are used: modules -> symbols, and every place that speaks of one of them.

A place is a stretch of text: in `s1_c1`, the first two letters speak of the use `s1`, the last two of the layer `c1` of
its block, so that either can be found and renamed from it. Half-written statements are not part of the trees.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cimspec.diag import Source, Span
from cimspec.lang import (
    Argument,
    Assign,
    BlockDefinition,
    Bound,
    Call,
    Definition,
    Import,
    Let,
    Pin,
    Repeat,
    Section,
    Setting,
    Statement,
    Text,
    Value,
    Word,
)
from cimspec.lsp.symbol import Layers, Occurrence, Symbol, SymbolKind
from cimspec.spec.files import Module
from cimspec.spec.scopes import words_in


@dataclass(slots=True)
class Index:
    """What a file defines, what it makes known to those that import it, and all places in it that speak of names."""

    source: Source
    symbols: list[Symbol] = field(default_factory=list)
    occurrences: list[Occurrence] = field(default_factory=list)
    paths: list[tuple[Span, Text]] = field(default_factory=list)  # texts that may name files
    values: dict[str, Symbol] = field(default_factory=dict)  # top-level lets, imported ones too
    blocks: dict[str, Symbol] = field(default_factory=dict)
    sections: dict[tuple[str, str], Symbol] = field(default_factory=dict)  # chips and models by kind and name
    layers: dict[tuple[Path | None, int], Layers] = field(default_factory=dict)  # of blocks and models
    model: Symbol | None = None  # the only one of the file, else of its imports

    def at(self, offset: int) -> Occurrence | None:
        """The place that holds an offset, or ends there."""
        found = [each for each in self.occurrences if each.span.start <= offset <= each.span.end]
        return min(found, key=lambda each: (each.span.end == offset, each.span.end - each.span.start), default=None)

    def of(self, symbol: Symbol) -> Iterator[Span]:
        """All places of this file that speak of a symbol."""
        return (each.span for each in self.occurrences if each.symbol.key == symbol.key)


def index_module(module: Module, done: dict[int, Index] | None = None) -> Index:
    """The index of a module. `done` holds those of the modules it shares imports with."""
    done = {} if done is None else done
    if id(module) not in done:
        done[id(module)] = _Indexer(module, [index_module(each, done) for each in module.imports]).index
    return done[id(module)]


class _Indexer:
    """Fills the index of one file."""

    def __init__(self, module: Module, imports: Sequence[Index]) -> None:
        self.index = Index(module.file.source)
        for each in imports:
            self.index.values |= each.values
            self.index.blocks |= each.blocks
            self.index.sections |= each.sections
            self.index.layers |= each.layers
            self.index.model = self.index.model or each.model
        statements = module.file.statements
        for statement in statements:
            self._define_top(statement)
        models = [each for each in self.index.symbols if each.kind is SymbolKind.MODEL]
        self.index.model = models[-1] if models else self.index.model
        self._waiting: list[tuple[Word, Layers]] = []
        for statement in sorted(statements, key=self._generation):
            self._top(statement)
        for word, layers in self._waiting:
            self._speak_of_layer(word, layers)

    def _generation(self, statement: Statement) -> int:
        """How many models of this file a model extends: what it says about their layers defines none."""
        count = 0
        while isinstance(statement, Section) and statement.extends and count < len(self.index.sections):
            base = self.index.sections.get((statement.kind.text, statement.extends.text))
            if base is None or base.statement is None:
                break
            statement, count = base.statement, count + 1
        return count

    def _define(
        self, kind: SymbolKind, name: Word, head: Span, statement: Statement | None = None, *, known: bool = True
    ) -> Symbol:
        symbol = Symbol(kind, name.span, head, statement)
        if known:
            self.index.symbols.append(symbol)
        self.index.occurrences.append(Occurrence(name.span, symbol))
        return symbol

    def _speak(self, word: Word, symbol: Symbol | None) -> None:
        if symbol:
            self.index.occurrences.append(Occurrence(word.span, symbol))

    def _define_top(self, statement: Statement) -> None:
        """Make the names of the file's top level known: their order does not matter."""
        index = self.index
        match statement:
            case Let(name=name):
                index.values[name.text] = self._define(SymbolKind.LET, name, statement.span, statement)
            case BlockDefinition(name=name):
                symbol = index.blocks[name.text] = self._define(SymbolKind.BLOCK, name, statement.span, statement)
                index.layers[symbol.key] = Layers()
            case Section(kind=kind, name=Word() as name) if kind.text in ("chip", "model"):
                symbol = self._define(SymbolKind(kind.text), name, statement.span, statement)
                index.sections[kind.text, name.text] = symbol
                if kind.text == "model":
                    index.layers[symbol.key] = Layers()
            case Definition(kind=kind, name=name) if kind.text in ("model", "data"):
                self._define(SymbolKind(kind.text), name, statement.span, statement)
            case _:
                pass

    def _top(self, statement: Statement) -> None:
        values = self.index.values
        match statement:
            case Import(path=path):
                self._value(path, values)
            case Let(value=value) | Definition(value=value):
                self._value(value, values)
            case BlockDefinition():
                self._block(statement)
            case Section(kind=kind, name=name, body=body) if kind.text == "model" and name and body is not None:
                self._extends(statement)
                layers = self.index.layers[self.index.sections["model", name.text].key]
                base = self.index.sections.get(("model", statement.extends.text)) if statement.extends else None
                layers.base = self.index.layers.get(base.key) if base else None
                self._body(body, values, layers)
            case Section(kind=kind) if kind.text == "sweep":
                for setting in statement.body or ():
                    self._setting(setting)
            case Section(body=body):
                self._extends(statement)
                model = self.index.model
                known = self.index.layers.get(model.key) if model else None
                self._fields(body or (), values, known)
            case _:
                self._fields((statement,), values, None)

    def _extends(self, section: Section) -> None:
        if section.extends:
            self._speak(section.extends, self.index.sections.get((section.kind.text, section.extends.text)))

    def _setting(self, setting: Statement) -> None:
        if not isinstance(setting, Setting):
            return
        if setting.path[0].text == "let" and len(setting.path) == 2:
            self._speak(setting.path[1], self.index.values.get(setting.path[1].text))
        self._value(setting.value, self.index.values)

    def _block(self, definition: BlockDefinition) -> None:
        known = dict(self.index.values)
        for parameter in definition.parameters:
            if parameter.default:
                self._value(parameter.default, known)
        for parameter in definition.parameters:
            symbol = self._define(SymbolKind.PARAMETER, parameter.name, definition.span, definition, known=False)
            known[parameter.name.text] = symbol
        layers = self.index.layers[self.index.blocks[definition.name.text].key]
        for word in definition.inputs or ():
            layers.own[word.text] = self._define(SymbolKind.INPUT, word, definition.span, definition, known=False)
        self._body(definition.body, known, layers)

    def _body(
        self, body: Sequence[Statement], known: Mapping[str, Symbol], layers: Layers, *, repeated: bool = False
    ) -> None:
        """Layers, and what else stands among them."""
        known = dict(known)
        for statement in body:
            match statement:
                case Let(name=name):
                    known[name.text] = self._let(statement, known)
                case Repeat(variable=variable, rounds=rounds, body=inner):
                    self._value(rounds, known)
                    inside = dict(known)
                    if variable:
                        head = statement.span
                        symbol = self._define(SymbolKind.VARIABLE, variable, head, statement, known=False)
                        inside[variable.text] = symbol
                    self._body(inner, inside, layers, repeated=True)
                case Section():
                    self._layer(statement, known, layers, repeated=repeated)
                case _:
                    self._fields((statement,), known, layers)

    def _let(self, let: Let, known: Mapping[str, Symbol]) -> Symbol:
        """A `let` of a body; its value speaks of what is known before it."""
        self._value(let.value, known)
        return self._define(SymbolKind.LET, let.name, let.span, let, known=False)

    def _layer(self, section: Section, known: Mapping[str, Symbol], layers: Layers, *, repeated: bool) -> None:
        block = self.index.blocks.get(section.kind.text)
        self._speak(section.kind, block)
        self._waiting += [(word, layers) for word in section.sources or ()]
        if section.shape:
            self._value(section.shape, known)
        for argument in section.arguments or ():
            self._argument(argument, block, known)
        self._fields(section.body or (), known, layers)
        inner = self.index.layers.get(block.key) if block else None
        if section.name is None:
            if block and inner:
                layers.unnamed[section.kind.text] = block, inner
            return
        name = section.name.text
        if layers.base and list(layers.base.find(name)):  # says more about a layer of the model that is extended
            self._waiting.append((section.name, layers))
            return
        kind = SymbolKind.USE if block else SymbolKind.LAYER
        layers.own[name] = self._define(kind, section.name, section.span, section, known=False)
        if inner:
            layers.blocks[name] = inner
        if repeated:
            layers.repeated.add(name)

    def _speak_of_layer(self, word: Word, layers: Layers) -> None:
        source, start = word.span.source, word.span.start
        for first, last, symbol in layers.find(word.text):
            self.index.occurrences.append(Occurrence(Span(source, start + first, start + last), symbol))

    def _argument(self, argument: Argument, block: Symbol | None, known: Mapping[str, Symbol]) -> None:
        """An argument of a use; the parameter that it names may be of another file."""
        self._value(argument.value, known)
        definition = block.statement if block else None
        if argument.name and isinstance(definition, BlockDefinition):
            for parameter in definition.parameters:
                if parameter.name.text == argument.name.text:
                    symbol = Symbol(SymbolKind.PARAMETER, parameter.name.span, definition.span, definition)
                    self._speak(argument.name, symbol)

    def _fields(self, body: Sequence[Statement], known: Mapping[str, Symbol], layers: Layers | None) -> None:
        """Fields, and blocks of fields."""
        known = dict(known)
        for statement in body:
            match statement:
                case Let(name=name):
                    known[name.text] = self._let(statement, known)
                case Assign(value=value) | Bound(value=value):
                    self._value(value, known)
                case Pin(name=name, values=values):
                    if layers:
                        self._waiting.append((name, layers))
                    for value in values:
                        self._value(value, known)
                case Section(body=inner):
                    self._fields(inner or (), known, layers)
                case _:
                    pass

    def _value(self, value: Value, known: Mapping[str, Symbol]) -> None:
        for word in words_in(value):
            self._speak(word, known.get(word.text))
        match value:
            case Text():
                self.index.paths.append((value.span, value))
            case Call(arguments=arguments):
                for argument in arguments:
                    if isinstance(argument.value, Text):
                        self.index.paths.append((argument.value.span, argument.value))
            case _:
                pass
