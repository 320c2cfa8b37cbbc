"""Pairs the brackets of a text: tokens -> those that have no partner, reported.

Taken out, they leave a text whose brackets pair, so that the parser need not ask.
"""

from msgspec import Struct, field

from cimspec.diag import Diagnostics, Label, Span, written_instead
from cimspec.lang.lexer import Tokens

MAX_NESTING = 100
MAX_REPORTS = 20  # after so many, brackets are not what is wrong with a text
MAX_LONE = 1000  # a text with more without a partner is not parsed
PARTNER = {"{": "}", "[": "]", "(": ")"}
OPENING, CLOSING = frozenset("{[("), frozenset("}])")
BRACKETS = OPENING | CLOSING


class Pairing(Struct):
    """How the brackets of a text pair; numbers are indices of tokens."""

    opened: list[int] = field(default_factory=list)
    pairs: list[tuple[int, int]] = field(default_factory=list)
    lone: set[int] = field(default_factory=set)


def unpaired(tokens: Tokens, diagnostics: Diagnostics, *, is_told: bool) -> set[int] | None:
    """Indices of the brackets without a partner, which are reported; None if they are too many or nested too deep.

    With `is_told` those without a partner are not reported: a text without its closing quote has swallowed some.
    """
    kinds = tokens.kinds
    pairing = Pairing()
    quiet = Diagnostics()
    for index in tokens.of_kinds(BRACKETS):
        kind = kinds[index]
        if kind in PARTNER:
            pairing.opened.append(index)
            if len(pairing.opened) > MAX_NESTING:
                message = f"brackets are nested more than {MAX_NESTING} deep"
                diagnostics.error("CIM107", message, tokens.span(index), label="nest less")
                return None
        elif pairing.opened and PARTNER[kinds[pairing.opened[-1]]] == kind:
            pairing.pairs.append((pairing.opened.pop(), index))
        else:
            is_quiet = is_told or len(pairing.lone) >= MAX_REPORTS
            mismatch(index, tokens, pairing, quiet if is_quiet else diagnostics)
            if len(pairing.lone) > MAX_LONE:
                return None
    if pairing.opened and not is_told:
        report_open(tokens, pairing, diagnostics)
    return pairing.lone.union(pairing.opened)


def mismatch(index: int, tokens: Tokens, pairing: Pairing, diagnostics: Diagnostics) -> None:
    """Report a closing bracket that does not fit the last opened one."""
    kind, opened = tokens.kinds[index], pairing.opened
    partners = [other for other in opened if PARTNER[tokens.kinds[other]] == kind]
    if partners:
        # `[2, 4 }`: the closing bracket belongs to an outer one, so the inner one was forgotten.
        forgotten = opened[-1]
        diagnostics.error(
            "CIM103",
            f"`{tokens.kinds[forgotten]}` is not closed",
            tokens.span(forgotten),
            label=f"`{PARTNER[tokens.kinds[forgotten]]}` is missing",
            related=[Label(tokens.span(index), f"`{kind}` comes first")],
        )
        while (last := opened.pop()) != partners[-1]:
            pairing.lone.add(last)
        pairing.pairs.append((last, index))
    elif opened and kind != "}" and tokens.kinds[opened[-1]] != "{":
        # `(1]`: meant for the one that is open, but of the wrong kind.
        first = opened.pop()
        message = f"`{kind}` closes nothing: `{tokens.kinds[first]}` is open"
        related = [Label(tokens.span(first), "opened here")]
        label = f"write `{PARTNER[tokens.kinds[first]]}`"
        fixes = [written_instead(tokens.span(index), PARTNER[tokens.kinds[first]])]
        diagnostics.error("CIM104", message, tokens.span(index), label=label, related=related, fixes=fixes)
        pairing.lone |= {first, index}
    else:
        label = "remove it, or open it before"
        diagnostics.error("CIM104", f"`{kind}` closes nothing", tokens.span(index), label=label)
        pairing.lone.add(index)


def report_open(tokens: Tokens, pairing: Pairing, diagnostics: Diagnostics) -> None:
    """Report that the file ends inside a bracket: the last opened, or the one that its indentation gives away."""
    last = pairing.opened[-1]
    length = len(tokens.source.text.rstrip())
    related = [Label(Span(tokens.source, length, length), "the file ends here")]
    if tokens.kinds[last] == "{" and (pair := out_of_line(tokens, pairing, last)):
        last, closing = pair
        related.insert(0, Label(tokens.span(closing), "this `}` closes it, though it stands further left"))
    diagnostics.error(
        "CIM103",
        f"`{tokens.kinds[last]}` is not closed",
        tokens.span(last),
        label=f"`{PARTNER[tokens.kinds[last]]}` is missing",
        related=related,
    )


def out_of_line(tokens: Tokens, pairing: Pairing, outer: int) -> tuple[int, int] | None:
    """The first block in `outer` whose `}` stands further left than the line of its `{` starts."""
    for opening, closing in sorted(pairing.pairs):
        if opening > outer and tokens.kinds[opening] == "{" and tokens.kinds[closing - 1] == "line":
            close_column = tokens.span(closing).column
            if close_column < indentation(tokens.span(opening)):
                return opening, closing
    return None


def indentation(span: Span) -> int:
    """Column where the line of a span starts, blanks left out."""
    line = span.source.line_text(span.start)
    return len(line) - len(line.lstrip()) + 1
