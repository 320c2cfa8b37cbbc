"""A stranger's folder is harmless: validating it runs nothing, writes nothing, reads nothing outside and stays small.

One case for each way that we could think of. All are validated in one process, in which Python tells what is opened,
started and connected to, under a bound on its memory; beside the folder lies a secret that must not be told. Pickles in
data and weights, archives that unpack to gigabytes and headers that lie have tests beside their readers, too:
tests/data, tests/quant/test_weights_file.py, tests/graph/test_onnx_diagnostics.py. Small texts that come to too much
are in test_bombs.py.
"""

import json
import os
import pickle
import socket
import struct
import subprocess
import sys
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import safetensors.numpy

from cimspec.spec import load_spec
from tests.graph.onnx_models import model as onnx_model
from tests.graph.onnx_models import node
from tests.spec.conftest import CHIP, MODEL
from tests.spec.watched import MEGABYTES, is_allowed

ROOT = Path(__file__).parents[2]
SECRET = "hunter2"
GOOD = CHIP + MODEL
TWO_MEGABYTES = "# padding\n" * 210_000


@dataclass(frozen=True)
class Stranger:
    """A file, what lies around it, and the codes that it gets: none if it is a spec after all."""

    text: str | bytes
    codes: tuple[str, ...]
    prepare: Callable[[Path], None] | None = None


def imports(path: str, *codes: str, prepare: Callable[[Path], None] | None = None) -> Stranger:
    """A file that imports a path."""
    return Stranger(f'import "{path}"\n', codes, prepare)


def names(call: str, *codes: str, prepare: Callable[[Path], None] | None = None) -> Stranger:
    """A file whose data comes from a path."""
    return Stranger(f"{GOOD}data d = {call}\n", codes, prepare)


def link(name: str, target: str) -> Callable[[Path], None]:
    """Makes a symbolic link."""
    return lambda folder: (folder / name).symlink_to(target)


def chained(folder: Path) -> None:
    """A link to a link to a secret."""
    (folder / "first.cim").symlink_to("second.cim")
    (folder / "second.cim").symlink_to("../secret.cim")


def listening(folder: Path) -> None:
    """A socket that looks like a file."""
    here = Path.cwd()
    os.chdir(folder)  # the path of a socket is bounded
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("socket.cim")
    os.chdir(here)


def many(folder: Path) -> None:
    """Sixty files that import the next one twice: 2^60 ways."""
    for number in range(60):
        (folder / f"{number}.cim").write_text(f'import "{number + 1}.cim"\nimport "{number + 1}.cim"\n')
    (folder / "60.cim").write_text(GOOD)


def large(folder: Path) -> None:
    """Three files that only together are too large."""
    for number in range(3):
        (folder / f"{number}.cim").write_text(f"{TWO_MEGABYTES}let a{number} = 1\n")


class Evil:
    """What a pickle does to its reader: here, a file is made."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.mknod, ("/tmp/cimspec_was_tricked",)


def pickled(folder: Path) -> None:
    """An archive of numpy with an object in it."""
    array = np.empty(40, dtype=object)
    array[:] = Evil()
    with zipfile.ZipFile(folder / "evil.npz", "w") as archive:
        with archive.open("images.npy", "w") as file:
            np.lib.format.write_array(file, array, allow_pickle=True)
        with archive.open("labels.npy", "w") as file:
            np.lib.format.write_array(file, np.zeros(40, np.int64))


def batch(folder: Path) -> None:
    """CIFAR's own format is a pickle."""
    (folder / "cifar").mkdir()
    for name in ("data_batch_1", "test_batch"):
        (folder / "cifar" / name).write_bytes(pickle.dumps({b"data": Evil(), b"labels": [0]}, protocol=2))


def promising(folder: Path) -> None:
    """A header of numpy that promises a terabyte."""
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1, 512, 512), }\n"
    npy = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header
    with zipfile.ZipFile(folder / "huge.npz", "w") as archive:
        archive.writestr("images.npy", npy)
        archive.writestr("labels.npy", npy)


def zipped(folder: Path) -> None:
    """More zeros than memory may be taken, in a file of some hundred kilobytes, where the header needs 2560."""
    with zipfile.ZipFile(folder / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (40, 1, 8, 8), }\n"
        with archive.open("images.npy", "w", force_zip64=True) as file:
            file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
            for _ in range(2 * MEGABYTES):
                file.write(b"\0" * (1 << 20))
        with archive.open("labels.npy", "w") as file:
            np.lib.format.write_array(file, np.arange(40) % 10)


def counting(folder: Path) -> None:
    """A header of MNIST's format that promises 2^96 bytes."""
    (folder / "images").write_bytes(bytes([0, 0, 8, 3]) + b"\xff" * 12 + b"\0" * 100)
    (folder / "labels").write_bytes(bytes([0, 0, 8, 1]) + b"\xff" * 4)


def tensors(folder: Path) -> None:
    """Headers of safetensors: one that promises 2^62 bytes of header, one that promises a tensor of a petabyte."""
    (folder / "header.safetensors").write_bytes(struct.pack("<Q", 1 << 62) + b"{}")
    header = json.dumps({"c1.weight": {"dtype": "F32", "shape": [10**9, 10**6], "data_offsets": [0, 4 * 10**15]}})
    (folder / "tensor.safetensors").write_bytes(struct.pack("<Q", len(header)) + header.encode())


def external(folder: Path) -> None:
    """A network whose weights lie beside the folder."""
    weight = np.zeros((4, 3, 3, 3), np.float32)
    proto = onnx_model([node("Conv", ["x", "w"], ["y"], name="conv1")], (1, 3, 8, 8), {"w": weight})
    onnx.save(proto, folder / "good.onnx")
    tensor = proto.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../secret.cim")
    (folder / "outside.onnx").write_bytes(proto.SerializeToString())


def weights(name: str) -> str:
    """A spec whose model has weights in a file."""
    return GOOD.replace("model net {", f'model net {{\n  weights = "{name}"')


def table(name: str) -> str:
    """A spec whose cells are measured in a file."""
    return f"{GOOD.replace('adc {', 'device { table = TABLE }; adc {')}".replace("TABLE", f'"{name}"')


STRANGERS = {
    # paths of imports
    "parent": imports("../secret.cim", "CIM115"),
    "parent_of_a_folder_that_is_not_there": imports("none/../../secret.cim", "CIM115"),
    "absolute": imports("/etc/passwd", "CIM115"),
    "link": imports("link.cim", "CIM115", prepare=link("link.cim", "../secret.cim")),
    "link_of_a_link": imports("first.cim", "CIM115", prepare=chained),
    "link_of_a_folder": imports("out/secret.cim", "CIM115", prepare=link("out", "..")),
    "link_of_itself": imports("loop.cim", "CIM115", prepare=link("loop.cim", "loop.cim")),
    "link_back": imports("back.cim", "CIM116", prepare=link("back.cim", "main.cim")),
    "home": imports("~/secret.cim", "CIM110"),
    "home_of_somebody": imports("~root/secret.cim", "CIM110"),
    "variable": imports("$HOME/secret.cim", "CIM110"),
    "variable_in_braces": imports("${HOME}/secret.cim", "CIM110"),
    "backslashes": imports("..\\\\secret.cim", "CIM110"),
    "address_of_a_file": imports("file:///etc/passwd", "CIM110"),
    "address_of_the_net": imports("https://example.com/base.cim", "CIM110"),
    "pattern": imports("*.cim", "CIM110"),
    "command": imports("|touch touched", "CIM110"),
    "nothing": imports("", "CIM111"),
    "the_folder": imports(".", "CIM111"),
    "folder_with_the_ending": imports("x.cim", "CIM111", prepare=lambda folder: (folder / "x.cim").mkdir()),
    "device": imports("/dev/zero", "CIM115"),
    "link_of_a_device": imports("zero.cim", "CIM115", prepare=link("zero.cim", "/dev/zero")),
    "pipe": imports("pipe.cim", "CIM111", prepare=lambda folder: os.mkfifo(folder / "pipe.cim")),
    "socket": imports("socket.cim", "CIM111", prepare=listening),
    "long_path": imports("a/" * 3000, "CIM111"),
    "other_case": imports("BASE.cim", "CIM110", prepare=lambda folder: (folder / "base.cim").write_text(GOOD) and None),
    "no_character": Stranger(b'import "a\0.cim"\n', ("CIM105", "CIM115")),
    "the_system": imports("self.cim", "CIM115", prepare=link("self.cim", "/proc/self/environ")),
    # the library
    "library_parent": Stranger('import library("../../secret.cim")', ("CIM239",)),
    "library_absolute": Stranger('import library("/etc/passwd")', ("CIM239",)),
    "library_roundabout": Stranger('import library("chips/../chips/isaac.cim")', ("CIM239",)),
    # other files that a spec names
    "table": Stranger(table("../secret.cim"), ("CIM115",)),
    "table_of_the_system": Stranger(table("/proc/self/environ"), ("CIM115",)),
    "table_link": Stranger(table("t.csv"), ("CIM115",), link("t.csv", "../secret.cim")),
    "table_that_is_none": Stranger(table("main.cim"), ("CIM315",)),
    "weights": Stranger(weights("../secret.safetensors"), ("CIM115",)),
    "weights_link": Stranger(weights("w.pt"), ("CIM115",), link("w.pt", "../secret.cim")),
    "weights_header": Stranger(weights("header.safetensors"), ("CIM440",), tensors),
    "weights_tensor": Stranger(weights("tensor.safetensors"), ("CIM440",), tensors),
    "network": Stranger(f'{CHIP}model m = onnx("../secret.onnx")', ("CIM115",)),
    "network_link": Stranger(f'{CHIP}model m = onnx("n.onnx")', ("CIM115",), link("n.onnx", "../secret.cim")),
    "network_weights": Stranger(f'{CHIP}model m = onnx("outside.onnx")', ("CIM428",), external),
    "npz": names('npz("../secret.npz")', "CIM115"),
    "npz_pickle": names('npz("evil.npz")', "CIM450", prepare=pickled),
    "npz_header": names('npz("huge.npz")', "CIM450", prepare=promising),
    "npz_bomb": names('npz("bomb.npz")', "CIM450", prepare=zipped),
    "idx": names('idx("../secret.cim", labels = "main.cim")', "CIM115"),
    "idx_labels": names('idx("main.cim", labels = "l")', "CIM115", prepare=link("l", "../secret.cim")),
    "idx_header": names('idx("images", labels = "labels")', "CIM450", prepare=counting),
    "images": names('folder("..")', "CIM115"),
    "images_link": names('folder("out")', "CIM115", prepare=link("out", "..")),
    "cifar": names('cifar("..")', "CIM115"),
    "cifar_pickle": names('cifar("cifar")', "CIM450", prepare=batch),
    "builtin_is_no_module": names('builtin("os")'),
    # much of it
    "ways": imports("0.cim", prepare=many),
    "together": Stranger("".join(f'import "{number}.cim"\n' for number in range(3)), ("CIM114",), large),
    "too_large": Stranger(TWO_MEGABYTES * 2, ("CIM114",)),
    "chain_of_extends": Stranger(
        GOOD + "".join(f"chip c{number + 1} extends c{number} {{ }}\n" for number in range(3000)), ("CIM216",)
    ),
    "circle_of_extends": Stranger("chip a extends b { }\nchip b extends a { }\n" + MODEL, ("CIM215", "CIM216")),
    "numbers": Stranger(GOOD.replace("64", "9" * 60_000), ("CIM106",)),
    "exponents": Stranger(GOOD.replace("64", "1e999999999"), ("CIM106",)),
    "brackets": Stranger("let a = " + "(" * 30_000 + "1" + ")" * 30_000, ("CIM107",)),
    "blocks": Stranger("a {" * 20_000, ("CIM107",)),
    "one_line": Stranger(
        GOOD.replace("adc", "".join(f"z{number} = 1; " for number in range(6000)) + "adc"), ("CIM203",)
    ),
    "mistakes": Stranger("zap\n" * 15_000, ("CIM201",)),
    # bytes
    "mark_and_line_ends": Stranger(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode(), ()),
    "two_marks": Stranger(b"\xef\xbb\xbf" * 2 + GOOD.encode(), ()),
    "nul": Stranger(GOOD.replace("64", "6\0004"), ("CIM105",)),
    "latin_1": Stranger(GOOD.replace("base", "café").encode("latin-1"), ("CIM112",)),
    "utf_16": Stranger(GOOD.encode("utf-16"), ("CIM112",)),
    "utf_16_without_mark": Stranger(GOOD.encode("utf-16-le"), ("CIM105",)),
    "half_a_character": Stranger(GOOD.encode() + b"# \xe4\xb8", ("CIM112",)),
    "surrogates": Stranger(GOOD.encode() + b"# \xed\xa0\x80", ("CIM112",)),
    "terminal": Stranger(GOOD + "# \x1b]0;owned\x07\x1b[2J\n", ("CIM105",)),
    "right_to_left": Stranger(GOOD + "# \u202e evil\n", ("CIM105",)),
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, Any]]]:
    """What was said about each, and what it did."""
    top = tmp_path_factory.mktemp("strangers")
    for name, content in {"secret.cim": f"{GOOD}# {SECRET}\n{SECRET}", "secret.npz": SECRET}.items():
        (top / name).write_text(content)
    good = top / "good"
    good.mkdir()
    images = {"images": np.zeros((40, 1, 8, 8), np.float32), "labels": np.arange(40) % 10}
    np.savez(good / "good.npz", **images)
    external(good)
    (good / "data.cim").write_text(f'{GOOD}data d = npz("good.npz")\n')
    (good / "network.cim").write_text(f'{CHIP}model m = onnx("good.onnx")\n')
    values = {"c1.weight": (8, 1, 3, 3), "c1.bias": (8,), "f1.weight": (10, 288), "f1.bias": (10,)}
    safetensors.numpy.save_file(
        {key: np.ones(shape, np.float32) for key, shape in values.items()}, good / "good.safetensors"
    )
    (good / "weights.cim").write_text(weights("good.safetensors"))
    (good / "search.cim").write_text('import library("models/lenet5.cim")\nimport library("chips/isaac.cim")\n')
    for name, stranger in STRANGERS.items():
        folder = top / name
        folder.mkdir()
        if stranger.prepare:
            stranger.prepare(folder)
        content = stranger.text if isinstance(stranger.text, bytes) else stranger.text.encode()
        (folder / "main.cim").write_bytes(content)
    before = listing(top)
    command = [sys.executable, "-m", "tests.spec.watched", *map(str, sorted(good.glob("*.cim"))), "--"]
    command += [str(top / name / "main.cim") for name in STRANGERS]
    environment = os.environ | {"HOME": str(top), "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=top, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    yield dict(zip(STRANGERS, found, strict=True))
    assert listing(top) == before, "something was written"
    assert not Path("/tmp/cimspec_was_tricked").exists(), "something was run"


def listing(top: Path) -> list[tuple[str, int, int]]:
    """All that lies below a folder, with its size and when it was changed."""
    found = ((path, path.lstat()) for path in sorted(top.rglob("*")))
    return [(str(path), state.st_size, state.st_mtime_ns) for path, state in found]


@pytest.mark.parametrize("name", STRANGERS)
def test_a_strangers_file_is_harmless(name, answers):
    answer = answers[name]
    assert answer["wrong"] == [], "nothing but reading of the folder and the library"
    assert SECRET not in answer["said"]
    assert answer["megabytes"] < MEGABYTES
    assert tuple(answer["codes"]) == STRANGERS[name].codes, answer["said"]
    assert answer["is_spec"] == (not STRANGERS[name].codes)
    assert not any(unicodedata.category(each) in ("Cc", "Cf", "Cs") for each in answer["said"].replace("\n", ""))


@pytest.mark.parametrize("start", [[str(Path(sys.executable).parent / "cimspec")], [sys.executable, "-m", "cimspec"]])
def test_modules_in_a_strangers_folder_are_not_imported(tmp_path, start):
    for name in ("numpy", "torch", "onnx", "rich", "typer", "yaml", "sitecustomize", "theirs"):
        (tmp_path / f"{name}.py").write_text('import pathlib\npathlib.Path("ran").touch()\n')
    plugin = tmp_path / "theirs-1.dist-info"
    plugin.mkdir()
    (plugin / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1\n")
    (plugin / "entry_points.txt").write_text("[cimspec.search_methods]\ntheirs = theirs:search\n")
    search = 'data d = builtin("digits")\nsearch { weight_bits = 2..8; activation_bits = 2..8; methods = [theirs]\n'
    (tmp_path / "main.cim").write_text(f"{GOOD}{search}require accuracy_loss <= 0.1 pp }}\n")
    if not Path(start[0]).exists():
        pytest.skip("cimspec is not installed here")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    environment["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(
        [*start, "validate", "main.cim"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert "unknown option `theirs`" in done.stderr, done.stderr
    assert not (tmp_path / "ran").exists()


def test_the_watch_sees_what_is_not_harmless(tmp_path):
    inside, outside = str(tmp_path / "a.cim"), str(tmp_path.parent / "a.cim")
    assert is_allowed("open", (inside, "r", os.O_RDONLY), tmp_path)
    assert is_allowed("os.scandir", (str(tmp_path),), tmp_path)
    assert not is_allowed("open", (outside, "r", os.O_RDONLY), tmp_path)
    assert not is_allowed("open", (inside, "w", os.O_WRONLY | os.O_CREAT), tmp_path)
    assert not is_allowed("open", (inside, None, os.O_RDWR), tmp_path)
    assert not is_allowed("os.listdir", (str(tmp_path.parent),), tmp_path)
    for name in ("exec", "import", "socket.connect", "subprocess.Popen", "os.mkdir", "os.remove", "pickle.find_class"):
        assert not is_allowed(name, (inside,), tmp_path)


def test_line_ends_and_a_byte_order_mark_change_nothing(tmp_path):
    (tmp_path / "a.cim").write_bytes(GOOD.encode())
    (tmp_path / "b.cim").write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert load_spec(tmp_path / "a.cim").digest == load_spec(tmp_path / "b.cim").digest
