"""The pages of diagnostics as files, for the links that editors show beside a code.

They are written when they are first needed, into the user's cache folder, or `$CIMSPEC_CACHE`; `CIMSPEC_CACHE=off`
keeps no files, and there are no links then.
"""

import os
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from cimspec.lsp.describing import describe_code

VARIABLE = "CIMSPEC_CACHE"


@lru_cache(maxsize=1000)
def page_of(code: str) -> str | None:
    """The URI of the page of a code; None where it cannot be had."""
    page = describe_code(code)
    folder = _folder()
    if page is None or folder is None:
        return None
    path = folder / f"{code}.md"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{page}\n", encoding="utf-8")
        return path.resolve().as_uri()
    except OSError:
        return None


def _folder() -> Path | None:
    given = os.environ.get(VARIABLE)
    if given == "off":
        return None
    name = Path("diagnostics") / version("cimspec")
    if given:
        return Path(given) / name
    from platformdirs import user_cache_path

    try:
        return user_cache_path("cimspec") / name
    except (OSError, RuntimeError):  # no home folder
        return None
