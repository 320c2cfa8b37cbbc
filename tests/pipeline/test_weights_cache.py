"""Trained weights are kept from run to run, by all that they depend on and nothing else; no damage does harm."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from cimspec.data.dataset import Split
from cimspec.pipeline.weights_cache import FINE_TUNING, WeightsCache, weights_key
from cimspec.pipeline.workbench import Workbench
from cimspec.quant.threads import one_thread
from cimspec.quant.weights import Weights
from cimspec.spec import TrainingSpec, load_spec
from cimspec.spec.training import Optimizer, Schedule
from tests.quant.nets import random_images, random_weights, residual_net, small_net

TINY = Path(__file__).parents[2] / "specs/tiny.cim"
SHORT = ("training.epochs=1", "training.finetune_epochs=0")
CPU = torch.device("cpu")


def equal(a: Weights, b: Weights) -> bool:
    return {(name, key): value.tobytes() for name, own in a.items() for key, value in own.items()} == {
        (name, key): value.tobytes() for name, own in b.items() for key, value in own.items()
    }


def test_what_is_kept_comes_back_bit_for_bit(tmp_path):
    cache, weights = WeightsCache(tmp_path / "new"), random_weights(residual_net(normalized=True))
    assert cache.get("a") is None
    cache.put("a", weights)
    found = cache.get("a")
    assert found is not None
    assert equal(found, weights)
    assert cache.get("b") is None
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.weights"]


def test_damaged_files_are_as_if_they_were_not_there(tmp_path):
    cache, weights = WeightsCache(tmp_path), random_weights(residual_net(normalized=True))
    cache.put("a", weights)
    whole = (tmp_path / "a.weights").read_bytes()
    rng = np.random.default_rng(0)
    for content in [b"", b"PK", b"\x80\x04N.", *(whole[:size] for size in rng.integers(len(whole), size=20))]:
        (tmp_path / "a.weights").write_bytes(content)
        assert cache.get("a") is None
    for place in rng.integers(len(whole), size=200):
        flipped = bytearray(whole)
        flipped[place] ^= 0x10
        (tmp_path / "a.weights").write_bytes(flipped)
        assert cache.get("a") is None
    cache.put("a", weights)
    assert cache.get("a") is not None


def test_files_used_longest_ago_are_removed(tmp_path):
    weights = {"f": {"weight": np.zeros((100, 10), np.float32)}}  # 4000 bytes and the archive's own
    cache = WeightsCache(tmp_path, limit_bytes=10_000)
    for age, key in ((40, "a"), (30, "b")):
        cache.put(key, weights)
        time = (tmp_path / f"{key}.weights").stat().st_mtime - age
        os.utime(tmp_path / f"{key}.weights", (time, time))
    assert cache.get("a") is not None  # now used after `b`
    cache.put("c", weights)
    assert sorted(path.stem for path in tmp_path.iterdir()) == ["a", "c"]
    cache.put("large", {"f": {"weight": np.zeros((100, 100), np.float32)}})
    assert [path.stem for path in tmp_path.iterdir()] == ["large"]


def test_a_folder_that_cannot_be_written_keeps_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    cache = WeightsCache(tmp_path / "file" / "below")
    cache.put("a", random_weights(small_net()))
    assert cache.get("a") is None


def test_the_environment_says_where(tmp_path, monkeypatch):
    monkeypatch.setenv("CIMSPEC_CACHE", str(tmp_path))
    assert WeightsCache.of_user() == WeightsCache(tmp_path / "weights")
    monkeypatch.setenv("CIMSPEC_CACHE", "off")
    assert WeightsCache.of_user() is None
    monkeypatch.delenv("CIMSPEC_CACHE")
    found = WeightsCache.of_user()
    assert found is not None
    assert "cimspec" in found.folder.parts


def test_a_key_is_of_all_that_training_depends_on():
    split = Split(random_images(20), np.arange(20, dtype=np.int64) % 10)
    base = (small_net(), split, TrainingSpec(), 0, CPU)
    graph, _, training, *_ = base

    def key(**changes) -> str:
        named = dict(zip(("graph", "split", "training", "seed", "device"), base, strict=True)) | changes
        return weights_key(*named.values())

    changed = {
        **dict.fromkeys(("epochs", "batch"), 7),
        **dict.fromkeys(("learning_rate", "weight_decay", "distortion", "noise"), 0.5),
        "optimizer": Optimizer.SGD,
        "schedule": Schedule.COSINE,
    }
    keys = {
        key(),
        key(graph=residual_net(normalized=True)),
        key(split=split.take(19)),
        key(split=replace(split, images=split.images + 1)),
        key(split=replace(split, labels=split.labels[::-1])),
        key(seed=1),
        key(device=torch.device("cuda")),
        *(key(training=training.model_copy(update={name: value})) for name, value in changed.items()),
    }
    assert len(keys) == 7 + len(changed)
    assert set(TrainingSpec.model_fields) == set(changed) | FINE_TUNING | {"seed"}  # no field is forgotten
    fine_tuning = training.model_copy(update=dict.fromkeys(FINE_TUNING, 1) | {"seed": 0})
    assert key() == key(training=fine_tuning) == key(graph=replace(graph, name="other"))


def prepared(*overrides: str, seed: int = 0) -> tuple[Weights, bool]:
    """Folded weights of a prepared network, and whether it was trained for them."""
    told: list[str] = []
    with one_thread():
        bench = Workbench.prepare(load_spec(TINY, (*SHORT, *overrides)), seed, None, lambda *each: told.append(each[2]))
    return bench.tables.weights, any(text.startswith("loss") for text in told)


def test_a_second_run_does_not_train_and_neither_does_one_with_another_chip_or_search(tmp_path, monkeypatch):
    monkeypatch.setenv("CIMSPEC_CACHE", str(tmp_path))
    weights, trained = prepared()
    assert trained
    for overrides in ([], ["chip.crossbar.rows=32"], ["search.budget=13"], ["training.finetune_epochs=2"]):
        again, trained = prepared(*overrides)
        assert not trained
        assert equal(again, weights)
    other, trained = prepared(seed=1)
    assert trained
    assert not equal(other, weights)


def test_without_a_cache_the_same_is_trained_again(monkeypatch):
    monkeypatch.setenv("CIMSPEC_CACHE", "off")
    first, again = prepared(), prepared()
    assert first[1]
    assert again[1]
    assert equal(first[0], again[0])


def test_a_damaged_cache_is_mended(tmp_path, monkeypatch):
    monkeypatch.setenv("CIMSPEC_CACHE", str(tmp_path))
    weights, _ = prepared()
    (path,) = (tmp_path / "weights").iterdir()
    path.write_bytes(path.read_bytes()[:-100])
    assert prepared()[1]
    again, trained = prepared()
    assert not trained
    assert equal(again, weights)


def test_a_seed_in_the_recipe_counts_whatever_the_run_says(tmp_path, monkeypatch):
    monkeypatch.setenv("CIMSPEC_CACHE", str(tmp_path))
    fixed, _ = prepared("training.seed=5", seed=0)
    assert equal(fixed, prepared("training.seed=5", seed=1)[0])
    assert equal(fixed, prepared(seed=5)[0])
