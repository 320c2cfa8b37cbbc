"""What completion proposes, and where."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from cimspec.lsp.lines import Node
from cimspec.lsp.place import Place
from cimspec.lsp.project import Project


class ProposalKind(StrEnum):
    """What a proposal is, for the picture beside it."""

    FIELD = "field"
    BLOCK = "block"
    OPTION = "option"
    UNIT = "unit"
    KEYWORD = "keyword"
    LAYER = "layer"
    NAME = "name"
    FUNCTION = "function"
    VALUE = "value"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A word that can be written. `insert` is what is written; in it, `$0` says where the cursor comes to stand."""

    label: str
    kind: ProposalKind
    detail: str = ""
    documentation: str = ""
    insert: str = ""

    @property
    def text(self) -> str:
        """What is written."""
        return self.insert or self.label


@dataclass(frozen=True, slots=True)
class Site:
    """A place in a file of a project."""

    place: Place
    path: Path
    project: Project

    def tops(self) -> Iterator[Node]:
        """The statements of the file's top level, then those of the files it imports."""
        yield from self.place.root.inner or ()
        for root in self.project.imported(self.path, self.place.root):
            yield from root.inner or ()

    def named(self, kind: str) -> Iterator[Node]:
        """Top-level statements of a kind that have a name, each name once."""
        seen = set[str]()
        for node in self.tops():
            if node.kind == kind and node.name and node.name not in seen:
                seen.add(node.name)
                yield node
