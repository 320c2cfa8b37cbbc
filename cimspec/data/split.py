"""Cut labelled images into three splits with the same share of every class.

Images + labels + sizes -> Dataset. The cut depends on the labels and `SPLIT_SEED` alone, so that every run
and every network sees the same test images.
"""

import numpy as np
import numpy.typing as npt

from cimspec.data.dataset import Dataset, Images, Labels, Split

SPLIT_SEED = 2024


def stratified_order(labels: Labels, seed: int = SPLIT_SEED) -> npt.NDArray[np.int64]:
    """An order of the images of which every prefix holds each class in its overall share, within one image.

    The images are shuffled; the one of rank r among the n of its class gets the place (r + 1/2) / n.
    """
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    _, first, count = np.unique(labels[by_class], return_index=True, return_counts=True)
    place = np.empty(len(labels))
    place[by_class] = (np.arange(len(labels)) - np.repeat(first, count) + 0.5) / np.repeat(count, count)
    return np.lexsort((labels, place))


def split_stratified(
    name: str, images: Images, labels: Labels, *, train: int, validation: int, seed: int = SPLIT_SEED
) -> Dataset:
    """The first `train` images in stratified order, the next `validation`, and the rest for testing."""
    order = stratified_order(labels, seed)
    bounds = np.split(order, [train, train + validation])
    parts = [Split(np.ascontiguousarray(images[chosen]), labels[chosen]) for chosen in bounds]
    return Dataset(name, int(labels.max()) + 1, *parts)
