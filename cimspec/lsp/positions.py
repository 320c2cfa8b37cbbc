"""Offsets in a text <-> lines and columns as the protocol counts them: from 0, in the units of an encoding."""

from bisect import bisect_right

UNIT_BYTES = {"utf-8": 1, "utf-16": 2, "utf-32": 4}


class Positions:
    """The lines of a text. Lines end with a line feed, as they do in the language."""

    def __init__(self, text: str, encoding: str = "utf-16") -> None:
        self.text = text
        self._encoding = encoding if encoding in UNIT_BYTES else "utf-16"
        self._is_ascii = text.isascii()
        self._starts = [0]
        at = text.find("\n")
        while at >= 0:
            self._starts.append(at + 1)
            at = text.find("\n", at + 1)

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset."""
        offset = min(max(offset, 0), len(self.text))
        line = bisect_right(self._starts, offset) - 1
        return line, self._units(self.text[self._starts[line] : offset])

    def offset(self, line: int, column: int) -> int:
        """The offset of a line and column; the end of the line for columns behind it."""
        if line >= len(self._starts):
            return len(self.text)
        start = self._starts[line]
        end = self._starts[line + 1] - 1 if line + 1 < len(self._starts) else len(self.text)
        if self._is_ascii:
            return min(start + column, end)
        for at in range(start, end):
            if column <= 0:
                return at
            column -= self._units(self.text[at])
        return end

    def _units(self, part: str) -> int:
        if self._is_ascii:
            return len(part)
        return (
            len(part.encode(f"{self._encoding}-le" if self._encoding != "utf-8" else "utf-8", "surrogatepass"))
            // (UNIT_BYTES[self._encoding])
        )
