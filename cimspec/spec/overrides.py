"""Carries out overrides of the command line: `chip.adc.bits=6` replaces a field in the tree, before binding.

So every check and message works on the new value, and points into the text of the override.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from msgspec import structs

from cimspec.diag import Diagnostics, Source, Span, respelled
from cimspec.lang import Assign, Definition, Section, Statement, Value, Word, parse_value
from cimspec.spec.base import SpecModel
from cimspec.spec.chip import Chip
from cimspec.spec.fields import Block, Items, entries
from cimspec.spec.layers import OPS, layer_names, with_setting
from cimspec.spec.resolve import Roots
from cimspec.spec.search import SearchSpec
from cimspec.spec.sweep import Override
from cimspec.spec.training import TrainingSpec

SOURCE_NAME = "--set"
LET = "let"
SETTING = re.compile(r"\s*([\w.]+?)\s*=")


def parse_override(text: str, diagnostics: Diagnostics) -> Override | None:
    """`chip.adc.bits=6` as it stands on the command line; None after reporting that it is none."""
    source = Source(SOURCE_NAME, text)
    match = SETTING.match(text)
    if match is None:
        span = Span(source, 0, len(text))
        diagnostics.error("CIM108", "an override is `path=value`", span, label="write it like `chip.adc.bits=6`")
        return None
    value = parse_value(source, match.end(), diagnostics)
    return None if value is None else Override(tuple(words(source, *match.span(1))), value)


def is_let(override: Override) -> bool:
    """Whether it replaces a `let` of the file rather than a field."""
    return override.path[0].text == LET and len(override.path) > 1


def check_paths(overrides: Iterable[Override], roots: Roots, lets: Sequence[str], diagnostics: Diagnostics) -> None:
    """Report overrides of fields, or of lets, that there are not; `lets` are those of the file itself."""
    named = {override.name: override for override in overrides}
    fields: list[str] | None = None  # asked for if need be: a network may have ten thousand layers
    for name, override in named.items():
        if is_let(override):
            known = [f"{LET}.{let}" for let in lets]
        else:
            fields = known = list(settable(roots)) if fields is None else fields
        if name not in known:
            report_path(name, override.span, known, diagnostics)


def apply_overrides(
    roots: Roots, overrides: Iterable[Override], lets: Sequence[str], diagnostics: Diagnostics
) -> Roots:
    """The trees with every field replaced that can be, in order; the others are reported. Lets are replaced before."""
    overrides = list(overrides)
    before = diagnostics.count
    check_paths(overrides, roots, lets, diagnostics)
    if diagnostics.count > before:
        known = {*settable(roots)}
        overrides = [override for override in overrides if override.name in known]
    for override in overrides:
        if not is_let(override):
            roots = set_root(roots, override.path, override.value)
    return roots


def words(source: Source, start: int, end: int) -> Iterator[Word]:
    """The names of a path, each with its span."""
    for match in re.compile(r"\w+").finditer(source.text, start, end):
        yield Word(match.group(), Span(source, *match.span()))


def set_root(roots: Roots, path: tuple[Word, ...], value: Value) -> Roots:
    """The trees with the field at `path` replaced."""
    root, *inner = path
    span = root.span.to(value.span)
    match root.text:
        case "data":
            name = roots.data.name if roots.data else root
            return replace(roots, data=Definition(root, name, value, span))
        case "chip" if roots.chip:
            return replace(roots, chip=with_field(roots.chip, inner, value, span))
        case "model" if isinstance(roots.model, Section) and len(inner) == 1:
            return replace(roots, model=with_field(roots.model, inner, value, span))
        case "model" if isinstance(roots.model, Section) and inner:
            return replace(roots, model=with_layer_field(roots.model, inner, value, span))
        case "model":
            return replace(roots, model=Definition(root, (roots.model and roots.model.name) or root, value, span))
        case "search" if roots.search:
            return replace(roots, search=with_field(roots.search, inner, value, span))
        case _:
            training = roots.training or Section(root, None, None, None, None, (), root.span)
            return replace(roots, training=with_field(training, inner, value, span))


def with_field(section: Section, path: list[Word], value: Value, span: Span) -> Section:
    """The section with the field at `path` replaced; blocks on the way that are not there are made."""
    word, *rest = path
    body: list[Statement] = list(section.body or ())
    if not rest:
        body = [old for old in body if not (isinstance(old, Assign) and old.name.text == word.text)]
        return structs.replace(section, body=(*body, Assign(word, value, span)))
    for index, old in enumerate(body):
        if isinstance(old, Section) and old.kind.text == word.text:
            body[index] = with_field(old, rest, value, span)
            return structs.replace(section, body=tuple(body))
    empty = Section(word, None, None, None, None, (), word.span)
    return structs.replace(section, body=(*body, with_field(empty, rest, value, span)))


def with_layer_field(model: Section, path: list[Word], value: Value, span: Span) -> Section:
    """The model with a field of one layer replaced."""
    layer, name = path
    body = list(model.body or ())
    index = layer_names(body).index(layer.text)
    old = body[index]
    assert isinstance(old, Section), "only layers have names"
    body[index] = with_setting(old, Assign(name, value, span))
    return structs.replace(model, body=tuple(body))


def settable(roots: Roots) -> Iterator[str]:
    """Every path that an override can name."""
    if roots.chip:
        yield from paths(Chip, "chip")
    yield "model"
    if isinstance(roots.model, Section):
        yield "model.weights"
        body = roots.model.body or ()
        for layer, name in zip(body, layer_names(body), strict=True):
            if isinstance(layer, Section) and layer.kind.text in OPS:
                yield from paths(OPS[layer.kind.text], f"model.{name}")
    if roots.search:
        yield from paths(SearchSpec, "search")
    yield "data"
    yield from paths(TrainingSpec, "training")


def paths(model: type[SpecModel], prefix: str) -> Iterator[str]:
    """Paths of the fields of a block and the blocks in it; names are not fields to change."""
    for entry in entries(model):
        match entry.type:
            case Block(models=(one,)):
                yield from paths(one, f"{prefix}.{entry.key}")
            case Block() | Items(item=Block()):
                pass
            case _ if entry.key != "name":
                yield f"{prefix}.{entry.key}"


def report_path(path: str, span: Span, known: list[str], diagnostics: Diagnostics) -> None:
    """Report a path that names no field: the field may be one block further in, or mistyped."""
    root, _, last = path.rpartition(".")
    inside = [each for each in known if each.endswith(f".{last}") and each.startswith(root.partition(".")[0])]
    meant = inside[0] if len(inside) == 1 else diagnostics.did_you_mean(path, known)
    absent = not any(each.startswith(path.partition(".")[0]) for each in known)
    label = f"did you mean `{meant}`?" if meant else "no field has this path"
    if path.startswith(f"{LET}."):
        label = f"did you mean `{meant}`?" if meant else "the file itself has no `let` of this name"
    if absent and path.startswith("search."):
        label = "the file has no `search`"
    fixes = respelled(span, path, meant)
    diagnostics.error("CIM207", f"unknown path `{path}`", span, label=label, fixes=fixes)
