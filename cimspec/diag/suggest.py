"""Finds the word that was probably meant: a mistyped word and the known ones -> the closest, or None."""

from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches

MAX_CANDIDATES = 4096  # difflib is quadratic in what it compares; more candidates than this get no suggestion
MAX_LENGTH = 100


def did_you_mean(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate closest to `word`, if one is close enough; a difference in case alone always is."""
    known = list(candidates)
    if len(known) > MAX_CANDIDATES or len(word) > MAX_LENGTH:
        return None
    by_lower_case = {candidate.lower(): candidate for candidate in reversed(known)}
    close = get_close_matches(word.lower(), by_lower_case, n=10, cutoff=0.6)
    if close:
        in_order = [lower for lower in reversed(by_lower_case) if lower in close]
        return by_lower_case[max(in_order, key=lambda lower: likeness(lower, word.lower()))]
    # A word cut short (`col` for `columns`) scores low in difflib, but is plain if it starts one word only.
    longer = [candidate for lower, candidate in by_lower_case.items() if lower.startswith(word.lower())]
    return longer[0] if len(longer) == 1 and len(word) > 1 else None


def likeness(candidate: str, word: str) -> tuple[float, int]:
    """How close two words are; between equals (`CIM314` and `CIM311` to `CIM3O1`) letters in their places decide."""
    in_place = sum(a == b for a, b in zip(candidate, word, strict=False))
    return SequenceMatcher(None, candidate, word).ratio(), in_place
