"""Text into files that are complete as soon as they have their name."""

from pathlib import Path


def write_text(path: Path, text: str) -> Path:
    """Write `text` to a file beside `path`, then give it the name. What is no file (a pipe, say) is written to itself.

    Raises OSError where that cannot be done; nothing is left behind then.
    """
    if path.exists() and not path.is_file():
        path.write_text(text, encoding="utf-8")
        return path
    target = path.resolve()
    partial = target.with_name(f"{target.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(target)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    return path
