"""Loads a `.cim` file: a path and overrides -> the validated Spec, warnings, and where all was written.

All that is wrong is collected: first in the text of all files, then in what it means.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from cimspec.diag import Diagnostic, Diagnostics, Span, in_reading_order
from cimspec.lang import Call, Definition, Let, Section, Wrong
from cimspec.lang.parser import no_collection
from cimspec.spec.blocks import Binding, Place, Spans, bind_block, bind_call
from cimspec.spec.blocks import Path as SpecPath
from cimspec.spec.checks import check
from cimspec.spec.chip import Chip
from cimspec.spec.evaluate import Evaluator
from cimspec.spec.evaluate_files import evaluate_modules
from cimspec.spec.fields import Block, entries
from cimspec.spec.files import Module, Texts, read_modules
from cimspec.spec.layers import bind_model
from cimspec.spec.model_file import OnnxModelSpec
from cimspec.spec.overrides import apply_overrides, check_paths, is_let, parse_override
from cimspec.spec.resolve import FORMS, Roots, resolve
from cimspec.spec.search import SearchSpec
from cimspec.spec.spec import Spec
from cimspec.spec.sweep import Override, Point, points_of
from cimspec.spec.training import TrainingSpec
from cimspec.spec.workload import DataSpec, ModelSpec

Defined = TypeVar("Defined", OnnxModelSpec, DataSpec)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A spec with what later steps need to speak of its text.

    Keys of `spans` follow the attributes of Spec: `("chip", "adc", "bits")` is a value, `("chip", "adc")` the
    head of a block, `("model", "layers", 3)` the head of a layer, `("search", "keep", 0)` a statement.
    """

    spec: Spec
    warnings: tuple[Diagnostic, ...]
    spans: Spans
    points: tuple[tuple[str, ...], ...] = ()
    """The points of the file's sweeps, as overrides that `load` takes; the spec itself is without them."""

    def span(self, *path: str | int) -> Span | None:
        """Where the value at `path` was written; for a default, where the block around it was."""
        return nearest(self.spans, path)


def nearest(spans: Spans, path: SpecPath) -> Span | None:
    """The span of `path`, else of the closest thing around it."""
    while path and path not in spans:
        path = path[:-1]
    return spans.get(path)


def load_spec(path: str | Path, overrides: Sequence[str] = ()) -> Spec:
    """The spec in a file, with overrides as `chip.adc.bits=6`. Raises CimError with all that is wrong."""
    return load(path, overrides).spec


def load(path: str | Path, overrides: Sequence[str] = (), texts: Texts | None = None) -> Loaded:
    """Like `load_spec`, with the warnings, the spans and the points of a sweep. `texts` stand in for files."""
    diagnostics = Diagnostics()
    with no_collection():
        module = read_modules(Path(path), diagnostics, texts)
        return load_module(module, Path(path).stem, parsed(overrides, diagnostics), diagnostics)[0]


def parsed(overrides: Sequence[str], diagnostics: Diagnostics) -> list[Override]:
    """The overrides of a command line. Those that are none are reported."""
    return [found for text in overrides if (found := parse_override(text, diagnostics)) is not None]


def load_module(
    module: Module, name: str, overrides: Sequence[Override], diagnostics: Diagnostics, *, is_point: bool = False
) -> tuple[Loaded, tuple[Point, ...]]:
    """The spec of a file under overrides, and the points of its sweeps, unless this is one of them."""
    lets = {override.path[-1].text: override.value for override in overrides if is_let(override)}
    evaluated = evaluate_modules(module, lets, diagnostics)
    evaluator, scope = Evaluator(diagnostics), evaluated.names.scope
    own_lets = [each.name.text for each in module.file.statements if isinstance(each, Let)]
    fields = [replace(override, value=evaluator.value(override.value, scope)) for override in overrides]
    plain = resolve(evaluated.module, diagnostics)
    roots = apply_overrides(plain, fields, own_lets, diagnostics) if fields else plain
    points: tuple[Point, ...] = ()
    if evaluated.sweeps and not is_point:
        points = points_of(evaluated.sweeps, scope, (override.name for override in overrides), evaluator)
        check_paths((override for point in points for override in point), plain, own_lets, diagnostics)
    binding = Binding(diagnostics)
    spec = bind(roots, name, binding)
    diagnostics.raise_if_errors()
    assert spec is not None, "what keeps a spec from being built was reported"
    texts = tuple(tuple(override.text for override in point) for point in points)
    return Loaded(spec, in_reading_order(diagnostics.all), binding.spans, texts), points


def bind(roots: Roots, name: str, binding: Binding) -> Spec | None:
    """The spec that the trees describe, checked as a whole."""
    chip = bind_chip(roots.chip, binding) if roots.chip else None
    model = bind_network(roots.model, binding) if roots.model else None
    data = bind_definition(DataSpec, roots.data, binding) if roots.data else None
    training = bind_training(roots.training, binding) if roots.training else TrainingSpec()
    search = bind_search(roots.search, binding) if roots.search else None
    check(chip, model, search, roots.data is not None, binding)
    if chip is None or model is None or training is None or binding.diagnostics.has_errors:
        return None
    return Spec(name=name, chip=chip, model=model, data=data, training=training, search=search)


def bind_chip(section: Section, binding: Binding) -> Chip | None:
    """The chip of a section."""
    assert section.name is not None, "a chip without a name was reported"
    place = Place("chip", section.span, ("chip",))
    return bind_block(Chip, place, section.body or (), binding, given={"name": section.name.text})


def bind_training(section: Section, binding: Binding) -> TrainingSpec | None:
    """The training of a section."""
    return bind_block(TrainingSpec, Place("training", section.span, ("training",)), section.body or (), binding)


def bind_search(section: Section, binding: Binding) -> SearchSpec | None:
    """The search of a section."""
    return bind_block(SearchSpec, Place("search", section.span, ("search",)), section.body or (), binding)


def bind_network(root: Section | Definition, binding: Binding) -> ModelSpec | OnnxModelSpec | None:
    """The model of a section, or of a definition that names a file."""
    return bind_model(root, binding) if isinstance(root, Section) else bind_definition(OnnxModelSpec, root, binding)


def bind_definition(model: type[Defined], definition: Definition, binding: Binding) -> Defined | None:
    """Data or a model that comes from a call."""
    kind = definition.kind.text
    binding.spans[kind,] = definition.span
    (source,) = (entry for entry in entries(model) if entry.name == "source")
    assert isinstance(source.type, Block), "what is defined comes from a call"
    if isinstance(definition.value, Wrong):
        return None
    if not isinstance(definition.value, Call):
        message = f"`{kind}` is not written like this"
        binding.diagnostics.error("CIM213", message, definition.value.span, label=f"write `{FORMS[kind]}`")
        return None
    bound = bind_call(source.type, definition.value, (kind, "source"), binding)
    return model.model_validate({"name": definition.name.text, "source": bound}) if bound else None
