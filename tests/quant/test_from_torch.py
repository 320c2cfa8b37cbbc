"""Modules of torch become networks that compute what the modules do."""

import sys

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import cimspec
from cimspec.diag import CimError
from cimspec.graph import Model
from cimspec.graph.layer import Function
from tests.graph.interpreter import interpret
from tests.graph.onnx_models import ops


def check(module: nn.Module, *shape: int) -> Model:
    """The network of a module with random parameters and statistics, after it has given what the module gives."""
    torch.manual_seed(0)
    for name, values in [*module.named_parameters(), *module.named_buffers()]:
        if values.is_floating_point():
            values.data = values.abs() + 0.5 if "var" in name else values + 0.1 * torch.randn_like(values)
    model = cimspec.from_torch(module.train(), torch.zeros(1, *shape))
    assert module.training, "the module is left as it was"
    image = torch.randn(1, *shape)
    with torch.no_grad():
        wanted = module.eval()(image)[0].numpy()
    np.testing.assert_allclose(interpret(model.graph, model.weights, image[0].numpy()), wanted, rtol=1e-4, atol=1e-4)
    return model


class Residual(nn.Module):
    """A block of ResNet that halves the image."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(4, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8)
        self.conv2, self.bn2 = nn.Conv2d(8, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8, eps=1e-3)
        self.downsample = nn.Sequential(nn.Conv2d(4, 8, 1, 2, bias=False), nn.BatchNorm2d(8))
        self.fc = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        y = functional.relu(y + self.downsample(x))
        return self.fc(functional.adaptive_avg_pool2d(y, 1).flatten(1))


@pytest.mark.slow
def test_a_residual_network():
    graph = check(Residual(), 4, 9, 9).graph
    assert [layer.name for layer in graph.crossbar_layers] == ["downsample_0", "conv1", "conv2", "fc"]


class Mobile(nn.Module):
    """A block of MobileNetV3: expansion, depthwise convolution, squeeze and excitation, projection."""

    def __init__(self):
        super().__init__()
        self.expand, self.depthwise = nn.Conv2d(4, 12, 1), nn.Conv2d(12, 12, 5, 2, 2, groups=12)
        self.squeeze, self.excite = nn.Conv2d(12, 3, 1), nn.Conv2d(3, 12, 1)
        self.project = nn.Conv2d(12, 6, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.hardswish(self.expand(x))
        x = functional.relu6(self.depthwise(x))
        scale = functional.relu(self.squeeze(functional.adaptive_avg_pool2d(x, 1)))
        return self.project(x * functional.hardsigmoid(self.excite(scale)))


@pytest.mark.slow
def test_a_mobile_network():
    graph = check(Mobile(), 4, 8, 8).graph
    assert [layer.name for layer in graph.crossbar_layers] == ["expand", "depthwise", "squeeze", "excite", "project"]
    assert graph["depthwise"].op.groups == 12
    functions = [layer.op.function for layer in graph.layers if hasattr(layer.op, "function")]
    assert functions == [Function.HARD_SWISH, Function.HARD_SIGMOID]


class Attention(nn.Module):
    """Attention with a matrix for queries, keys and values each."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        q, k, v = (
            layer(x).view(batch, tokens, self.heads, width // self.heads).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        y = functional.scaled_dot_product_attention(q, k, v)
        return self.out(y.transpose(1, 2).reshape(batch, tokens, width))


class Joined(nn.Module):
    """Torch's own attention, with one matrix for all three."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.attention(x, x, x, need_weights=False)[0]


class Vision(nn.Module):
    """A vision transformer with one block."""

    def __init__(self, attention: nn.Module, width: int = 16, tokens: int = 17):
        super().__init__()
        self.patch = nn.Conv2d(3, width, 4, 4)
        self.token = nn.Parameter(torch.randn(1, 1, width))
        self.positions = nn.Parameter(torch.randn(1, tokens, width))
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width, eps=1e-6) for _ in range(3))
        self.attention = attention
        self.mlp = nn.Sequential(nn.Linear(width, 3 * width), nn.GELU(), nn.Dropout(), nn.Linear(3 * width, width))
        self.head = nn.Linear(width, 7)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.positions
        x = x + self.attention(self.norm1(x))
        x = x + self.mlp(self.norm2(x))
        return self.head(self.norm3(x)[:, 0])


@pytest.mark.slow  # as the next one is: eight seconds in torch's exporter
def test_a_vision_transformer():
    graph = check(Vision(Attention(16, 4)), 3, 16, 16).graph
    assert ops(graph).count("Product") == 2
    assert ops(graph).count("LayerNorm") == 3
    assert [layer.name for layer in graph.crossbar_layers if "Linear" in str(layer.op)] == [
        *(f"attention_{part}" for part in ("query", "key", "value", "out")),
        *("mlp_0", "mlp_3", "head"),
    ]


@pytest.mark.slow
def test_a_vision_transformer_with_the_attention_of_torch():
    graph = check(Vision(Joined(16, 4)), 3, 16, 16).graph
    assert ops(graph).count("Product") == 2
    assert ops(graph).count("Linear") == 5


def test_modules_that_torch_cannot_write():
    class Choosing(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x if x.mean() > 0 else -x

    with pytest.raises(CimError) as caught:
        cimspec.from_torch(Choosing(), torch.zeros(1, 4))
    (found,) = caught.value.diagnostics
    assert found.code == "CIM431"
    assert found.message.startswith("torch cannot write `Choosing` as ONNX: ")


@pytest.mark.slow
def test_operators_that_have_no_layer():
    class Sorting(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.sort(x).values

    with pytest.raises(CimError) as caught:
        cimspec.from_torch(Sorting(), torch.zeros(1, 4))
    assert [found.code for found in caught.value.diagnostics] == ["CIM422"]


@pytest.mark.parametrize("shape", [(2, 4), (4,), ()])
def test_an_example_is_one_image(shape):
    with pytest.raises(CimError) as caught:
        cimspec.from_torch(nn.ReLU(), torch.zeros(shape))
    assert caught.value.diagnostics[0].code == "CIM425"


def test_a_missing_package_is_a_diagnostic(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(CimError) as caught:
        cimspec.from_torch(nn.ReLU(), torch.zeros(1, 4))
    assert caught.value.diagnostics[0].help == "pip install 'cimspec[from-torch]'"
