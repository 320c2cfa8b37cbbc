"""The versions that results come from."""

import platform
from importlib.metadata import version


def versions() -> dict[str, str]:
    """Python's, cimspec's, and those of the packages that numbers depend on."""
    packages = ("cimspec", "numpy", "torch", "deap")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}
