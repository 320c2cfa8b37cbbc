"""The command without its package, and what the server does not load."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)


def test_without_pygls_it_says_what_to_install():
    found = run("import sys; sys.modules['pygls'] = None; from cimspec.cli.app import app; app(['lsp'])")
    assert found.returncode == 1
    assert "CIM902" in found.stderr
    assert "pip install 'cimspec[lsp]'" in found.stderr


def test_serving_and_checking_load_neither_torch_nor_the_compiler():
    found = run(
        "import sys, pathlib; import cimspec.lsp.requests; from cimspec.lsp.check import Checker\n"
        "checked = Checker().check(pathlib.Path('specs/quickstart.cim').resolve(), {})\n"
        "assert checked.graph and not any(checked.found.values())\n"
        "heavy = {'torch', 'numpy', 'cimspec.compiler', 'cimspec.sim', 'cimspec.pipeline'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    assert not found.returncode, found.stderr
