"""Data files as a `.cim` file names them: a file or a folder below its own, and what identifies their content.

Nothing is decoded here. Folders are listed to a fixed depth, without what lies or leads outside of them.
"""

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from cimspec.spec.base import NamedFile, sha256_of

IMAGE = re.compile(r".+\.(png|jpe?g)", re.IGNORECASE)
CIFAR_BATCH = re.compile(r"(data_batch_[0-9]{1,3}|test_batch|train|test)(\.bin)?")
CIFAR_FOLDERS = ("cifar-10-batches-py", "cifar-10-batches-bin", "cifar-100-python", "cifar-100-binary")
"""What the authors' archives unpack to: https://www.cs.toronto.edu/~kriz/cifar.html."""

DEEPEST = 3  # part / class / image
MAX_ENTRIES = 3_000_000


@dataclass(frozen=True, slots=True)
class Listed:
    """A file or a folder below another one."""

    parts: tuple[str, ...]  # names on the way to it
    is_folder: bool
    size: int  # bytes; 0 for a folder


def listing(root: Path) -> tuple[Listed, ...]:
    """Folders and files down to `DEEPEST`, by name, those with a leading dot left out.

    Symbolic links are followed where they lead below `root`. Raises OSError if a folder cannot be read, or if there are
    more than `MAX_ENTRIES` entries.
    """
    found: list[Listed] = []
    for each in _below(root.resolve(), root.resolve(), ()):
        found.append(each)
        if len(found) > MAX_ENTRIES:
            raise OSError(0, f"it holds more than {MAX_ENTRIES} files")
    return tuple(sorted(found, key=lambda each: each.parts))


def _below(root: Path, folder: Path, above: tuple[str, ...]) -> Iterator[Listed]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or (entry.is_symlink() and not _is_inside(root, Path(entry.path))):
                continue
            parts = (*above, entry.name)
            if entry.is_dir():
                yield Listed(parts, is_folder=True, size=0)
                if len(parts) < DEEPEST:
                    yield from _below(root, Path(entry.path), parts)
            elif entry.is_file():
                yield Listed(parts, is_folder=False, size=entry.stat().st_size)


def _is_inside(root: Path, link: Path) -> bool:
    try:
        return link.resolve().is_relative_to(root)
    except (OSError, RuntimeError):  # a circle of links
        return False


class ImageFolder(NamedFile):
    """A folder of images. Its digest is that of names and sizes: images can be more than one wants to read for it."""

    MAY_BE_FILE: ClassVar[bool] = False
    MAY_BE_FOLDER: ClassVar[bool] = True

    @classmethod
    def digest(cls, path: Path) -> str:
        """sha256 of the names of its images and folders, and of the images' sizes."""
        lines = [
            f"{'/'.join(each.parts)}\0{each.size}\n"
            for each in listing(path)
            if each.is_folder or IMAGE.fullmatch(each.parts[-1])
        ]
        return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


class CifarFiles(NamedFile):
    """The archive of CIFAR-10 or CIFAR-100, or the folder that it unpacks to, or the folder around that."""

    MAY_BE_FOLDER: ClassVar[bool] = True

    @classmethod
    def digest(cls, path: Path) -> str:
        """sha256 of the archive, or of the batches in the folder."""
        if not path.is_dir():
            return sha256_of(path)
        batches = cifar_batches(path)
        return hashlib.sha256("".join(f"{name}\0{sha256_of(batches[name])}\n" for name in batches).encode()).hexdigest()


def cifar_batches(path: Path) -> dict[str, Path]:
    """The batches in a folder, or else in the first of `CIFAR_FOLDERS` in it, by name. Raises OSError."""
    files = [each.parts for each in listing(path) if not each.is_folder and CIFAR_BATCH.fullmatch(each.parts[-1])]
    for above in ((), *((name,) for name in CIFAR_FOLDERS)):
        batches = {parts[-1]: path.joinpath(*parts) for parts in files if parts[:-1] == above}
        if batches:
            return batches
    return {}
