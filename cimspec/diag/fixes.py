"""Changes of a text that mend it: made by those who report, chosen among and carried out here."""

from collections.abc import Iterable

from cimspec.diag.diagnostic import Fix, Span

MAX_SHOWN = 60


def respelled(span: Span, word: str, meant: str | None) -> tuple[Fix, ...]:
    """`meant` instead of a misspelled `word`; no fix without it, or where something else than the word is written."""
    return (written_instead(span, meant),) if meant and span.text == word else ()


def written_instead(span: Span, text: str) -> Fix:
    """The fix that writes `text` instead of what stands at `span`, or adds it where nothing does."""
    if span.start == span.end:
        title = f"add `{shown(text)}`"
    elif not text:
        title = f"remove `{shown(span.text)}`"
    else:
        title = f"replace `{shown(span.text)}` by `{shown(text)}`"
    return Fix(span, text, title)


def shown(text: str) -> str:
    """A text as titles quote it."""
    text = text.strip() or text
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 3]}..."


def compatible(fixes: Iterable[Fix]) -> list[Fix]:
    """Fixes of one text in its order: of those that change the same characters the first given, each once."""
    chosen: list[Fix] = []
    for fix in fixes:
        if fix in chosen or any(overlap(fix.span, other.span) for other in chosen):
            continue
        chosen.append(fix)
    return sorted(chosen, key=lambda fix: fix.span.start)


def overlap(one: Span, other: Span) -> bool:
    """Whether two spans share characters, or add something at the same place."""
    return (one.start < other.end and other.start < one.end) or one.start == other.start


def fixed_text(text: str, fixes: Iterable[Fix]) -> str:
    """The text with fixes carried out, as `compatible` gives them."""
    parts, after = [], 0
    for fix in fixes:
        parts += [text[after : fix.span.start], fix.replacement]
        after = fix.span.end
    return "".join([*parts, text[after:]])
