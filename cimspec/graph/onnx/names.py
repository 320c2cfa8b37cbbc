"""Names of layers: readable, unique, and such that a `.cim` file can write them.

A layer is called by its weights, `layer1.0.conv1.weight` -> `layer1_0_conv1`; else by its node,
`/layer1/layer1.0/relu/Relu` -> `layer1_0_relu`; letters, digits and underscores are kept.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from cimspec.graph.layer import BatchNorm, Constant, Conv2d, Input, Layer, LayerNorm, Linear
from cimspec.graph.onnx.builder import Origin
from cimspec.graph.onnx.node import Node

LONGEST = 80
OF_A_PARAMETER = re.compile(r"(.+?)[._/](weight|bias|kernel|gamma|beta|w|b|W|B)(_\d+)?$")
GENERATED = re.compile(r"onnx::|_?val_\d+$|[%nr]?\d+$")


def names_of(layers: Iterable[Layer], origins: Mapping[str, Origin]) -> dict[str, str]:
    """A name for every layer, by its number."""
    names: dict[str, str] = {}
    counts: dict[str, int] = {}  # by name, how often it was proposed
    for layer in layers:
        name = proposal = _proposal(layer, origins[layer.name])
        while name in counts:
            counts[proposal] += 1
            name = f"{proposal}_{counts[proposal]}"
        counts[name] = 1
        names[layer.name] = name
    return names


def _proposal(layer: Layer, origin: Origin) -> str:
    for candidate in _candidates(layer, origin):
        name = re.sub(r"_+", "_", re.sub(r"[^A-Za-z0-9_]", "_", candidate)).strip("_")[:LONGEST].strip("_")
        if name:
            return name if name[0].isalpha() else f"n_{name}"
    return "layer"


def _candidates(layer: Layer, origin: Origin) -> Iterator[str]:
    """What the layer may be called, the best first."""
    if isinstance(layer.op, Input):
        yield "input"
    if isinstance(layer.op, Conv2d | Linear | BatchNorm | LayerNorm):
        for tensor in origin.tensors:
            match = OF_A_PARAMETER.match(tensor)
            if match and not GENERATED.match(tensor):
                yield match.group(1)
    if isinstance(layer.op, Constant):
        yield from (tensor for tensor in origin.tensors if not GENERATED.match(tensor))
    if not GENERATED.match(origin.node.name):
        yield _by_node(origin.node, origin.kind, isinstance(layer.op, Conv2d | Linear))
    yield origin.kind or origin.node.op.lower()


def _by_node(node: Node, kind: str | None, is_product: bool) -> str:
    """The node's path without steps that the next one repeats, then what it does."""
    steps = [step for step in node.name.split("/") if step]
    pairs = zip(steps, [*steps[1:], ""], strict=False)
    path = [step.removeprefix("node_") for step, following in pairs if not following.startswith(f"{step}.")]
    last = path.pop() if path else node.op
    if kind is not None:
        path.append(kind if path or last == kind else f"{last}_{kind}")
    elif not (is_product and path and last == node.op):
        path.append(last.lower() if last == node.op else last)
    return "_".join(path)
