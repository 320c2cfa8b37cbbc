"""Statements, values and functions of the language in words: what no model of a block describes."""

STATEMENTS: tuple[tuple[str, str], ...] = (
    ('`import "base.cim"`', "brings in a file of this folder or below it: its chips, models, blocks, lets"),
    ('`import library("chips/isaac.cim")`', "the same from the library that comes with cimspec"),
    (
        "`let side = 64`",
        "gives a value a name: in the whole file, where order does not matter, or inside of braces from there to their "
        "end",
    ),
    ("`chip NAME { ... }`", "a chip; the one in force is the file's own, else the only one that it imports"),
    ("`chip NAME extends OTHER { ... }`", "a chip that differs from another in what is written; models as well"),
    ("`model NAME { ... }`", "a network, layer by layer"),
    ('`model NAME = onnx("net.onnx")`', "a network with its weights, from a file"),
    (
        "`block NAME(PARAMETER, ...) from INPUT, ... { ... }`",
        "layers to use in models; parameters may have defaults; without `from` it reads `input`; its last layer is its "
        "output",
    ),
    ("`NAME s1(64, stride = 2) from c1`", "in a model: the layers of a block; `s1_c1` is what the block calls `c1`"),
    ("`repeat 3 { ... }`", "in a model or block: the layers so many times"),
    (
        "`repeat width in [16, 32] { ... }`",
        "in a model or block: the layers for each value, or number of a range; named ones are numbered",
    ),
    ("`data NAME = FUNCTION(...)`", "where images and labels come from"),
    ("`training { ... }`", "how the network is trained"),
    ("`search { ... }`", "which bits may vary, what is wanted, how many evaluations that may take"),
    ("`sweep chip.adc.bits = 4..8`", "one spec for each value of a field; several sweeps give all combinations"),
    ("`sweep { let.side = [64, 128]; ... }`", "several at once; a `let` of the file's top level can vary as well"),
    ("`# ...`", "a comment, to the end of the line"),
)
"""How a statement is written, and what it does. Statements end with their line or with `;`."""

VALUES: tuple[tuple[str, str, str], ...] = (
    ("number", "`64`, `1.4 us`, `5 %`, `1e-5`, `16_128`", "a unit must stand where the field measures something"),
    ("word", "`offset`, `true`", "an option of the field, or the name of a value"),
    ("text", '`"digits.npz"`', "in quotes, on one line"),
    ("range", "`2..8`", "whole numbers, both ends included"),
    ("list", "`[2, 4, 8]`", "may go over several lines"),
    ("shape", "`3 x 224 x 224`", "sizes, outermost first"),
    ("call", '`npz("digits.npz", scale = 255)`', "arguments by position or name"),
    (
        "expression",
        "`t_read + 4 * 1.2 ns / 2`, `latency * energy^0.5`",
        "`+ - * / ^`, parentheses, functions, named values; computed exactly, with dimensions",
    ),
)
"""A kind of value, examples, and what it is."""

FUNCTIONS: tuple[tuple[str, str], ...] = (
    ("`min(a, b, ...)`", "the smallest; all of one dimension"),
    ("`max(a, b, ...)`", "the largest; all of one dimension"),
    ("`ceil(a)`", "the next whole number, not below `a`, which is a plain number"),
    ("`floor(a)`", "the next whole number, not above `a`, which is a plain number"),
    ("`log2(a)`", "the logarithm to the base 2 of a plain number"),
)
"""A function of expressions, and what it gives."""
