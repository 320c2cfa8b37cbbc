"""From a torch module to a network: torch writes ONNX, which is read like a file. Needs the package `onnxscript`."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from cimspec.diag import fail
from cimspec.graph.model import Model
from cimspec.graph.onnx import load_onnx_bytes

OPSET = 20  # the first that has Gelu as one operator


def from_torch(module: nn.Module, example: Tensor, *, signed: bool = True) -> Model:
    """The network that `module` computes on `example`, an input [1, ...] with a batch of one, and its weights.

    The module is taken as it is for inference, and is left as it was; `signed` says whether input values can be
    negative. Layers are called like their parameters: `layer1_0_conv1`. Raises `CimError`: CIM902 without onnxscript,
    CIM425 for another batch, CIM431 where torch cannot write the module, and what `load_onnx` raises.
    """
    name = type(module).__name__
    if example.ndim < 2 or len(example) != 1:
        message = f"the example for `{name}` is {list(example.shape)}; its first axis is the batch, of size 1"
        fail("CIM425", message, help="pass one image: `images[:1]`")
    return Model(*load_onnx_bytes(_written(module, example, name), signed=signed, name=name, shown=name))


def _written(module: nn.Module, example: Tensor, name: str) -> bytes:
    """The module as an ONNX model."""
    try:
        import onnxscript  # noqa: F401 (torch needs it, and tells less clearly when it is missing)
    except ImportError:
        message = f"`{name}` is read by way of ONNX, which needs the package `onnxscript`; it is not installed"
        fail("CIM902", message, help="pip install 'cimspec[from-torch]'")
    try:
        with _inference(module), _quiet():
            program = torch.onnx.export(module, (example,), dynamo=True, opset_version=OPSET, verbose=False)
        assert program is not None, "dynamo gives a program"
        content: bytes = program.model_proto.SerializeToString()
    except Exception as error:  # torch and protobuf raise what they like on a module they cannot write
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        cause = str(error.__cause__).strip().splitlines()[:1] if error.__cause__ else []
        message = f"torch cannot write `{name}` as ONNX: {first}"
        fail(
            "CIM431", message, notes=cause, help="see `torch.onnx.export(module, (example,), dynamo=True, report=True)`"
        )
    return content


@contextmanager
def _inference(module: nn.Module) -> Iterator[None]:
    """The module with dropout and batch statistics off, as long as this lasts."""
    training = {each: each.training for each in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for each, was_training in training.items():
            each.training = was_training


@contextmanager
def _quiet() -> Iterator[None]:
    """Without torch's remarks on packages that are not installed and on its own deprecated parts."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
