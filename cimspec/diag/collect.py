"""Collects diagnostics, so that one run shows all that is wrong.

A phase reports into a `Diagnostics` and goes on; `raise_if_errors` ends it.
"""

from collections.abc import Iterable
from typing import NoReturn, Self

from cimspec.diag.codes import CODES
from cimspec.diag.diagnostic import Diagnostic, Label, Severity, Span


class CimError(Exception):
    """The input is wrong; `diagnostics` say where and why."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__("; ".join(f"{found.code} {found.message}" for found in self.diagnostics))

    def __reduce__(self) -> tuple[type[Self], tuple[tuple[Diagnostic, ...]]]:
        return type(self), (self.diagnostics,)  # exceptions are else pickled as their text


MAX_KEPT = 200  # nobody reads more, and a file that is no spec could give a million


class Diagnostics:
    """A growing list of findings. All are counted; the first `MAX_KEPT` are kept."""

    def __init__(self) -> None:
        self._found: list[Diagnostic] = []
        self._count = 0
        self._has_errors = False

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
    ) -> None:
        """Report something that must be changed."""
        found = Diagnostic(code, Severity.ERROR, message, span, label, tuple(related), tuple(notes), help)
        self.add(found)

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
    ) -> None:
        """Report something that works but is probably not meant."""
        found = Diagnostic(code, Severity.WARNING, message, span, label, tuple(related), tuple(notes), help)
        self.add(found)

    def add(self, found: Diagnostic) -> None:
        """Keep a finding; its code must be in the catalogue."""
        assert found.code in CODES, f"{found.code} is not in the catalogue"
        self._count += 1
        first_error = found.severity is Severity.ERROR and not self._has_errors
        self._has_errors |= first_error
        # Warnings alone must not fill the list: an error that is raised has to be in it.
        if len(self._found) < MAX_KEPT or first_error:
            self._found.append(found)

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
) -> NoReturn:
    """Raise one error where going on makes no sense."""
    diagnostics = Diagnostics()
    diagnostics.error(code, message, span, label=label, related=related, notes=notes, help=help)
    raise CimError(diagnostics.all)
