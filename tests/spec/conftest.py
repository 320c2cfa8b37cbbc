"""A good spec as text, and a folder to write variants of it to."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cimspec.spec import Loaded, load

CHIP = """
chip base {
  crossbar {
    rows = 64; columns = 64; cell = 2 bit
    encoding = differential_columns
    write_latency = 56 us; read_latency = 1.4 us
  }
  adc { bits = 8 }
}
"""
MODEL = """
model net {
  input 1 x 8 x 8 { signed = false }
  conv2d c1 { channels = 8; kernel = 3 }
  relu
  linear f1 { features = 10 }
}
"""
SEARCH = """
data digits = builtin("digits")
search { weight_bits = 2..8; activation_bits = [2, 4, 8]; require accuracy_loss <= 0.1 pp; keep c1 at 8 bit, 8 bit }
"""

Loader = Callable[..., Loaded]


@pytest.fixture
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Loader:
    """Call with the text of `main.cim`, overrides, and other files by name."""
    monkeypatch.chdir(tmp_path)

    def load_text(text: str, *overrides: str, **files: str) -> Loaded:
        for name, content in {"main": text, **files}.items():
            (tmp_path / f"{name}.cim").write_text(content, encoding="utf-8")
        return load("main.cim", overrides)

    return load_text
