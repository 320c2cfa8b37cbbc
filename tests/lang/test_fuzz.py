"""Any bytes of up to 64 KB as a file: a spec or diagnostics, never another exception; `fuzz/fuzz_load.py` goes on."""

import random
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cimspec.diag import CimError, Diagnostic, Format, render
from cimspec.graph import open_model
from cimspec.lang.format import format_text
from cimspec.spec import load
from fuzz.mutations import MAX_BYTES, mutated

ROOT = Path(__file__).parents[2]
FILES = (*ROOT.glob("specs/**/*.cim"), *ROOT.glob("cimspec/library/**/*.cim"), *ROOT.glob("tests/diag/cases/*.cim"))
TEXTS = [path.read_bytes().decode("utf-8", "replace") for path in sorted(FILES)]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "any.cim"


def answer(path: Path, content: bytes) -> tuple[Diagnostic, ...]:
    """What is said about a file; all of it can be printed, and `fmt` leaves alone what it wrote."""
    path.write_bytes(content)
    found: tuple[Diagnostic, ...]
    try:
        loaded = load(path)
        found = loaded.warnings
        open_model(loaded.spec, loaded.spans)
    except CimError as error:
        found = error.diagnostics
        assert found
    for form in Format:
        render(found, form)
    for each in found:
        if each.span:
            assert 0 <= each.span.start <= each.span.end <= len(each.span.source.text)
    try:
        once = format_text(content.decode("utf-8"))
    except (UnicodeDecodeError, CimError):
        return found
    assert format_text(once) == once
    return found


@settings(max_examples=150, deadline=None)
@given(content=st.binary(max_size=MAX_BYTES))
@example(content=b"\xff" * MAX_BYTES)
@example(content=b"\0" * MAX_BYTES)
@example(content=b"{" * MAX_BYTES)
@example(content=b"a" * MAX_BYTES)
@example(content=b'"' * MAX_BYTES)
@example(content=b"\r" * MAX_BYTES)
@example(content=b";" * MAX_BYTES)
@example(content=b"a=1;" * (MAX_BYTES // 4))
@example(content=b"a{b}" * (MAX_BYTES // 4))
@example(content="界".encode() * (MAX_BYTES // 3))
def test_any_bytes(path, content):
    assert answer(path, content)  # no spec comes of this


@settings(max_examples=150, deadline=None)
@given(which=st.integers(0, len(TEXTS) - 1), seed=st.integers(0, 2**32))
def test_text_with_accidents(path, which, seed):
    answer(path, mutated(TEXTS[which], random.Random(seed), TEXTS).encode("utf-8", "surrogatepass"))


@settings(max_examples=50, deadline=None)
@given(which=st.integers(0, len(TEXTS) - 1), cut=st.floats(0, 1), junk=st.binary(max_size=20))
def test_text_cut_off_and_with_bytes_put_in(path, which, cut, junk):
    content = TEXTS[which].encode()
    at = int(cut * len(content))
    answer(path, content[:at])
    answer(path, content[:at] + junk + content[at:])


def test_a_mutation_changes_a_text_and_keeps_it_short():
    rng = random.Random(1)
    made = [mutated(text, rng, TEXTS) for text in TEXTS * 3]
    assert sum(new != old for new, old in zip(made, TEXTS * 3, strict=True)) > 0.9 * len(made)
    assert max(len(text.encode()) for text in made) <= MAX_BYTES
