"""What is said when something follows a statement on its line: most often a separator or a bracket is missing."""

from cimspec.diag import Fix, Span, written_instead
from cimspec.lang.ast import COMPARISONS, Section, Statement
from cimspec.lang.cursor import ENDS, UnexpectedError
from cimspec.lang.expressions import BINDING
from cimspec.lang.heads import Heads

SEPARATE = "put `;` or a line break before it"
CONDITION = "a value cannot depend on a condition"
CONDITIONS = frozenset(("if", "else", "and", "or", "not", "when"))
MEANT = {
    "from": 'write `import "file.cim"`',
    **dict.fromkeys(("for", "foreach", "loop", "while"), "write `repeat NAME in 1..3 { ... }`"),
    "import": "an import ends with its path",
    "require": "write `require NAME <= VALUE`, or `>=`",
    "keep": "write `keep NAME at WEIGHT_BITS, ACTIVATION_BITS`",
}
"""Forms of statements that are known by their first word only."""


class Endings(Heads):
    """Makes these errors."""

    def not_ended(self, statement: Statement) -> UnexpectedError:
        """The error that something follows a statement."""
        kind, before = self.kinds[self.at], self.kinds[self.at - 1]
        head = statement if isinstance(statement, Section) and statement.body is None else None
        is_second = kind == "name" and self.kinds[self.at + 1] == "="
        if kind == "=" and before == "name" and self.at - 2 > self.mark:  # the name was taken for a unit
            self.at -= 1
            is_second = True
        shown = self.shown(self.at)
        if is_second:
            label = "the fields of a block stand in `{ ... }`" if head else SEPARATE
            fixes = self.added(";") if head is None else ()
            return UnexpectedError(f"{shown} starts a second statement on this line", self.here(), label, fixes=fixes)
        if kind == "name" or (before == "}" and kind != ","):
            is_unit = head and head.shape and before == "number"
            is_condition = kind == "name" and self.texts[self.at] in CONDITIONS
            other = "sizes have no units" if is_unit else CONDITION if is_condition else SEPARATE
            label = MEANT.get(self.texts[self.mark], other)
            fixes = self.missing_comparison() if is_unit else ()
            return UnexpectedError(f"{shown} does not belong to this statement", self.here(), label, fixes=fixes)
        wanted = "`{` or the end of the statement" if head else "the end of the statement"
        return self.unexpected(wanted, self.advice(is_head=head is not None), self.fixes_of_comma())

    def check_all_read(self) -> None:
        """Raise UnexpectedError if something follows a value that should be all there is."""
        if self.kinds[self.at] != "end":
            raise self.unexpected("the end of the value", self.advice(is_head=False))

    def advice(self, *, is_head: bool) -> str:
        """What to do about the token behind a statement."""
        kind, before = self.kinds[self.at], self.kinds[self.at - 1]
        if kind == ",":
            return self.advice_on_comma(is_head=is_head)
        if kind == "{":
            return "a block has no `=` before it"
        if kind == "." and before == "number":
            return "a number has digits on both sides of its point"
        if kind == "." and is_head:
            return f"layers of a block are named like `{self.texts[self.at - 1]}_c1`"
        if kind == ".":
            return "fields cannot be read; give the value a name with `let`"
        if kind in BINDING:
            return "only numbers can be computed with"
        if kind == "comparison":
            return "values are not compared; `require` takes a bound"
        return "only fields and `let` are written with `=`" if kind == "=" else "remove it"

    def advice_on_comma(self, *, is_head: bool) -> str:
        """What to do about a comma: people mean a separator of fields, a list, a shape or a group of digits."""
        if self.is_grouping():
            return "digits are grouped by `_`"
        if self.is_before_statement():
            return "statements are parted by `;` or line breaks"
        return "a shape is written `3 x 32 x 32`" if is_head else "a list is written in `[` and `]`"

    def missing_comparison(self) -> tuple[Fix, ...]:
        """The fix that writes the comparison of a known bound: `require accuracy_loss 0.1 pp`."""
        if not self.is_word("require", self.mark) or self.kinds[self.mark + 1 : self.at] != ["name", "number"]:
            return ()
        comparison = COMPARISONS.get(self.texts[self.mark + 1])
        end = self.span(self.mark + 1).end
        return (written_instead(Span(self.source, end, end), f" {comparison}"),) if comparison else ()

    def fixes_of_comma(self) -> tuple[Fix, ...]:
        """The fix of a comma for which another sign is plainly meant."""
        if self.kinds[self.at] != ",":
            return ()
        if self.is_grouping():
            return self.replaced("_")
        return self.replaced(";") if self.is_before_statement() else ()

    def is_before_statement(self) -> bool:
        """Whether the token is the last of its line or block, or a field or block comes after it."""
        after = self.kinds[self.at + 1]
        return after in ENDS or (after == "name" and self.kinds[self.at + 2] in ("=", "{"))

    def is_grouping(self) -> bool:
        """Whether the comma stands in a number: `1,000`."""
        at = self.at
        is_between = self.kinds[at - 1] == self.kinds[at + 1] == "number" and len(self.texts[at + 1]) == 3
        return is_between and self.span(at - 1).end == self.starts[at] == self.starts[at + 1] - 1
