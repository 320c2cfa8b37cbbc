"""Where the cursor is: a text and an offset -> the blocks around it, the statement up to it, the word being written."""

from dataclasses import dataclass

from cimspec.lsp.lines import LINE_END, Node, Reading, Token, starts_anew, tokens_of


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a text."""

    around: tuple[Node, ...]  # the whole text, then the blocks that hold the place, with their statements before it
    statement: tuple[Token, ...]  # the tokens before the place, without the word that ends there
    word: str  # the part of a word, or of a text in quotes, before the place
    in_text: bool  # whether the place is in quotes
    in_comment: bool
    root: Node  # all statements of the file, those after the place included

    @property
    def words(self) -> tuple[str, ...]:
        """The statement as words."""
        return tuple(token.text for token in self.statement)

    @property
    def path(self) -> str:
        """The block around as the catalogue names it: `chip.adc`, `model.conv2d`; empty outside of blocks."""
        kinds = [node.kind for node in self.around[1:] if node.kind != "repeat"]
        return ".".join("model" if kind == "block" else kind for kind in kinds)

    @property
    def last(self) -> str:
        """The token before the word; empty at the start of a statement."""
        return self.statement[-1].text if self.statement else ""

    @property
    def call(self) -> int | None:
        """Where in the statement the innermost open `(` of a call is; None outside of calls."""
        depth = 0
        for index in range(len(self.statement) - 1, -1, -1):
            kind = self.statement[index].kind
            if kind == "(" and not depth:
                return index if index and self.statement[index - 1].kind == "name" else None
            depth += (kind in ")]") - (kind in "([")
        return None


def place_at(text: str, offset: int) -> Place:
    """The place at `offset`."""
    start = text.rfind("\n", 0, offset) + 1
    reading = Reading()
    if start:
        reading.feed_lines(text[: start - 1].split("\n"))
    tokens = tokens_of(text[start:offset])
    comment = bool(tokens) and tokens[-1].kind == "line"
    in_text = bool(tokens) and tokens[-1].kind == "open" and tokens[-1].text.startswith('"')
    word = ""
    if in_text:
        word = text[start + tokens[-1].start + 1 : offset]
    elif tokens and tokens[-1].kind in ("name", "number", "%") and start + end_of(tokens[-1]) == offset:
        word = tokens[-1].text
    whole = tokens[:-1] if word or in_text else tokens
    if word and not in_text and tokens[-1].kind == "number":  # units come behind numbers: no word is being written
        word, whole = "", tokens
    if starts_anew(tokens):
        reading.start_anew()
    reading.feed(whole)
    around = tuple(Node(node.head, list(node.inner or ())) for node in reading.open)
    statement = tuple(reading.statement)
    root = reading.open[0]
    reading.statement.extend(tokens[len(whole) :])
    end = text.find("\n", offset)
    reading.feed(tokens_of(text[offset : end if end >= 0 else len(text)]))
    reading.feed((LINE_END,))
    if end >= 0:
        reading.feed_lines(text[end + 1 :].split("\n"))
    return Place(around, statement, word, in_text, comment, root)


def end_of(token: Token) -> int:
    """Offset after a token."""
    return token.start + len(token.text)
