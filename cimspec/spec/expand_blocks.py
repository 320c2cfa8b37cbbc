"""Expands the body of a model: uses of blocks and repeats -> a flat list of layers, each with a name of its own.

A layer `c1` of a use `s1` is called `s1_c1` (one called `_1` is `s1_1`), one of round 3 of a repeat `c1_3`; a layer
without a name in a block goes by kind and position there, `s1_relu2`. A block sees its parameters, its own layers and
its inputs, and nothing of the model around it. Every layer of a block knows its uses, for "used here".
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct, field, structs

from cimspec.diag import Diagnostics, Fix, Label, Span, respelled
from cimspec.lang import BlockDefinition, Let, Repeat, Section, Statement, Word
from cimspec.spec.block_arguments import arguments_scope
from cimspec.spec.bodies import Locals, plain_section, plain_statement, report_arguments, report_misplaced
from cimspec.spec.evaluate import Evaluator, all_same
from cimspec.spec.layers import MAX_LAYERS, OPS, plain_name, unused
from cimspec.spec.rounds import round_values
from cimspec.spec.scopes import Ambiguous, Named, Scope

MAX_NESTED = 100
USE, ROUND = 30, 10  # what a use and a round take, as steps of the evaluator
MAX_SHOWN = 8  # names of inputs in a message
CHARACTERS = 50  # of the name of a layer are made in a step
INPUT = "input"  # what a block calls its input unless it says otherwise
LOST = "?"  # stands for a layer that an error, which was reported, keeps from being made


class Block(Struct, frozen=True):
    """A block, with what is known where it is written."""

    definition: BlockDefinition
    scope: Scope
    blocks: "Blocks"


Blocks = Mapping[str, "Block | Ambiguous"]


class _Frame(Struct):
    """The body of the model, or of one use of a block."""

    prefix: str  # the name of the use; empty in the model
    blocks: Blocks
    inputs: Mapping[str, str]  # of the use: what it calls them -> names of layers
    uses: tuple[Span, ...] = ()
    is_extending: bool = False
    position: int = 0
    unnamed_uses: dict[str, int] = field(default_factory=dict)
    last: str | None = None  # the layer that the next one reads; None before the first

    def whole(self, name: str) -> str:
        """The name in the model of something that is called `name` here; `_` adds nothing to that of the block."""
        if not self.prefix:
            return name
        return self.prefix if name == "_" else f"{self.prefix}_{name.removeprefix('_')}"


class _Place(Struct, frozen=True):
    """Where in a body: which names of layers are known, and the round of the repeats around it."""

    frame: _Frame
    known: tuple[dict[str, str], ...]  # innermost first: what is written -> names of layers
    rounds: tuple[int, ...] = ()  # innermost first, of the repeats around

    @property
    def suffix(self) -> str:
        """What names of this round end with, `_2_1` in the first round of the second."""
        return "".join(f"_{number}" for number in reversed(self.rounds))

    def find(self, name: str) -> str | None:
        return next((names[name] for names in self.known if name in names), None)

    def define(self, name: str, layer: str) -> None:
        """Let `name` mean a layer here, and with the number of its round also after the repeat."""
        self.known[0][name] = layer
        suffix = ""
        for names, number in zip(self.known[1:], self.rounds, strict=True):
            suffix = f"_{number}{suffix}"
            names[name + suffix] = layer


class Expander:
    """Expands one model."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self._diagnostics: Diagnostics = evaluator.diagnostics
        self._body: list[Statement] = []
        self._layers = 0
        self._taken: set[str] = set()  # names of layers, whole
        self._named: dict[str, Span] = {}  # where what stands for a layer was given its name, by the layer's
        self._open: list[BlockDefinition] = []
        self.is_whole = True  # whether all layers could be made

    def _error(
        self,
        code: str,
        message: str,
        span: Span,
        *,
        label: str,
        related: Sequence[Label] = (),
        fixes: Sequence[Fix] = (),
    ) -> None:
        self.is_whole = False
        self._diagnostics.error(code, message, span, label=label, related=related, fixes=fixes)

    def expand(self, model: Section, scope: Scope, blocks: Blocks) -> Section:
        """The model with nothing but layers in it."""
        body = model.body or ()
        self._taken = {each.name.text for each in body if isinstance(each, Section) and each.name}
        frame = _Frame("", blocks, {}, is_extending=model.extends is not None)
        self._statements(body, _Place(frame, ({},)), scope)
        return model if all_same(self._body, body) else structs.replace(model, body=tuple(self._body))

    def _statements(self, body: Sequence[Statement], place: _Place, scope: Scope) -> None:
        lets: Locals | None = None
        for statement in body:
            match statement:
                case Section():
                    self._section(statement, place, scope)
                case Let():
                    lets = lets or Locals(scope, self._evaluator)
                    lets.add(statement)
                    scope = lets.scope
                case Repeat():
                    self._repeat(statement, place, scope)
                case BlockDefinition():
                    report_misplaced(statement, self._evaluator)
                case _ if place.frame.prefix:
                    label = "move it into a layer or into the model"
                    message = "a block holds layers, `let` and `repeat` only"
                    self._error("CIM213", message, statement.span, label=label)
                case _:
                    self._body.append(plain_statement(statement, scope, self._evaluator))

    def _section(self, section: Section, place: _Place, scope: Scope) -> None:
        kind = section.kind.text
        entries = len(section.body or ()) + len(section.sources or ()) + len(section.arguments or ())
        self._evaluator.spend(section.kind, 1 + entries)
        block = place.frame.blocks.get(kind)
        if isinstance(block, Block):
            self._use(section, block, place, scope)
        elif isinstance(block, Ambiguous):
            related = [Label(block.first, "it is defined here"), Label(block.second, "and here")]
            message = f"two imported files define the block `{kind}`"
            self._error("CIM223", message, section.kind.span, label="rename one", related=related)
        elif kind in OPS:
            self._layer(section, place, scope)
        else:
            meant = self._evaluator.diagnostics.did_you_mean(kind, place.frame.blocks)
            if meant or section.arguments is not None:
                label = f"did you mean `{meant}`?" if meant else f"define it: `block {kind}(...) {{ ... }}`"
                fixes = respelled(section.kind.span, kind, meant)
                self._error("CIM230", f"there is no block `{kind}`", section.kind.span, label=label, fixes=fixes)
            else:
                self._layer(section, place, scope)

    def _layer(self, section: Section, place: _Place, scope: Scope) -> None:
        frame = place.frame
        self._layers += 1
        frame.position += 1
        if self._layers > MAX_LAYERS and (frame.uses or place.rounds):  # those written one by one are counted later
            message = f"a model has at most {MAX_LAYERS} layers"
            self._error("CIM234", message, section.span, label="this is one too many")
            self._diagnostics.raise_if_errors()
        if section.arguments is not None:
            report_arguments(section, self._evaluator)
        layer = plain_section(section, scope, self._evaluator)
        name = self._layer_name(section, place)
        sources = self._sources(section, place)
        frame.last = name.text if name else ""
        if name is not section.name or sources is not section.sources or frame.uses or section.arguments is not None:
            layer = structs.replace(layer, name=name, sources=sources, uses=frame.uses, arguments=None)
        self._body.append(layer)

    def _layer_name(self, section: Section, place: _Place) -> Word | None:
        """The name of a layer in the model; of one without a name in the model itself it follows from all layers."""
        frame = place.frame
        if section.name is not None:
            whole = frame.whole(section.name.text) + place.suffix
            if place.known[0].get(section.name.text, whole) != whole:
                self._report_taken(section.name, place.known[0][section.name.text])
            place.define(section.name.text, whole)
            self._named.setdefault(whole, section.name.span)
            self._take(whole, section.name)
            return section.name if whole == section.name.text else Word(whole, section.name.span)
        if not frame.prefix:
            return None
        whole = unused(frame.whole(plain_name(section.kind.text, frame.position)), self._taken)
        self._take(whole, section.kind)
        return Word(whole, section.kind.span)

    def _take(self, name: str, at: Word) -> None:
        """Give a name in the model to something, so that nothing else gets it."""
        self._taken.add(name)
        self._evaluator.spend(at, len(name) // CHARACTERS)

    def _sources(self, section: Section, place: _Place) -> tuple[Word, ...] | None:
        """What a layer reads, by the names in the model."""
        frame = place.frame
        if section.sources is None:
            first = next(iter(frame.inputs.values()), None)
            needs_saying = first is not None and frame.last is None and section.kind.text != INPUT
            return (Word(first, section.span),) if needs_saying and first else None
        found = tuple(self._source(word, place) for word in section.sources)
        return section.sources if all_same(found, section.sources) else found

    def _source(self, word: Word, place: _Place) -> Word:
        """The layer that a name after `from` means. Names the model does not know are left to binding."""
        whole = place.find(word.text)
        if whole is None and place.frame.prefix:
            names = (name for names in place.known for name in names)
            meant = self._evaluator.diagnostics.did_you_mean(word.text, names)
            label = (
                f"did you mean `{meant}`?" if meant else "a block sees its inputs and its own layers before this one"
            )
            message, fixes = f"there is no layer `{word.text}` in this block", respelled(word.span, word.text, meant)
            self._error("CIM402", message, word.span, label=label, fixes=fixes)
        return word if whole is None or whole == word.text else Word(whole, word.span)

    def _repeat(self, repeat: Repeat, place: _Place, scope: Scope) -> None:
        values = round_values(repeat, scope, self._evaluator)
        if values is None:
            self.is_whole = False
        for number, value in enumerate(values or (), start=1):
            self._evaluator.spend(repeat.rounds, ROUND)
            inner = _Place(place.frame, ({}, *place.known), (number, *place.rounds))
            known = Scope({repeat.variable.text: Named(value, value.span)}, scope) if repeat.variable else scope
            self._statements(repeat.body, inner, known)

    def _use(self, use: Section, block: Block, place: _Place, scope: Scope) -> None:
        """The layers of one use of a block."""
        definition = block.definition
        self._evaluator.spend(use.kind, USE + len(definition.inputs or ()) + len(definition.parameters))
        place.frame.last, before = LOST, place.frame.last  # until all of it is known
        may_be = self._may_be_used(use, definition)
        inputs = self._inputs(use, definition, place, before) if may_be else None
        known = arguments_scope(use, definition, scope, block.scope, self._evaluator) if may_be else None
        name = self._use_name(use, place)
        if inputs is None or known is None or name is None:
            self.is_whole = False
            if use.name is not None:
                place.known[0].setdefault(use.name.text, LOST)
            return
        frame = _Frame(name, block.blocks, inputs, (use.span, *place.frame.uses))
        layers_before, found_before = self._layers, self._diagnostics.count
        self._open.append(definition)
        with self._diagnostics.used_at(frame.uses):
            self._statements(definition.body, _Place(frame, (dict(inputs),)), known)
        self._open.pop()
        if self._layers == layers_before and self._diagnostics.count > found_before:
            frame.last = LOST
        elif self._layers == layers_before:
            related = [Label(definition.span, "the block is defined here")]
            message = f"the block `{definition.name.text}` comes to no layer"
            self._error("CIM235", message, use.span, label="it has no output", related=related)
            frame.last = LOST
        if use.name is not None:
            place.define(use.name.text, frame.last or LOST)
            self._named[frame.last or LOST] = use.name.span
        place.frame.last = frame.last

    def _may_be_used(self, use: Section, definition: BlockDefinition) -> bool:
        name = definition.name.text
        if use.extends or use.shape or use.body is not None:
            label = f"write `{name} {use.name.text if use.name else 'NAME'}(...)`"
            self._error("CIM213", f"the block `{name}` is not used like this", use.span, label=label)
            return False
        if any(each is definition for each in self._open):
            related = [Label(definition.span, "the block is defined here")]
            message = f"the block `{name}` uses itself"
            label = "use `repeat` for what comes several times"
            self._error("CIM233", message, use.span, label=label, related=related)
            return False
        if len(self._open) >= MAX_NESTED:
            message = f"blocks use blocks more than {MAX_NESTED} deep"
            self._error("CIM107", message, use.span, label="this is one too deep")
            return False
        return True

    def _use_name(self, use: Section, place: _Place) -> str | None:
        """The name of a use in the model: as written, else `residual1`; None after reporting that it is taken."""
        frame = place.frame
        if use.name is None:
            kind = use.kind.text
            count = frame.unnamed_uses[kind] = frame.unnamed_uses.get(kind, 0) + 1
            whole = unused(frame.whole(f"{kind}_{count}" if kind[-1].isdigit() else f"{kind}{count}"), self._taken)
        else:
            whole = frame.whole(use.name.text) + place.suffix
            if use.name.text in place.known[0]:
                self._report_taken(use.name, place.known[0][use.name.text])
                return None
        self._take(whole, use.kind)
        return whole

    def _report_taken(self, name: Word, layer: str) -> None:
        """Report a name that a use of a block, a layer or an input has already; `layer` is what it stands for."""
        message = f"the name `{name.text}` is taken here"
        first = self._named.get(layer)
        related = [Label(first, "first defined here")] if first else []
        self._error("CIM209", message, name.span, label="rename one", related=related)

    def _inputs(
        self, use: Section, definition: BlockDefinition, place: _Place, last: str | None
    ) -> dict[str, str] | None:
        """The layers that a use reads, by what the block calls them; None after reporting."""
        wanted = [word.text for word in definition.inputs] if definition.inputs else [INPUT]
        related = [Label(definition.span, "the block is defined here")]
        if use.sources is not None and len(use.sources) == len(wanted):
            sources = [self._source(word, place).text for word in use.sources]
            return dict(zip(wanted, sources, strict=True))
        if use.sources is not None or len(wanted) > 1:
            given = len(use.sources) if use.sources else 1
            message = f"`{use.kind.text}` reads {len(wanted)} layer{'s' * (len(wanted) > 1)}, not {given}"
            shown = wanted if len(wanted) <= MAX_SHOWN else [*wanted[:MAX_SHOWN], "..."]
            label = f"write `from {', '.join(word.upper() for word in shown)}`"
            self._error("CIM232", message, use.span, label=label, related=related)
            return None
        before = self._current(use, place, last)
        return None if before is None else {wanted[0]: before}

    def _current(self, use: Section, place: _Place, last_name: str | None) -> str | None:
        """The name of the layer before a use, which gets one if it had none."""
        frame = place.frame
        if last_name:
            return last_name
        if frame.prefix and last_name is None:
            return next(iter(frame.inputs.values()))
        index = next((-at for at, each in enumerate(reversed(self._body), 1) if isinstance(each, Section)), None)
        last = self._body[index] if index is not None else None
        if index is None or not isinstance(last, Section) or frame.is_extending:
            label = "write `from LAYER`"
            what = "the layer before it has no name" if last else "there is no layer before it"
            message = f"what `{use.kind.text}` reads is not known: {what}"
            self._error("CIM232", message, use.span, label=label)
            return None
        name = unused(plain_name(last.kind.text, self._layers), self._taken)
        if last.kind.text != INPUT:  # which is called so anyway, and takes no name
            self._taken.add(name)
            self._body[index] = structs.replace(last, name=Word(name, last.kind.span))
        return name
