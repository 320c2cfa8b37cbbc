"""The network of a spec, whether it is written in the `.cim` file or in an ONNX file that it names."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from cimspec.diag import Diagnostics
from cimspec.graph.build import build_graph
from cimspec.graph.graph import Graph
from cimspec.spec.blocks import Binding, Spans
from cimspec.spec.checks import check_keep
from cimspec.spec.model_file import OnnxModelSpec
from cimspec.spec.spec import Spec
from cimspec.spec.workload import ModelSpec

if TYPE_CHECKING:
    from cimspec.graph.onnx import Weights


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A network, and its float weights where it comes with some: else training makes them."""

    graph: Graph
    weights: "Weights | None" = None


def load_model(model: ModelSpec | OnnxModelSpec, spans: Spans | None = None) -> Model:
    """The network that `model` describes or names; `spans` place errors in the `.cim` file.

    Raises `CimError`: CIM401 for layers that do not fit, CIM42x and CIM430 for an ONNX file (see `load_onnx`).
    """
    match model:
        case ModelSpec():
            return Model(build_graph(model, spans))
        case OnnxModelSpec(name=name, source=source):
            from cimspec.graph.onnx import load_onnx  # brings numpy, which specs without a file do without

            spans = spans or {}
            span = spans.get(("model", "source", "file")) or spans.get(("model",))
            graph, weights = load_onnx(
                source.file.path, source.input, signed=source.signed, name=name, shown=source.file.shown, span=span
            )
            return Model(graph, weights)
        case _:
            assert_never(model)


def open_model(spec: Spec, spans: Spans | None = None) -> Model:
    """The network of `spec`, with what the spec says about its layers checked.

    Raises `CimError` as `load_model` does, and CIM607 where `keep` names no layer that has bits.
    """
    model = load_model(spec.model, spans)
    if spec.search and isinstance(spec.model, OnnxModelSpec):
        binding = Binding(Diagnostics(), dict(spans or {}))
        products = {layer.name: (layer.name,) if layer.runs_on_crossbars else () for layer in model.graph.layers}
        check_keep(spec.search, products, binding)
        binding.diagnostics.raise_if_errors()
    return model
