"""Networks: layers, shapes, and how many bits each layer gets."""

from cimspec.graph.build import build_graph
from cimspec.graph.graph import Graph
from cimspec.graph.layer import Layer, Op, Shape
from cimspec.graph.model import Model, load_model, open_model
from cimspec.graph.policy_file import load_policy, policy_as_json
from cimspec.graph.precision import Policy, Precision
from cimspec.graph.shapes import DoesNotFitError, output_shape
from cimspec.graph.signs import nonnegative_layers

__all__ = [
    "DoesNotFitError",
    "Graph",
    "Layer",
    "Model",
    "Op",
    "Policy",
    "Precision",
    "Shape",
    "build_graph",
    "load_model",
    "load_policy",
    "nonnegative_layers",
    "open_model",
    "output_shape",
    "policy_as_json",
]
