"""Finds the chip, model, data, training and search in force: modules -> one tree each, `extends` carried out.

In force is what the file itself defines, else the only one among its imports.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from msgspec import structs

from cimspec.diag import Diagnostics, Label, respelled
from cimspec.lang import Assign, Bound, Definition, Import, Pin, Section, Statement
from cimspec.spec.files import Module
from cimspec.spec.layers import OPS
from cimspec.spec.statements import check_duplicates, plain

NAMED = ("chip", "model")
UNNAMED = ("training", "search")
DEFINED = ("model", "data")  # written with `=`; a model can be a section as well
KINDS = ("import", "let", *NAMED, "data", *UNNAMED, "block", "sweep")
FORMS = {
    "chip": "chip NAME { ... }",
    "model": 'model NAME { ... }` or `model NAME = onnx("file.onnx")',
    "data": 'data NAME = builtin("digits")',
    "training": "training { ... }",
    "search": "search { ... }",
    "import": 'import "file.cim"',
    "let": "let NAME = 64",
    "block": "block NAME(PARAMETER) { ... }",
    "sweep": "sweep chip.adc.bits = 4..8",
}
OF_OTHERS = {
    **dict.fromkeys(("var", "const", "def", "set", "define", "param"), "let"),
    **dict.fromkeys(("arch", "architecture", "hardware", "accelerator"), "chip"),
    **dict.fromkeys(("net", "graph", "workload"), "model"),
    **dict.fromkeys(("function", "module", "macro", "subgraph"), "block"),
    "dataset": "data",
    "train": "training",
}
"""Statements of other languages."""
MAX_EXTENDS = 100  # in a chain: each is laid over the one before
INNER = {
    "crossbar": "chip",
    "adc": "chip",
    "dac": "chip",
    "device": "chip",
    "tile": "chip",
    "digital": "chip",
    "network": "chip",
    "memory": "chip",
    "repeat": "model",
    "keep": "search",
    "minimize": "search",
    "pareto": "search",
    "require": "search",
}


@dataclass(frozen=True, slots=True)
class Roots:
    """The statements in force, as trees."""

    chip: Section | None
    model: Section | Definition | None
    data: Definition | None
    training: Section | None
    search: Section | None


def resolve(module: Module, diagnostics: Diagnostics) -> Roots:
    """What is in force in a file."""
    modules = list(walk(module))
    tops = {id(each): list(definitions(each, diagnostics)) for each in modules}
    defined = [top for each in modules for top in tops[id(each)]]
    by_name = named_sections(defined, diagnostics)

    def section(kind: str) -> Section | None:
        found = in_force(module, kind, tops, {}, diagnostics)
        return extended(found, by_name, diagnostics) if isinstance(found, Section) else None

    data = in_force(module, "data", tops, {}, diagnostics)
    model = in_force(module, "model", tops, {}, diagnostics)
    roots = Roots(
        chip=section("chip"),
        model=extended(model, by_name, diagnostics) if isinstance(model, Section) else model,
        data=data if isinstance(data, Definition) else None,
        training=section("training"),
        search=section("search"),
    )
    for kind in NAMED:
        if not any(top.kind.text == kind for top in defined) and not diagnostics.has_errors:
            message = f"`{module.file.source.name}` has no {kind}"
            diagnostics.error("CIM217", message, help=f"write `{FORMS[kind]}`, or import a file that has one")
    return roots


def walk(module: Module) -> Iterator[Module]:
    """The module and all that it imports, each once, imported ones first."""
    seen: set[int] = set()

    def visit(each: Module) -> Iterator[Module]:
        if id(each) not in seen:
            seen.add(id(each))
            for imported in each.imports:
                yield from visit(imported)
            yield each

    yield from visit(module)


def definitions(module: Module, diagnostics: Diagnostics) -> Iterator[Section | Definition]:
    """The top-level statements of a file that are well formed; others are reported."""
    for statement in module.file.statements:
        match statement:
            case Import():
                pass
            case Definition() if statement.kind.text in DEFINED:
                yield statement
            case Section() if is_well_formed(statement):
                section = plain(statement, diagnostics)
                check_duplicates(section, diagnostics)
                yield section
            case _:
                report_top_level(statement, diagnostics)


def is_well_formed(section: Section) -> bool:
    """Whether a top-level section has the parts that its kind must have."""
    kind = section.kind.text
    has_rest = section.shape is not None or section.sources is not None
    if kind in NAMED:
        return section.name is not None and (section.body is not None or section.extends is not None) and not has_rest
    return (
        kind in UNNAMED
        and section.name is None
        and section.extends is None
        and not has_rest
        and section.body is not None
    )


def report_top_level(statement: Statement, diagnostics: Diagnostics) -> None:
    """Report a statement that cannot stand outside of blocks, or not like this."""
    assert isinstance(statement, Assign | Definition | Bound | Pin | Section), (
        "others are gone once a file is evaluated"
    )
    word = statement.name if isinstance(statement, Assign) else statement.kind
    if word.text in FORMS:
        message = f"`{word.text}` is not written like this"
        diagnostics.error("CIM213", message, statement.span, label=f"write `{FORMS[word.text]}`")
    elif word.text in INNER or word.text in OPS or isinstance(statement, Assign):
        block = "model" if word.text in OPS else INNER.get(word.text)
        label = f"move it into `{block} {{ ... }}`" if block else "move it into its block"
        diagnostics.error("CIM213", f"`{word.text}` cannot stand outside of blocks", word.span, label=label)
    else:
        meant = OF_OTHERS.get(word.text) or diagnostics.did_you_mean(word.text, KINDS)
        diagnostics.error(
            "CIM201",
            f"unknown statement `{word.text}`",
            word.span,
            label=f"did you mean `{meant}`?" if meant else "remove it",
            notes=[f"a file holds: {', '.join(KINDS)}"],
            fixes=respelled(word.span, word.text, meant),
        )


def named_sections(defined: list[Section | Definition], diagnostics: Diagnostics) -> dict[tuple[str, str], Section]:
    """Chips and models by kind and name."""
    by_name: dict[tuple[str, str], Section] = {}
    for top in defined:
        if not isinstance(top, Section) or top.name is None:
            continue
        key = (top.kind.text, top.name.text)
        if key in by_name:
            message = f"there are two {top.kind.text}s `{top.name.text}`"
            related = [Label(by_name[key].span, "first defined here")]
            diagnostics.error("CIM209", message, top.span, label="rename one", related=related)
        by_name.setdefault(key, top)
    return by_name


def in_force(
    module: Module,
    kind: str,
    tops: dict[int, list[Section | Definition]],
    known: dict[int, Section | Definition | None],
    diagnostics: Diagnostics,
) -> Section | Definition | None:
    """The statement of a kind that counts in a file: its own, else the only one that its imports have.

    `known` keeps what was found: files may be imported over many ways.
    """
    if id(module) in known:
        return known[id(module)]
    own = [top for top in tops[id(module)] if top.kind.text == kind]
    candidates = own or list(
        {
            id(found): found
            for imported in module.imports
            if (found := in_force(imported, kind, tops, known, diagnostics)) is not None
        }.values()
    )
    if len(candidates) > 1:
        first, second = candidates[:2]
        diagnostics.error(
            "CIM216",
            f"`{module.file.source.name}` has more than one {kind}",
            second.span,
            label="keep one, or define the one that counts in the file itself",
            related=[Label(first.span, "this is another")],
        )
    known[id(module)] = candidates[0] if candidates else None
    return known[id(module)]


def extended(section: Section, by_name: dict[tuple[str, str], Section], diagnostics: Diagnostics) -> Section | None:
    """A section with all that it extends laid under it; None after reporting that this cannot be found."""
    chain = [section]
    seen = {id(section)}
    while (word := chain[-1].extends) is not None:
        kind = section.kind.text
        base = by_name.get((kind, word.text))
        if base is None:
            meant = diagnostics.did_you_mean(word.text, (name for other, name in by_name if other == kind))
            label = f"did you mean `{meant}`?" if meant else f"no {kind} has this name"
            fixes = respelled(word.span, word.text, meant)
            diagnostics.error("CIM214", f"there is no {kind} `{word.text}`", word.span, label=label, fixes=fixes)
            return None
        if id(base) in seen:
            message = f"`{word.text}` extends itself"
            links = chain[next(index for index, each in enumerate(chain) if each is base) : -1]
            related = [Label(each.extends.span, "by way of this") for each in links if each.extends]
            diagnostics.error("CIM215", message, word.span, label="extend another one", related=related)
            return None
        chain.append(base)
        seen.add(id(base))
        if len(chain) > MAX_EXTENDS + 1:
            message = f"`{section.name.text if section.name else kind}` extends more than {MAX_EXTENDS} others"
            diagnostics.error("CIM107", message, word.span, label="write what it comes to")
            return None
    result = chain[-1]
    for derived in reversed(chain[:-1]):
        result = merged(result, derived)
    return structs.replace(result, extends=None)


def merged(base: Section, derived: Section) -> Section:
    """The base with what the derived section says instead: field by field, also in blocks and layers."""
    by_key = {key: statement for statement in derived.body or () if (key := key_of(statement, derived))}
    body: list[Statement] = []
    for old in base.body or ():
        new = by_key.pop(key_of(old, base), None)
        if isinstance(old, Section) and isinstance(new, Section):
            body.append(merged(old, new))
        else:
            body.append(new or old)
    left = {id(statement) for statement in by_key.values()}
    body += [new for new in derived.body or () if id(new) in left or not key_of(new, derived)]
    shape, sources = derived.shape or base.shape, derived.sources or base.sources
    uses = derived.uses or base.uses
    return structs.replace(derived, shape=shape, sources=sources, body=tuple(body), uses=uses)


def key_of(statement: Statement, parent: Section) -> str:
    """What a statement shares with the one that replaces it; empty for layers without a name."""
    match statement:
        case Assign():
            return statement.name.text
        case Section() if parent.kind.text == "model":
            return statement.name.text if statement.name else ""
        case Section():
            return statement.kind.text
        case _:
            return ""
