"""The layers that attention stands for compute what torch's multi-head attention does."""

import numpy as np
import torch
from torch.nn.functional import multi_head_attention_forward

from cimspec.graph import Layer, build_graph
from cimspec.graph.layer import Affine, Linear, Product, Reshape, Softmax, Transpose
from cimspec.spec import AttentionSpec
from tests.graph.models import model

TOKENS, FEATURES, HEADS = 5, 12, 3


def test_attention_is_that_of_torch():
    rng = np.random.default_rng(0)
    graph = build_graph(model(("a", AttentionSpec(heads=HEADS)), shape=(TOKENS, FEATURES)))
    linear = [layer.name for layer in graph.layers if isinstance(layer.op, Linear)]
    weights = {name: rng.normal(size=(FEATURES, FEATURES)) for name in linear}
    biases = {name: rng.normal(size=FEATURES) for name in linear}

    def result(layer: Layer, first: np.ndarray, *others: np.ndarray) -> np.ndarray:
        match layer.op:
            case Linear():
                return first @ weights[layer.name].T + biases[layer.name]
            case Affine() as op:
                return first * op.initial_factor
            case Reshape():
                return first.reshape(layer.shape)
            case Transpose() as op:
                return first.transpose(op.axes)
            case Product():
                return first @ others[0]
            case Softmax() as op:
                return np.exp(first) / np.exp(first).sum(op.axis, keepdims=True)
        raise AssertionError(layer.op)

    tensors = {"x": rng.normal(size=(TOKENS, FEATURES))}
    for layer in graph.layers[1:]:
        tensors[layer.name] = result(layer, *(tensors[name] for name in layer.inputs))

    sequence = torch.from_numpy(tensors["x"])[:, None]  # tokens, batch, features
    expected, _ = multi_head_attention_forward(
        *(sequence, sequence, sequence, FEATURES, HEADS),
        in_proj_weight=torch.from_numpy(np.concatenate([weights[f"a_{part}"] for part in "qkv"])),
        in_proj_bias=torch.from_numpy(np.concatenate([biases[f"a_{part}"] for part in "qkv"])),
        bias_k=None,
        bias_v=None,
        add_zero_attn=False,
        dropout_p=0.0,
        out_proj_weight=torch.from_numpy(weights["a_out"]),
        out_proj_bias=torch.from_numpy(biases["a_out"]),
    )
    np.testing.assert_allclose(tensors["a_out"], expected[:, 0].numpy(), rtol=1e-10)
