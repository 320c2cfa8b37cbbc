"""How fast the language server answers in a file of 20,000 lines: `python benchmarks/language_server.py`.

The server runs as a process, as in an editor; each completion follows a change of the text, which is sent whole. The
limit is 100 ms for the median of 50; beyond it this fails.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # the client is the tests'

from lsprotocol import types

from tests.lsp.client import Editor, marked

ROUNDS = 50
LIMIT_MS = 100
CHIP = """chip c {
  crossbar { rows = 64; columns = 64; cell = 2 bit; encoding = offset; write_latency = 56 us; read_latency = 1.4 us }
  adc { bits = 8 }
  dac { bits = 1 }
  weights = reloaded
  crossbars = 1
}
"""
LAYER = """  # layer {0}
  conv2d c{0} {{
    channels = 8
    kernel = 3; padding = 1
  }}
  batchnorm
  relu

"""
PLACES = {
    "field in the first lines": ("rows = 64;", "rows = 64; co|"),
    "unit in the first lines": ("read_latency = 1.4 us", "read_latency = 1.4 n|"),
    "field in the middle": ("conv2d c1250 {", "conv2d c1250 {\n    pad|"),
    "layer after `from` at the end": ("  flatten", "  add from c2499, c24|\n  flatten"),
    "name at the end": ("features = 10", "features = side_|"),
}


def big_text() -> str:
    """A model of 7,500 layers."""
    layers = "".join(LAYER.format(number) for number in range(2500))
    model = f"model m {{\n  input 3 x 32 x 32\n{layers}  flatten\n  linear f {{ features = 10 }}\n}}\n"
    return f"{CHIP}{model}let side_a = 1\n"


def measure(editor: Editor, name: str, text: str, at: types.Position) -> list[float]:
    """Milliseconds from sending a change to having the completions, for texts that are all different."""
    taken = []
    for number in range(ROUNDS + 1):
        changed = f"{text}# {number}\n"
        start = time.perf_counter()
        editor.change(name, changed)
        found = editor.ask("completion", name, at)
        taken.append(1000 * (time.perf_counter() - start))
        assert found.items, "there is something to propose"
    return taken[1:]  # the first one reads the text for the first time


def main() -> None:
    """Print the medians; exit with 1 if one is beyond the limit."""
    plain = big_text()
    print(
        f"{plain.count(chr(10))} lines, {os.cpu_count()} cores; milliseconds for a change and the completions after it"
    )
    slowest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        editor = Editor(Path(folder))
        start = time.perf_counter()
        editor.open("big.cim", plain)
        editor.diagnostics("big.cim", lambda _: True)
        print(f"first diagnostics after {time.perf_counter() - start:.1f} s")
        for what, (before, after) in PLACES.items():
            text, at = marked(plain.replace(before, after, 1))
            taken = measure(editor, "big.cim", text, at)
            median, worst = statistics.median(taken), max(taken)
            slowest = max(slowest, median)
            print(f"{what:32} median {median:6.1f}  worst {worst:6.1f}")
        editor.close()
    if slowest > LIMIT_MS:
        sys.exit(f"more than {LIMIT_MS} ms")


if __name__ == "__main__":
    main()
