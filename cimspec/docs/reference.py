"""The reference manual: the descriptions of all blocks and fields -> `docs/reference.md`.

`python -m cimspec.docs.reference` writes it; `--check` only says whether it is up to date.
"""

import argparse
import inspect
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from cimspec.data.builtin import BUILTIN_DATA
from cimspec.docs.markdown import anchor, code, table
from cimspec.docs.statements import FUNCTIONS, STATEMENTS, VALUES
from cimspec.spec.data_source import Preparation
from cimspec.spec.describe import BlockInfo, FieldInfo, block, blocks
from cimspec.spec.fields import entries
from cimspec.spec.library import about, library_names
from cimspec.units import Dimension, units_of

PAGE = Path(__file__).parents[2] / "docs" / "reference.md"
HEAD = """# Reference

Everything that can be written into a `.cim` file. This page is made from the models that check it
(`python -m cimspec.docs.reference`): edit the descriptions there, not here.
"""
PREPARATION = frozenset(entry.key for entry in entries(Preparation))


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or check it; 0 if it is up to date."""
    parser = argparse.ArgumentParser(description="Writes docs/reference.md from the models.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if the page is out of date")
    wanted = page()
    if not parser.parse_args(arguments).check:
        PAGE.write_text(wanted, encoding="utf-8")
        return 0
    is_current = PAGE.exists() and PAGE.read_text(encoding="utf-8") == wanted
    if not is_current:
        print(f"{PAGE} is out of date: run `python -m cimspec.docs.reference`", file=sys.stderr)
    return int(not is_current)


def page() -> str:
    """The whole manual as Markdown."""
    sections = list(_sections())
    contents = [f"- [{title}](#{anchor(title)})" for title, _ in sections]
    texts = [f"## {title}\n\n{text.rstrip()}" for title, text in sections]
    return "\n\n".join([HEAD.rstrip(), "\n".join(contents), *texts]) + "\n"


def _sections() -> Iterator[tuple[str, str]]:
    known = {info.path: info for info in blocks()}
    layers = [info for path, info in known.items() if path.startswith("model.") and path != "model.onnx"]
    sources = [info for path, info in known.items() if path.startswith("data.")]
    yield "Statements", table(("statement", "what it does"), STATEMENTS)
    yield "Values", table(("value", "as in", "what it is"), VALUES)
    yield "Units", _units()
    yield "Functions", table(("function", "what it gives"), FUNCTIONS)
    yield "Chip", _chapter(info for path, info in known.items() if path.partition(".")[0] == "chip")
    yield "Model", _chapter([known["model"], known["model.onnx"]])
    yield "Layers", _layers(layers)
    yield "Data", _data(sources)
    yield "Training", _chapter([known["training"]])
    yield "Search", _chapter(info for path, info in known.items() if path.partition(".")[0] == "search")
    yield "Library", _library()


def _units() -> str:
    rows = []
    for dimension in Dimension:
        units = units_of(dimension)
        own = next((unit.name for unit in units if unit.factor == 1), "a plain number")
        rows.append((str(dimension), ", ".join(code(unit.name) for unit in units), own))
    return table(("what is measured", "units", "kept in"), rows)


def _chapter(infos: Iterable[BlockInfo]) -> str:
    """Blocks one after the other, each under a heading, but for the one that the chapter is called after."""
    return "\n\n".join(_block(info) for info in infos)


def _block(info: BlockInfo, fields: Sequence[FieldInfo] | None = None) -> str:
    """A block with a table of its fields and one of their options."""
    shown = info.fields if fields is None else fields
    heading = [f"### {info.path.partition('.')[2]}"] if "." in info.path else []
    parts = [*heading, f"```\n{info.form}\n```", info.meaning]
    if shown:
        parts.append(_fields(shown))
    if options := _options(shown):
        parts.append(options)
    return "\n\n".join(parts)


def _fields(fields: Iterable[FieldInfo]) -> str:
    rows = [(code(field.name), field.meaning, _value(field), _default(field)) for field in fields]
    return table(("field", "meaning", "value", "default"), rows)


def _value(field: FieldInfo) -> str:
    units = ", ".join(code(unit) for unit in field.units)
    unit = f"in {units}" if field.needs_unit else f"plain or in {units}" if units else ""
    return ", ".join(part for part in (field.kind, unit, field.range) if part)


def _default(field: FieldInfo) -> str:
    if field.is_required:
        return "**required**"
    return code(field.default) if field.default else ""


def _options(fields: Iterable[FieldInfo]) -> str:
    rows = []
    for field in fields:
        for index, option in enumerate(field.options):
            rows.append((code(field.name) if index == 0 else "", code(option.word), option.meaning))
    return table(("field", "option", "meaning"), rows) if rows else ""


def _layers(infos: Sequence[BlockInfo]) -> str:
    """Layers without fields share a table."""
    intro = (
        "A layer reads the one before it, or those after `from`: `conv2d c2 from p1 { ... }`. A name may be left out; "
        "it is then made from kind and position, `relu3`."
    )
    plain = [(code(info.form), info.meaning) for info in infos if not info.fields]
    with_fields = [_block(info) for info in infos if info.fields]
    return "\n\n".join([intro, table(("without fields", "what it computes"), plain), *with_fields])


def _data(infos: Sequence[BlockInfo]) -> str:
    """Sources, each with its own arguments; how images are prepared is the same for all, but for built-in sets."""
    built_in = [(code(name), inspect.getdoc(load) or "") for name, load in sorted(BUILTIN_DATA.items())]
    parts = []
    for info in infos:
        own = [field for field in info.fields if field.name not in PREPARATION]
        more = len(own) < len(info.fields)
        parts.append(_block(info, own) + ("\n\nAnd the options of [images](#images)." if more else ""))
        if info.name == "builtin":
            parts.append(table(("data set", "what it holds; images for training, validation, testing"), built_in))
    shared = [field for field in block("data.npz").fields if field.name in PREPARATION]
    images = "What becomes of the images: pixel / `scale`, resized, cropped, minus `mean`, / `std`."
    parts.append("\n\n".join(["### images", images, _fields(shared), _options(shared)]))
    return "\n\n".join(parts)


def _library() -> str:
    """The files that come with cimspec."""
    rows = [(code(f'import library("{name}")'), about(name)) for name in library_names()]
    return table(("statement", "what it brings in"), rows)


if __name__ == "__main__":
    raise SystemExit(main())
