import numpy as np
import pytest
import torch

from cimspec.graph.layer import Conv2d, Layer
from cimspec.graph.precision import Precision
from cimspec.graph.window import Window
from cimspec.quant.calibrate import calibrate, coded, mean_vector, second_moments
from cimspec.quant.execute import float_outputs
from cimspec.quant.fake import fake_outputs
from cimspec.quant.parameters import activation_range, weight_limit
from cimspec.quant.tables import TABLE_BITS, Tables, quantize, quantize_layer
from tests.quant.nets import random_images, random_weights, residual_net


@pytest.fixture(scope="module")
def tables() -> Tables:
    graph = residual_net(normalized=False)
    return calibrate(graph, random_weights(graph), random_images(64))


def test_coding_by_hand():
    values = torch.tensor([-0.2, 0.24, 0.26, 0.75, 9.0])
    # step 1/2, 2 bits, codes 0 .. 3: -0.4 -> 0, 0.48 -> 0, 0.52 -> 1, 1.5 -> 2 (half to even), 18 -> 3
    assert coded(values, 0.5, 2, signed=False).tolist() == [0.0, 0.0, 0.5, 1.0, 1.5]
    # signed, codes -1 .. 1
    assert coded(values, 0.5, 2, signed=True).tolist() == [0.0, 0.0, 0.5, 0.5, 0.5]


def test_signs_follow_from_the_graph(tables: Tables):
    signed = {name: table.input_signed for name, table in tables.layers.items()}
    # c1 reads the unsigned input, f a global pool of c3's sums, all others something after a relu
    assert signed == {"c1": False, "short": False, "ca": False, "cb": False, "c3": False, "f": True}


def test_two_readers_of_one_tensor_have_steps_of_their_own_bits(tables: Tables):
    assert tables.layers["short"].input_steps == tables.layers["ca"].input_steps  # the same tensor
    parameters = quantize(tables, tables.graph.uniform(8, 8))
    assert parameters.layers["short"].input_scale == tables.layers["short"].input_steps[8]


def test_the_mean_patch_is_the_mean_matrix_input():
    images = torch.from_numpy(random_images(3))
    layer = Layer("c", Conv2d(1, 1, Window.square(3, 2, 1)), ("x",), (1, 4, 4))
    patches = torch.nn.functional.unfold(images, 3, padding=1, stride=2)  # [images, 9, positions]
    np.testing.assert_allclose(mean_vector(layer, images)[0], patches.mean((0, 2)).numpy(), rtol=1e-5)


@pytest.mark.parametrize("precision", [Precision(2, 2), Precision(3, 4), Precision(8, 8)])
def test_codes_and_shapes(tables: Tables, precision: Precision):
    for name in tables.layers:
        layer = quantize_layer(tables, name, precision)
        assert layer.weight_codes.dtype == np.int16
        assert np.abs(layer.weight_codes).max() <= weight_limit(precision.weight_bits)
        assert layer.bias.shape == layer.weight_scale.shape == (len(layer.weight_codes),)
        assert layer.bias.dtype == layer.weight_scale.dtype == np.float64


def test_bias_correction_keeps_the_mean_output(tables: Tables):
    name, images = "c1", torch.from_numpy(random_images(64))
    own = quantize_layer(tables, name, Precision(2, 2))
    weight = tables.weights[name]["weight"]
    conv = torch.nn.functional.conv2d
    exact = conv(images, torch.tensor(weight), torch.tensor(tables.weights[name]["bias"]), padding=1)
    values = torch.from_numpy((own.weight_codes * own.weight_scale[:, None]).astype(np.float32)).view(weight.shape)
    inputs = coded(images, own.input_scale, 2, signed=False)
    quantized = conv(inputs, values, torch.from_numpy(own.bias.astype(np.float32)), padding=1)
    torch.testing.assert_close(quantized.mean((0, 2, 3)), exact.mean((0, 2, 3)), rtol=1e-4, atol=1e-4)


def test_eight_bits_are_close_to_float_and_more_bits_are_closer(tables: Tables):
    images = torch.from_numpy(random_images(32, seed=5))
    exact = float_outputs(tables.graph, tables.weights, images)
    errors = [
        float((fake_outputs(tables.graph, quantize(tables, tables.graph.uniform(b, b)), images) - exact).norm())
        for b in TABLE_BITS
    ]
    assert errors[-1] < 0.03 * float(exact.norm())
    assert errors[0] > errors[2] > errors[4] > errors[6]


def test_a_sum_that_only_a_relu_reads_is_unsigned(tables: Tables):
    images = torch.from_numpy(random_images(64))
    largest = float_outputs_of_sum(tables, images)
    assert 0.2 * largest <= tables.add_scales["sum"] * activation_range(8, signed=False)[1] <= 1.001 * largest


def float_outputs_of_sum(tables: Tables, images: torch.Tensor) -> float:
    graph = type(tables.graph)("until sum", tables.graph.layers[: tables.graph.layers.index(tables.graph["sum"]) + 1])
    return float(float_outputs(graph, tables.weights, images).max())


def test_the_moments_are_those_of_the_matrix_input():
    images = torch.from_numpy(random_images(3))
    layer = Layer("c", Conv2d(1, 1, Window.square(3, 2, 1)), ("x",), (1, 4, 4))
    patches = torch.nn.functional.unfold(images, 3, padding=1, stride=2).permute(0, 2, 1).reshape(-1, 9).double()
    wanted = torch.einsum("pi,pj->ij", patches, patches) / len(patches)
    np.testing.assert_allclose(second_moments(layer, images)[0], wanted.numpy(), rtol=1e-6)
