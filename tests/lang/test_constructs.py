"""Each construct of the language, as the tree that it becomes."""

import pytest

from cimspec.diag import Diagnostics, Source
from cimspec.lang import (
    Argument,
    Assign,
    Binary,
    BlockDefinition,
    Call,
    Import,
    Let,
    ListValue,
    Negated,
    Number,
    Range,
    Repeat,
    Section,
    Setting,
    Shape,
    Text,
    Value,
    Word,
    parse_value,
)
from tests.lang.test_parser import one, tree


def told(text: str) -> str:
    """The tree of a value, fully bracketed."""
    diagnostics = Diagnostics()
    value = parse_value(Source("v", text), 0, diagnostics)
    diagnostics.raise_if_errors()
    assert value is not None
    return spelled(value)


def spelled(value: Value) -> str:
    match value:
        case Number(text=text, unit=unit):
            return f"{text}{unit.text if unit else ''}"
        case Word(text=text):
            return text
        case Binary(operator=operator, left=left, right=right):
            return f"({spelled(left)} {operator.text} {spelled(right)})"
        case Negated(operand=operand):
            return f"(- {spelled(operand)})"
        case Range(low=low, high=high):
            return f"<{spelled(low)}..{spelled(high)}>"
        case Shape(sizes=sizes):
            return f"<{' x '.join(map(spelled, sizes))}>"
        case ListValue(items=items):
            return f"[{', '.join(map(spelled, items))}]"
        case Call(function=function, arguments=arguments):
            return f"{function.text}({', '.join(map(argument, arguments))})"
        case _:
            return value.span.text


def argument(each: Argument) -> str:
    return f"{each.name.text} = {spelled(each.value)}" if each.name else spelled(each.value)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1 + 2 * 3", "(1 + (2 * 3))"),
        ("1 - 2 - 3", "((1 - 2) - 3)"),
        ("8 / 2 * 4", "((8 / 2) * 4)"),
        ("2 ^ 3 ^ 2", "(2 ^ (3 ^ 2))"),
        ("-2 ^ 2", "(- (2 ^ 2))"),
        ("2 ^ -1", "(2 ^ -1)"),
        ("2 ^ -n ^ 2", "(2 ^ (- (n ^ 2)))"),
        ("-a * b", "((- a) * b)"),
        ("a - -b", "(a - (- b))"),
        ("a -1", "(a - 1)"),
        ("(1 + 2) * 3", "((1 + 2) * 3)"),
        ("-3", "-3"),
        ("+3", "+3"),
        ("- 3 us", "-3us"),
        ("--3", "(- -3)"),
        ("-(3)", "(- 3)"),
        ("2 * 1.4 us + t / 2", "((2 * 1.4us) + (t / 2))"),
        ("50 % / 2", "(50% / 2)"),
        ("max(a, 2) * min(b, c - 1)", "(max(a, 2) * min(b, (c - 1)))"),
        ("ceil(\n  log2(n)\n)", "ceil(log2(n))"),
        ("[a,\n 1 + 1,\n]", "[a, (1 + 1)]"),
        ("1..n - 1", "<1..(n - 1)>"),
        ("low..high", "<low..high>"),
        ("1 x side x side", "<1 x side x side>"),
        ("3 x 2 * n x (n + 1)", "<3 x (2 * n) x (n + 1)>"),
        ("28x28", "<28 x 28>"),
        ("1 x28x 28x3 x 4", "<1 x 28 x 28 x 3 x 4>"),
        ("side x 3", "<side x 3>"),
        ("[28x28, 1 x2]", "[<28 x 28>, <1 x 2>]"),
        ("x", "x"),
        ("x2", "x2"),
        ("latency * energy^0.5", "(latency * (energy ^ 0.5))"),
        ("f(a = 1 + 1, [2], b = n)", "f(a = (1 + 1), [2], b = n)"),
    ],
)
def test_values(text, wanted):
    assert told(text) == wanted


def test_expressions_keep_the_span_of_all_that_was_written():
    let = one("let t = (a + 1 us) * -b  # a comment")
    assert isinstance(let, Let)
    product = let.value
    assert isinstance(product, Binary)
    assert product.span.text == "(a + 1 us) * -b"
    assert product.left.span.text == "a + 1 us"
    assert product.right.span.text == "-b"
    assert product.operator.span.column == 20
    assert let.span.text == "let t = (a + 1 us) * -b"


def test_imports_name_a_file_or_call_for_the_library():
    plain, library = tree('import "base.cim"\nimport library("chips/isaac.cim")').statements
    assert isinstance(plain, Import)
    assert isinstance(library, Import)
    assert isinstance(plain.path, Text)
    assert isinstance(library.path, Call)
    assert library.path.arguments[0].value.span.text == '"chips/isaac.cim"'


def test_lets_stand_at_the_top_and_in_blocks():
    block = one("chip c {\n  let side = 64\n  crossbar { let n = side; rows = n }\n}")
    assert isinstance(block, Section)
    first, crossbar = block.body or ()
    assert isinstance(first, Let)
    assert isinstance(crossbar, Section)
    assert [type(each) for each in crossbar.body or ()] == [Let, Assign]


def test_a_block_has_parameters_with_defaults_and_inputs():
    block = one("block residual(channels, stride = 1 + 1,) from x, y {\n  let h = channels / 2\n  relu\n}")
    assert isinstance(block, BlockDefinition)
    assert block.name.text == "residual"
    assert [(each.name.text, each.span.text) for each in block.parameters] == [
        ("channels", "channels"),
        ("stride", "stride = 1 + 1"),
    ]
    assert [word.text for word in block.inputs or ()] == ["x", "y"]
    assert block.span.text == "block residual(channels, stride = 1 + 1,) from x, y"
    assert [type(each) for each in block.body] == [Let, Section]
    plain = one("block act { relu }")
    assert isinstance(plain, BlockDefinition)
    assert (plain.parameters, plain.inputs) == ((), None)


def test_a_block_is_used_with_arguments():
    named, bare, plain = tree(
        "residual s1(64, stride = 2) from c1, c2 { a = 1 }\nresidual(n)\nresidual s2()"
    ).statements
    assert isinstance(named, Section)
    assert [argument(each) for each in named.arguments or ()] == ["64", "stride = 2"]
    assert named.name
    assert (named.name.text, [word.text for word in named.sources or ()]) == ("s1", ["c1", "c2"])
    assert named.span.text == "residual s1(64, stride = 2) from c1, c2"
    assert isinstance(bare, Section)
    assert (bare.name, [argument(each) for each in bare.arguments or ()]) == (None, ["n"])
    assert isinstance(plain, Section)
    assert plain.arguments == ()
    relu = one("relu")
    assert isinstance(relu, Section)
    assert relu.arguments is None


@pytest.mark.parametrize(
    ("head", "variable", "rounds"),
    [
        ("repeat 3", None, "3"),
        ("repeat +3", None, "+3"),
        ("repeat n - 1", None, "(n - 1)"),
        ("repeat max(2, n)", None, "max(2, n)"),
        ("repeat width in widths", "width", "widths"),
        ("repeat width in [16, 32]", "width", "[16, 32]"),
        ("repeat i in 1..n + 1", "i", "<1..(n + 1)>"),
        ("repeat in", None, "in"),
    ],
)
def test_repeats(head, variable, rounds):
    repeat = one(f"{head} {{ relu; residual(32) }}")
    assert isinstance(repeat, Repeat)
    assert (repeat.variable.text if repeat.variable else None) == variable
    assert spelled(repeat.rounds) == rounds
    assert repeat.span.text == head
    assert len(repeat.body) == 2


@pytest.mark.parametrize("text", ["sweep chip.adc.bits = 4..8", "sweep {\n  chip.adc.bits = 4..8\n}"])
def test_a_sweep_holds_settings(text):
    sweep = one(text)
    assert isinstance(sweep, Section)
    assert (sweep.kind.text, sweep.span.text) == ("sweep", "sweep")
    (setting,) = sweep.body or ()
    assert isinstance(setting, Setting)
    assert [word.text for word in setting.path] == ["chip", "adc", "bits"]
    assert [word.span.text for word in setting.path] == ["chip", "adc", "bits"]
    assert spelled(setting.value) == "<4..8>"
    assert setting.span.text == "chip.adc.bits = 4..8"


def test_fields_of_a_sweep_are_settings_even_with_one_word_and_named_let():
    sweep = one('sweep { data = builtin("digits"); let.side = [64, 128] }')
    assert isinstance(sweep, Section)
    assert [[word.text for word in each.path] for each in sweep.body or () if isinstance(each, Setting)] == [
        ["data"],
        ["let", "side"],
    ]


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("input 784", "<784>"),
        ("input 3 x side x side", "<3 x side x side>"),
        ("input side x side from c1", "<side x side>"),
        ("input 2 * n x 3", "<(2 * n) x 3>"),
        ("input (n + 1) x 3", "<(n + 1) x 3>"),
        ("input (n + 1) * 2 x 3", "<((n + 1) * 2) x 3>"),
        ("input 3x32x32 { signed = false }", "<3 x 32 x 32>"),
    ],
)
def test_shapes_in_heads(text, shape):
    section = one(text)
    assert isinstance(section, Section)
    assert section.shape
    assert (section.name, section.arguments, spelled(section.shape)) == (None, None, shape)


def test_a_formula_may_start_with_a_bracket():
    statement = one("minimize (latency + energy) * area")
    assert isinstance(statement, Assign)
    assert spelled(statement.value) == "((latency + energy) * area)"


@pytest.mark.parametrize("word", ["import", "let", "block", "repeat", "sweep", "from", "extends", "at", "in", "x"])
def test_keywords_name_fields_as_well(word):
    (field,) = tree(f"{word} = 3").statements
    assert isinstance(field, Assign)
    assert field.name.text == word
    (setting,) = tree(f"{word}.{word} = 3").statements
    assert isinstance(setting, Setting)
    call = one(f"a = f({word} = {word})")
    assert isinstance(call, Assign)


@pytest.mark.parametrize("word", ["from", "extends", "at", "in", "x"])
def test_words_inside_statements_name_layers_as_well(word):
    layer = one(f"relu r from {word}, {word}")
    assert isinstance(layer, Section)
    assert [source.text for source in layer.sources or ()] == [word, word]


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffa = 1\nb = [2, 3]\n",
        "a = 1\r\nb = [2,\r\n3]\r\n",
        "a = 1 # one\x0c\n\x0c\tb = [2, 3] # two",
        "a = 1;b = [2,3]",
        "\n\n# é \u200d\n ; ;a=1\n\n\n;b=[2 , 3 # and\n,]",
    ],
)
def test_blanks_and_line_ends_of_all_systems(text):
    first, second = tree(text).statements
    assert isinstance(first, Assign)
    assert isinstance(second, Assign)
    assert (spelled(first.value), spelled(second.value)) == ("1", "[2, 3]")
