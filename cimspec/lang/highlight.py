"""Colours for `.cim` files in documentation: a lexer for Pygments, which finds it by its entry point `cim`.

Loaded by Pygments alone. It knows the shape of statements, not which fields there are, and takes any text.
"""

from typing import ClassVar

from pygments.lexer import RegexLexer, bygroups, default, include, words  # type: ignore[import-untyped]
from pygments.token import (  # type: ignore[import-untyped]
    Comment,
    Keyword,
    Name,
    Number,
    Operator,
    Punctuation,
    String,
    Whitespace,
)

NAME = r"[^\W\d]\w*"
NUMBER = r"(?:[0-9]+(?:_[0-9]+)*(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
DECLARATIONS = ("chip", "model", "data", "training", "search", "block", "let", "sweep")
"""Words that start statements and define something."""

CONTROL = ("import", "repeat", "keep", "require", "minimize", "pareto")
FUNCTIONS = ("min", "max", "ceil", "floor", "log2")


class CimLexer(RegexLexer):  # type: ignore[misc]
    """A `.cim` file as tokens of Pygments."""

    name = "cim"
    aliases: ClassVar[list[str]] = ["cim"]
    filenames: ClassVar[list[str]] = ["*.cim"]
    mimetypes: ClassVar[list[str]] = ["text/x-cim"]

    tokens: ClassVar[dict[str, list[object]]] = {
        # At the start of a statement; what follows on its line is `rest`.
        "root": [
            (r"\s+", Whitespace),
            (r"#[^\n]*", Comment.Single),
            (r"[;{}]", Punctuation),
            (rf"({NAME}(?:\.{NAME})*)(\s*)(=)(?!=)", bygroups(Name.Attribute, Whitespace, Operator), "rest"),
            (words(DECLARATIONS, suffix=r"\b"), Keyword.Declaration, "rest"),
            (words(CONTROL, suffix=r"\b"), Keyword, "rest"),
            (NAME, Keyword.Type, "rest"),  # a block, a layer, the use of a block
            default("rest"),
        ],
        "rest": [
            (r"[;{}\n]", Punctuation, "#pop"),
            include("value"),
        ],
        # Inside of ( ) and [ ] line ends do not end a statement.
        "nested": [
            (r"[)\]]", Punctuation, "#pop"),
            (r"[\n{};]", Punctuation),
            include("value"),
        ],
        "value": [
            (r"[^\S\n]+", Whitespace),
            (r"#[^\n]*", Comment.Single),
            (r'"[^"\n]*"?', String),
            (rf"({NUMBER})([^\S\n]*)(x)(?=[^\S\n]*[\w(])(?!\w)", bygroups(Number, Whitespace, Operator)),
            (rf"({NUMBER})([^\S\n]*)(%|(?!x\b){NAME})?", bygroups(Number, Whitespace, Keyword.Type)),
            (r"(?:extends|from|at|in)\b", Keyword),
            (r"(?:true|false)\b", Keyword.Constant),
            (r"x\b(?=[^\S\n]*[\w(])", Operator),
            (words(FUNCTIONS, suffix=r"\b(?=\s*\()"), Name.Builtin),
            (rf"{NAME}(?=\s*\()", Name.Function),
            (rf"({NAME})(\s*)(=)(?!=)", bygroups(Name.Attribute, Whitespace, Operator)),
            (NAME, Name),
            (r"[(\[]", Punctuation, "nested"),
            (r"\.\.|<=|>=|==|[-+*/^=<>.]", Operator),
            (r"[,)\]]", Punctuation),
            (r".", Punctuation),
        ],
    }
