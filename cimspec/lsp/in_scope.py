"""The names that are known at a place: of layers, and of values. From half-written text, so from words alone."""

from collections.abc import Iterable, Iterator

from cimspec.lsp.lines import Node
from cimspec.lsp.proposal import Proposal, ProposalKind, Site


def layers(site: Site) -> Iterator[Proposal]:
    """Layers before the place that a layer there can read, the nearest first; then those of the model it extends."""
    around = site.place.around
    for depth, node in reversed(list(enumerate(around))):
        if node.kind not in ("model", "block", "repeat"):
            continue
        inner = node.inner or []
        is_innermost = depth == len(around) - 1
        yield from _layers_in(reversed(inner if is_innermost else inner[:-1]), site.place.word)
        if node.kind == "block":
            inputs = node.head[node.head.index("from") + 1 :] if "from" in node.head else ("input",)
            for name in inputs:
                if name != ",":
                    yield Proposal(name, ProposalKind.LAYER, "input of the block")
        elif node.kind == "model":
            yield Proposal("input", ProposalKind.LAYER, "the network's input")
            yield from _inherited(site, node)


def _layers_in(nodes: Iterable[Node], word: str = "") -> Iterator[Proposal]:
    """Named layers. There may be thousands: those without the word are left out here."""
    word = word.lower()
    for node in nodes:
        if len(node.head) > 1 and word in node.head[1].lower() and node.name and node.kind not in ("let", "repeat"):
            yield Proposal(node.name, ProposalKind.LAYER, " ".join(node.head))


def _inherited(site: Site, model: Node) -> Iterator[Proposal]:
    models = {node.name: node for node in site.named("model")}
    seen = {model.name}
    while (base := model.after("extends")) in models and base not in seen:
        seen.add(base)
        model = models[base]
        yield from _layers_in(model.inner or ())


def all_layers(site: Site) -> Iterator[Proposal]:
    """Layers of all models in sight, those in uses of blocks too."""
    blocks = {node.name: node for node in site.named("block")}
    for model in site.named("model"):
        for node in model.inner or ():
            block = blocks.get(node.kind)
            if block and node.name:
                for layer in _layers_in(block.inner or ()):
                    yield Proposal(f"{node.name}_{layer.label}", ProposalKind.LAYER, layer.detail)
            else:
                yield from _layers_in((node,))
        yield from _inherited(site, model)


def names(site: Site) -> Iterator[Proposal]:
    """Names of values, innermost first: parameters, variables, lets."""
    for node in reversed(site.place.around[1:]):
        for inner in reversed(node.inner or ()):
            if inner.kind == "let" and inner.name:
                yield let(inner)
        if node.kind == "block":
            for name in parameters(node):
                yield Proposal(name, ProposalKind.VALUE, "parameter of the block")
        if node.kind == "repeat" and "in" in node.head:
            yield Proposal(node.head[1], ProposalKind.VALUE, " ".join(node.head))
    for node in site.named("let"):
        yield let(node)


def let(node: Node) -> Proposal:
    """A `let` with what is written behind its `=`."""
    return Proposal(node.name or "", ProposalKind.VALUE, "".join(f" {word}" for word in node.head[3:]).strip())


def parameters(block_node: Node) -> Iterator[str]:
    """The parameters in the head of a block."""
    depth = 0
    for before, word in zip(block_node.head, block_node.head[1:], strict=False):
        depth += (before in "([") - (before in ")]")
        if depth == 1 and before in ("(", ",") and word.isidentifier():
            yield word
