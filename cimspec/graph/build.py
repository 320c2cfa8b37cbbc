"""From the model a user wrote to a `Graph`: every shape inferred, every layer checked against what it reads.

All layers that do not fit are reported at once; a layer after a wrong one is not reported for its sake.
"""

from cimspec.diag import Diagnostics, Span
from cimspec.diag.collect import MAX_USES
from cimspec.graph.expand import Draft, expand
from cimspec.graph.graph import Graph
from cimspec.graph.shapes import DoesNotFitError, spell
from cimspec.spec import ModelSpec
from cimspec.spec.blocks import Spans

SAME = "give both one shape: a `conv2d` with `kernel = 1` changes channels, its `stride` height and width"
WINDOWS = "look at `kernel`, `stride`, `padding` and `groups`, and at the layers before it"
HINTS = {
    **dict.fromkeys(("add", "multiply"), SAME),
    **dict.fromkeys(("conv2d", "depthwise", "maxpool", "avgpool"), WINDOWS),
    "concat": "give both the same sizes but along the axis that they are joined on",
    "reshape": "the new shape has to hold as many values as the old one",
    "attention": "it takes tokens x features, and `heads` that divide the features",
}
"""What to look at, by the kind of layer."""


def build_graph(model: ModelSpec, spans: Spans | None = None) -> Graph:
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
            with diagnostics.used_at(uses_of(index, spans)):
                label, hint = f"reads {spell(*map(draft.shape, known))}", HINTS.get(declared.op.kind)
                diagnostics.error("CIM401", message, span, label=label, help=hint)
    diagnostics.raise_if_errors()
    return Graph(model.name, tuple(draft.layers.values()))


def uses_of(index: int, spans: Spans) -> tuple[Span, ...]:
    """Where the blocks are used that a layer comes from, innermost first."""
    found = (spans.get(("model", "layers", index, "use", number)) for number in range(MAX_USES))
    return tuple(use for use in found if use)
