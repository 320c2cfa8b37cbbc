"""Weights from elsewhere: cimspec computes what torch does; what does not fit is told, and no code is run."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from cimspec.diag import CimError, Diagnostic, Severity
from cimspec.graph import open_model
from cimspec.quant.execute import float_outputs
from cimspec.quant.weights_file import WeightsRead, open_weights, save_weights
from cimspec.spec import Loaded, load
from tests.quant.nets import random_weights, residual_net

CHIP = """
chip c {
  crossbar {
    rows = 64; columns = 64; cell = 2 bit; encoding = differential_columns; write_latency = 1 us; read_latency = 1 us
  }
  adc { bits = 8 }
}
"""
NET = """model net {
  weights = "FILE"
  input 1 x 8 x 8
  conv2d c1 { channels = 6; kernel = 3; padding = 1 }
  batchnorm n1
  relu
  depthwise c2 { kernel = 3 }
  relu
  maxpool { kernel = 2 }
  linear f1 { features = 10 }
}"""
LINES = {name: 1 + CHIP.count("\n") + NET[: NET.index(f" {name}")].count("\n") for name in ("c1", "n1", "c2", "f1")}
LINES["weights"] = 1 + CHIP.count("\n") + 1


class Net(nn.Module):
    """NET in torch."""

    def __init__(self) -> None:
        super().__init__()
        self.c1 = nn.Conv2d(1, 6, 3, padding=1, bias=False)
        self.n1 = nn.BatchNorm2d(6)
        self.c2 = nn.Conv2d(6, 6, 3, groups=6)
        self.f1 = nn.Linear(54, 10)

    def forward(self, images: Tensor) -> Tensor:
        values = self.c2(functional.relu(self.n1(self.c1(images))))
        return self.f1(functional.max_pool2d(functional.relu(values), 2).flatten(1))


def images(count: int, *shape: int) -> Tensor:
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def trained() -> Net:
    """A network after a few steps of training, which leave nothing at its initial value."""
    torch.manual_seed(0)
    network = Net()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    for _ in range(5):
        loss = functional.cross_entropy(network(images(20, 1, 8, 8)), torch.arange(20) % 10)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()


def write(path: Path, tensors: dict[str, Tensor]) -> None:
    save_file(tensors, path) if path.suffix == ".safetensors" else torch.save(tensors, path)


def spec(folder: Path, file: str = "net.pt", text: str = NET) -> Loaded:
    (folder / "net.cim").write_text(CHIP + text.replace("FILE", file))
    return load(folder / "net.cim")


def opened(loaded: Loaded) -> WeightsRead:
    read = open_weights(loaded.spec.model, open_model(loaded.spec).graph, loaded.spans)
    assert read is not None
    return read


def outputs(loaded: Loaded, inputs: Tensor) -> Tensor:
    return float_outputs(open_model(loaded.spec).graph, opened(loaded).weights, inputs)


def findings(loaded: Loaded) -> tuple[Diagnostic, ...]:
    with pytest.raises(CimError) as raised:
        opened(loaded)
    return raised.value.diagnostics


def line(found: Diagnostic) -> int:
    assert found.span is not None
    return found.span.source.text[: found.span.start].count("\n") + 1


@pytest.mark.parametrize("file", ["net.safetensors", "net.pt", "net.pth"])
def test_a_network_from_torch_computes_what_torch_does(file, trained, tmp_path):
    write(tmp_path / file, trained.state_dict())
    loaded = spec(tmp_path, file)
    with torch.no_grad():
        expected = trained(images(16, 1, 8, 8))
    torch.testing.assert_close(outputs(loaded, images(16, 1, 8, 8)), expected, rtol=1e-5, atol=1e-5)
    assert opened(loaded).warnings == ()


class Transformer(nn.Module):
    """One head of attention, normalization, a class token and positions."""

    def __init__(self) -> None:
        super().__init__()
        self.t_token, self.p_learned = nn.Module(), nn.Module()
        self.t_token.value = nn.Parameter(torch.randn(1, 4))
        self.p_learned.value = nn.Parameter(torch.randn(17, 4))
        self.n1 = nn.LayerNorm(4)
        nn.init.normal_(self.n1.weight)
        self.a1 = nn.ModuleDict({name: nn.Linear(4, 4) for name in ("q", "k", "v", "out")})
        self.f1 = nn.Linear(4, 10)

    def forward(self, images: Tensor) -> Tensor:
        tokens = images.flatten(2).mT
        tokens = torch.cat([self.t_token.value.expand(len(tokens), 1, 4), tokens], 1) + self.p_learned.value
        normal = self.n1(tokens)
        query, key, value = (self.a1[name](normal).unflatten(2, (2, 2)).transpose(1, 2) for name in ("q", "k", "v"))
        mixed = functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        return self.f1(self.a1["out"](mixed)[:, 0])


def test_attention_and_constants_are_called_as_the_graph_calls_them(tmp_path):
    torch.manual_seed(2)
    network = Transformer()
    torch.save(network.state_dict(), tmp_path / "net.pt")
    text = """model net {
      weights = "FILE"
      input 4 x 4 x 4
      tokens
      class_token t
      positions p
      layernorm n1
      attention a1 { heads = 2 }
      select
      linear f1 { features = 10 }
    }"""
    loaded = spec(tmp_path, text=text)
    with torch.no_grad():
        expected = network(images(8, 4, 4, 4))
    torch.testing.assert_close(outputs(loaded, images(8, 4, 4, 4)), expected, rtol=1e-5, atol=1e-5)
    assert opened(loaded).warnings == ()


@pytest.mark.parametrize("file", ["net.safetensors", "net.pt"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_real_types_are_converted(file, dtype, trained, tmp_path):
    state = {name: value.to(dtype) for name, value in trained.state_dict().items() if value.is_floating_point()}
    write(tmp_path / file, state)
    read = opened(spec(tmp_path, file)).weights
    assert np.array_equal(read["c2"]["weight"], state["c2.weight"].float().numpy())
    assert np.array_equal(read["n1"]["variance"], state["n1.running_var"].float().numpy())
    assert all(values.dtype == np.float32 for own in read.values() for values in own.values())


def test_a_layer_without_bias_has_zeros(trained, tmp_path):
    write(tmp_path / "net.pt", trained.state_dict())
    assert np.array_equal(opened(spec(tmp_path)).weights["c1"]["bias"], np.zeros(6, np.float32))


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda state: {"state_dict": state, "epoch": 3, "optimizer": {"lr": torch.tensor(0.1)}},
        lambda state: {f"module.{name}": value for name, value in state.items()},
        lambda state: {f"_orig_mod.{name}": value for name, value in state.items()},
    ],
    ids=["checkpoint", "DataParallel", "compiled"],
)
def test_what_training_loops_wrap_around_a_state_dict_is_taken_off(wrapped, trained, tmp_path):
    torch.save(wrapped(trained.state_dict()), tmp_path / "net.pt")
    read = opened(spec(tmp_path))
    assert read.warnings == ()
    assert np.array_equal(read.weights["f1"]["weight"], trained.f1.weight.detach().numpy())


def test_dots_in_the_names_of_modules_are_underscores(tmp_path):
    module = nn.Sequential(nn.Flatten(), nn.Sequential(nn.Linear(64, 10)))
    torch.save({f"net.{name}": value for name, value in module.state_dict().items()}, tmp_path / "net.pt")
    text = 'model m { weights = "FILE"; input 1 x 8 x 8; linear net_1_0 { features = 10 } }'
    assert np.array_equal(
        opened(spec(tmp_path, text=text)).weights["net_1_0"]["weight"], module[1][0].weight.detach().numpy()
    )
    torch.save(module.state_dict(), tmp_path / "net.pt")  # `1.0.weight`, as a number cannot start a layer's name
    assert "n_1_0" in opened(spec(tmp_path, text=text.replace("net_1_0", "n_1_0"))).weights


def test_all_that_is_wrong_is_told_at_once_and_at_its_layer(trained, tmp_path):
    state = trained.state_dict()
    state["conv1.weight"] = state.pop("c1.weight")
    state["n1.running_var"] = -state["n1.running_var"]
    state["n1.weight"] = torch.full((6,), float("nan"))
    state["c2.weight"] = torch.ones(6, 1, 3, 3, dtype=torch.int8)
    state["f1.weight"] = state["f1.weight"].T.contiguous()
    state["f1.bais"] = state.pop("f1.bias")
    write(tmp_path / "net.pt", state)
    found = findings(spec(tmp_path))
    assert [(each.code, line(each)) for each in found] == [
        ("CIM443", LINES["weights"]),
        ("CIM441", LINES["c1"]),
        ("CIM444", LINES["n1"]),
        ("CIM444", LINES["n1"]),
        ("CIM445", LINES["c2"]),
        ("CIM442", LINES["f1"]),
    ]
    left, missing, nan, variance, kind, shape = found
    assert "`conv1.weight`" in (missing.label or "")
    assert "6 values" in nan.message
    assert "variance" in variance.message
    assert "int8" in kind.message
    assert "[54, 10]" in shape.message
    assert "[10, 54]" in shape.message
    assert "transpose" in (shape.help or "")
    assert left.severity is Severity.WARNING
    assert any("`f1.bias`" in note and "`f1.bais`" in note for note in left.notes)


def test_a_layer_of_another_name_and_the_same_shape_is_pointed_at(trained, tmp_path):
    state = trained.state_dict()
    state["classifier.weight"] = state.pop("f1.weight")
    write(tmp_path / "net.pt", state)
    (found,) = (each for each in findings(spec(tmp_path)) if each.code == "CIM441")
    assert found.label == "did you mean `classifier.weight`, which has this shape?"


class Malicious:
    """Runs code when a plain unpickler loads it."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_pickle_is_refused_and_not_run(zipped, trained, tmp_path):
    content = {**trained.state_dict(), "extra": Malicious(tmp_path / "marker")}
    torch.save(content, tmp_path / "net.pt", _use_new_zipfile_serialization=zipped)
    (found,) = findings(spec(tmp_path))
    assert found.code == "CIM440"
    assert "code" in found.message
    assert not (tmp_path / "marker").exists()
    torch.load(tmp_path / "net.pt", weights_only=False)  # what the file would have done
    assert (tmp_path / "marker").exists()


def test_a_whole_module_is_refused(trained, tmp_path):
    torch.save(trained, tmp_path / "net.pt")
    (found,) = findings(spec(tmp_path))
    assert (found.code, line(found)) == ("CIM440", LINES["weights"])
    assert "state_dict" in (found.help or "")


@pytest.mark.parametrize("file", ["net.safetensors", "net.pt"])
def test_a_damaged_file_is_a_diagnostic(file, trained, tmp_path):
    write(tmp_path / file, trained.state_dict())
    whole = (tmp_path / file).read_bytes()
    for content in (b"", b"no weights", whole[: len(whole) // 2], whole[:100], b"\xff" * 100):
        (tmp_path / file).write_bytes(content)
        assert [found.code for found in findings(spec(tmp_path, file))] == ["CIM440"]


@pytest.mark.parametrize("content", [[torch.ones(2)], torch.ones(2), {}, {"epoch": 3}])
def test_what_is_no_state_dict_is_a_diagnostic(content, tmp_path):
    torch.save(content, tmp_path / "net.pt")
    assert [found.code for found in findings(spec(tmp_path))] == ["CIM440"]


def test_sparse_tensors_and_such_without_values_are_diagnostics(trained, tmp_path):
    state = trained.state_dict()
    state["f1.weight"] = state["f1.weight"].to_sparse()
    state["c2.weight"] = state["c2.weight"].to("meta")
    write(tmp_path / "net.pt", state)
    assert [found.code for found in findings(spec(tmp_path))] == ["CIM445", "CIM445"]


def test_values_beyond_float32_are_diagnostics(trained, tmp_path):
    state = trained.state_dict()
    state["f1.bias"] = torch.full((10,), 1e300, dtype=torch.float64)
    for file in ("net.pt", "net.safetensors"):
        write(tmp_path / file, state)
        assert [found.code for found in findings(spec(tmp_path, file))] == ["CIM444"]


def test_without_the_package_safetensors_it_is_named(trained, tmp_path, monkeypatch):
    write(tmp_path / "net.safetensors", trained.state_dict())
    loaded = spec(tmp_path, "net.safetensors")
    monkeypatch.setitem(sys.modules, "safetensors", None)
    (found,) = findings(loaded)
    assert found.code == "CIM902"
    assert "cimspec[weights]" in (found.help or "")


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_saved_weights_come_back_bit_for_bit(tmp_path_factory, seed):
    folder = tmp_path_factory.mktemp("saved")
    graph = residual_net(normalized=True)
    weights = random_weights(graph, seed)
    save_weights(folder / "net.safetensors", graph, weights)
    text = """model m {
      weights = "FILE"; input 1 x 8 x 8 { signed = false }
      conv2d c1 { channels = 6; kernel = 3; padding = 1 }; batchnorm n1; relu r1
      maxpool p1 { kernel = 3; stride = 2; padding = 1 }
      conv2d short { channels = 8; kernel = 1 }
      conv2d ca from p1 { channels = 8; kernel = 3; padding = 1 }; relu ra
      conv2d cb { channels = 8; kernel = 3; padding = 1 }; batchnorm nb
      add sum from nb, short; relu rs; avgpool p2 { kernel = 2 }
      conv2d c3 { channels = 12; kernel = 1 }; globalpool p3; linear f { features = 10 }
    }"""
    read = opened(spec(folder, "net.safetensors", text))
    assert read.warnings == ()
    assert {name: set(own) for name, own in read.weights.items()} == {name: set(own) for name, own in weights.items()}
    for name, own in weights.items():
        for key, values in own.items():
            assert np.array_equal(read.weights[name][key], values)
