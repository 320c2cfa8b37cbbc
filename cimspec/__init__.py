"""cimspec: one file describes a computing-in-memory chip, a network, data and a search; one command does the rest.

    spec = cimspec.load_spec("specs/quickstart.cim")
    report = cimspec.run(spec, seed=0)

Importing this loads nothing more: each part comes when it is asked for.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cimspec.diag import CimError
    from cimspec.graph import Model, Policy, Precision
    from cimspec.graph.onnx import load_onnx
    from cimspec.pipeline import Evaluation, compile_spec, evaluate
    from cimspec.quant.from_torch import from_torch
    from cimspec.sim import execute, mvm
    from cimspec.spec import Chip, Spec, load_spec

    __version__: str

_LOADED_ON_DEMAND = {
    "CimError": "cimspec.diag",
    **dict.fromkeys(("Chip", "Spec", "load_spec"), "cimspec.spec"),
    **dict.fromkeys(("Model", "Policy", "Precision"), "cimspec.graph"),
    "load_onnx": "cimspec.graph.onnx",
    **dict.fromkeys(("Evaluation", "compile_spec", "evaluate"), "cimspec.pipeline"),
    "from_torch": "cimspec.quant.from_torch",
    **dict.fromkeys(("execute", "mvm"), "cimspec.sim"),
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # reads the package's metadata with the parser of e-mails

        return version("cimspec")
    if name in _LOADED_ON_DEMAND:
        return getattr(import_module(_LOADED_ON_DEMAND[name]), name)
    raise AttributeError(f"module 'cimspec' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def run(spec: "Spec", seed: int = 0, out: str | Path | None = None) -> Any:
    """Do what the spec describes and return a `cimspec.report.RunReport`; with `out`, leave its files there.

    Raises `CimError` where the spec lacks something or its data cannot be loaded.
    """
    from cimspec.pipeline.running import run as run_spec

    return run_spec(spec, seed, Path(out) if out else None)


__all__ = [
    "Chip",
    "CimError",
    "Evaluation",
    "Model",
    "Policy",
    "Precision",
    "Spec",
    "__version__",
    "compile_spec",
    "evaluate",
    "execute",
    "from_torch",
    "load_onnx",
    "load_spec",
    "mvm",
    "run",
]
