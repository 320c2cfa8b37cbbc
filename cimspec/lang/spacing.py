"""Blanks within a statement: its tokens -> the blank before each.

Whether a bracket belongs to a call, and a sign to a number, is asked as the parser asks it.
"""

from collections.abc import Sequence

from cimspec.lang.brackets import CLOSING, OPENING
from cimspec.lang.expressions import BINDING

VALUE_ENDS = frozenset(("name", "number", "text", ")", "]", "%"))
TIGHT_BEFORE = frozenset((",", ")", "]", "..", "."))
TIGHT_AFTER = frozenset(("(", "[", "..", "."))
PLAIN = frozenset(("name", "number", "text", "=", "comparison"))  # around these stands one blank


def spaced(kinds: Sequence[str], texts: Sequence[str]) -> list[str]:
    """The texts of a statement's tokens, each with the blank before it."""
    blanks = Blanks(kinds, texts)
    return [f" {text}" if blanks.stands_before(index) else text for index, text in enumerate(texts)]


class Blanks:
    """Says where blanks stand in a statement."""

    def __init__(self, kinds: Sequence[str], texts: Sequence[str]) -> None:
        self.kinds, self.texts = kinds, texts

    def stands_before(self, index: int) -> bool:
        """Whether a blank stands before the token at `index`."""
        if index == 0:
            return False
        before, kind = self.kinds[index - 1], self.kinds[index]
        if before == ".." and self.texts[index].startswith("."):
            return True  # `2...5` has no meaning
        if before in TIGHT_AFTER or kind in TIGHT_BEFORE:
            return False
        if kind == "^" or before == "^":
            return self.is_unit(index - 1 if kind == "^" else index - 2)
        if before in "+-":
            return not self.is_sign(index - 1)
        return kind != "(" or not self.is_of_call(index)

    def is_unit(self, index: int) -> bool:
        """Whether the token is the unit of a number: `(2 us ^ 2)`."""
        return self.kinds[index] == "%" or (self.kinds[index] == "name" and self.kinds[index - 1] == "number")

    def is_sign(self, index: int) -> bool:
        """Whether a `+` or `-` has nothing on its left."""
        if index == 0 or self.kinds[index - 1] not in VALUE_ENDS:
            return True
        return self.kinds[index - 1] == "name" and (index == 1 or self.is_before_value(index - 1))

    def is_before_value(self, index: int) -> bool:
        """Whether a name is the `at` of `keep c1 at -1`, the `in` of `repeat i in (n)`, or the `x` of a shape."""
        match self.texts[index]:
            case "at":
                return index == 2 and self.kinds[1] == "name"
            case "in":
                return index == 2 and self.texts[0] == "repeat"
            case "x":
                return index > 1 and self.kinds[index - 1] in VALUE_ENDS
        return False

    def is_of_call(self, index: int) -> bool:
        """Whether a `(` opens the arguments of the name before it."""
        if self.kinds[index - 1] != "name" or self.is_before_value(index - 1):
            return False
        if index == 1 and self.texts[0] == "repeat":
            return False
        is_head = index == 1 or (index == 2 and self.kinds[1] == "name")
        return not is_head or self.is_called(index)

    def is_called(self, opening: int) -> bool:
        """Whether an expression goes on behind a bracket: `input (n + 1) x 28`, `minimize (a + b) * c`."""
        depth = 0
        for index in range(opening, len(self.kinds)):
            depth += (self.kinds[index] in OPENING) - (self.kinds[index] in CLOSING)
            if not depth:
                follows = index + 1 < len(self.kinds)
                return not follows or (self.kinds[index + 1] not in BINDING and self.texts[index + 1] != "x")
        return True
