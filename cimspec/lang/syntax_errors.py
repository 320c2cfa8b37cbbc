"""Puts lark's errors into words: what stands where, what was expected, what to write. Never a token's name.

Also says which statement an error lies in, so that the parser can go on behind it.
"""

from dataclasses import dataclass

from lark import Token
from lark.exceptions import UnexpectedInput, UnexpectedToken

from cimspec.diag import Diagnostics, Source, Span
from cimspec.lang.scan import Lexeme

WORDS = {
    "NAME": "a name",
    "NUMBER": "a number",
    "SHAPE": "a shape",
    "STRING": "a text in quotes",
    "COMPARISON": "`<=`",
    "EQUAL": "`=`",
    "COMMA": "`,`",
    "LBRACE": "`{`",
    "RBRACE": "`}`",
    "LSQB": "`[`",
    "RSQB": "`]`",
    "LPAR": "`(`",
    "RPAR": "`)`",
    "AT": "`at`",
    "FROM": "`from`",
    "EXTENDS": "`extends`",
    "_END": "the end of the statement",
}
VALUE = frozenset(("NAME", "NUMBER", "SHAPE", "STRING", "LSQB"))  # what a value can start with


@dataclass(frozen=True, slots=True)
class Wrong:
    """A statement with an error: its extent, where the error is, and what could stand there instead."""

    start: int
    end: int
    position: int
    before: tuple[Lexeme, ...]  # what was read of the statement
    found: Lexeme | None  # None at the end of the text
    expected: frozenset[str]

    @property
    def found_kind(self) -> str:
        """Kind of what stands at the error."""
        return self.found.kind if self.found else "end"


def statement_around(error: UnexpectedInput, lexemes: tuple[Lexeme, ...], length: int) -> Wrong:
    """The statement that an error of lark lies in."""
    position = position_of(error, length)
    start, end, before = 0, length, list[Lexeme]()
    found: Lexeme | None = None
    for lexeme, is_boundary in with_boundaries(lexemes):
        if lexeme.span.start >= position and found is None and lexeme.kind not in ("space", "comment"):
            found = lexeme
        if is_boundary and lexeme.span.end <= position:
            start, before = lexeme.span.end, []
        elif is_boundary:
            end = lexeme.span.start
            break
        elif lexeme.span.end <= position and lexeme.kind not in ("space", "comment", "line"):
            before.append(lexeme)
    return Wrong(start, end, position, tuple(before), found, expected_at(error))


def position_of(error: UnexpectedInput, length: int) -> int:
    """Where the error is; lark gives the end of the text the position of the last token."""
    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        return length
    return error.pos_in_stream if error.pos_in_stream is not None else length


def expected_at(error: UnexpectedInput) -> frozenset[str]:
    """Names of the terminals that could stand at the error."""
    if isinstance(error, UnexpectedToken) and isinstance(error.token, Token):
        # `%` is a unit as any name is, and any word could be the first of a product: nobody needs to be told.
        return frozenset(error.accepts or error.expected or ()) - {"PERCENT", "STAR", "CIRCUMFLEX"}
    return frozenset()


def with_boundaries(lexemes: tuple[Lexeme, ...]) -> list[tuple[Lexeme, bool]]:
    """Each lexeme, and whether it parts statements: braces, `;`, line breaks outside of lists and calls."""
    depth = 0
    result = []
    for lexeme in lexemes:
        depth += (lexeme.text in ("[", "(")) - (lexeme.text in ("]", ")"))
        is_boundary = lexeme.text in ("{", "}") or (depth == 0 and (lexeme.kind == "line" or lexeme.text == ";"))
        result.append((lexeme, is_boundary))
    return result


def report(wrong: Wrong, source: Source, diagnostics: Diagnostics) -> None:
    """Say what is wrong with a statement."""
    found, previous = wrong.found, wrong.before[-1] if wrong.before else None
    span = span_of(wrong, source)
    if (
        found
        and found.text == "="
        and previous
        and previous.kind == "name"
        and "=" in [lexeme.text for lexeme in wrong.before]
    ):
        message = f"`{previous.text}` starts a second statement on this line"
        diagnostics.error("CIM101", message, previous.span, label="put `;` or a line break before it")
    elif found and found.text == "{" and not wrong.before:
        diagnostics.error(
            "CIM101",
            "this `{` belongs to no statement",
            span,
            label="write it at the end of the line that it belongs to",
        )
    elif found and is_field_without_equals(wrong):
        field, number = wrong.before
        message = f"expected `=` after `{field.text}`, found the number `{number.text}`"
        diagnostics.error("CIM101", message, number.span, label="a field is written `name = value`")
    elif found and found.kind == "name" and "_END" in wrong.expected:
        message = f"`{found.text}` does not belong to this statement"
        diagnostics.error("CIM101", message, span, label="put `;` or a line break before it")
    else:
        place = f" after `{previous.text}`" if previous else ""
        wanted = expected_words(wrong.expected)
        if previous and previous.kind == "number":
            wanted = wanted.replace("a name", "a unit")
        message = f"expected {wanted}{place}, found {found_words(found)}"
        diagnostics.error("CIM101", message, span, label=label_for(wrong))


def span_of(wrong: Wrong, source: Source) -> Span:
    """The unexpected piece; at the end of a line or file, the place after what was read."""
    if wrong.found and wrong.found.kind != "line":
        return wrong.found.span
    end = wrong.before[-1].span.end if wrong.before else min(wrong.position, len(source.text))
    return Span(source, end, end)


def is_field_without_equals(wrong: Wrong) -> bool:
    """Whether the statement starts `cell 2 bit`, which reads as a layer's shape until the unit comes."""
    return [lexeme.kind for lexeme in wrong.before] == ["name", "number"] and wrong.found_kind == "name"


def expected_words(expected: frozenset[str]) -> str:
    """`=`, `{` or the end of the statement."""
    if expected == {"$END"}:
        return "nothing more"
    expected = expected - {"$END"}
    if expected >= {"EQUAL", "LBRACE"}:
        expected &= {"EQUAL", "LBRACE", "_END"}  # the commonest of what can follow a statement's first word
    words = []
    if expected >= VALUE:
        words.append("a value")
        expected -= VALUE
    if "_END" in expected:
        expected -= {"RBRACE"}
    words += [word for name, word in WORDS.items() if name in expected]
    if not words:
        return "a statement"
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def found_words(found: Lexeme | None) -> str:
    """What stands there, in words."""
    if found is None:
        return "the end of the text"
    match found.kind:
        case "line":
            return "the end of the line"
        case "number":
            return f"the number `{found.text}`"
        case "string":
            return f"the text {found.text}"
        case _:
            return f"`{found.text}`"


def label_for(wrong: Wrong) -> str | None:
    """The commonest remedy."""
    if wrong.expected >= VALUE:
        return "write a value here"
    if wrong.found and wrong.found.kind in ("string", "number") and wrong.expected >= {"EQUAL", "LBRACE"}:
        return "a field is written `name = value`"
    return None
