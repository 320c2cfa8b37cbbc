"""The text of a first `.cim` file: a chip, a model, data and a search by their names -> lines with a few words on each.

What it says runs at once. Larger things are named by the shipped library, small ones are written out to be changed.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cimspec.spec.library import FOLDER, about, library_names
from cimspec.spec.search import Method

NONE = "none"
COMMENT_COLUMN = 56

Line = tuple[str, str]
"""A line of the file and the words behind it."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What a file is made of: names of `CHIPS`, `MODELS`, `DATA` and a search method, or `none`."""

    chip: str = "blank"
    model: str = "vgg8"
    data: str = "mnist5k"
    search: str = "rl"


def chip_names() -> tuple[str, ...]:
    """`blank`, and the chips of the library."""
    return ("blank", *_of_library("chips"))


def model_names() -> tuple[str, ...]:
    """Small networks that are written out, and those of the library."""
    return (*MODELS, *(name for name in _of_library("models") if name not in MODELS))


def data_names() -> tuple[str, ...]:
    """Built-in data sets, functions that read files, and `none`."""
    return (*BUILT_IN, *OWN, NONE)


def search_names() -> tuple[str, ...]:
    """The methods that come with cimspec, and `none`."""
    return (*(method.value for method in Method), NONE)


def _of_library(folder: str) -> tuple[str, ...]:
    names = (name.removesuffix(".cim").split("/") for name in library_names())
    return tuple(parts[1] for parts in names if len(parts) == 2 and parts[0] == folder)


def starter(file: str, name: str, choices: Choices) -> str:
    """The whole file; `file` is what it is called, `name` what its chip is."""
    data = choices.data if choices.model in MODELS else NONE
    parts = [
        _head(file),
        tuple(_imports(choices)),
        tuple(_chip(name, choices.chip)),
        _model(choices.model, DATA_SIZE.get(data, 28)),
        tuple(_data(data)),
        TRAINING if data != NONE else (),
        _search(choices.search) if NONE not in (data, choices.search) else (),
    ]
    return "\n\n".join("\n".join(_set(line) for line in part) for part in parts if part) + "\n"


def _set(line: Line) -> str:
    text, words = line
    if not words:
        return text
    return f"{text.ljust(COMMENT_COLUMN)}  # {words}" if text else f"# {words}"


def _head(file: str) -> tuple[Line, ...]:
    return (
        ("", f"Check this file: `cimspec validate {file}`. All at once: `cimspec run {file}`."),
        (
            "",
            "The reference manual has all that can be written; `cimspec show` prints every value, defaults included.",
        ),
    )


def _imports(choices: Choices) -> Iterator[Line]:
    if choices.chip != "blank":
        yield from _import(f"chips/{choices.chip}.cim")
    if choices.model not in MODELS:
        yield from _import(f"models/{choices.model}.cim")


def _import(file: str) -> tuple[Line, ...]:
    return (("", f"{about(file)}."), (f'import library("{file}")', ""))


def _chip_of(file: str) -> str:
    """The name of the chip that a file of the library is about: the last in it."""
    *_, last = re.finditer(r"^chip\s+(\w+)", (FOLDER / file).read_text(encoding="utf-8"), re.MULTILINE)
    return last.group(1)


def _chip(name: str, chip: str) -> Iterator[Line]:
    if chip == "blank":
        yield from ((line.replace("NAME", name), words) for line, words in BLANK)
        return
    base = _chip_of(f"chips/{chip}.cim")
    own = f"my_{name}" if name == base else name
    yield f"chip {own} extends {base} {{", "what is written here replaces what the library says"
    yield "  # adc { bits = 6 }", "such as another resolution of the ADC"
    yield "}", ""


BLANK: tuple[Line, ...] = (
    ("chip NAME {", ""),
    ("  crossbar {", "an array of memory cells"),
    ("    rows = 64", "wordlines: inputs of one crossbar"),
    ("    columns = 64", "bitlines: sums of one crossbar"),
    ("    cell = 2 bit", "what one cell stores; wider weights take several"),
    ("    encoding = differential_columns", "how signed weights become cells"),
    ("    write_latency = 56 us", "time to write a whole crossbar"),
    ("    read_latency = 1.4 us", "time of one read, its conversions included"),
    ("  }", ""),
    ("  adc {", "converts the sums"),
    ("    bits = 8", "64 rows x 3 levels = 192 < 2^8: nothing is lost"),
    ("  }", ""),
    ("  dac { bits = 1 }", "input bits that are applied at once"),
    ("  # device { program_sigma = 5 % }", "cells that stray; they are ideal unless you say so"),
    ("  weights = reloaded", "or resident: weights stay, layers run as a pipeline"),
    ("  crossbars = 1", "how many the chip has"),
    ("}", ""),
)


def _model(model: str, size: int) -> tuple[Line, ...]:
    return MODELS[model](size) if model in MODELS else ()


def _convolution(name: str, channels: int, words: str = "") -> tuple[Line, ...]:
    return (
        (f"  conv2d {name} {{ channels = {channels}; kernel = 3; padding = 1 }}", words),
        ("  batchnorm", ""),
        ("  relu", ""),
    )


def _input(size: int) -> Line:
    return f"  input 1 x {size} x {size} {{ signed = false }}", "channels x height x width; pixels are not negative"


def _mlp(size: int) -> tuple[Line, ...]:
    return (
        ("model mlp {", "a multilayer perceptron"),
        _input(size),
        ("  flatten", "an image to a vector"),
        ("  linear f1 { features = 64 }", "64 outputs; names are for policies and `keep`"),
        ("  relu", ""),
        ("  linear f2 { features = 32 }", ""),
        ("  relu", ""),
        ("  linear f3 { features = 10 }", "one output for each class"),
        ("}", ""),
    )


def _lenet5(size: int) -> tuple[Line, ...]:
    # Two pools and an unpadded 5 x 5 kernel need more than 8 pixels.
    inner = "" if size > 12 else "; padding = 2"
    return (
        ("model lenet5 {", "LeCun et al., 1998, with relu and maximum pooling"),
        _input(size),
        ("  conv2d c1 { channels = 6; kernel = 5; padding = 2 }", "a 5 x 5 convolution"),
        ("  relu", ""),
        ("  maxpool { kernel = 2 }", "halves height and width"),
        (f"  conv2d c2 {{ channels = 16; kernel = 5{inner} }}", ""),
        ("  relu", ""),
        ("  maxpool { kernel = 2 }", ""),
        ("  linear f1 { features = 120 }", "images are flattened before it"),
        ("  relu", ""),
        ("  linear f2 { features = 84 }", ""),
        ("  relu", ""),
        ("  linear f3 { features = 10 }", "one output for each class"),
        ("}", ""),
    )


def _vgg8(size: int) -> tuple[Line, ...]:
    pool = ("  maxpool { kernel = 2 }", "")
    return (
        ("model vgg8 {", "six convolutions and two linear layers"),
        _input(size),
        *_convolution("c1", 8, "a 3 x 3 convolution; its name is for policies and `keep`"),
        ("  maxpool { kernel = 2 }", "halves height and width"),
        *(*_convolution("c2", 16), *_convolution("c3", 16), pool),
        *(*_convolution("c4", 32), *_convolution("c5", 32), pool),
        *_convolution("c6", 64),
        ("  linear f1 { features = 64 }", "images are flattened before it"),
        ("  relu", ""),
        ("  linear f2 { features = 10 }", "one output for each class"),
        ("}", ""),
    )


def _resnet8(size: int) -> tuple[Line, ...]:
    return (
        ("block residual(channels, stride = 1) {", "layers to use below; it reads `input`"),
        ("  conv2d short from input { channels = channels; kernel = 1; stride = stride }", ""),
        ("  batchnorm shortcut", ""),
        ("  conv2d c1 from input { channels = channels; kernel = 3; stride = stride; padding = 1 }", ""),
        ("  batchnorm", ""),
        ("  relu", ""),
        ("  conv2d c2 { channels = channels; kernel = 3; padding = 1 }", ""),
        ("  batchnorm main", ""),
        ("  add from main, shortcut", ""),
        ("  relu", "the last layer is the block's output"),
        ("}", ""),
        ("", ""),
        ("model resnet8 {", "a stem and three residual blocks"),
        _input(size),
        *_convolution("stem", 8),
        ("  residual s1(8)", "its layers are s1_c1, s1_c2 ..."),
        ("  residual s2(16, stride = 2)", "halves height and width"),
        ("  residual s3(32, stride = 2)", ""),
        ("  globalpool", "the mean of each channel"),
        ("  linear f1 { features = 10 }", "one output for each class"),
        ("}", ""),
    )


def _vit(size: int) -> tuple[Line, ...]:
    patch = size // 4
    return (
        ("model vit {", "a small vision transformer: 16 patches, one block"),
        _input(size),
        (f"  conv2d patches {{ channels = 32; kernel = {patch}; stride = {patch} }}", "one vector for each patch"),
        ("  tokens", "an image to a sequence"),
        ("  class_token", "a learned token ahead of the others"),
        ("  positions out0", "a learned tensor, added"),
        ("  layernorm", ""),
        ("  attention a1 { heads = 4 }", "its parts are a1_q, a1_k, a1_v, a1_qk, a1_av, a1_out"),
        ("  add mid from a1, out0", "`from` names what is read, where it is not the layer before"),
        ("  layernorm", ""),
        ("  linear m1 { features = 64 }", ""),
        ("  gelu", ""),
        ("  linear m2 { features = 32 }", ""),
        ("  add from m2, mid", ""),
        ("  layernorm", ""),
        ("  select { token = 0 }", "the class token"),
        ("  linear f1 { features = 10 }", "one output for each class"),
        ("}", ""),
    )


MODELS: Mapping[str, Callable[[int], tuple[Line, ...]]] = MappingProxyType(
    {"vgg8": _vgg8, "lenet5": _lenet5, "resnet8": _resnet8, "mlp": _mlp, "vit": _vit}
)
"""Networks that are written out, for images of one channel and so many pixels in height and width."""

BUILT_IN: Mapping[str, str] = MappingProxyType(
    {"mnist5k": "5,000 MNIST digits of 28 x 28 pixels", "digits": "1,797 digits of 8 x 8 pixels"}
)
DATA_SIZE: Mapping[str, int] = MappingProxyType({"mnist5k": 28, "digits": 8})
OWN: Mapping[str, str] = MappingProxyType(
    {
        "npz": 'npz("images.npz", layout = nchw)',
        "idx": 'idx(images = "train-images-idx3-ubyte.gz", labels = "train-labels-idx1-ubyte.gz")',
        "cifar": 'cifar("cifar-10-python.tar.gz", resize = 28)',
        "folder": 'folder("photos", resize = 28, color = gray)',
    }
)


def _data(data: str) -> Iterator[Line]:
    """A built-in set; data in files stands there ready, until they do a built-in set is used."""
    if data == NONE:
        return
    if data in OWN:
        yield "", "Your own data, in a file or folder beside this one: take away its # and the line after it."
        yield f"# data own = {OWN[data]}", ""
    name = data if data in BUILT_IN else next(iter(BUILT_IN))
    yield f'data digits = builtin("{name}")', BUILT_IN[name]


TRAINING: tuple[Line, ...] = (
    ("training {", "of the float network, and of quantized ones after the search"),
    ("  epochs = 20", "passes over the training images"),
    ("  finetune_epochs = 8", "passes after quantization"),
    ("}", ""),
)


def _search(method: str) -> tuple[Line, ...]:
    return (
        ("search {", "for the bits of each layer"),
        ("  weight_bits = 2..8", "which bits weights may have"),
        ("  activation_bits = 2..8", "and inputs of layers"),
        ("  # keep c1 at 8 bit, 8 bit", "a layer to leave alone"),
        ("  minimize latency", "or interval, energy, area, crossbars, products of powers"),
        ("  require accuracy_loss <= 0.5 pp", "percentage points below 8/8 bits on the same chip"),
        ("  budget = 200 evaluations", "how many policies may be tried"),
        (f"  methods = [{method}]", "several are compared side by side"),
        ("}", ""),
    )
