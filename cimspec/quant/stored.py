"""Files of tensors, of safetensors or of torch: a file -> its tensors by name, each read when it is asked for.

A file of torch is a pickle, which can hold code. It is read by torch's own reader of weights alone, which runs none.
Other files need no torch, unless they hold bfloat16.
"""

import pickle
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cimspec.diag import Span, fail
from cimspec.graph.layer import Shape
from cimspec.quant.weights import Float32
from cimspec.spec.model_file import WeightsFile

if TYPE_CHECKING:
    from torch import Tensor

FLOATS = {"F16": "float16", "BF16": "bfloat16", "F32": "float32", "F64": "float64"}
"""Types of tensors that are read, as safetensors and as torch call them."""

STATES = ("state_dict", "model_state_dict", "model")
"""Where checkpoints keep the state dict of a network, beside that of the optimizer and other things."""


@dataclass(frozen=True, slots=True, eq=False)
class StoredTensor:
    """A tensor in a file."""

    shape: Shape
    dtype: str
    read: Callable[[], Float32]  # for a type of FLOATS; values that are too large become infinite

    @property
    def is_float(self) -> bool:
        """Whether it can be read."""
        return self.dtype in FLOATS.values()


def stored_tensors(file: WeightsFile, span: Span | None = None) -> Mapping[str, StoredTensor]:
    """The tensors of `file` by their names. Raises CIM440 for a file that has none, CIM902 without safetensors."""
    return _of_safetensors(file, span) if file.is_safetensors else _of_torch(file, span)


def _of_safetensors(file: WeightsFile, span: Span | None) -> Mapping[str, StoredTensor]:
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError:
        message = f"`{file.shown}` is read by the package `safetensors`, which is not installed"
        fail("CIM902", message, span, help="pip install 'cimspec[weights]'")
    try:
        opened: Any = safe_open(file.path, framework="numpy")  # its methods have no types
        slices = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118 (it is no mapping)
    except (SafetensorError, OSError, ValueError) as error:
        fail("CIM440", f"`{file.shown}` is no safetensors file, or damaged: {error}", span)

    def reader(name: str, dtype: str) -> Callable[[], Float32]:
        if dtype != "bfloat16":
            return lambda: _as_float32(opened.get_tensor(name))
        as_torch: Any = safe_open(file.path, framework="pt")  # numpy has no such type
        return lambda: as_torch.get_tensor(name).float().numpy()

    tensors = {}
    for name, part in slices.items():
        dtype = FLOATS.get(part.get_dtype(), part.get_dtype())
        tensors[name] = StoredTensor(tuple(part.get_shape()), dtype, reader(name, dtype))
    return tensors


def _of_torch(file: WeightsFile, span: Span | None) -> Mapping[str, StoredTensor]:
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = torch.load(file.path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        fail(
            "CIM440",
            f"`{file.shown}` holds more than tensors, or is damaged, and is not loaded: it could run code",
            span,
            help='save the tensors alone: `torch.save(network.state_dict(), "m.pt")`',
        )
    except Exception as error:  # torch raises what it likes on a file that it did not write
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        fail("CIM440", f"`{file.shown}` cannot be read by torch: {first}", span)
    found = {name: _of_tensor(value) for name, value in _state(content).items() if isinstance(value, torch.Tensor)}
    if not found:
        help = 'save a state dict: `torch.save(network.state_dict(), "m.pt")`'  # noqa: A001
        fail("CIM440", f"`{file.shown}` holds no tensors by name", span, help=help)
    return found


def _state(content: object) -> Mapping[str, object]:
    """The state dict in what a file holds: all of it, or an entry of a checkpoint."""
    if not isinstance(content, Mapping):
        return {}
    inner = next((content[key] for key in STATES if isinstance(content.get(key), Mapping)), content)
    return {str(name): value for name, value in inner.items()}


def _of_tensor(tensor: "Tensor") -> StoredTensor:
    """A tensor that is loaded; one without values, or whose values are not laid out one by one, has no usable type."""
    dense = str(tensor.layout) == "torch.strided" and tensor.device.type == "cpu"
    dtype = str(tensor.dtype).removeprefix("torch.") if dense else f"{tensor.dtype}, but not dense"
    return StoredTensor(tuple(tensor.shape), dtype, lambda: tensor.detach().float().contiguous().numpy())


def _as_float32(values: np.ndarray) -> Float32:
    with np.errstate(over="ignore"):
        return values.astype(np.float32)
