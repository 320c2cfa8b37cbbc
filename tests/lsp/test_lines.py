"""Half-written text: what is read in chunks is what is read line by line, and where a place is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimspec.lsp import lines as reading
from cimspec.lsp.lines import Reading, chunks, outline, tokens_of
from cimspec.lsp.place import place_at
from cimspec.lsp.positions import Positions

LINES = st.lists(
    st.sampled_from(
        [
            *("chip a {", "model m {", "}", "} }", "  a = 3", "  b = [1,", "2]", "x (", "conv2d c { k = 3 }", ""),
            *("{ a { b", "let x = 3; y { z", "# c {", 'data d = f("}")', "search {", "block b(a, c = (1)) from x {"),
        ]
    ),
    max_size=16,
)


def tree(node):
    return node.head, None if node.inner is None else [tree(each) for each in node.inner]


@given(LINES)
def test_chunks_change_nothing(texts):
    single, whole = Reading(), Reading()
    for text in texts:
        single.feed_line(tokens_of(text))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "CHUNK", 2)  # short ones, so that blocks go over several
        whole.feed_lines(texts)
    assert tree(whole.open[0]) == tree(single.open[0])
    assert [node.head for node in whole.open] == [node.head for node in single.open]
    assert whole.statement == single.statement


@given(LINES)
def test_what_was_read_before_is_not_changed_by_what_is_read_after(texts):
    text = "\n".join(texts)
    first = tree(outline(text))
    outline(text + "\n c = 4\n}\n d = 5")
    assert tree(outline(text)) == first


@given(st.lists(st.text(alphabet="ab{}", max_size=3), max_size=400))
def test_chunks_are_the_lines(texts):
    assert [line for chunk in chunks(texts) for line in chunk] == texts


@given(LINES, st.data())
def test_any_place_of_any_text_is_somewhere(texts, data):
    text = "\n".join(texts)
    offset = data.draw(st.integers(0, len(text)))
    place = place_at(text, offset)
    assert text[:offset].endswith(place.word)
    assert tree(place.root)[0] == ()


@pytest.mark.parametrize(
    ("text", "path", "words", "word"),
    [
        ("chip a { adc { bi|", "chip.adc", (), "bi"),
        ("block b(n) from x {\n conv2d c { k|", "model.conv2d", (), "k"),
        ("model m {\n repeat 3 {\n relu; conv2d c from |", "model", ("conv2d", "c", "from"), ""),
        ("chip a { crossbar {\n\nchip b { |", "chip", (), ""),
        ("data d = npz(\n  la|", "", ("data", "d", "=", "npz", "("), "la"),
        ('import "ab/c|', "", ("import",), "ab/c"),
        ("chip a { adc { bits = 8 |} }", "chip.adc", ("bits", "=", "8"), ""),
    ],
)
def test_places(text, path, words, word):
    offset = text.index("|")
    place = place_at(text.replace("|", ""), offset)
    assert (place.path, place.words, place.word) == (path, words, word)


@given(st.text(alphabet="aß𝄞\n\r"), st.sampled_from(["utf-8", "utf-16", "utf-32"]), st.data())
def test_positions_there_and_back(text, encoding, data):
    offset = data.draw(st.integers(0, len(text)))
    positions = Positions(text, encoding)
    line, column = positions.place(offset)
    assert line == text.count("\n", 0, offset)
    before = text[:offset].rpartition("\n")[2]
    assert column == {"utf-8": len(before.encode()), "utf-16": len(before.encode("utf-16-le")) // 2}.get(
        encoding, len(before)
    )
    assert positions.offset(line, column) == offset
