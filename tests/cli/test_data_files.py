"""Data in files, from the command line."""

from pathlib import Path

import numpy as np

SPEC = """
chip base {{
  crossbar {{ rows = 64; columns = 64; cell = 2 bit; encoding = offset; write_latency = 56 us; read_latency = 1.4 us }}
  adc {{ bits = 8 }}
}}
model net {{ input 1 x 8 x 8 {{ signed = false }}; linear f1 {{ features = {classes} }} }}
data d = npz("d.npz")
"""


def write(folder: Path, images: np.ndarray, classes: int) -> None:
    np.savez(folder / "d.npz", images=images, labels=np.arange(100) % 10)
    (folder / "own.cim").write_text(SPEC.format(classes=classes))


def test_validate_reads_the_data_that_a_spec_names(cimspec, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (100, 8, 8), np.uint8)
    write(tmp_path, images, classes=10)
    assert cimspec("validate", "own.cim").returncode == 0
    write(tmp_path, images, classes=9)
    result = cimspec("validate", "own.cim", "--format", "concise")
    assert (result.returncode, result.stderr) == (1, "CIM405 `d` has 10 classes, `net` has 9 outputs\n")
    write(tmp_path, np.zeros((100, 8, 8), np.uint8), classes=10)
    result = cimspec("validate", "own.cim", "--format", "concise")
    assert result.returncode == 0
    assert result.stderr.splitlines()[0] == "warning: CIM458 all 60 training images of `d` are the same"


def test_the_sources_of_data_are_listed_with_their_options(cimspec):
    out = cimspec("list", "data").stdout
    for words in ('builtin("digits")', "npz(file)", "idx(images, labels, test_images, test_labels)", "cifar(files)"):
        assert words in out
    assert "color, scale, resize, fit, crop, mean, std, limit, validation, test" in out
