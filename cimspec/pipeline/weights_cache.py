"""Trained weights, kept from run to run: a digest of all that made them -> Weights.

The folder is `$CIMSPEC_CACHE`, or the user's cache folder of the platform; `CIMSPEC_CACHE=off` keeps nothing. What is
kept changes no result: files are whole or not there, damaged ones are made anew, and a folder that cannot be written
keeps nothing.
"""

import hashlib
import io
import json
import os
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import NamedTemporaryFile
from types import ModuleType

import numpy as np
import torch

from cimspec.data.dataset import Split
from cimspec.graph import Graph
from cimspec.quant import augment, convolve, execute, optimize, order, train
from cimspec.quant.weights import Float32, Weights
from cimspec.spec import TrainingSpec

VARIABLE = "CIMSPEC_CACHE"
LIMIT_BYTES = 512 * 1024 * 1024
"""Of all files together; the newest one is kept whatever its size."""

DIGEST_BYTES = 32

FINE_TUNING = {
    "finetune_on",
    "finetune_above",
    "finetune_epochs",
    "finetune_learning_rate",
    "step_rate",
    "distillation",
    "temperature",
    "calibration",
}
"""Fields of a recipe that the float network does not depend on."""

CODE: tuple[ModuleType, ...] = (augment, convolve, execute, optimize, order, train)
"""What trains: a change there makes other weights, whatever the version says."""


@dataclass(frozen=True, slots=True)
class WeightsCache:
    """Files in a folder, each a sha256 and the npz that it is of; those used longest ago are removed first."""

    folder: Path
    limit_bytes: int = LIMIT_BYTES

    @classmethod
    def of_user(cls) -> "WeightsCache | None":
        """The cache that the environment says; None where it says `off`, or there is no place for one."""
        given = os.environ.get(VARIABLE)
        if given == "off":
            return None
        if given:
            return cls(Path(given) / "weights")
        from platformdirs import user_cache_path

        try:
            return cls(user_cache_path("cimspec") / "weights")
        except (OSError, RuntimeError):  # no home folder
            return None

    def get(self, key: str) -> Weights | None:
        """What was kept under `key`, if it is there and whole."""
        path = self._path(key)
        try:
            content = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        digest, archive = content[:DIGEST_BYTES], content[DIGEST_BYTES:]
        if hashlib.sha256(archive).digest() != digest:
            return None
        weights: dict[str, dict[str, Float32]] = {}
        with np.load(io.BytesIO(archive), allow_pickle=False) as arrays:
            for name in arrays.files:
                layer, _, parameter = name.rpartition("/")
                weights.setdefault(layer, {})[parameter] = arrays[name]
        return weights

    def put(self, key: str, weights: Weights) -> None:
        """Keep `weights` under `key` if that is possible."""
        archive = io.BytesIO()
        arrays = {f"{layer}/{name}": array for layer, own in weights.items() for name, array in own.items()}
        np.savez(archive, allow_pickle=False, **arrays)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with NamedTemporaryFile(dir=self.folder, suffix=".partial", delete=False) as partial:
                partial.write(hashlib.sha256(archive.getvalue()).digest())
                partial.write(archive.getvalue())
            Path(partial.name).replace(self._path(key))
            self._shrink()
        except OSError:
            return

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.weights"

    def _shrink(self) -> None:
        """Remove the files used longest ago, until those that are left take no more than the limit."""
        used = sorted(((path.stat().st_mtime_ns, path) for path in self.folder.iterdir()), reverse=True)
        total = 0
        for number, (_, path) in enumerate(used):
            total += path.stat().st_size
            if total > self.limit_bytes and number > 0:
                path.unlink(missing_ok=True)


def weights_key(graph: Graph, train_split: Split, training: TrainingSpec, seed: int, device: torch.device) -> str:
    """sha256 of all that the trained weights depend on; neither the chip nor the search is among it."""
    found = hashlib.sha256()
    parts = {
        "versions": {name: version(name) for name in ("cimspec", "numpy", "torch")},
        "code": [hashlib.sha256(Path(str(module.__file__)).read_bytes()).hexdigest() for module in CODE],
        "graph": repr(graph.layers),
        "training": training.model_dump(mode="json", exclude=FINE_TUNING | {"seed"}),
        "seed": seed,
        "device": device.type,
        "threads": torch.get_num_threads(),
        "images": train_split.images.shape,
    }
    found.update(json.dumps(parts, sort_keys=True).encode())
    found.update(np.ascontiguousarray(train_split.images).data)
    found.update(np.ascontiguousarray(train_split.labels).data)
    return found.hexdigest()
