"""Load the data a spec names, and check that it fits the network: DataSpec -> Dataset."""

from cimspec.data.builtin import builtin_data
from cimspec.data.dataset import Dataset
from cimspec.diag import fail
from cimspec.graph.graph import Graph
from cimspec.spec.workload import DataSpec


def load_data(spec: DataSpec) -> Dataset:
    """The data set of `spec`; raises `CimError` with `CIM404` or `CIM902`."""
    return builtin_data(spec.source.dataset)


def check_data(dataset: Dataset, graph: Graph) -> None:
    """Raise `CIM405` unless the images have the network's input shape and sign, and each class an output."""
    if dataset.image_shape != graph.input_shape:
        fail(
            "CIM405",
            f"images of `{dataset.name}` are {_product(dataset.image_shape)},"
            f" the input of `{graph.name}` is {_product(graph.input_shape)}",
            help=f"write `input {_product(dataset.image_shape)}`",
        )
    if dataset.classes > graph.output.size:
        fail(
            "CIM405",
            f"`{dataset.name}` has {dataset.classes} classes, `{graph.name}` has {graph.output.size} outputs",
            help=f"give the last layer {dataset.classes} features",
        )
    if dataset.has_negative_pixels and not graph.signed_input:
        fail(
            "CIM405",
            f"`{dataset.name}` has negative values, the input of `{graph.name}` is unsigned",
            help="write `signed = true` in the input's block",
        )


def _product(shape: tuple[int, ...]) -> str:
    return " x ".join(str(size) for size in shape)
