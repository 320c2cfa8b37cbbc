"""From the model a user wrote to a `Graph`: every shape inferred, every layer checked against what it reads.

All layers that do not fit are reported at once; a layer after a wrong one is not reported for its sake.
"""

from collections.abc import Mapping

from cimspec.diag import Diagnostics, Span
from cimspec.graph.expand import Draft, expand
from cimspec.graph.graph import Graph
from cimspec.graph.shapes import DoesNotFitError, spell
from cimspec.spec import ModelSpec


def build_graph(model: ModelSpec, spans: Mapping[tuple[str | int, ...], Span] | None = None) -> Graph:
    """The graph of `model`; `spans` places errors in the file.

    Raises `CimError` (CIM401) with one diagnostic for every layer whose input has a shape it cannot take.
    """
    spans = spans or {}
    diagnostics = Diagnostics()
    draft = Draft({declared.name for declared in model.layers})
    made: dict[str, str | None] = {}  # by a layer's name the one that makes its output; None after an error
    for index, declared in enumerate(model.layers):
        sources = [made[name] for name in declared.inputs]
        known = tuple(source for source in sources if source is not None)
        made[declared.name] = None
        if len(known) < len(sources):
            continue
        try:
            made[declared.name] = expand(declared, known, draft)
        except DoesNotFitError as error:
            message, span = f"`{declared.name}` {error}", spans.get(("model", "layers", index))
            diagnostics.error("CIM401", message, span, label=f"reads {spell(*map(draft.shape, known))}")
    diagnostics.raise_if_errors()
    return Graph(model.name, tuple(draft.layers.values()))
