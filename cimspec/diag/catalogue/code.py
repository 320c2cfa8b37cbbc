"""One entry of the catalogue."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """A kind of diagnostic. `example` shows the mistake and `fix` the same text put right, or what to do."""

    code: str
    title: str
    what: str
    why: str
    example: str
    fix: str
