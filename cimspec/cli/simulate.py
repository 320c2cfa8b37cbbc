"""`cimspec simulate`: execute a compiled Program, without its spec and without torch."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cimspec.cli.common import AsJson, print_json, progress_bars
from cimspec.diag import fail

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]


def simulate(
    program: Annotated[Path, typer.Argument(metavar="PROGRAM", help="a `.cimp` file; its constants lie beside it")],
    inputs: Annotated[
        Path | None, typer.Option("--input", metavar="X.npy", help="inputs `[batch, channels, height, width]`")
    ] = None,
    data: Annotated[
        str | None, typer.Option("--data", metavar="NAME", help="execute the test split of a built-in data set instead")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="Y.npy", help="write the network's outputs here")
    ] = None,
    reference: Annotated[
        bool, typer.Option("--reference", help="compute in plain numpy, conversion by conversion; slow")
    ] = False,
    seed: Annotated[
        int, typer.Option("--seed", min=0, max=2**31 - 1, help="of what devices draw: another number, another chip")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Execute a compiled Program on inputs of yours or on a built-in test split.

    Example: cimspec simulate runs/quickstart/program.cimp --data mnist5k
    """
    from cimspec.compiler import load_program
    from cimspec.sim import Engine, execute

    loaded, constants = load_program(program)
    images, labels = _inputs(inputs, data)
    with progress_bars() as progress:
        try:
            outputs = execute(
                loaded,
                constants,
                images,
                engine=Engine.REFERENCE if reference else Engine.KERNEL,
                shortcut=not reference,
                seed=seed,
                progress=lambda done: progress(done, len(images), "executing the program"),
            )
        except ValueError as error:
            fail("CIM405", f"the program cannot run on these inputs: {error}")
    if output:
        _save(output, outputs)
    _print(outputs, labels, as_json)


def _inputs(path: Path | None, data: str | None) -> "tuple[Array, Array | None]":
    import numpy as np

    if (path is None) == (data is None):
        raise typer.BadParameter("give either --input or --data")
    if path is None:
        from cimspec.data.builtin import builtin_data

        assert data is not None
        test = builtin_data(data).test
        return test.images, test.labels
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        fail("CIM405", f"cannot read the inputs `{path}`: {error}", help="save them with `numpy.save`")
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        fail("CIM405", f"`{path}` holds no array of numbers", help="save them with `numpy.save`")
    return array, None


def _save(path: Path, outputs: "Array") -> None:
    import numpy as np

    try:
        with path.open("wb") as file:
            np.save(file, outputs)
    except OSError as error:
        fail("CIM903", f"cannot write `{path}`: {error.strerror}", help="choose another file with `-o`")


def _print(outputs: "Array", labels: "Array | None", as_json: bool) -> None:
    classes = outputs.argmax(axis=1)
    accuracy = None if labels is None else float((classes == labels).mean())
    if as_json:
        print_json({"images": len(outputs), "accuracy": accuracy, "classes": classes.tolist()})
    elif accuracy is None:
        print("\n".join(map(str, classes)))
    else:
        print(f"{100 * accuracy:.1f} % of {len(outputs)} images are classified right")
