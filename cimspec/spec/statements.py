"""Brings the statements of a search to plain fields: `require a <= b` becomes `require { a = b }`.

After this, merging, overriding and binding see assignments, blocks and `keep` only.
"""

from msgspec import structs

from cimspec.diag import Diagnostics, Label, Span, written_instead
from cimspec.lang import COMPARISONS, Assign, Bound, Pin, Section, Statement


def plain(section: Section, diagnostics: Diagnostics) -> Section:
    """A top-level section with its statements as plain fields. Layers of a model are left as they are."""
    if section.kind.text != "search":
        return section
    body: list[Statement] = []
    for statement in section.body or ():
        match statement:
            case Bound():
                require(statement, body, diagnostics)
            case Section(kind=kind, name=name, shape=None, extends=None, sources=None, body=None) if name:
                body.append(Assign(kind, name, statement.span))  # minimize latency
            case _:
                body.append(statement)
    return structs.replace(section, body=tuple(body))


def require(statement: Bound, body: list[Statement], diagnostics: Diagnostics) -> None:
    """Add a bound to the block of its word, which all bounds of that word share."""
    comparison, written = COMPARISONS.get(statement.name.text), statement.comparison.text
    if comparison not in (None, written):  # of an unknown name enough will be said
        message = f"`{statement.name.text}` takes `{comparison}`, not `{written}`"
        where = statement.comparison.span
        fixes = [written_instead(where, comparison)] if written == comparison[0] else []
        diagnostics.error("CIM213", message, where, label=f"write `{comparison}`", fixes=fixes)
    field = Assign(statement.name, statement.value, statement.span)
    for index, other in enumerate(body):
        if isinstance(other, Section) and other.kind.text == statement.kind.text:
            body[index] = structs.replace(other, body=(*(other.body or ()), field))
            return
    body.append(Section(statement.kind, None, None, None, None, (field,), statement.span))


def check_duplicates(section: Section, diagnostics: Diagnostics) -> None:
    """Report what a section says twice, in its own text; names of layers are checked with the layers."""
    body = section.body or ()
    if len({each.name.text for each in body if isinstance(each, Assign)}) == len(body):
        return
    first: dict[str, Span] = {}
    for statement in body:
        key, span, what = "", statement.span, ""
        match statement:
            case Assign(name=name):
                key, span, what = name.text, name.span, f"`{name.text}` is set twice in `{section.kind.text}`"
            case Pin(kind=kind, name=name):
                key, span, what = (
                    f"{kind.text} {name.text}",
                    name.span,
                    f"`{kind.text} {name.text}` is given twice",
                )
            case Section(kind=kind) if section.kind.text != "model":
                key, what = kind.text, f"`{kind.text}` is given twice in `{section.kind.text}`"
        if isinstance(statement, Section):
            check_duplicates(statement, diagnostics)
        if key in first and key:
            related = [Label(first[key], "first defined here")]
            diagnostics.error("CIM209", what, span, label="remove one of them", related=related)
        first.setdefault(key, span)
