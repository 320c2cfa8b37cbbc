"""Imports go one way, and torch stays where it belongs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "cimspec"
ORDER = [
    *("diag", "units", "lang", "spec", "graph", "data", "quant"),
    *("compiler", "sim", "conventions", "cost", "search", "report", "pipeline", "docs", "validation", "lsp", "cli"),
]
TORCH_ROOMS = ("quant", "search", "pipeline")


def rank(module: str) -> int | None:
    """Position of a module of ours in the order; None for the package itself and for other packages."""
    parts = module.split(".")
    return ORDER.index(parts[1]) if len(parts) > 1 and parts[0] == "cimspec" and parts[1] in ORDER else None


def imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            found.append(node.module)
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
    return found


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=[module_of(path) for path in FILES])
def test_a_file_imports_only_from_the_left(path: Path):
    own = rank(module_of(path))
    for name in imports(path):
        other = rank(name)
        if own is not None and other is not None:
            assert other <= own, f"{module_of(path)} imports {name}"
        if name.startswith("cimspec._kernels"):
            assert ORDER[own] == "sim", f"{module_of(path)} imports {name}"
        if name.partition(".")[0] == "torch":
            assert ORDER[own] in TORCH_ROOMS, f"{module_of(path)} imports torch"


@pytest.mark.parametrize(
    "arguments",
    [
        ["validate", "specs/quickstart.cim"],
        ["evaluate", "specs/paper/vgg16.cim", "--policy", "specs/paper/vgg16_policy.json"],
        ["compile", "specs/quickstart.cim"],
        ["show", "specs/lossy.cim"],
        ["explain", "CIM301"],
        ["list"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_light_commands_do_not_load_torch(arguments: list[str]):
    code = (
        "import sys; from cimspec.cli.app import app\n"
        f"try: app({arguments!r})\n"
        "except SystemExit as end: assert end.code in (0, None), end.code\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=PACKAGE.parent, capture_output=True)


def test_checking_a_file_loads_neither_numpy_nor_the_compiler():
    code = (
        "import sys; from cimspec.cli.app import app\n"
        "try: app(['validate', 'specs/quickstart.cim'])\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'cimspec.compiler', 'cimspec.sim'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=PACKAGE.parent)
