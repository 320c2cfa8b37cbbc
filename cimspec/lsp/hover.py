"""What is said about the word at the cursor: a place of a file -> Markdown and the stretch that it is about."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from cimspec.diag import CimError, Diagnostics, Span
from cimspec.graph import Shape
from cimspec.lang import Let, Number, Quantity, Value
from cimspec.lsp.check import Checked
from cimspec.lsp.completion import proposal_of
from cimspec.lsp.describing import describe_code
from cimspec.lsp.place import place_at
from cimspec.lsp.project import Project
from cimspec.lsp.symbol import Symbol, SymbolKind
from cimspec.spec.dimensions import spell_quantity
from cimspec.spec.evaluate_files import evaluate_modules
from cimspec.spec.scopes import Named

WORD = re.compile(r"\w+|%")
MAX_SHAPES = 8  # of a layer in a block that is used often


def word_at(text: str, offset: int) -> tuple[int, int] | None:
    """From where to where the word at an offset goes; None where there is none."""
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    for found in WORD.finditer(text, start, len(text) if end < 0 else end):
        if found.start() <= offset <= found.end():
            return found.span()
    return None


def hover(path: Path, offset: int, project: Project, checked: Iterable[Checked]) -> tuple[str, int, int] | None:
    """What is said about the word at an offset, and from where to where it goes; None where there is nothing to say."""
    text = project.text(path)
    found = word_at(text, offset) if text is not None else None
    if text is None or found is None:
        return None
    start, end = found
    parts = list(_parts(path, text, start, end, project, checked))
    return ("\n\n---\n\n".join(parts), start, end) if parts else None


def _parts(path: Path, text: str, start: int, end: int, project: Project, checked: Iterable[Checked]) -> Iterator[str]:
    page = describe_code(text[start:end])
    if page:
        yield page
        return
    place = place_at(text, start)
    if place.in_comment or place.in_text:
        return
    index = project.index(path)
    occurrence = index.at(start) if index and index.source.text == text else None
    if occurrence:
        yield describe_symbol(occurrence.symbol, path, project)
        head = occurrence.symbol.head
        own = project.text(file) if (file := head.source.file) else None
        shapes = list(layer_shapes(head, own or "", checked))
    else:
        proposal = proposal_of(place, path, project, text[start:end])
        if proposal:
            yield proposal.documentation or f"`{proposal.label}`"
            if proposal.detail and proposal.detail not in proposal.documentation:
                yield proposal.detail
        shapes = list(layer_shapes((path, start), text, checked))
    if shapes:
        more = len(shapes) - MAX_SHAPES
        yield "\n".join(
            [*(f"- {shape}" for shape in shapes[:MAX_SHAPES]), *([f"- and {more} more"] if more > 0 else [])]
        )


def describe_symbol(symbol: Symbol, path: Path, project: Project) -> str:
    """A name: what it is, how it was written, of a `let` its value."""
    file = symbol.span.source.file
    where = f" in `{symbol.span.source.name}`" if file != path else ""
    described = f"{symbol.kind}{where}\n\n```cim\n{symbol.head.text}\n```"
    value = let_value(symbol, project) if symbol.kind is SymbolKind.LET else None
    return f"{described}\n\n= {value}" if value else described


def let_value(symbol: Symbol, project: Project) -> str | None:
    """What a top-level `let` comes to; None where it says so itself, or cannot be told."""
    file = symbol.span.source.file
    parsed = project.parsed(file) if file else None
    let = symbol.statement
    if parsed is None or not isinstance(let, Let):
        return None
    try:
        known = evaluate_modules(parsed.module, {}, Diagnostics()).names.lets.get(symbol.name)
    except CimError:
        return None
    if not isinstance(known, Named) or known.span.start != symbol.span.start:
        return None
    text = value_text(known.value)
    return None if text == let.value.span.text else text


def value_text(value: Value) -> str | None:
    """A value that was evaluated, for a person."""
    match value:
        case Quantity():
            return spell_quantity(value)
        case Number():
            return value.span.text
        case _:
            return None


def layer_shapes(head: Span | tuple[Path, int], text: str, checked: Iterable[Checked]) -> Iterator[str]:
    """The shapes of the layers that a head makes, if the file, or one that imports it, is right as it stands."""
    file, start = (head.source.file, head.start) if isinstance(head, Span) else head
    for each in checked:
        found = [] if file is None or file not in each.files else list(_shapes_in(each, file, start, text))
        if found:
            yield from found
            return


def _shapes_in(checked: Checked, file: Path, start: int, text: str) -> Iterator[str]:
    """What a spec says; of an older text than the one that is shown, nothing: positions have changed."""
    if checked.loaded is None or checked.graph is None or checked.texts.get(file, text) != text:
        return
    layers = {layer.name: layer for layer in checked.graph.layers}
    for index, declared in enumerate(getattr(checked.loaded.spec.model, "layers", ())):
        span = checked.loaded.spans.get(("model", "layers", index))
        if span and span.start == start and span.source.file == file and declared.name in layers:
            layer = layers[declared.name]
            reads = ", ".join(shape_text(layers[name].shape) for name in layer.inputs)
            yield f"`{declared.name}`: {f'{reads} -> ' if reads else ''}{shape_text(layer.shape)}"


def shape_text(shape: Shape) -> str:
    """`16 x 32 x 32`."""
    return " x ".join(map(str, shape))
