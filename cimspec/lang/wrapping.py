"""The lines of a statement: tokens -> one line, or several where it is too long or has comments in its brackets."""

from collections.abc import Iterator, Sequence
from itertools import accumulate

from cimspec.lang.brackets import BRACKETS, CLOSING, OPENING
from cimspec.lang.lexer import BLANK
from cimspec.lang.spacing import PLAIN, spaced

WIDTH = 100
INDENT = "  "
LONGEST_SHORT = 4  # tokens of an item that shares its line with others


def commented_lines(kinds: Sequence[str], texts: Sequence[str], between: Sequence[str], indent: str) -> list[str]:
    """The lines of a statement as they are broken in the text, because there are comments among them.

    Of tokens of the kind `line`, `between` has all that stands there.
    """
    kept = [index for index, kind in enumerate(kinds) if kind != "line"]
    blanks = dict(zip(kept, spaced([kinds[index] for index in kept], [texts[index] for index in kept]), strict=True))
    lines = [""]
    depth = 0
    for index, kind in enumerate(kinds):
        if kind != "line":
            depth -= kind in CLOSING
            lines[-1] += blanks[index] if lines[-1] else f"{indent}{INDENT * depth}{texts[index]}"
            depth += kind in OPENING
            continue
        first, *others = between[index].split("\n")
        lines[-1] += f"  {first.strip(BLANK)}" if first else ""
        lines += [f"{indent}{INDENT * depth}{text}" for line in others if (text := line.strip(BLANK))]
        lines.append("")
    return lines


def wrapped_lines(kinds: Sequence[str], texts: Sequence[str], indent: str, behind: str) -> list[str]:
    """The lines of a statement, of at most `WIDTH` columns if its brackets allow it; `behind` follows on the last."""
    if PLAIN.issuperset(kinds):  # most statements; they cannot be broken
        return [f"{indent}{' '.join(texts)}{behind}"]
    kept = [index for index in range(len(kinds)) if kinds[index] != "line"]
    kept = [
        index
        for index, after in zip(kept, [*kept[1:], -1], strict=True)
        if not (kinds[index] == "," and kinds[after] in ("]", ")"))
    ]
    parts = spaced([kinds[index] for index in kept], [texts[index] for index in kept])
    line = "".join(parts)
    if len(indent) + len(line) + len(behind) <= WIDTH or BRACKETS.isdisjoint(kinds):
        return [f"{indent}{line}{behind}"]
    parts[-1] += behind
    return list(_Wrapping([kinds[index] for index in kept], parts).lines(0, len(parts), indent))


class _Wrapping:
    """The parts of a long statement, each with the blank before it; ranges of them are given by their ends."""

    def __init__(self, kinds: Sequence[str], parts: Sequence[str]) -> None:
        self.kinds, self.parts = kinds, parts
        self.columns = list(accumulate(map(len, parts), initial=0))
        self.partner: dict[int, int] = {}
        opened = []
        for index, kind in enumerate(kinds):
            if kind in OPENING:
                opened.append(index)
            elif kind in CLOSING:
                self.partner[opened.pop()] = index

    def text(self, first: int, last: int) -> str:
        """Parts on one line."""
        return "".join(self.parts[first:last]).lstrip()

    def fits(self, first: int, last: int, indent: str) -> bool:
        """Whether parts fit on one line, with a comma behind them."""
        return len(indent) + self.columns[last] - self.columns[first] <= WIDTH - 1

    def lines(self, first: int, last: int, indent: str) -> Iterator[str]:
        """Parts on as many lines as they take: broken at the longest bracket, and if that is not enough, at all."""
        groups = list(self.groups(first, last))
        if not groups or self.fits(first, last, indent):
            yield f"{indent}{self.text(first, last)}"
            return
        opening, closing = max(groups, key=lambda group: self.columns[group[1]] - self.columns[group[0]])
        if self.fits(first, opening + 1, indent) and self.fits(closing, last, indent):
            groups = [(opening, closing)]
        for opening, closing in groups:
            yield f"{indent}{self.text(first, opening + 1)}"
            yield from self.items(opening, closing, indent + INDENT)
            first = closing
        yield f"{indent}{self.text(first, last)}"

    def groups(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """The outermost brackets that hold something."""
        while first < last:
            closing = self.partner.get(first, first)
            if closing > first + 1:
                yield first, closing
            first = closing + 1

    def items(self, opening: int, closing: int, indent: str) -> Iterator[str]:
        """What stands in a bracket: short items fill lines, others have a line each."""
        ends = [*self.commas(opening, closing), closing]
        starts = [opening + 1, *(end + 1 for end in ends[:-1])]
        if len(ends) > 1 and all(end - start <= LONGEST_SHORT for start, end in zip(starts, ends, strict=True)):
            yield from self.filled(starts, ends, indent)
            return
        for start, end in zip(starts, ends, strict=True):
            *lines, last = self.lines(start, end, indent)
            yield from lines
            yield last + "," * (end < closing)

    def commas(self, opening: int, closing: int) -> Iterator[int]:
        """Where the commas of a bracket stand."""
        index = opening + 1
        while index < closing:
            if self.kinds[index] == ",":
                yield index
            index = self.partner.get(index, index) + 1

    def filled(self, starts: Sequence[int], ends: Sequence[int], indent: str) -> Iterator[str]:
        """Items on as few lines as they take."""
        first = starts[0]
        for before, start, end in zip(ends, starts[1:], ends[1:], strict=False):
            if not self.fits(first, end, indent):
                yield f"{indent}{self.text(first, before)},"
                first = start
        yield f"{indent}{self.text(first, ends[-1])}"
