"""Loads the points of a sweep: a file -> a spec for each, one after the other; what is wrong with many is told once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec import structs

from cimspec.diag import CimError, Diagnostic, Diagnostics, Severity, in_reading_order
from cimspec.spec.bind import Loaded, load_module, parsed
from cimspec.spec.files import Texts, read_modules


@dataclass(frozen=True, slots=True)
class LoadedPoint:
    """A point of a sweep: its settings as overrides, and the spec they give, or what is wrong with it."""

    settings: tuple[str, ...]
    loaded: Loaded | None
    errors: tuple[Diagnostic, ...] = ()

    @property
    def values(self) -> dict[str, str]:
        """The value of each field by its path: `{"chip.adc.bits": "6"}`."""
        return {name: value for name, _, value in (setting.partition("=") for setting in self.settings)}


def load_points(path: str | Path, overrides: Sequence[str] = (), texts: Texts | None = None) -> Iterator[LoadedPoint]:
    """The specs of a sweep, made one by one; none if the file has no sweep. Values keep their place in the file.

    Raises `CimError` if the file is wrong without its sweeps; of a point that is wrong, its errors are given.
    """
    diagnostics = Diagnostics()
    module = read_modules(Path(path), diagnostics, texts)
    fixed = parsed(overrides, diagnostics)
    name = Path(path).stem
    for point in load_module(module, name, fixed, diagnostics)[1]:
        settings = tuple(override.text for override in point)
        try:
            found = load_module(module, name, [*fixed, *point], Diagnostics(), is_point=True)[0]
        except CimError as error:
            yield LoadedPoint(settings, None, error.diagnostics)
        else:
            yield LoadedPoint(settings, found)


class Findings:
    """What is found at the points of a sweep, each thing once, with the number of points it is found at."""

    def __init__(self, known: Sequence[Diagnostic] = ()) -> None:
        self._known = {(each.code, each.span) for each in known}
        self._found: dict[object, tuple[Diagnostic, tuple[str, ...], int]] = {}
        self.points = 0

    def add(self, point: LoadedPoint, found: Sequence[Diagnostic]) -> None:
        """Take in what was found at one point."""
        self.points += 1
        for key, each in {(each.code, each.span): each for each in reversed(found)}.items():
            if key not in self._known:
                first, at, count = self._found.get(key, (each, point.settings, 0))
                self._found[key] = first, at, count + 1

    @property
    def all(self) -> tuple[Diagnostic, ...]:
        """The findings in reading order, each with a note on where in the sweep."""
        return in_reading_order(
            structs.replace(each, notes=(*each.notes, self._note(at, count)))
            for each, at, count in self._found.values()
        )

    def _note(self, at: tuple[str, ...], count: int) -> str:
        where = ", ".join(at)
        return f"at {where}" if count == 1 else f"at {count} of {self.points} points, first at {where}"

    def raise_if_errors(self) -> None:
        """Raise `CimError` with everything found if there is an error among it."""
        found = self.all
        if any(each.severity is Severity.ERROR for each in found):
            raise CimError(found)
