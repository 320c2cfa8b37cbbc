"""Whatever the text: a spec, or diagnostics. Never another exception."""

import random
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from cimspec.diag import CimError, Diagnostic, Format, render
from cimspec.spec import load

SPECS = Path(__file__).parents[2] / "specs"
QUICKSTART = (SPECS / "quickstart.cim").read_text(encoding="utf-8")
BLOCKS = (SPECS / "blocks.cim").read_text(encoding="utf-8").replace('"tiny.cim"', 'library("chips/rram_64.cim")')
SWEEP = (SPECS / "sweep.cim").read_text(encoding="utf-8")
PIECES = [
    *("{", "}", "[", "]", "(", ")", "=", ";", "\n", ",", "..", "<=", "#", '"', "%", "\0", "\r", "\t", "\ufeff", "界"),
    *("chip", "model", "extends", "from", "at", "keep", "import", "input", "require", "builtin", "quickstart"),
    *("let a = ", "block b(n) {", "repeat 2 {", "repeat i in", "sweep {", "b(1)", "let.a", "+", "-", "*", "^", "max("),
    *("0", "-1", "1e30", "2..8", "1 x 2", "us", "bit", "pp", '"a"', "true", "crossbar {", "relu", "add"),
]


def answer(path: Path, text: str, *overrides: str) -> None:
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    found = findings(path, overrides)
    assert all(render(found, form) or not found for form in Format)


def findings(path: Path, overrides: tuple[str, ...]) -> tuple[Diagnostic, ...]:
    try:
        return load(path, overrides).warnings
    except CimError as error:
        return error.diagnostics


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=300))
def test_any_text(tmp_path_factory, text):
    answer(tmp_path_factory.getbasetemp() / "any.cim", text)


@settings(max_examples=150, deadline=None)
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=40))
def test_any_pieces_of_the_language(tmp_path_factory, pieces):
    answer(tmp_path_factory.getbasetemp() / "any.cim", " ".join(pieces))


@settings(max_examples=150, deadline=None)
@given(text=st.sampled_from((QUICKSTART, BLOCKS, SWEEP)), seed=st.integers(0, 2**32), count=st.integers(1, 4))
def test_a_good_spec_with_pieces_changed(tmp_path_factory, text, seed, count):
    rng = random.Random(seed)
    for _ in range(count):
        start = rng.randrange(len(text))
        end = start + rng.choice((0, 1, 1, 5, 30))
        text = text[:start] + rng.choice(("", "", *PIECES)) + text[end:]
    answer(tmp_path_factory.getbasetemp() / "any.cim", text)


@settings(max_examples=100, deadline=None)
@given(
    override=st.one_of(
        st.text(max_size=40),
        st.builds(
            "{}={}".format,
            st.sampled_from(("chip.adc.bits", "search.weight_bits", "model.c1.kernel", "data", "model.input.shape")),
            st.one_of(st.text(max_size=10), st.lists(st.sampled_from(PIECES), max_size=5).map(" ".join)),
        ),
    )
)
def test_any_override(tmp_path_factory, override):
    answer(tmp_path_factory.getbasetemp() / "any.cim", QUICKSTART, override)
