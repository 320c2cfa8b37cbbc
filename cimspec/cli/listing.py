"""`cimspec list`: what can be written into a spec, and the diagnostics there are."""

from enum import StrEnum
from typing import Annotated, get_args

import typer

from cimspec.cli.common import print_table
from cimspec.diag import CODES


class Topic(StrEnum):
    """What can be listed."""

    LAYERS = "layers"
    ENCODINGS = "encodings"
    METHODS = "methods"
    DATA = "data"
    LIBRARY = "library"
    CODES = "codes"


def list_topic(
    topic: Annotated[Topic | None, typer.Argument(help="what to list; everything but the codes if left out")] = None,
) -> None:
    """List layers, encodings, search methods, data sets, the library's chips and models, or diagnostics.

    Example: cimspec list layers
    """
    from rich.text import Text

    from cimspec.report import rows_table

    for each in [topic] if topic else [topic for topic in Topic if topic is not Topic.CODES]:
        headers, rows = _rows(each)
        print_table(rows_table(headers, rows), Text())


def _rows(topic: Topic) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    match topic:
        case Topic.LAYERS:
            return ("layer", "fields"), _layers()
        case Topic.ENCODINGS:
            from cimspec.spec import Encoding

            return ("encoding",), [(encoding.value,) for encoding in Encoding]
        case Topic.METHODS:
            from cimspec.spec.search import method_names

            return ("search method",), [(name,) for name in method_names()]
        case Topic.DATA:
            return ("data", "options"), _data()
        case Topic.LIBRARY:
            from cimspec.spec.library import about, library_names

            return ("library", "what it is"), [(f'library("{name}")', about(name)) for name in library_names()]
        case Topic.CODES:
            return ("code", "title"), [(code.code, code.title) for code in CODES.values()]


def _layers() -> list[tuple[str, ...]]:
    from cimspec.spec.fields import entries
    from cimspec.spec.layers import OPS

    return [(kind, ", ".join(entry.key for entry in entries(op))) for kind, op in OPS.items()]


def _data() -> list[tuple[str, ...]]:
    from cimspec.data.builtin import BUILTIN_DATA
    from cimspec.spec import OwnData
    from cimspec.spec.fields import FromFile, entries, kind_of

    rows: list[tuple[str, ...]] = [(f'builtin("{name}")', "") for name in sorted(BUILTIN_DATA)]
    for source in get_args(OwnData):
        files = [entry.key for entry in entries(source) if isinstance(entry.type, FromFile)]
        options = [entry.key for entry in entries(source) if not isinstance(entry.type, FromFile)]
        rows.append((f"{kind_of(source)}({', '.join(files)})", ", ".join(options)))
    return rows
