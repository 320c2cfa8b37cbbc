"""`cimspec new`: a first file to start from."""

import re
from pathlib import Path
from typing import Annotated

import typer

from cimspec.diag import did_you_mean


def new(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="the `.cim` file to write")],
    chip: Annotated[str, typer.Option(help="`blank`, written out to be changed, or a chip of the library")] = "blank",
    model: Annotated[str, typer.Option(help="a small network, written out, or one of the library")] = "vgg8",
    data: Annotated[
        str | None,
        typer.Option(help="a built-in set, `npz`, `idx`, `cifar`, `folder` or `none`; else `mnist5k`"),
    ] = None,
    search: Annotated[str, typer.Option(help="the method that looks for bits, or `none`")] = "rl",
    force: Annotated[bool, typer.Option("--force", help="replace the file if there is one")] = False,
) -> None:
    """Write a first spec, a few words on each line: it validates, and runs in a minute or two.

    Example: cimspec new mychip.cim --model resnet8 --data digits
    """
    from cimspec.cli import starter

    path = file if file.suffix else file.with_suffix(".cim")
    known = {
        "chip": (chip, starter.chip_names()),
        "model": (model, starter.model_names()),
        "search": (search, starter.search_names()),
        "data": (data or starter.NONE, starter.data_names()),
    }
    for what, (name, names) in known.items():
        _check(what, name, names)
    if data is None:
        data = "mnist5k" if model in starter.MODELS else starter.NONE
    elif data != starter.NONE and model not in starter.MODELS:
        raise typer.BadParameter(f"`{model}` is for other images than `{data}` has; leave out `--data`")
    _check_place(path, replace=force)
    text = starter.starter(path.name, _word(path.stem), starter.Choices(chip, model, data, search))
    path.write_text(text, encoding="utf-8")
    print(f"{path} is written. Next: cimspec validate {path}, then cimspec run {path}")


def _check(what: str, name: str, known: tuple[str, ...]) -> None:
    if name in known:
        return
    meant = did_you_mean(name, known)
    hint = f"did you mean `{meant}`?" if meant else f"there are {', '.join(known)}"
    raise typer.BadParameter(f"there is no `--{what} {name}`; {hint}")


def _check_place(path: Path, *, replace: bool) -> None:
    if path.suffix != ".cim":
        raise typer.BadParameter(f"`{path}` does not end with .cim")
    if not path.parent.is_dir():
        raise typer.BadParameter(f"there is no folder `{path.parent}`")
    if path.exists() and not replace:
        raise typer.BadParameter(f"`{path}` exists; --force replaces it")


def _word(stem: str) -> str:
    """A name that a chip can have, close to that of its file."""
    word = re.sub(r"\W+", "_", stem).strip("_")
    return word if re.fullmatch(r"[^\W\d]\w*", word) else f"chip_{word}".rstrip("_")
