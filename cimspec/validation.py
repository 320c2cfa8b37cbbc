"""Everything that can be said about a file without running anything: what `cimspec validate` and editors show.

Its text, its fields, its hardware, its network's shapes, what its search asks for, the weights and data in its
files, the points of its sweep.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cimspec.diag import CimError, Diagnostic
from cimspec.graph import Graph, open_model
from cimspec.lang.parser import no_collection
from cimspec.spec import BuiltinData, Loaded, ModelSpec, load, load_points, search_checks
from cimspec.spec.files import Texts
from cimspec.spec.points import Findings


@dataclass(frozen=True, slots=True)
class Validated:
    """A spec without errors, its network, and the warnings about both."""

    loaded: Loaded
    graph: Graph
    warnings: tuple[Diagnostic, ...]


def validated(path: str | Path, overrides: Sequence[str] = (), texts: Texts | None = None) -> Validated:
    """The spec in a file. `texts` stand in for `.cim` files. Raises `CimError` with all that is wrong."""
    with no_collection():
        loaded = load(path, overrides, texts)
        graph = open_model(loaded.spec, loaded.spans).graph
    check_search(loaded, graph)
    found = (*loaded.warnings, *check_files(loaded, graph))
    return Validated(loaded, graph, (*found, *check_points(path, overrides, loaded, found, texts)))


def check_search(loaded: Loaded, graph: Graph) -> None:
    """Raises `CimError` for a search that makes no sense, as far as its spec tells; of a sweep, its points do."""
    spec = loaded.spec
    if spec.search and not loaded.points:
        search_checks.check_search(
            spec.search, spec.chip, [layer.name for layer in graph.crossbar_layers], loaded.spans
        )


def check_files(loaded: Loaded, graph: Graph) -> tuple[Diagnostic, ...]:
    """Warnings about the weights and data that a spec names. Raises `CimError` where they do not fit."""
    return (*check_weights(loaded, graph), *check_own_data(loaded, graph))


def check_weights(loaded: Loaded, graph: Graph) -> tuple[Diagnostic, ...]:
    """Warnings about the file of weights that a spec names. Raises `CimError` where it does not fit."""
    model = loaded.spec.model
    if not isinstance(model, ModelSpec) or model.weights is None:
        return ()
    from cimspec.quant.weights_file import open_weights  # brings numpy, which specs without a file do without

    read = open_weights(model, graph, loaded.spans)
    return read.warnings if read else ()


def check_own_data(loaded: Loaded, graph: Graph) -> tuple[Diagnostic, ...]:
    """Warnings about data in files that a spec names, which are read. Raises `CimError` where they make no sense."""
    if loaded.spec.data is None or isinstance(loaded.spec.data.source, BuiltinData):
        return ()
    from cimspec.data.load import check_data, load_data

    model = loaded.spec.model
    has_weights = not isinstance(model, ModelSpec) or model.weights is not None
    return check_data(load_data(loaded.spec.data), graph, has_weights=has_weights)


def check_points(
    path: str | Path,
    overrides: Sequence[str],
    loaded: Loaded,
    known: tuple[Diagnostic, ...],
    texts: Texts | None = None,
) -> tuple[Diagnostic, ...]:
    """Warnings of the points of a sweep that are not `known` of the spec itself. Raises `CimError` with all errors."""
    if not loaded.points:
        return ()
    findings = Findings(known)
    for point in load_points(path, overrides, texts):
        found = point.errors
        if point.loaded:
            try:
                graph = open_model(point.loaded.spec, point.loaded.spans).graph
                check_search(point.loaded, graph)
                found = (*point.loaded.warnings, *check_weights(point.loaded, graph))
            except CimError as error:
                found = error.diagnostics
        findings.add(point, found)
    findings.raise_if_errors()
    return findings.all
