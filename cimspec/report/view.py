"""What pages are made of: the terminal's tables as rows of text, and templates that lay them out.

Needs the extra `report` (jinja2, matplotlib), which is imported when it is needed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table."""

    cells: tuple[str, ...]
    style: str  # classes: `bold`, and `total` below a rule


@dataclass(frozen=True, slots=True)
class View:
    """A table: the first column is text, the others are numbers."""

    title: str
    headers: tuple[str, ...]
    rows: tuple[Row, ...]


def tables_of(renderable: RenderableType) -> Iterator[Table]:
    """Tables of the terminal's output."""
    if isinstance(renderable, Group):
        for part in renderable.renderables:
            yield from tables_of(part)
    elif isinstance(renderable, Table):
        yield renderable


def view_of(title: str, table: Table) -> View:
    """The table that the terminal shows."""
    headers = tuple(str(column.header) for column in table.columns)
    cells = zip(*(map(str, column.cells) for column in table.columns), strict=True)
    is_total = False
    rows = []
    for row, texts in zip(table.rows, cells, strict=True):
        rows.append(Row(texts, " ".join(filter(None, (str(row.style or ""), "total" if is_total else "")))))
        is_total = row.end_section
    return View(title, headers, tuple(rows))


def has_page_packages() -> bool:
    """Whether the packages of the extra `report` are there."""
    return all(find_spec(name) is not None for name in ("jinja2", "matplotlib"))


def render_template(name: str, page: Any, picture: str) -> str:
    """The template `name` with all text of `page` escaped, and `picture` (SVG) as it is."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    loader = PackageLoader("cimspec.report", "templates")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template(name).render(page=page, picture=Markup(picture)) + "\n"
