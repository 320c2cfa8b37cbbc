"""Parses a text by recursive descent: Source -> File, reporting everything that is not the language.

The whole grammar; `name`, `number` and `text` are tokens, `end` is the end of a line or `;`. Line ends within `( )` and
`[ ]`, comments and blanks are no tokens. No name is reserved: a keyword is one only where it stands here, and the words
of the first five statements name fields as well (`let = 3`).

    file        = [statement] {end [statement]}
    block       = "{" [statement] {end [statement]} "}"

    statement   = "import" (text | call)
                | "let" name "=" value
                | "block" name [parameters] [sources] block
                | "repeat" [name "in"] value block
                | "sweep" (block | path "=" value)
                | path "=" value                                a field; with dots a setting of a sweep
                | name name "=" value                           data digits = builtin("digits")
                | name name comparison value                    require accuracy_loss <= 0.1 pp
                | name name "at" value {"," value}              keep c1 at 8 bit, 8 bit
                | name name "," name {"," name}                 pareto latency, energy
                | name expression                               minimize latency * energy^0.5 (an operator is needed)
                | name [name] [arguments | shape] ["extends" name] [sources] [block]

    path        = name {"." name}
    parameters  = "(" [parameter {"," parameter} [","]] ")"
    parameter   = name ["=" value]
    sources     = "from" name {"," name}
    comparison  = "<=" | ">=" | "==" | "<" | ">"

    value       = text | list | range | shape | expression
    list        = "[" [value {"," value} [","]] "]"
    range       = expression ".." expression
    shape       = expression {"x" expression}                   as a value, two sizes at least
    expression  = term {("+" | "-") term}
    term        = factor {("*" | "/") factor}
    factor      = "-" factor | power
    power       = operand ["^" factor]
    operand     = ["+"] number [unit] | name | call | "(" expression ")"
    unit        = name | "%"                                    in the shape of a head there are none
    call        = name arguments
    arguments   = "(" [argument {"," argument} [","]] ")"
    argument    = [name "="] value

    name        = a letter or "_", then letters, digits, "_"; letters of all scripts
    number      = digits, in groups parted by "_", ["." digits] or "." digits; ["e" exponent]
    text        = '"' anything but '"' and line ends '"'

A sign before a number alone is part of the number: `-3` is a Number, `-3 ^ 2` is -(3 ^ 2). `28x28` is `28 x 28`.
Brackets stand at most 100 deep, operators in a value as well, so that trees may be walked by recursion.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from cimspec.diag import Diagnostics, Source
from cimspec.lang.ast import File, Value
from cimspec.lang.cursor import UnexpectedError
from cimspec.lang.scan import scan
from cimspec.lang.statements import Statements


def parse(source: Source, diagnostics: Diagnostics) -> File:
    """The tree of a text. After errors it holds the statements that are right."""
    with no_collection():
        found = scan(source, diagnostics)
        return File(source, Statements(found, diagnostics).statements() if found else ())


@contextmanager
def no_collection() -> Iterator[None]:
    """No garbage is looked for: a tree has no cycles, and going through it while it grows doubles the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def parse_value(source: Source, start: int, diagnostics: Diagnostics) -> Value | None:
    """The value from offset `start` to the end of the text, as in `chip.adc.bits=6`; None after errors."""
    before = diagnostics.count
    found = scan(source, diagnostics, start)
    if found is None or diagnostics.count > before:
        return None
    parser = Statements(found, diagnostics)
    try:
        parser.skip_lines()
        value = parser.value()
        parser.skip_lines()
        parser.check_all_read()
    except UnexpectedError as error:
        error.report(diagnostics)
        return None
    return value
