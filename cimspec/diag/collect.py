"""Collects diagnostics, so that one run shows all that is wrong.

A phase reports into a `Diagnostics` and goes on; `raise_if_errors` ends it.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn, Self

from msgspec import structs

from cimspec.diag.codes import CODES
from cimspec.diag.diagnostic import Diagnostic, Fix, Label, Severity, Source, Span
from cimspec.diag.suggest import did_you_mean


class CimError(Exception):
    """The input is wrong; `diagnostics` say where and why."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__("; ".join(f"{found.code} {found.message}" for found in self.diagnostics))

    def __reduce__(self) -> tuple[type[Self], tuple[tuple[Diagnostic, ...]]]:
        return type(self), (self.diagnostics,)  # exceptions are else pickled as their text


MAX_USES = 3  # of blocks in blocks, shown with a finding in the innermost
MAX_ORIGINS = 3  # of names in a value, shown with a finding about it
OF_VALUES = frozenset(
    f"CIM{code}" for code in (205, 208, 210, 212, 218, 224, 225, 226, 227, 234, 236, *range(301, 321))
)
"""Codes whose place is a value: where the names in it got theirs belongs to the finding."""

MAX_KEPT = 200  # nobody reads more, and a file that is no spec could give a million
MAX_FOUND = 10_000  # after so many, the rest of the file is not looked at
MAX_COMPARED = 30_000  # words, for all suggestions together: some microseconds each


class Diagnostics:
    """A growing list of findings. All are counted; the first `MAX_KEPT` are kept."""

    def __init__(self) -> None:
        self._found: list[Diagnostic] = []
        self._count = 0
        self._has_errors = False
        self._uses: Sequence[Span] = ()
        self._told: set[tuple[str, Span | None]] = set()
        self._compared = 0
        self._imports: dict[int, tuple[Source, Span]] = {}  # where files are imported, until a finding has shown it
        self._origins: dict[tuple[int, int, int], tuple[Span, Span]] = {}  # by source, start and end

    @property
    def all(self) -> tuple[Diagnostic, ...]:
        """Everything found so far, in the order in which it was found."""
        return tuple(self._found)

    @property
    def has_errors(self) -> bool:
        """Whether anything found is more than a warning."""
        return self._has_errors

    @property
    def count(self) -> int:
        """How many have been found so far."""
        return self._count

    @property
    def is_hopeless(self) -> bool:
        """Whether so much is wrong that looking for more takes time only: a mistake in a repeat is in every round."""
        return self._count > MAX_FOUND

    def error(
        self,
        code: str,
        message: str,
        span: Span | None = None,
        *,
        label: str | None = None,
        related: Iterable[Label] = (),
        notes: Iterable[str] = (),
        help: str | None = None,  # noqa: A002
        fixes: Iterable[Fix] = (),
    ) -> None:
        """Report something that must be changed."""
        more = tuple(related), tuple(notes), help, tuple(fixes)
        self.add(Diagnostic(code, Severity.ERROR, message, span, label, *more))

    def warning(
        self,
        code: str,
        message: str,
        span: Span | None = None,
        *,
        label: str | None = None,
        related: Iterable[Label] = (),
        notes: Iterable[str] = (),
        help: str | None = None,  # noqa: A002
        fixes: Iterable[Fix] = (),
    ) -> None:
        """Report something that works but is probably not meant."""
        more = tuple(related), tuple(notes), help, tuple(fixes)
        self.add(Diagnostic(code, Severity.WARNING, message, span, label, *more))

    def add(self, found: Diagnostic) -> None:
        """Keep a finding; its code must be in the catalogue."""
        assert found.code in CODES, f"{found.code} is not in the catalogue"
        self._count += 1
        first_error = found.severity is Severity.ERROR and not self._has_errors
        self._has_errors |= first_error
        if self._uses:
            told = self._in_a_block(found)
            if told is None:
                return
            found = told
        if self._origins and len(self._found) < MAX_KEPT:
            found = self._with_origins(found)
        if found.span is not None and id(found.span.source) in self._imports:
            shown = {label.span for label in found.related}
            ways = [label for label in self._ways_to(found.span.source) if label.span not in shown]
            found = structs.replace(found, related=(*found.related, *ways))
        # Warnings alone must not fill the list: an error that is raised has to be in it.
        if len(self._found) < MAX_KEPT or first_error:
            self._found.append(found)

    def came_from(self, use: Span, origin: Span) -> None:
        """Say where a name at `use` has its value from: findings about it show that place, too."""
        self._origins[id(use.source), use.start, use.end] = use, origin

    def _with_origins(self, found: Diagnostic) -> Diagnostic:
        """The finding with the places that names in its value have theirs from, and those of names there."""
        if found.span is None:
            return found
        seen = {found.span, *(label.span for label in found.related)}
        labels: list[Label] = []
        open_spans = [found.span]
        while open_spans and len(labels) < MAX_ORIGINS:
            for use, origin in self._names_in(open_spans.pop(0), is_value=found.code in OF_VALUES or bool(labels)):
                if origin not in seen and len(labels) < MAX_ORIGINS:
                    seen.add(origin)
                    labels.append(Label(origin, f"`{use.text}` is this"))
                    open_spans.append(origin)
        return structs.replace(found, related=(*found.related, *labels)) if labels else found

    def _names_in(self, span: Span, *, is_value: bool) -> list[tuple[Span, Span]]:
        """Uses of names with their origins: the one that `span` is, or all in a value."""
        key = id(span.source), span.start, span.end
        if key in self._origins:
            return [self._origins[key]]
        if not is_value:
            return []
        return [
            pair
            for (source, start, end), pair in self._origins.items()
            if source == key[0] and span.start <= start and end <= span.end
        ]

    def imported_at(self, source: Source, at: Span) -> None:
        """Say where a file is imported: the first finding in it shows that place, too."""
        self._imports[id(source)] = source, at

    def _ways_to(self, source: Source) -> Iterator[Label]:
        """The import of a file, and of the file that imports it, and so on."""
        while (found := self._imports.pop(id(source), None)) is not None:
            yield Label(found[1], "imported here")
            source = found[1].source

    def did_you_mean(self, word: str, candidates: Iterable[str]) -> str | None:
        """The word that was probably meant; None as well where too much is wrong for suggestions to be of use."""
        if len(self._found) >= MAX_KEPT or self._compared >= MAX_COMPARED:
            return None
        known = list(candidates)
        self._compared += len(known)
        return did_you_mean(word, known)

    @contextmanager
    def used_at(self, uses: Sequence[Span]) -> Iterator[None]:
        """What is found inside is in a block that is used at these places, innermost first: they are shown with it.

        The same finding at the same place of the block is told for its first use only.
        """
        before, self._uses = self._uses, uses
        try:
            yield
        finally:
            self._uses = before

    def _in_a_block(self, found: Diagnostic) -> Diagnostic | None:
        """The finding with the uses of its block; None if it was told before."""
        key = found.code, found.span
        if key in self._told:
            return None
        self._told.add(key)
        labels = [Label(use, "used here") for use in self._uses[:MAX_USES] if use != found.span]
        return structs.replace(found, related=(*found.related, *labels))

    def raise_if_errors(self) -> None:
        """End a phase: raise everything found, warnings included, if there is an error among it."""
        if self.has_errors:
            raise CimError(in_reading_order(self._found))


def in_reading_order(found: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Diagnostics by place: sources in the order in which they first appear, those without a place last."""
    found = tuple(found)
    names = list(dict.fromkeys(each.span.source.name for each in found if each.span))
    last = len(names)
    return tuple(
        sorted(
            found,
            key=lambda each: (names.index(each.span.source.name), each.span.start) if each.span else (last, 0),
        )
    )


def fail(
    code: str,
    message: str,
    span: Span | None = None,
    *,
    label: str | None = None,
    related: Iterable[Label] = (),
    notes: Iterable[str] = (),
    help: str | None = None,  # noqa: A002
    fixes: Iterable[Fix] = (),
) -> NoReturn:
    """Raise one error where going on makes no sense."""
    diagnostics = Diagnostics()
    diagnostics.error(code, message, span, label=label, related=related, notes=notes, help=help, fixes=fixes)
    raise CimError(diagnostics.all)
