"""Where torch computes: the name of a device -> a torch device.

A GPU trains, fine-tunes and evaluates quantized networks; all that is random is drawn on the CPU, and what leaves is
numpy. Its sums are added in another order, so that results differ in their last digits, as between two CPUs.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from cimspec.diag import fail

CPU = torch.device("cpu")


def torch_device(name: str) -> torch.device:
    """The device of `cpu`, `cuda`, or `auto`: a GPU if torch sees one. Raises CIM905 for a GPU that is not there."""
    has_gpu = torch.cuda.is_available()
    if name == "cuda" and not has_gpu:
        built = torch.version.cuda
        notes = [
            f"this torch is built for CUDA {built}, and sees no GPU" if built else "this torch is built without CUDA"
        ]
        fail("CIM905", "there is no GPU that torch can use", notes=notes, help="leave `--device cuda` out")
    return torch.device("cuda" if name == "cuda" or (name == "auto" and has_gpu) else "cpu")


@contextmanager
def full_precision() -> Iterator[None]:
    """Products in float32 and the same from run to run, as long as this lasts.

    By default a GPU convolves in TF32, whose 10 bits of fraction cannot hold the sums of codes.
    """
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
        yield
