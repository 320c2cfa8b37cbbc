"""Small texts that would come to too much: refused with a diagnostic, fast, and before memory is taken."""

import resource
import subprocess
import sys
import time

import pytest

from cimspec.diag import CimError
from tests.spec.conftest import CHIP, MODEL, SEARCH

PAIRS = "\n".join(f"block b{n + 1}(n) {{ b{n}(n); b{n}(n) }}" for n in range(30))


def model(body: str) -> str:
    return CHIP + f"model m {{ input 4\n{body} }}\n"


BOMBS = {
    "doubling lists": (
        "let a0 = [1, 1]\n" + "\n".join(f"let a{n + 1} = [a{n}, a{n}]" for n in range(40)) + CHIP + MODEL,
        "CIM227",
    ),
    "a long body of plain fields, many times": (
        "block b(n) { linear { " + "features = 1; " * 4000 + "} }\n" + model("repeat 9000 { b(1) }"),
        "CIM234",
    ),
    "many wrong fields, many times": (
        "block b(n) { linear { " + "".join(f"f{n} = 1; " for n in range(4000)) + "} }\n" + model("repeat 90 { b(1) }"),
        "CIM203",
    ),
    "many inputs, many times": (
        f"block b(n) from {', '.join(f'x{n}' for n in range(8000))} {{ relu }}\n" + model("repeat 9000 { b(1) }"),
        "CIM234",
    ),
    "many sources, many times": (
        f"block b(n) {{ linear l {{ features = 4 }}; concat from {', '.join(['l'] * 8000)} }}\n"
        + model("repeat 4900 { b(1) }"),
        "CIM234",
    ),
    "a long name, many times": (
        f"block b(n) {{ relu {'a' * 60_000} }}\n" + model("repeat 9000 { b(1) }"),
        "CIM234",
    ),
    "a long name of a use": (
        "block b(n) { repeat 9000 { relu } }\n" + model(f"b {'a' * 60_000}(1)"),
        "CIM234",
    ),
    "the largest of a long list, many times": (
        "let a = [" + "1, " * 9000 + "1]\n" + "\n".join(f"let b{n} = max(a)" for n in range(1500)) + CHIP + MODEL,
        "CIM234",
    ),
    "lists in each other": (
        "let a0 = [1]\n" + "\n".join(f"let a{n + 1} = [a{n}]" for n in range(3200)) + CHIP + MODEL,
        "CIM234",
    ),
    "doubling products of metrics": (
        "let a0 = latency\n"
        + "\n".join(f"let a{n + 1} = a{n} * a{n}" for n in range(60))
        + CHIP
        + MODEL
        + SEARCH.replace("search {", "search { minimize = a60;"),
        "CIM205",
    ),
    "products of metrics in each other": (
        "let a0 = latency\n"
        + "\n".join(f"let a{n + 1} = area * a{n}" for n in range(2500))
        + CHIP
        + MODEL
        + SEARCH.replace("search {", "search { minimize = a2500;"),
        "CIM205",
    ),
    "doubling empty lists": (
        "let a0 = []\n" + "\n".join(f"let a{n + 1} = [a{n}, a{n}]" for n in range(40)) + CHIP + MODEL,
        "CIM227",
    ),
    "a power of powers": ("let a = 9^9^9^9" + CHIP + MODEL, "CIM227"),
    "squares of squares": (
        "let a0 = 1.0000001\n" + "\n".join(f"let a{n + 1} = a{n} * a{n}" for n in range(60)) + CHIP + MODEL,
        "CIM227",
    ),
    "a long range": ("let a = 1..10^9" + model("repeat i in a { relu }"), "CIM218"),
    "a long range in a field": ("let a = 1..10^9" + model("reshape { shape = a }"), "CIM218"),
    "blocks that use blocks twice": ("block b0(n) { relu }\n" + PAIRS + model("b30(1)"), "CIM234"),
    "the same without a layer": ("block b0(n) { let k = n }\n" + PAIRS + model("b30(1)"), "CIM235"),
    "a deep chain of blocks": (
        "block b0(n) { relu }\n" + "\n".join(f"block b{n + 1}(n) {{ b{n}(n) }}" for n in range(300)) + model("b300(1)"),
        "CIM107",
    ),
    "a billion rounds": (model("repeat 1000000000 { relu }"), "CIM234"),
    "rounds of rounds": (model("repeat 10000 { repeat 10000 { } }"), "CIM234"),
    "rounds of lets": (model("repeat 10000 { repeat 10000 { let a = 1 + 1 } }"), "CIM234"),
    "rounds of layers": (model("repeat 5000 { repeat 5000 { relu } }"), "CIM234"),
    "a long body many times": (
        "block b(n) { linear { " + "features = 1 + n; " * 1500 + "} }\n" + model("repeat 9000 { b(1) }"),
        "CIM234",
    ),
    "a long list many times": (
        "block b(n) { linear { features = [" + "1, " * 9000 + "] } }\n" + model("repeat 9000 { b(1) }"),
        "CIM234",
    ),
    "a mistake many times": ("block b(n) { linear { features = 1 + zz } }\n" + model("repeat 9000 { b(1) }"), "CIM220"),
    "a sweep of a billion": (
        CHIP + MODEL + "sweep { chip.adc.bits = 1..1000; chip.crossbars = 1..1000; chip.crossbar.rows = 1..1000 }",
        "CIM237",
    ),
    "a sweep over a long range": (CHIP + MODEL + "sweep chip.adc.bits = 1..10^9", "CIM218"),
    "lets in a long circle": (
        "\n".join(f"let a{n} = a{n + 1}" for n in range(3000)) + "\nlet a3000 = a0" + CHIP + MODEL,
        "CIM221",
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused(loaded, name):
    text, code = BOMBS[name]
    assert len(text) < 64_000 or name == "lets in a long circle"
    started, memory = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CimError) as caught:
        loaded(text)
    assert code in {found.code for found in caught.value.diagnostics}
    assert time.process_time() - started < 3  # a second, on a machine that does something else as well
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 200 * 1024


def test_a_long_chain_of_lets_is_no_bomb(loaded):
    chain = "\n".join(f"let a{n} = a{n + 1} + 1" for n in range(2000)) + "\nlet a2000 = 1"
    assert loaded(chain + CHIP.replace("rows = 64", "rows = a0") + MODEL).spec.chip.crossbar.rows == 2001


IN_A_SMALL_STACK = """
import sys, threading
from cimspec.spec import load
threading.stack_size(1 << 20)
thread = threading.Thread(target=load, args=[sys.argv[1]])
thread.start()
thread.join()
"""


@pytest.mark.parametrize("value", ["-a#", "a# * area", "area * a#", "a# ^ 2", "a#..3"])
def test_names_put_values_into_each_other_without_end(tmp_path, value):
    # What takes such a value apart by recursion overflows the stack, which ends the process: so it is one of its own.
    lets = "let a0 = latency\n" + "".join(f"let a{n + 1} = {value.replace('#', str(n))}\n" for n in range(20_000))
    path = tmp_path / "deep.cim"
    path.write_text(lets + CHIP + MODEL, encoding="utf-8")
    ended = subprocess.run([sys.executable, "-c", IN_A_SMALL_STACK, path], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_as_many_layers_as_a_model_may_have(loaded):
    block = "block b(n) { let twice = 2 * n; linear { features = twice / 2 } }\n"
    assert len(loaded(block + model("repeat 3333 { relu; b(4); repeat 1 { relu } }")).spec.model.layers) == 10_000
