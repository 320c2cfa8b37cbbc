"""Files that commands change in place: complete or as before, with the mode they had."""

import shutil
from pathlib import Path

from cimspec.diag import fail

BYTE_ORDER_MARK = "\ufeff"


def rewrite(path: Path, text: str) -> None:
    """Put `text` into a file that there is, all at once; a symbolic link stays one. Raises `CimError` (CIM903)."""
    target = path.resolve()
    partial = target.with_name(f"{target.name}.partial")
    try:
        partial.write_bytes(text.encode())
        shutil.copymode(target, partial)
        partial.replace(target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        fail(
            "CIM903",
            f"cannot write `{path.as_posix()}`: {error.strerror}",
            help="make the file and its folder writable",
        )


def has_byte_order_mark(path: Path) -> bool:
    """Whether a file starts with one."""
    with path.open("rb") as file:
        mark = BYTE_ORDER_MARK.encode()
        return file.read(len(mark)) == mark
