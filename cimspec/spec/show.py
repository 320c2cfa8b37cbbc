"""A loaded spec as one `.cim` file, its imports, `extends`, names and blocks resolved: with where each value came from.

The text, saved beside the spec, means the same: it loads to the same digest. What is a default stands there as a
comment, `# range = rows`, as some rules ask what was written.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cimspec.diag import Span
from cimspec.lang import COMPARISONS
from cimspec.spec.base import SpecModel
from cimspec.spec.bind import Loaded
from cimspec.spec.blocks import Path as SpecPath
from cimspec.spec.fields import Block, Entry, FromFile, Items, entries, kind_of
from cimspec.spec.operations import InputSpec
from cimspec.spec.search import SearchSpec
from cimspec.spec.spelling import spell_field
from cimspec.spec.workload import LayerSpec, ModelSpec

DEFAULT = "default"
COMMENT_COLUMN = 56  # comments start here, or behind a longer line


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the file and what is said behind it."""

    depth: int
    text: str
    origin: str = ""

    def __str__(self) -> str:
        text = "  " * self.depth + self.text
        return f"{text.ljust(COMMENT_COLUMN)}  # {self.origin}" if self.origin else text


def show(loaded: Loaded, folder: Path) -> str:
    """The spec as text. Paths in it start at `folder`, that of the spec, where it has to be saved to mean the same."""
    return "\n".join(str(line) for line in _Shown(loaded, folder.resolve()).lines()) + "\n"


def origins(loaded: Loaded) -> dict[str, str]:
    """Where each value was written, by its path in the spec: `chip.adc.bits` -> `specs/quickstart.cim:14`."""
    places = _Places()
    return {".".join(str(part) for part in path): places.of(span) for path, span in loaded.spans.items()}


class _Places:
    """Says where spans are; counts the lines of each source once, as a large file has as many spans as lines."""

    def __init__(self) -> None:
        self._line_ends: dict[int, list[int]] = {}

    def of(self, span: Span) -> str:
        """`specs/quickstart.cim:14`, `--set`."""
        source = span.source
        if source.folder is None:
            return source.name
        if id(source) not in self._line_ends:
            self._line_ends[id(source)] = [at for at, character in enumerate(source.text) if character == "\n"]
        return f"{source.name}:{bisect_left(self._line_ends[id(source)], span.start) + 1}"


@dataclass(frozen=True, slots=True)
class _Shown:
    """A spec being written."""

    loaded: Loaded
    folder: Path
    places: _Places = field(default_factory=_Places)

    def lines(self) -> Iterator[Line]:
        spec = self.loaded.spec
        if points := self.loaded.points:
            first = " ".join(f"--set {each}" for each in points[0])
            yield Line(0, f"# Without its sweep of {len(points)} points; the first is {first}")
            yield Line(0, "")
        yield from self.block(spec.chip, f"chip {spec.chip.name}", ("chip",), 0)
        yield Line(0, "")
        yield from self.model()
        if spec.data:
            yield Line(0, "")
            yield self.call(f"data {spec.data.name}", spec.data.source, ("data",))
        for word, section in (("training", spec.training), ("search", spec.search)):
            if section:
                yield Line(0, "")
                yield from self.block(section, word, (word,), 0)

    def model(self) -> Iterator[Line]:
        model, path = self.loaded.spec.model, ("model",)
        if not isinstance(model, ModelSpec):
            yield self.call(f"model {model.name}", model.source, path)
            return
        yield Line(0, f"model {model.name} {{", self.origin(path))
        if model.weights:
            yield Line(1, f"weights = {self.path_to(model.weights.path)}", self.origin((*path, "weights")))
        before = None
        for index, layer in enumerate(model.layers):
            yield from self.layer(layer, before, (*path, "layers", index))
            before = layer.name
        yield Line(0, "}")

    def layer(self, layer: LayerSpec, before: str | None, path: SpecPath) -> Iterator[Line]:
        """A layer on one line; on several where its fields were not written together."""
        op = layer.op
        head = op.kind if isinstance(op, InputSpec) else f"{op.kind} {layer.name}"
        own = [entry for entry in entries(type(op)) if getattr(op, entry.name) is not None]
        if isinstance(op, InputSpec):
            head += f" {' x '.join(str(size) for size in op.shape)}"
            own = [entry for entry in own if entry.name != "shape"]
        if layer.inputs and layer.inputs != (before,):
            head += f" from {', '.join(layer.inputs)}"
        origins = {entry.key: self.origin((*path, entry.name)) for entry in own}
        texts = {entry.key: f"{entry.key} = {self.value(entry, op)}" for entry in own}
        written = [key for key, origin in origins.items() if origin]
        defaults = [text for key, text in texts.items() if not origins[key]]
        note = self.origin(path) + (f"; {DEFAULT}: {', '.join(defaults)}" if defaults else "")
        if all(origins[key] == self.origin(path) for key in written):
            fields = "; ".join(texts[key] for key in written)
            yield Line(1, f"{head} {{ {fields} }}" if fields else head, note)
            return
        yield Line(1, f"{head} {{", note)
        yield from (Line(2, texts[key], origins[key]) for key in written)
        yield Line(1, "}")

    def block(self, model: SpecModel, head: str, path: SpecPath, depth: int) -> Iterator[Line]:
        """A block with its fields, and the blocks in it; nothing where no field of it has a value."""
        inner = [line for entry in entries(type(model)) for line in self.statements(entry, model, path, depth + 1)]
        if inner:
            yield Line(depth, f"{head} {{", self.origin(path))
            yield from inner
            yield Line(depth, "}")

    def statements(self, entry: Entry, model: SpecModel, path: SpecPath, depth: int) -> Iterator[Line]:
        value: Any = getattr(model, entry.name)
        inner = (*path, entry.name)
        if value is None or value == () or (entry.key == "name" and depth == 1):
            return
        match entry.type:
            case Block(models=(inner_model,)) if isinstance(model, SearchSpec):
                for bound in entries(inner_model):
                    if getattr(value, bound.name) is None:
                        continue
                    text = f"{entry.key} {bound.key} {COMPARISONS[bound.key]} {self.value(bound, value)}"
                    yield Line(depth, text, self.origin((*inner, bound.name)))
            case Block():
                yield from self.block(value, entry.key, inner, depth)
            case Items(item=Block(models=(item,))):
                first, *others = entries(item)
                for index, each in enumerate(value):
                    values = ", ".join(self.value(other, each) for other in others)
                    text = f"{entry.key} {getattr(each, first.name)} at {values}"
                    yield Line(depth, text, self.origin((*inner, index)))
            case _:
                yield self.assignment(entry, model, self.origin(inner), depth)

    def assignment(self, entry: Entry, model: SpecModel, origin: str, depth: int) -> Line:
        """`bits = 8`; behind a `#` where it is a default."""
        text = f"{entry.key} = {self.value(entry, model)}"
        return Line(depth, text, origin) if origin else Line(depth, f"# {text}", DEFAULT)

    def call(self, head: str, source: SpecModel, path: SpecPath) -> Line:
        """`data d = npz("d.npz", layout = nchw)`: what a file is named for has no name, the rest has."""
        arguments: list[str] = []
        for entry in entries(type(source)):
            value = getattr(source, entry.name)
            if value is not None and value != ():
                name = "" if entry.is_required and not arguments else f"{entry.key} = "
                arguments.append(name + self.value(entry, source))
        return Line(0, f"{head} = {kind_of(type(source))}({', '.join(arguments)})", self.origin(path))

    def value(self, entry: Entry, model: SpecModel) -> str:
        value = getattr(model, entry.name)
        return self.path_to(value.path) if isinstance(entry.type, FromFile) else spell_field(entry, value)

    def path_to(self, path: Path) -> str:
        """A path as the text has it: from the folder of the spec, or whole where it leads elsewhere."""
        resolved = path.resolve()
        below = resolved.relative_to(self.folder) if resolved.is_relative_to(self.folder) else resolved
        return f'"{below.as_posix()}"'

    def origin(self, path: SpecPath) -> str:
        """Where the value at `path` was written; empty for a default."""
        span = self.loaded.spans.get(path)
        return self.places.of(span) if span else ""
