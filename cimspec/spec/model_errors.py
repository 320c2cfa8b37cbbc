"""Puts pydantic's errors into our words: errors and spans of a block -> diagnostics. Mostly ranges."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from annotated_types import Ge, Gt, Le, Lt
from pydantic import ValidationError

from cimspec.diag import Diagnostics, Label, Span
from cimspec.spec.base import SpecModel
from cimspec.spec.fields import Entry, Extents, Items, Powers, Scalar, entries
from cimspec.units import Dimension, spell

LITERAL = re.compile(r"[-+]?[\d._]+(?:[eE][-+]?\d+)?\s*[\w%]*|[\w.\s]+\.\.[\w.\s]+")  # a number, a range
RANGE = ("greater_than", "greater_than_equal", "less_than", "less_than_equal")
LENGTH = ("too_short", "too_long")
BOUNDS = dict(zip(RANGE, ("above", "at least", "below", "at most"), strict=True))


def report_model_errors(
    error: ValidationError,
    model: type[SpecModel],
    word: str,
    head: Span,
    spans: Mapping[Any, Span],
    reported: Collection[str],
    diagnostics: Diagnostics,
    *,
    is_whole: bool,
) -> None:
    """Report what a model refused, except fields in `reported`, about which enough was said.

    Nothing is said of fields together unless the block `is_whole`: without a wrong one, others may seem to be missing.
    """
    by_name = {entry.name: entry for entry in entries(model)}
    found_errors = error.errors(include_url=False)
    wrong_items = {found["loc"][0] for found in found_errors if len(found["loc"]) > 1}
    for found in found_errors:
        loc = found["loc"]
        name = str(loc[0]) if loc else ""
        entry = by_name.get(name)
        if name in reported or (entry and isinstance(entry.type, Extents) and loc not in spans):
            continue  # enough was said, or it is the copy of a number that was written once
        if not loc and not is_whole:
            continue
        item = (name, loc[2]) if entry and isinstance(entry.type, Powers) and len(loc) > 2 else loc[:2]
        span = spans.get(item) or spans.get(name) or head
        written = written_value(span, found["input"]) if span is not head else str(found["input"])
        where = f"`{word}.{entry.key}`" if entry else f"`{word}`"
        kind, context = found["type"], found.get("ctx", {})
        if entry and kind in RANGE and (scalar := scalar_of(entry)):
            message = f"{where} must be {range_words(scalar)}, not {written}"
            diagnostics.error("CIM208", message, span, label=range_label(kind, context, scalar, written))
        elif entry and kind in RANGE and isinstance(entry.type, Powers):
            (bound,) = context.values()
            diagnostics.error(
                "CIM208", f"powers in {where} must be {BOUNDS[kind]} {bound:g}", span, label="write another power"
            )
        elif entry and kind in LENGTH:
            # An item out of range makes pydantic count it as absent, too.
            if name not in wrong_items:
                diagnostics.error("CIM208", length_message(where, context), span, label=length_label(where, kind))
        elif kind == "value_error":
            message, _, label = str(context["error"]).partition("; ")
            related = spoken_of(message, by_name, spans, span)
            diagnostics.error("CIM219", message, span, label=label or None, related=related)
        else:
            diagnostics.error("CIM219", f"{where} cannot be {written}", span)


def spoken_of(message: str, by_name: Mapping[str, Entry], spans: Mapping[Any, Span], span: Span) -> list[Label]:
    """The fields that a message names, where they are written."""
    named = [entry for entry in by_name.values() if f"`{entry.key}`" in message and entry.name in spans]
    return [Label(spans[each.name], f"this is `{each.key}`") for each in named if spans[each.name] != span]


def written_value(span: Span, value: object) -> str:
    """What was written; of arithmetic and names also what it came to: `0 (side - 4)`."""
    text = span.text
    is_plain = text[:1] in '"[' or LITERAL.fullmatch(text) is not None or not isinstance(value, int | float)
    return text if is_plain else f"{value:.12g} ({text})"


def scalar_of(entry: Entry) -> Scalar | None:
    """The type of a field's numbers."""
    found = entry.type.item if isinstance(entry.type, Items | Extents) else entry.type
    return found if isinstance(found, Scalar) else None


def range_words(scalar: Scalar) -> str:
    """`from 1 to 16`, `above 0 ns and at most 1000 s`."""
    low, high = "", ""
    for bound in scalar.bounds:
        match bound:
            case Ge():
                low = f"at least {amount(bound.ge, scalar)}"
            case Gt():
                low = f"above {amount(bound.gt, scalar)}"
            case Le():
                high = f"at most {amount(bound.le, scalar)}"
            case Lt():
                high = f"below {amount(bound.lt, scalar)}"
    if low.startswith("at least") and high.startswith("at most"):
        return f"from {low.removeprefix('at least ')} to {high.removeprefix('at most ')}"
    return " and ".join(words for words in (low, high) if words)


def range_label(kind: str, context: Mapping[str, Any], scalar: Scalar, written: str) -> str:
    """What to write instead."""
    is_share = scalar.measured is not None and scalar.measured.dimension is Dimension.SHARE
    if is_share and written.isdecimal() and 1 < int(written) <= 100:
        return f"write `{written} %`"
    match kind:
        case "greater_than_equal":
            return f"the smallest allowed is {amount(context['ge'], scalar)}"
        case "less_than_equal":
            return f"the largest allowed is {amount(context['le'], scalar)}"
        case "greater_than":
            return f"write more than {amount(context['gt'], scalar)}"
        case _:
            return f"write less than {amount(context['lt'], scalar)}"


def amount(bound: Any, scalar: Scalar) -> str:
    """A bound with its unit, where a unit must be written."""
    measured = scalar.measured
    dimension: Dimension | None = measured.dimension if measured and measured.required else None
    return spell(bound, dimension)


def length_label(where: str, kind: str) -> str:
    """What to write instead."""
    special = {
        "`model.layers`": "write a layer after `input`",
        "`input.shape`": "write `3 x 32 x 32`, without the batch",
    }
    return special.get(where) or ("write fewer" if kind == "too_long" else "write more")


def length_message(where: str, context: Mapping[str, Any]) -> str:
    """How many entries there must be, and how many there are."""
    bound = f"at least {context['min_length']}" if "min_length" in context else f"at most {context['max_length']}"
    entries = "entry" if bound.endswith(" 1") else "entries"
    return f"{where} must have {bound} {entries}, not {context['actual_length']}"
