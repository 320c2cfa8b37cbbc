"""Checks files as `cimspec validate` does: a path and the texts of open documents -> diagnostics by file."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from cimspec.diag import CimError, Diagnostic, Diagnostics, Severity
from cimspec.graph import Graph, open_model
from cimspec.lsp.project import files_of
from cimspec.spec import Loaded, OnnxModelSpec
from cimspec.spec.bind import load_module
from cimspec.spec.files import Texts, parsed_modules
from cimspec.validation import check_files, check_points, check_search

FRAGMENT = "CIM217"  # a part is missing: files that are imported need not be whole


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check of a file has found: diagnostics by file; and the spec and its network if there are no errors."""

    found: dict[Path, tuple[Diagnostic, ...]]
    files: frozenset[Path]
    texts: Texts
    loaded: Loaded | None = None
    graph: Graph | None = None


@dataclass(slots=True)
class Checker:
    """Checks files again and again; what is in files of weights, data and networks only after it has changed."""

    _fine: dict[Path, tuple[object, Graph]] = field(default_factory=dict)

    def check(self, path: Path, texts: Texts) -> Checked:
        """Everything about a file."""
        diagnostics = Diagnostics()
        module = parsed_modules(path, diagnostics, texts)
        files = frozenset(files_of(module)) if module else frozenset((path,))
        if module is None or diagnostics.has_errors:
            return Checked(by_file(path, diagnostics.all), files, texts)
        try:
            loaded, _ = load_module(module, path.stem, (), diagnostics)
            graph, found = self._network(path, loaded)
            check_search(loaded, graph)
            found = (*loaded.warnings, *found)
            found += check_points(path, (), loaded, found, texts)
        except CimError as error:
            return Checked(by_file(path, error.diagnostics), files, texts)
        return Checked(by_file(path, found), files, texts, loaded, graph)

    def _network(self, path: Path, loaded: Loaded) -> tuple[Graph, tuple[Diagnostic, ...]]:
        """The network, and the warnings about what it and its data are read from. Raises `CimError`."""
        spec = loaded.spec
        key = spec.model, spec.data, spec.search
        if path in self._fine and self._fine[path][0] == key:
            return self._fine[path][1], ()
        graph = open_model(spec, loaded.spans).graph
        found = check_files(loaded, graph)
        is_read = isinstance(spec.model, OnnxModelSpec) or spec.model.weights or spec.data
        if is_read and not found:
            self._fine[path] = key, graph
        return graph, found


def by_file(path: Path, found: Iterable[Diagnostic]) -> dict[Path, tuple[Diagnostic, ...]]:
    """Diagnostics by the files they are about; those of no file belong to the one that was checked."""
    files: dict[Path, tuple[Diagnostic, ...]] = {path: ()}
    for each in found:
        file = (each.span.source.file if each.span else None) or path
        files[file] = (*files.get(file, ()), each)
    return files


def is_about_a_fragment(found: Diagnostic) -> bool:
    """Whether a diagnostic only says that something is missing that another file may have."""
    return found.code == FRAGMENT and found.severity is Severity.ERROR
