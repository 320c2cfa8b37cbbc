"""Builds the kernels: one extension `cimspec._kernels.NAME` of `kernels/NAME.pyx` and each `kernels/NAME_*.c`.

`CIMSPEC_CHECKED_KERNELS=1` turns bounds checks on, `CIMSPEC_SANITIZED_KERNELS=1` gcc's sanitizers of addresses and of
undefined behaviour (`.ci/sanitize`). Everything else about the package is in pyproject.toml.
"""

import os
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

CHECKED = os.environ.get("CIMSPEC_CHECKED_KERNELS") == "1"
# Fused multiply-add rounds once where the definition rounds twice, so contraction stays off. Floating-point flags are
# never read: compilers need not keep them, which lets them widen loops with comparisons. Jumps through tables are slow
# where processors are kept from predicting them.
FLAGS = ["-O3", "-ffp-contract=off", "-fno-trapping-math", "-fno-math-errno", "-fno-jump-tables"]
if sys.platform == "win32":
    FLAGS = []
LINK_FLAGS = []
if os.environ.get("CIMSPEC_SANITIZED_KERNELS") == "1":
    LINK_FLAGS = ["-fsanitize=address,undefined"]
    FLAGS += ["-O1", "-g", "-fno-omit-frame-pointer", "-fno-sanitize-recover=undefined", *LINK_FLAGS]

extensions = [
    Extension(
        f"cimspec._kernels.{path.stem}",
        [path.as_posix(), *(part.as_posix() for part in sorted(path.parent.glob(f"{path.stem}_*.c")))],
        include_dirs=["kernels"],
        depends=[header.as_posix() for header in path.parent.glob("*.h")],
        extra_compile_args=FLAGS,
        extra_link_args=LINK_FLAGS,
    )
    for path in sorted(Path("kernels").glob("*.pyx"))
]

setup(
    ext_modules=cythonize(
        extensions,
        include_path=["kernels"],
        build_dir="build",
        force=True,  # else a checked build would pass for an unchecked one
        compiler_directives={
            "language_level": 3,
            "boundscheck": CHECKED,
            "initializedcheck": CHECKED,
            "wraparound": False,
            "cdivision": True,
        },
    )
)
