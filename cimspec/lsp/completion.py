"""What can be written at a place: a place in a half-written text -> proposals, best first. Knows nothing of editors."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from cimspec.docs.statements import FUNCTIONS
from cimspec.lang import COMPARISONS
from cimspec.lsp.describing import describe_block, describe_field
from cimspec.lsp.in_scope import all_layers, layers, let, names, parameters
from cimspec.lsp.place import Place
from cimspec.lsp.project import Project
from cimspec.lsp.proposal import Proposal, ProposalKind, Site
from cimspec.spec.describe import BlockInfo, FieldInfo, blocks
from cimspec.spec.layers import OPS
from cimspec.spec.library import about, library_names
from cimspec.spec.resolve import FORMS
from cimspec.spec.search import method_names
from cimspec.units import UNITS

MAX_PROPOSALS = 300
BUILTIN = ("digits", "mnist5k")
"""Data sets by name; where they are loaded, numpy would be, too."""


def proposals(place: Place, path: Path, project: Project) -> list[Proposal]:
    """What can be written at a place of a file: what is there, words that start with it, words that contain it."""
    if place.in_comment:
        return []
    word = place.word.lower()
    unique: dict[str, Proposal] = {}
    for each in _all(Site(place, path, project)):
        if word in each.label.lower():
            unique.setdefault(each.label, each)
            if len(unique) >= MAX_PROPOSALS:
                break
    return sorted(
        unique.values(), key=lambda each: (each.label.lower() != word, not each.label.lower().startswith(word))
    )


def proposal_of(place: Place, path: Path, project: Project, word: str) -> Proposal | None:
    """The proposal that a word at a place is; None if it is none."""
    found = (each for each in _all(Site(place, path, project)) if each.label == word)
    return next(found, None)


def _all(site: Site) -> Iterator[Proposal]:  # noqa: C901 (one case a kind of place)
    place = site.place
    words, last = place.words, place.last
    if place.in_text:
        yield from _texts(site)
    elif not words:
        yield from _statements(site)
    elif place.call is not None and words[0] != "import":
        yield from _arguments(site, place.call)
    elif place.statement[-1].kind == "number":
        yield from _units(_field_at(site))
    elif words[0] == "sweep" or (words[-1] == "." and place.path in ("", "sweep")) or place.path == "sweep":
        yield from _sweep(site)
    elif "=" in words:
        yield from _values(site, _field_at(site))
    elif last == "extends":
        for node in site.named(words[0]):
            yield Proposal(node.name or "", ProposalKind.NAME, " ".join(node.head))
    elif words[0] == "import":
        yield Proposal('"', ProposalKind.FILE, "a file of this folder or below it", insert='"$0"')
        yield Proposal("library", ProposalKind.FUNCTION, "a file that comes with cimspec", insert='library("$0")')
    elif "from" in words[1:] and last in ("from", ","):
        yield from layers(site)
    else:
        yield from _heads(site)


def _texts(site: Site) -> Iterator[Proposal]:
    """What can be between quotes."""
    place, words = site.place, site.place.words
    function = words[place.call - 1] if place.call else ""
    if words[:1] == ("import",):
        if function == "library":
            for name in library_names():
                yield Proposal(name, ProposalKind.FILE, about(name))
        else:
            yield from _files(site.path, (".cim",))
    elif function == "builtin":
        for name in BUILTIN:
            yield Proposal(name, ProposalKind.VALUE, "built-in data set")
    elif function == "onnx":
        yield from _files(site.path, (".onnx",))
    elif words[:1] == ("weights",):
        yield from _files(site.path, (".safetensors", ".pt", ".pth"))
    else:
        yield from _files(site.path, ())


def _files(path: Path, endings: tuple[str, ...]) -> Iterator[Proposal]:
    """Files below the folder of a file."""
    for count, found in enumerate(_below(path.parent)):
        if count >= MAX_PROPOSALS:
            return
        if found != path and (not endings or found.suffix in endings):
            yield Proposal(found.relative_to(path.parent).as_posix(), ProposalKind.FILE)


def _below(folder: Path, depth: int = 3) -> Iterator[Path]:
    """Files of a folder and of those in it, hidden ones left out; nothing of what cannot be read."""
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir() and depth and not entry.is_symlink():
            yield from _below(entry, depth - 1)
        elif entry.is_file():
            yield entry


def _statements(site: Site) -> Iterator[Proposal]:
    """What a statement can start with."""
    path = site.place.path
    if not path:
        for word, how in FORMS.items():
            start = how.partition("`")[0]
            yield Proposal(word, ProposalKind.KEYWORD, start, insert=f"{word} ")
        return
    written = {node.kind for node in site.place.around[-1].inner or ()}
    if path == "sweep":
        yield from _sweep(site)
    elif path == "model":
        yield from _model_statements(site)
    elif path in _blocks():
        fields = [field for field in _blocks()[path].fields if field.path not in ("model.input.shape",)]
        # What is still missing comes first, then what is not written yet.
        for field in sorted(fields, key=lambda each: (each.name in written, not each.is_required)):
            yield _field_proposal(field)
        yield Proposal("let", ProposalKind.KEYWORD, "let NAME = 64", insert="let ")


def _model_statements(site: Site) -> Iterator[Proposal]:
    for node in site.named("block"):
        yield Proposal(node.name or "", ProposalKind.BLOCK, " ".join(node.head), insert=f"{node.name}")
    for kind in OPS:
        info = _blocks()[f"model.{kind}"]
        yield Proposal(kind, ProposalKind.LAYER, info.form, describe_block(info))
    for word, how in (("repeat", "repeat i in 1..3 { ... }"), ("let", "let NAME = 64")):
        yield Proposal(word, ProposalKind.KEYWORD, how, insert=f"{word} ")
    for field in _blocks()["model"].fields:
        yield _field_proposal(field)


def _field_proposal(field: FieldInfo) -> Proposal:
    if field.form.startswith(f"{field.name} ="):
        insert, kind = f"{field.name} = ", ProposalKind.FIELD
    elif field.kind == "block" and f"{field.name} {{" in field.form:
        insert, kind = f"{field.name} {{ $0 }}", ProposalKind.BLOCK
    else:
        insert, kind = f"{field.name} ", ProposalKind.KEYWORD
    return Proposal(field.name, kind, field.summary, describe_field(field), insert)


def _heads(site: Site) -> Iterator[Proposal]:
    """What can follow the first words of a statement that has no `=` yet."""
    words, path = site.place.words, site.place.path
    if path == "search" and words[0] in ("keep", "require", "minimize", "pareto"):
        yield from _search(site)
    elif path == "model":
        if "from" not in words and words[0] not in ("input", "repeat"):
            yield Proposal("from", ProposalKind.KEYWORD, "the layers it reads", insert="from ")
        if words[0] == "repeat" and len(words) == 2 and site.place.statement[1].kind == "name":
            yield Proposal("in", ProposalKind.KEYWORD, "the values of each round", insert="in ")
        if "x" in words or words[:1] == ("input",) or "in" in words:
            yield from names(site)
    elif not path and words[0] in ("chip", "model") and len(words) == 2:
        yield Proposal("extends", ProposalKind.KEYWORD, f"another {words[0]}", insert="extends ")


def _search(site: Site) -> Iterator[Proposal]:
    words = site.place.words
    if words[0] == "keep" and len(words) == 1:
        yield from all_layers(site)
    elif words[0] == "keep" and len(words) == 2:
        yield Proposal("at", ProposalKind.KEYWORD, "keep LAYER at WEIGHT_BITS, ACTIVATION_BITS", insert="at ")
    elif words[0] == "require" and len(words) == 1:
        for field in _blocks()["search.require"].fields:
            written = f"{field.name} {COMPARISONS[field.name]} "
            yield Proposal(field.name, ProposalKind.FIELD, field.summary, describe_field(field), written)
    elif words[0] in ("minimize", "pareto"):
        yield from _options(_fields()[f"search.{words[0]}"])


def _field_at(site: Site) -> FieldInfo | None:
    """The field whose value is being written; None where it is none."""
    words, path = site.place.words, site.place.path
    if words[0] == "require" and len(words) > 1:
        return _fields().get(f"search.require.{words[1]}")
    if words[0] == "keep":
        return _fields().get("search.keep.weight")
    if "=" not in words:
        return None
    return _fields().get(f"{path}.{words[words.index('=') - 1]}")


def _values(site: Site, field: FieldInfo | None) -> Iterator[Proposal]:
    """What can be a value of a field; of a `let`, and of what is unknown, anything with a name."""
    words = site.place.words
    at = words.index("=")
    if at == 2 and words[0] in ("data", "model"):
        if site.place.last == "=":
            yield from _functions_of(words[0])
        return
    if words[0] == "methods":
        for name in method_names():
            yield Proposal(str(name), ProposalKind.OPTION, "search method")
        return
    if field is not None:
        yield from _options(field)
        if field.kind == "path in quotes" and site.place.last == "=":
            yield Proposal('"', ProposalKind.FILE, field.summary, insert='"$0"')
    yield from names(site)
    if field is None or field.units or "number" in field.kind:
        for how, meaning in FUNCTIONS:
            name = how.strip("`").partition("(")[0]
            yield Proposal(name, ProposalKind.FUNCTION, meaning, insert=f"{name}($0)")


def _options(field: FieldInfo) -> Iterator[Proposal]:
    """The words that a field takes, the default first."""
    if field.kind == "`true` or `false`":
        words = sorted(("true", "false"), key=lambda word: word != field.default)
        for word in words:
            yield Proposal(word, ProposalKind.OPTION, "default" if word == field.default else "", field.meaning)
    for option in sorted(field.options, key=lambda each: each.word != field.default):
        detail = f"{option.meaning}{' (default)' if option.word == field.default else ''}"
        yield Proposal(option.word, ProposalKind.OPTION, detail.strip(), field.meaning)


def _units(field: FieldInfo | None) -> Iterator[Proposal]:
    """Units behind a number: those of the field, of a named value all."""
    for name in field.units if field else tuple(UNITS):
        yield Proposal(name, ProposalKind.UNIT, UNITS[name].dimension.value)


def _arguments(site: Site, opening: int) -> Iterator[Proposal]:
    """Within the brackets of a call: named arguments after `(` and `,`, their values after `=`."""
    words = site.place.words
    function = words[opening - 1]
    info = _blocks().get(f"{words[0]}.{function}")
    if info is not None:
        if site.place.last in ("(", ","):
            for field in info.fields:
                yield Proposal(field.name, ProposalKind.FIELD, field.summary, describe_field(field), f"{field.name} = ")
        elif "=" in words[opening:]:
            name = words[len(words) - 2 - words[::-1].index("=")]
            field_of = {field.name: field for field in info.fields}
            if name in field_of and site.place.statement[-1].kind == "number":
                yield from _units(field_of[name])
            elif name in field_of:
                yield from _options(field_of[name])
        return
    if site.place.statement[-1].kind == "number":
        yield from _units(_field_at(site) if "=" in words[:opening] else None)
        return
    block_node = next((node for node in site.named("block") if node.name == words[0]), None)
    if block_node and site.place.path == "model" and site.place.last in ("(", ","):
        for name in parameters(block_node):
            yield Proposal(name, ProposalKind.FIELD, "parameter of the block", insert=f"{name} = ")
    yield from names(site)


def _functions_of(statement: str) -> Iterator[Proposal]:
    for info in blocks():
        if info.path.startswith(f"{statement}.") and info.form.startswith(f"{statement} NAME ="):
            yield Proposal(info.name, ProposalKind.FUNCTION, info.form, describe_block(info), f'{info.name}("$0")')


def _sweep(site: Site) -> Iterator[Proposal]:
    """The path of a setting word by word; behind `=` its values."""
    words = [word for word in site.place.words if word != "sweep"]
    path = "".join(words[: words.index("=")] if "=" in words else words).rstrip(".")
    if "=" in words and site.place.statement[-1].kind == "number":
        yield from _units(_fields().get(path))
    elif "=" in words:
        yield from _options(_fields()[path]) if path in _fields() else ()
    elif path == "let":
        yield from (let(node) for node in site.place.root.inner or () if node.kind == "let" and node.name)
    elif path in _blocks():
        for field in _blocks()[path].fields:
            yield Proposal(field.name, ProposalKind.FIELD, field.summary, describe_field(field))
    elif not path:
        for word in ("chip", "let", "search", "training"):
            yield Proposal(word, ProposalKind.BLOCK, "", insert=f"{word}.")


@cache
def _blocks() -> dict[str, BlockInfo]:
    return {info.path: info for info in blocks()}


@cache
def _fields() -> dict[str, FieldInfo]:
    return {field.path: field for info in blocks() for field in info.fields}
