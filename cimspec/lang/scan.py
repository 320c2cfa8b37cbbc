"""Looks over the tokens of a text before they are parsed, and makes them fit for it: Source -> Tokens.

Reports what a parser explains badly: characters of other notations, open strings, brackets that do not pair. What can
be mended is, the rest is taken out, so that each mistake is told once.
"""

from collections.abc import Sequence
from itertools import islice

from msgspec import Struct

from cimspec.diag import Diagnostics, Source
from cimspec.lang.brackets import BRACKETS, OPENING, unpaired
from cimspec.lang.characters import hidden, repair_of, report_hidden, report_open_text, report_return, report_strange
from cimspec.lang.lexer import Tokens, cut

MAX_REPORTS = 100  # a file that is no `.cim` at all should not give a thousand diagnostics
MAX_STRANGE = 1000  # a text with more of what the language does not have is not parsed
STRANGE = frozenset(("strange", "open"))
ROUND_OR_SQUARE = BRACKETS - {"{", "}"}
LOOK_AHEAD = 5  # tokens of kind `end` after the last


class Scan(Struct, frozen=True):
    """Tokens whose brackets pair, without ends of lines in lists and calls; and the offsets of all that was reported.

    The parser keeps silent about a statement that holds one of these: the mistake has been told.
    """

    tokens: Tokens
    told: tuple[int, ...]


def scan(source: Source, diagnostics: Diagnostics, start: int = 0) -> Scan | None:
    """The tokens from offset `start` on; None after reporting what makes parsing senseless."""
    if report_return(source, start, diagnostics):
        return None
    tokens = cut(source, start)
    strange = tokens.of_kinds(STRANGE)
    swallows = any(not BRACKETS.isdisjoint(tokens.texts[index]) for index in strange if tokens.kinds[index] == "open")
    told = {tokens.starts[index] for index in strange}
    mend(tokens, strange[:MAX_STRANGE], diagnostics)
    told |= report_all_hidden(source, start, told, diagnostics)
    lone = unpaired(tokens, diagnostics, is_told=swallows) if len(strange) <= MAX_STRANGE else None
    if lone is None:
        return None
    told.update(tokens.starts[index] for index in lone)
    for index in lone:
        if tokens.kinds[index] in ("{", "}"):  # statements end there, whether or not blocks do
            tokens.kinds[index], tokens.texts[index] = "line", ""
    tokens.drop({index for index in lone if tokens.kinds[index] != "line"})
    tokens.drop(lines_in_brackets(tokens))
    tokens.kinds += ["end"] * LOOK_AHEAD
    tokens.texts += [""] * LOOK_AHEAD
    tokens.starts += [len(source.text)] * LOOK_AHEAD
    return Scan(tokens, tuple(sorted(told)))


def mend(tokens: Tokens, strange: Sequence[int], diagnostics: Diagnostics) -> None:
    """Report the tokens that the language does not have; put what was meant in their place or take them out."""
    useless = set[int]()
    last = -1  # where the one before ends: of a run only the first is reported
    for count, index in enumerate(strange):
        span, text, kind = tokens.span(index), tokens.texts[index], tokens.kinds[index]
        repair = repair_of(text)
        if count < MAX_REPORTS and kind == "open":
            report_open_text(span, diagnostics)
        elif count < MAX_REPORTS and (repair or span.start != last):
            report_strange(text, span, diagnostics)
        last = span.end
        if repair:
            tokens.kinds[index], tokens.texts[index] = repair.kind, repair.text
        elif kind == "strange":
            useless.add(index)
    tokens.drop(useless)


def report_all_hidden(source: Source, start: int, told: set[int], diagnostics: Diagnostics) -> set[int]:
    """Report what may not even be in strings and comments, but for the offsets already told; offsets of what it was."""
    found = list(islice((span for span in hidden(source, start) if span.start not in told), MAX_REPORTS))
    for span in found:
        report_hidden(span, diagnostics)
    return {span.start for span in found}


def lines_in_brackets(tokens: Tokens) -> set[int]:
    """Indices of the ends of lines inside of lists and calls, which end no statement. Brackets pair."""
    kinds, inner = tokens.kinds, set[int]()
    depth, opened = 0, 0
    for index in tokens.of_kinds(ROUND_OR_SQUARE):
        if kinds[index] in OPENING:
            opened = opened if depth else index
            depth += 1
        else:
            depth -= 1
            if depth == 0 and "line" in kinds[opened:index]:
                inner.update(inside for inside in range(opened, index) if kinds[inside] == "line")
    return inner
