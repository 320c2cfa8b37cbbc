"""Options of all tests, and the `golden` fixture: compares a text with a file beside the tests."""

import difflib
import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write what the tests produce into their golden files"
    )
    parser.addoption(
        "--cases",
        type=int,
        default=150,
        help="random products on which kernels meet their definition; edits of programs that are rejected or harmless",
    )


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Trained weights are kept for these tests alone, those in processes of their own included."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CIMSPEC_CACHE", str(folder))
        yield folder


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, Path], None]:
    """Call with a text and the path of its golden file."""
    update = request.config.getoption("--update-golden")

    def check(text: str, path: Path) -> None:
        text = text.rstrip("\n") + "\n"
        if update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return
        command = f"pytest --update-golden {request.node.nodeid}"
        if not path.exists():
            pytest.fail(f"{path} does not exist; write it with: {command}", pytrace=False)
        wanted = path.read_text(encoding="utf-8")
        if text != wanted:
            lines = difflib.unified_diff(wanted.splitlines(), text.splitlines(), path.name, "now", lineterm="")
            pytest.fail("\n".join([*lines, f"if this is right: {command}"]), pytrace=False)

    return check


def pytest_collection_finish() -> None:
    """Modules and tests stay to the end: the garbage collector need not look through them again and again."""
    gc.collect()
    gc.freeze()
