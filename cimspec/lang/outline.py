"""Statements, blocks and comments in the order of the text, to be written anew: tokens -> an outline of them.

For texts without errors of syntax. A statement is the range of its tokens, whatever they mean.
"""

from dataclasses import dataclass, field

from cimspec.lang.lexer import BLANK, Tokens


@dataclass(slots=True)
class Comment:
    """A comment on a line of its own."""

    text: str
    is_after_blank: bool


@dataclass(slots=True)
class Statement:
    """Its tokens from `first` to the one before `last`, the block behind them, and the comment on the same line."""

    first: int
    last: int
    is_after_blank: bool
    body: "Block | None" = None
    comment: str | None = None


@dataclass(slots=True)
class Block:
    """What stands between two braces, or the whole text; `comment` is on the line of the `{`."""

    items: list[Comment | Statement] = field(default_factory=list)
    comment: str | None = None
    is_on_one_line: bool = True


def outline(tokens: Tokens) -> Block:
    """The outline of a text."""
    return _Reader(tokens).block(is_file=True)


class _Reader:
    """Reads blocks; `at` is the next token."""

    def __init__(self, tokens: Tokens) -> None:
        self.kinds, self.starts, self.text = tokens.kinds, tokens.starts, tokens.source.text
        self.at = 0

    def block(self, *, is_file: bool = False) -> Block:
        """What comes up to a `}`, or to the end of the text."""
        block = Block()
        before: Block | Statement | None = None if is_file else block  # what stands on the same line
        is_after_blank = False
        kinds = self.kinds
        while self.at < len(kinds) and (kind := kinds[self.at]) != "}":
            if kind == ";":
                self.at += 1
            elif kind == "line":
                block.is_on_one_line = False
                is_after_blank = self.between(block, before, is_after_blank)
                before = None
            else:
                before = self.statement(is_after_blank and bool(block.items))
                block.items.append(before)
                block.is_on_one_line &= before.body is None or before.body.is_on_one_line
                is_after_blank = False
        return block

    def between(self, block: Block, before: Block | Statement | None, is_after_blank: bool) -> bool:
        """Read ends of lines with the comments between them; whether what comes next follows an empty line."""
        start = self.starts[self.at]
        self.at += 1
        end = self.starts[self.at] if self.at < len(self.starts) else len(self.text)
        first, *lines = self.text[start:end].split("\n")
        if before is not None and first:
            before.comment = first.strip(BLANK)
        elif first:
            lines = [first, *lines]
        for number, line in enumerate(lines, 1):
            text = line.strip(BLANK)
            if text:
                block.items.append(Comment(text, is_after_blank and bool(block.items)))
                is_after_blank = False
            elif number < len(lines):  # the last one is where the next statement stands
                is_after_blank = True
        return is_after_blank

    def statement(self, is_after_blank: bool) -> Statement:
        """One statement with its block."""
        first, depth, kinds = self.at, 0, self.kinds
        while self.at < len(kinds):
            kind = kinds[self.at]
            if kind in ("(", "["):
                depth += 1
            elif kind in (")", "]"):
                depth -= 1
            elif not depth and kind in ("line", ";", "{", "}"):
                break
            self.at += 1
        found = Statement(first, self.at, is_after_blank)
        if self.at < len(kinds) and kinds[self.at] == "{":
            self.at += 1
            found.body = self.block()
            self.at += 1
        return found
