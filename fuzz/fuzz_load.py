"""Any bytes of at most 64 KB, as a file: `load` gives a spec or diagnostics within a second and 200 MB.

    python fuzz/fuzz_load.py --seconds 600       look for inputs that break this; exits with 1 if there are any
    python fuzz/fuzz_load.py FILE ...            try these inputs

What is asked of an input: no exception but `CimError`; all diagnostics can be rendered in every form; a network can be
built or is refused; `fmt` gives text that `fmt` leaves alone; a second of CPU for `load`; no more than 200 MB.

With atheris (`pip install atheris`) inputs are led by what code they reach, without it they are made by chance. They
are mutations of the specs, the library and the wrong files of this repository. What breaks is kept in --output.
"""

import argparse
import importlib.util
import json
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
import unicodedata
from dataclasses import asdict, dataclass, field
from pathlib import Path

from mutations import MAX_BYTES, PIECES, mutated

ROOT = Path(__file__).parents[1]
SIBLINGS = ("specs", "tests/diag/cases/parts", "tests/diag/cases")
SEEDS = ("specs/**/*.cim", "cimspec/library/**/*.cim", "tests/diag/cases/**/*.cim")
MAX_SECONDS = 1.0
MAX_MEGABYTES = 200
IS_ATHERIS = importlib.util.find_spec("atheris") is not None


class BrokenError(Exception):
    """An input was not answered as it should be."""


@dataclass
class Record:
    """What a run has seen so far."""

    inputs: int = 0
    specs: int = 0
    slowest: float = 0.0  # CPU seconds of one `load`
    memory: float = 0.0  # megabytes above what the process had after its first spec
    codes: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """As JSON, for the process that waits for this one."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")


class Target:
    """Gives inputs to cimspec and looks at the answers."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for root in SIBLINGS:  # what the seeds import
            shutil.copytree(ROOT / root, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.txt"))
        self._files = self._listing()
        self.record = Record()
        self.answer((ROOT / "specs/quickstart.cim").read_bytes())  # what is loaded late is loaded now
        self._memory = peak_megabytes()

    def answer(self, data: bytes) -> tuple[str, ...]:
        """The codes that an input gets, none if it is a spec. Raises what should not be raised."""
        from cimspec.diag import CimError, Format, render
        from cimspec.graph import open_model
        from cimspec.spec import load

        path = self._folder / "any.cim"
        path.write_bytes(data[:MAX_BYTES])
        started = time.process_time()
        is_spec = False
        try:
            loaded = load(path)
            found = loaded.warnings
            is_spec = True
        except CimError as error:
            found = error.diagnostics
        seconds = time.process_time() - started
        if is_spec:
            try:
                open_model(loaded.spec, loaded.spans)
            except CimError as error:
                found = (*found, *error.diagnostics)
        elif not found:
            raise BrokenError("refused without a word")
        for form in Format:
            check_shown(render(found, form), form is Format.JSON)
        check_format(data[:MAX_BYTES])
        self._keep(seconds, is_spec, {each.code for each in found})
        if self._listing() != self._files:
            raise BrokenError("something was written beside the file")
        return tuple(each.code for each in found)

    def _listing(self) -> list[Path]:
        return sorted(path for path in self._folder.rglob("*") if path.name != "any.cim")

    def _keep(self, seconds: float, is_spec: bool, codes: set[str]) -> None:
        record = self.record
        record.inputs += 1
        record.specs += is_spec
        record.codes += codes.difference(record.codes)
        record.slowest = max(record.slowest, seconds)
        if record.inputs == 1:
            return
        record.memory = max(record.memory, peak_megabytes() - self._memory)
        if record.memory > MAX_MEGABYTES:
            raise BrokenError(f"took {record.memory:.0f} MB")
        if seconds > MAX_SECONDS:
            raise BrokenError(f"took {seconds:.2f} s")


def check_shown(said: str, is_json: bool) -> None:
    """What is printed cannot drive a terminal."""
    if is_json:
        json.loads(said)
    elif any(unicodedata.category(character) in ("Cc", "Cf", "Cs") for character in said.replace("\n", "")):
        raise BrokenError("a character that drives a terminal was shown")


def check_format(data: bytes) -> None:
    """`fmt` refuses a text, or its answer is its own canonical form."""
    from cimspec.diag import CimError
    from cimspec.lang.format import format_text

    try:
        once = format_text(data.decode("utf-8-sig"))
    except (UnicodeDecodeError, CimError):
        return
    if format_text(once) != once:
        raise BrokenError("`fmt` changes its own answer")


def peak_megabytes() -> float:
    """The most memory that this process had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def seeds() -> list[bytes]:
    """What inputs are made from."""
    files = (path for pattern in SEEDS for path in sorted(ROOT.glob(pattern)))
    return [content for content in (path.read_bytes() for path in files) if 0 < len(content) <= MAX_BYTES]


def texts(found: list[bytes]) -> list[str]:
    """Inputs as texts."""
    return [each.decode("utf-8", "replace") for each in found]


def try_files(paths: list[Path]) -> int:
    """Answer inputs one by one; the exit code."""
    broken = 0
    with tempfile.TemporaryDirectory() as folder:
        target = Target(Path(folder))
        for path in paths:
            try:
                codes = target.answer(path.read_bytes())
                print(f"{path}: {', '.join(codes) or 'a spec'}")
            except Exception:
                broken = 1
                print(f"{path}: BROKEN\n{traceback.format_exc()}")
    print(f"slowest: {target.record.slowest:.3f} CPU s; memory: {target.record.memory:.0f} MB")
    return broken


class Hunt:
    """Answers inputs and keeps those that break something, once for each place in the code."""

    def __init__(self, target: Target, output: Path) -> None:
        self._target = target
        self._output = output
        self._places: set[str] = set()

    def feed(self, data: bytes) -> None:
        """Answer one input."""
        try:
            self._target.answer(data)
        except Exception as error:
            self._take(data, error)
        if self._target.record.inputs % 100 == 0:
            self._target.record.write(self._output / "record.json")

    def _take(self, data: bytes, error: Exception) -> None:
        """Keep an input, unless a process that watches nothing is content with it, or this place is known."""
        frames = traceback.extract_tb(error.__traceback__)
        inner = frames[-1]
        place = f"{type(error).__name__} {Path(inner.filename).name}:{inner.lineno} {str(error)[:80]}"
        if isinstance(error, BrokenError):
            place = str(error).split(".")[0]
        if place in self._places or len(self._places) >= 50:
            return
        number = len(self._places)
        path = self._output / f"broken_{number}.cim"
        path.write_bytes(data)
        if subprocess.run([sys.executable, __file__, str(path)], capture_output=True, check=False).returncode == 0:
            path.unlink()  # slow under instrumentation only, or memory of many inputs together
            return
        self._places.add(place)
        self._target.record.broken.append(f"{path}: {place}")
        self._target.record.write(self._output / "record.json")
        print(f"BROKEN {path}: {place}", flush=True)


def by_chance(hunt: Hunt, seconds: float, rng: random.Random) -> None:
    """Answer mutations of the seeds until the time is over."""
    found = texts(seeds())
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if rng.random() < 0.05:
            hunt.feed(rng.randbytes(rng.choice((1, 10, 100, 1000, MAX_BYTES))))
        else:
            hunt.feed(mutated(rng.choice(found), rng, found).encode("utf-8", "surrogatepass"))


def by_coverage(hunt: Hunt, seconds: float, seed: int, corpus: Path) -> None:
    """Let atheris make inputs; does not come back."""
    import atheris

    for index, content in enumerate(seeds()):
        (corpus / str(index)).write_bytes(content)
    words = corpus.parent / "words.txt"
    words.write_text("".join(f'"{escaped(piece)}"\n' for piece in PIECES), encoding="utf-8")
    others = texts(seeds())

    def custom_mutator(data: bytes, max_size: int, seed: int) -> bytes:
        """Half of the time in tokens, half of the time in bytes."""
        rng = random.Random(seed)
        if rng.random() < 0.5:
            return bytes(atheris.Mutate(data, len(data) + 64))[:max_size]
        text = mutated(data.decode("utf-8", "replace"), rng, others)
        return text.encode("utf-8", "surrogatepass")[:max_size]

    options = (f"-max_total_time={seconds:.0f}", f"-max_len={MAX_BYTES}", f"-seed={seed}", "-rss_limit_mb=4096")
    options += (f"-dict={words}", "-timeout=60", "-print_final_stats=1", f"-artifact_prefix={corpus.parent}/")
    atheris.Setup([sys.argv[0], *options, str(corpus)], hunt.feed, custom_mutator=custom_mutator)
    atheris.Fuzz()


def escaped(piece: str) -> str:
    """A word for a dictionary of libFuzzer."""
    return "".join(f"\\x{byte:02x}" for byte in piece.encode())


def instrumented() -> None:
    """Import what is fuzzed such that atheris sees what it reaches."""
    import atheris

    with atheris.instrument_imports(include=["cimspec"]):
        import cimspec.graph
        import cimspec.lang.format
        import cimspec.validation  # noqa: F401


def hunting(arguments: argparse.Namespace) -> int:
    """The process that answers inputs."""
    output = Path(arguments.output)
    if arguments.engine == "atheris":
        instrumented()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "input").mkdir()
        (Path(folder) / "corpus").mkdir()
        target = Target(Path(folder) / "input")
        hunt = Hunt(target, output)
        if arguments.engine == "atheris":
            by_coverage(hunt, arguments.seconds, arguments.seed, Path(folder) / "corpus")
        else:
            by_chance(hunt, arguments.seconds, random.Random(arguments.seed))
        target.record.write(output / "record.json")
    return 0


def supervised(arguments: argparse.Namespace) -> int:
    """Run the hunt in a process of its own, as libFuzzer ends its process itself; tell what was found."""
    output = Path(arguments.output)
    output.mkdir(parents=True, exist_ok=True)
    (output / "record.json").unlink(missing_ok=True)
    started = time.monotonic()
    command = [sys.executable, __file__, "--hunt", "--engine", arguments.engine, "--output", str(output)]
    command += ["--seconds", str(arguments.seconds), "--seed", str(arguments.seed)]
    done = subprocess.run(command, stderr=(output / "log.txt").open("w"), check=False)
    record = Record(**json.loads((output / "record.json").read_text(encoding="utf-8")))
    print(f"{arguments.engine}: {record.inputs} inputs in {time.monotonic() - started:.0f} s, {record.specs} specs")
    print(f"slowest load: {record.slowest:.3f} CPU s; memory above the first spec: {record.memory:.0f} MB")
    print(f"{len(record.codes)} codes: {' '.join(sorted(record.codes))}")
    print(f"broken: {len(record.broken)}", *record.broken, sep="\n  ")
    if done.returncode:
        print(f"the hunt ended with {done.returncode}, see {output / 'log.txt'}")
    return 1 if record.broken or done.returncode else 0


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, help="inputs to try")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engine", choices=("atheris", "chance"), default="atheris" if IS_ATHERIS else "chance")
    parser.add_argument("--output", default="runs/fuzz", help="where inputs that break something are kept")
    parser.add_argument("--hunt", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.files:
        return try_files(arguments.files)
    return hunting(arguments) if arguments.hunt else supervised(arguments)


if __name__ == "__main__":
    sys.exit(main())
