"""`cimspec fmt`: files in their canonical form."""

import difflib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from cimspec.cli.boundary import INPUT_IS_WRONG, show
from cimspec.cli.rewriting import has_byte_order_mark, rewrite
from cimspec.diag import CimError, Diagnostic, Diagnostics, Source

STDIN = "-"
STDIN_NAME = "<stdin>"


def fmt(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILES", help="`.cim` files, folders of them, `-` for stdin (as without any)"),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="change nothing; name what would change, and exit 1")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="change nothing; print what would change")] = False,
) -> None:
    """Write `.cim` files in their canonical form: blanks, lines, empty lines. What they mean stays, and comments do.

    Example: cimspec fmt specs --check
    """
    if not files or files == [STDIN]:
        found = _from_stdin(check=check, diff=diff)
    elif STDIN in files:
        raise typer.BadParameter("`-` stands alone")
    else:
        found = _in_place(list(_paths(files)), check=check, diff=diff)
    if found:
        raise typer.Exit(INPUT_IS_WRONG)


def _from_stdin(*, check: bool, diff: bool) -> bool:
    """Format stdin to stdout; whether to exit 1."""
    from cimspec.lang.format import format_source

    source = Source(STDIN_NAME, _text(sys.stdin.buffer.read()))
    formatted = format_source(source)
    if diff:
        sys.stdout.write(_diff(source, formatted))
    if check and formatted != source.text:
        print(f"would reformat {STDIN_NAME}")
    if not check and not diff:
        sys.stdout.flush()
        sys.stdout.buffer.write(formatted.encode())
    return check and formatted != source.text


def _text(content: bytes) -> str:
    """What was read from stdin; a byte order mark stays, to count as a change."""
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        diagnostics = Diagnostics()
        diagnostics.error(
            "CIM112", f"`{STDIN_NAME}` is not UTF-8: byte {error.start} is wrong", help="save it as UTF-8"
        )
        raise CimError(diagnostics.all) from None


def _in_place(paths: Iterable[Path], *, check: bool, diff: bool) -> bool:
    """Format files; whether to exit 1: a file has errors, or with `check` would change."""
    wrong: list[Diagnostic] = []
    counts = {True: 0, False: 0}
    for path in paths:
        try:
            source, formatted, is_changed = _formatted(path)
            counts[is_changed] += 1
            if is_changed and diff:
                sys.stdout.write(_diff(source, formatted))
            if is_changed and (check or not diff):
                print(f"would reformat {path.as_posix()}" if check else f"reformatted {path.as_posix()}")
            if is_changed and not check and not diff:
                rewrite(path, formatted)
        except CimError as error:
            wrong += error.diagnostics
    show(wrong)
    changed, same = counts[True], counts[False]
    verb = "would be reformatted" if check or diff else "reformatted"
    print(f"{_files(changed)} {verb}, {_files(same)} left as {'they are' if same != 1 else 'it is'}", file=sys.stderr)
    return bool(wrong) or (check and changed > 0)


def _files(count: int) -> str:
    return f"{count} file{'s' * (count != 1)}"


def _formatted(path: Path) -> tuple[Source, str, bool]:
    """A file, its canonical form, and whether that is another. Raises `CimError`."""
    from cimspec.lang.format import format_source
    from cimspec.spec.files import read_source

    diagnostics = Diagnostics()
    source = read_source(path, path.as_posix(), None, diagnostics)
    diagnostics.raise_if_errors()
    assert source is not None, "a file that could not be read was reported"
    formatted = format_source(source)
    return source, formatted, formatted != source.text or has_byte_order_mark(path)


def _paths(files: Iterable[str]) -> Iterator[Path]:
    """The files that are named, and those in the folders that are, each once."""
    seen: set[Path] = set()
    for name in files:
        path = Path(name)
        for each in sorted(path.rglob("*.cim")) if path.is_dir() else [path]:
            here = each.resolve()
            if here not in seen and not (path.is_dir() and each.is_dir()):
                seen.add(here)
                yield each


def _diff(source: Source, formatted: str) -> str:
    """What changes, as a unified diff."""
    before, after = source.text.splitlines(keepends=True), formatted.splitlines(keepends=True)
    lines = difflib.unified_diff(before, after, source.name, source.name)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
