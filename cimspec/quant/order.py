"""In which order torch runs a graph's layers, and which it need not: Graph -> layers after the input.

Results stay the same to the last bit; only the time differs.
"""

from collections.abc import Collection
from itertools import pairwise

from msgspec import structs

from cimspec.graph.graph import Graph
from cimspec.graph.layer import Layer, MaxPool, Product, Relu, Reshape


def run_order(graph: Graph, unsigned: Collection[str] = ()) -> tuple[Layer, ...]:
    """The layers after the input, as they are best run; `unsigned` names layers that code their inputs from 0 up."""
    return tuple(
        structs.replace(layer, op=Reshape()) if _codes_do_it(graph, layer, unsigned) else layer
        for layer in pool_before_relu(graph)
    )


def pool_before_relu(graph: Graph) -> tuple[Layer, ...]:
    """The layers after the input; a relu that only a max pooling reads changes places with it.

    The relu then has fewer values to do. What stands under the relu's name is the pooling.
    """
    layers = list(graph.layers[1:])
    for index, (relu, pool) in enumerate(pairwise(layers)):
        if isinstance(relu.op, Relu) and isinstance(pool.op, MaxPool) and graph.consumers(relu.name) == (pool,):
            layers[index : index + 2] = [
                structs.replace(relu, op=pool.op, shape=pool.shape),
                structs.replace(pool, op=relu.op),
            ]
    return tuple(layers)


def _codes_do_it(graph: Graph, layer: Layer, unsigned: Collection[str]) -> bool:
    """Whether all that read a relu clip at 0 themselves; it may pass its input on, a reshape to the same shape.

    The second operand of a product is coded with a sign, whatever the first one is.
    """
    if not isinstance(layer.op, Relu) or layer.name == graph.output.name:
        return False
    readers = graph.consumers(layer.name)
    return all(reader.name in unsigned and not isinstance(reader.op, Product) for reader in readers)
