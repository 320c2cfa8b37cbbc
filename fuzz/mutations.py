"""Damages text of the language as people and accidents do: tokens lost, swapped and doubled, numbers blown up.

Knows nothing of cimspec, so that what it makes is not bound to what the parser expects.
"""

import random
import re
from collections.abc import Callable, Sequence

MAX_BYTES = 65_536
"""Of what is made here."""

TOKEN = re.compile(r'"[^"\n]*"|#[^\n]*|\d[\d._]*|\w+|\s+|.', re.DOTALL)
NUMBERS = (
    *("0", "-1", "0.0000001", "1e30", "1e-30", "1e999999999", "9^9^9", "2^64", "4294967296", "9" * 40, "1_0"),
    *("1..1000000000", "5..1", "1/0", "1/3", "nan", "inf", "0x10", "1 x 1000000 x 1000000", "[1, 2]", "3 us", "5 %"),
)
PIECES = (
    *(
        "{",
        "}",
        "[",
        "]",
        "(",
        ")",
        "=",
        ";",
        "\n",
        ",",
        ".",
        "..",
        "<=",
        "#",
        '"',
        "%",
        "+",
        "-",
        "*",
        "/",
        "^",
        " x ",
    ),
    *("\0", "\r", "\r\n", "\t", "\ufeff", "界", "é", "µs", "\u202e", "\u00a0", "\u00d7", "“", "e\u0301", "\x1b[31m"),
    *("import", "import library(", "let a = ", "let x = x", "chip", "model", "extends", "from", "at", "keep", "input"),
    *("block b(n) { b(n) }", "repeat 10000 { ", "repeat i in 1..100 { ", "sweep { ", "sweep chip.adc.bits = 1..16"),
    *("require", "builtin(", "onnx(", "folder(", '"../a.cim"', '"/dev/zero"', "true", "crossbar {", "relu", "add"),
)

Tokens = list[str]


def mutated(text: str, rng: random.Random, others: Sequence[str] = ()) -> str:
    """The text with one to eight mutations; pieces of `others` may be put into it."""
    tokens = TOKEN.findall(text)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        mutation = rng.choice(MUTATIONS)
        mutation(tokens, rng)
    if others and rng.random() < 0.2:
        insert(tokens, run_of(TOKEN.findall(rng.choice(others)), rng, 200), rng)
    return cut("".join(tokens))


def cut(text: str) -> str:
    """The text in at most `MAX_BYTES` bytes."""
    return text.encode("utf-8", "replace")[:MAX_BYTES].decode("utf-8", "ignore")


def run_of(tokens: Tokens, rng: random.Random, length: int) -> Tokens:
    """Some tokens in a row."""
    start = rng.randrange(len(tokens) + 1)
    return tokens[start : start + rng.randint(1, length)]


def insert(tokens: Tokens, new: Sequence[str], rng: random.Random) -> None:
    """Put tokens somewhere."""
    at = rng.randrange(len(tokens) + 1)
    tokens[at:at] = new


def lose(tokens: Tokens, rng: random.Random) -> None:
    """Delete some tokens in a row, most often one."""
    start = rng.randrange(len(tokens) + 1)
    del tokens[start : start + rng.choice((1, 1, 1, 2, 5, 30))]


def swap(tokens: Tokens, rng: random.Random) -> None:
    """Exchange two tokens that are not far from each other."""
    if len(tokens) > 1:
        first = rng.randrange(len(tokens))
        second = min(len(tokens) - 1, first + rng.randint(1, 6))
        tokens[first], tokens[second] = tokens[second], tokens[first]


def double(tokens: Tokens, rng: random.Random) -> None:
    """Write some tokens again, somewhere else: a statement, a block, half of one."""
    insert(tokens, run_of(tokens, rng, 60), rng)


def multiply(tokens: Tokens, rng: random.Random) -> None:
    """Write some tokens many times."""
    insert(tokens, run_of(tokens, rng, 30) * rng.choice((10, 100, 1000)), rng)


def blow_up(tokens: Tokens, rng: random.Random) -> None:
    """Replace a number by an odd one, or by one of many digits."""
    places = [index for index, token in enumerate(tokens) if token[:1].isdecimal()]
    if places:
        at = rng.choice(places)
        tokens[at] = rng.choice((*NUMBERS, tokens[at] * 4, tokens[at] + "0" * rng.choice((2, 6, 25))))


def misspell(tokens: Tokens, rng: random.Random) -> None:
    """Change, lose or add a letter of a word."""
    places = [index for index, token in enumerate(tokens) if token[:1].isalpha()]
    if places:
        at = rng.choice(places)
        word = tokens[at]
        letter = rng.randrange(len(word))
        tokens[at] = word[:letter] + rng.choice(("", "e", "_", "X", "é")) + word[letter + rng.randint(0, 1) :]


def exchange(tokens: Tokens, rng: random.Random) -> None:
    """Write a word of the text in the place of another one."""
    places = [index for index, token in enumerate(tokens) if token[:1].isalnum() or token[:1] == '"']
    if places:
        tokens[rng.choice(places)] = tokens[rng.choice(places)]


def stray(tokens: Tokens, rng: random.Random) -> None:
    """Put a piece of the language, or of none, somewhere."""
    insert(tokens, [rng.choice(PIECES)], rng)


def nest(tokens: Tokens, rng: random.Random) -> None:
    """Open brackets, and close them or not."""
    opening, closing = rng.choice(("()", "[]", "{}", ("-", ""), ("a(", ")"), ("1+(", ")"), ("block b(n) {", "}")))
    depth = rng.choice((2, 20, 99, 101, 3000))
    insert(tokens, [opening * depth, "1", closing * rng.choice((depth, depth, depth - 1, 0))], rng)


MUTATIONS: tuple[Callable[[Tokens, random.Random], None], ...] = (
    *(lose, lose, swap, swap, double, double, blow_up, blow_up, misspell, exchange, exchange, stray, stray),
    *(multiply, nest),
)
"""Those that stand here twice are made twice as often."""
