"""The chips and models that are shipped with cimspec: `import library("chips/isaac.cim")`.

They are files of the package. A path stays below its folder, symbolic links resolved.
"""

from functools import cache
from pathlib import Path

from cimspec.diag import Diagnostics, written_instead
from cimspec.lang import Call, Text

FOLDER = Path(__file__).parents[1] / "library"
SHOWN = "library"  # what paths of diagnostics start with


@cache
def library_names() -> tuple[str, ...]:
    """All files of the library: `chips/isaac.cim`, `models/resnet18.cim` ..."""
    return tuple(sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.cim")))


def about(name: str) -> str:
    """What a file of the library says of itself: the first sentence of its comment."""
    lines = (FOLDER / name).read_text(encoding="utf-8").splitlines()
    comment = []
    for line in lines:
        if not line.startswith("#"):
            break
        comment.append(line.removeprefix("#").strip())
    text = " ".join(comment)
    return text.partition(": ")[0].partition(". ")[0].rstrip(".")


def library_file(call: Call, diagnostics: Diagnostics) -> tuple[Text, Path, str] | None:
    """The path in `library("...")`, the file it means, and how that is shown; None after reporting."""
    values = [argument.value for argument in call.arguments if argument.name is None]
    path = values[0] if len(values) == len(call.arguments) == 1 else None
    if not isinstance(path, Text):
        form = 'write `library("chips/isaac.cim")`'
        diagnostics.error("CIM213", "`library` takes one path in quotes", call.span, label=form)
        return None
    known = library_names()
    if path.text not in known:  # so nothing outside of the folder can be named, whatever the path is made of
        meant = meant_file(path.text, known, diagnostics)
        notes = [f"the library has: {', '.join(known)}"]
        message = f"the library has no file `{path.text}`"
        label = f"did you mean `{meant}`?" if meant else "name one of those that it has"
        fixes = [written_instead(path.span, f'"{meant}"')] if meant and path.span.text == f'"{path.text}"' else []
        diagnostics.error("CIM239", message, path.span, label=label, notes=notes, fixes=fixes)
        return None
    return path, (FOLDER / path.text).resolve(), f"{SHOWN}/{path.text}"


def meant_file(text: str, known: tuple[str, ...], diagnostics: Diagnostics) -> str | None:
    """The file that was probably meant: its folder or its ending may be missing."""
    last = text.rpartition("/")[2].removesuffix(".cim")
    named = [name for name in known if name.rpartition("/")[2].removesuffix(".cim") == last]
    return named[0] if named else diagnostics.did_you_mean(text, known)
