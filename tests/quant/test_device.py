"""Where torch computes: what is asked for, and float32 products in full."""

import pytest
import torch

from cimspec.diag import CimError
from cimspec.quant.augment import add_noise, distort
from cimspec.quant.device import CPU, full_precision, torch_device

HAS_GPU = torch.cuda.is_available()


def test_the_cpu_is_the_cpu():
    assert torch_device("cpu") == CPU


@pytest.mark.skipif(HAS_GPU, reason="needs a machine without a GPU")
def test_without_a_gpu_auto_is_the_cpu_and_cuda_is_a_diagnostic():
    assert torch_device("auto") == CPU
    with pytest.raises(CimError) as raised:
        torch_device("cuda")
    assert [found.code for found in raised.value.diagnostics] == ["CIM905"]


@pytest.mark.skipif(not HAS_GPU, reason="needs a GPU")
def test_with_a_gpu_auto_is_the_gpu():
    assert torch_device("auto").type == torch_device("cuda").type == "cuda"


def test_products_are_in_full_precision_as_long_as_asked_for():
    before = torch.backends.cudnn.allow_tf32, torch.backends.cudnn.deterministic
    with full_precision():
        assert (torch.backends.cudnn.allow_tf32, torch.backends.cudnn.deterministic) == (False, True)
    assert (torch.backends.cudnn.allow_tf32, torch.backends.cudnn.deterministic) == before


@pytest.mark.skipif(not HAS_GPU, reason="needs a GPU")
def test_a_gpu_gets_the_images_that_a_cpu_gets():
    images = torch.rand(6, 1, 8, 8)

    def changed(where: torch.device) -> torch.Tensor:
        generator = torch.Generator().manual_seed(5)
        return add_noise(distort(images.to(where), 0.6, generator), 0.3, generator).cpu()

    torch.testing.assert_close(changed(torch.device("cuda")), changed(CPU), rtol=1e-4, atol=1e-4)
