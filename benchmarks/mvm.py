"""Crossbar products beside numpy and torch, in one process, taking turns.

    python benchmarks/mvm.py [--quick] [--only TEXT] [--cells 1 2 4] [--json] [--rounds 5] [--fastest]

8-bit weights and unsigned 8-bit inputs applied one bit at a time, ADCs of 8 bits. Packing weights is not timed, cutting
inputs into steps is. A slice product is one cell times one input bit: vectors * inputs * outputs * slices * steps of
them, pairs of columns counted as stated, padding never. Every contestant's result is compared with ours.
benchmarks/threads.py has more of two threads.
"""

import argparse
import importlib.util
import json
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from statistics import geometric_mean, median
from typing import Any

import numpy as np
import torch
from baselines import Work, noisy_numpy_product, numpy_product, torch_integer_product, torch_product
from peaks import measure_peaks
from rich.console import Console
from timing import fastest, interleaved, restart_with_one_thread

from cimspec.compiler.layout import Layout
from cimspec.compiler.slicing import input_steps
from cimspec.report import rows_table
from cimspec.sim.layer import ProductLayer
from cimspec.sim.mvm import flat_inputs
from cimspec.sim.packing import instruction_set
from cimspec.sim.programmed import ProgrammedRows
from cimspec.spec.chip import Adc, AdcStep, Chip, Crossbar, Encoding, Subtraction
from cimspec.spec.device import Device

SHAPES = ((576, 128, 1024), (4608, 512, 256), (256, 256, 4096))
ROWS = (128, 256)
CELL_BITS = (1, 2, 4)
BLOCKS = (32, 64, 128, 256, 512, 1024)
BITS, STEPS = 8, 8
NOISY = Device(program_sigma=0.05, read_sigma=0.01)
PEERS = ("simulator", "aihwkit")
"""Modules of CrossSim and of the IBM analog hardware acceleration kit."""

Take = Callable[[Mapping[str, Callable[[], object]]], dict[str, float]]
"""Takes the wall times of contestants, s."""

REQUIRED = {
    "torch int8": {1: (6, 8), 2: (3, 4), 4: (2, 3)},
    "numpy": {1: (30, None), 2: (15, None), 4: (15, None)},
    "2 threads": dict.fromkeys(CELL_BITS, (1.8, None)),
    "numpy, noisy": dict.fromkeys(CELL_BITS, (8, None)),
    "differential": dict.fromkeys(CELL_BITS, (0.9, None)),
    "before ADC": dict.fromkeys(CELL_BITS, (0.45, None)),
}
"""Ratios that are required, and wished for."""

FORMS = {
    "amx": {1: ("adders", 1), 2: ("amx_bytes", 1), 4: ("amx_bytes", 1)},
    "avx512": {1: ("adders", 1), 2: ("adders", 1.5), 4: ("tables", 1)},
    "avx2": {1: ("nibbles", 1), 2: ("nibbles", 1), 4: ("nibbles", 1)},
}
"""Of cells, by their bits: what adds them up, and in how many passes. In one pass adders take half of the rows, those
that have a bit set; of two bits at a time, three quarters."""

OTHER_FORMS = {"noise": {"amx_bytes": 2, "sums": 1}, "lossless": {"amx_bytes": 1, "bytes": 1, "words": 1}}
"""Of sections, by a word of their titles: the first form that there is, and its passes."""


@dataclass(frozen=True)
class Case:
    """One product, and what it runs on."""

    inputs: int
    outputs: int
    vectors: int
    rows: int
    cell_bits: int
    step: AdcStep = AdcStep.POWER_OF_TWO

    def chip(
        self, encoding: Encoding = Encoding.OFFSET, *, before_adc: bool = False, adc_bits: int = 8, noisy: bool = False
    ) -> Chip:
        """The chip, with some of its options."""
        crossbar = Crossbar(
            rows=self.rows, columns=128, cell_bits=self.cell_bits, encoding=encoding,
            write_latency_ns=1.0, read_latency_ns=1.0,
        )  # fmt: skip
        subtraction = Subtraction.BEFORE_ADC if before_adc else Subtraction.AFTER_ADC
        adc = Adc(bits=adc_bits, step=self.step, subtraction=subtraction)
        return Chip(name="bench", crossbar=crossbar, adc=adc, device=NOISY if noisy else Device())

    def data(self) -> tuple[Any, Any]:
        """Weights `[outputs, inputs]` and input vectors `[vectors, inputs]`."""
        rng = np.random.default_rng(0)
        weights = rng.integers(-127, 127, (self.outputs, self.inputs), endpoint=True)
        return weights, rng.integers(0, 255, (self.vectors, self.inputs), np.uint8, endpoint=True)

    def slice_products(self, layout: Layout) -> int:
        """Of one call."""
        columns = layout.columns_per_output // (2 if layout.subtracts_columns else 1)
        return self.vectors * self.inputs * self.outputs * columns * STEPS

    def __str__(self) -> str:
        return f"{self.inputs} x {self.outputs} x {self.vectors}"


class Ours:
    """Products of one case by cimspec, cells programmed."""

    def __init__(self, case: Case, chip: Chip, *, shortcut: bool = False) -> None:
        weights, vectors = case.data()
        self.layout = Layout(chip, case.inputs, case.outputs, BITS)
        self.layer = ProductLayer(ProgrammedRows(self.layout, weights, input_steps(chip, BITS, False), None))
        self.inputs, self.shortcut = flat_inputs(vectors), shortcut
        self.work = case.slice_products(self.layout)

    def __call__(self, threads: int = 1) -> Any:
        """The product."""
        return self.layer.products(self.inputs, shortcut=self.shortcut, threads=threads)


def tuned(make: Callable[[Work, int], Callable[[Any], Any]], work: Work, vectors: Any, expected: Any) -> Any:
    """A contestant with its best block of vectors; its result must be ours."""
    candidates = [partial(make(work, block), vectors) for block in BLOCKS if block <= len(vectors)]
    if expected is not None:
        np.testing.assert_allclose(
            candidates[0](), expected, rtol=0 if work.is_shift else 1e-9, atol=0 if work.is_shift else 1e-6
        )
    return fastest(candidates)


def main_rates(case: Case, take: Take) -> dict[str, float]:
    """Slice products per second of everyone, in 10^9."""
    ours = Ours(case, case.chip())
    converter = next(ours.layer.programmed.converters())
    weights, vectors = case.data()
    work = Work(weights, case.rows, case.cell_bits, converter.lsb, case.step is AdcStep.POWER_OF_TWO)
    expected = ours()
    times = take(
        {
            "ours": ours,
            "2 threads": partial(ours, 2),
            "torch int8": tuned(torch_integer_product, work, vectors, expected),
            "torch": tuned(torch_product, work, vectors, expected),
            "numpy": tuned(numpy_product, work, vectors, expected),
        }
    )
    return {name: ours.work / time / 1e9 for name, time in times.items()}


def differential_rates(case: Case, take: Take) -> dict[str, float]:
    """Of differential columns, both of them counted, and of pairs subtracted before the ADC, counted once."""
    contestants = {
        "offset": Ours(case, case.chip()),
        "differential": Ours(case, case.chip(Encoding.DIFFERENTIAL_COLUMNS)),
        "before ADC": Ours(case, case.chip(Encoding.DIFFERENTIAL_COLUMNS, before_adc=True)),
    }
    for contestant in contestants.values():
        contestant()
    times = take(contestants)
    return {name: contestants[name].work / time / 1e9 for name, time in times.items()}


def noisy_rates(case: Case, take: Take) -> dict[str, float]:
    """With programming error and read noise."""
    ours = Ours(case, case.chip(noisy=True))
    weights, vectors = case.data()
    lsb = next(ours.layer.programmed.converters()).lsb
    work = Work(weights, case.rows, case.cell_bits, lsb, case.step is AdcStep.POWER_OF_TWO)
    make = partial(noisy_numpy_product, program_sigma=NOISY.program_sigma, read_sigma=NOISY.read_sigma, seed=0)
    ours()
    times = take({"ours": ours, "2 threads": partial(ours, 2), "numpy, noisy": tuned(make, work, vectors, None)})
    return {name: ours.work / time / 1e9 for name, time in times.items()}


def lossless_rates(case: Case, take: Take) -> dict[str, float]:
    """Products of 8-bit integers per second, where the ADC loses nothing."""
    ours = Ours(case, case.chip(adc_bits=16), shortcut=True)
    weights, vectors = case.data()
    assert np.array_equal(ours(), vectors.astype(np.int64) @ weights.T)
    left, right = vectors.astype(np.float32), np.ascontiguousarray(weights.T.astype(np.float32))
    torch_left, torch_right = torch.from_numpy(left), torch.from_numpy(right)
    times = take({"ours": ours, "torch": lambda: torch_left @ torch_right, "numpy": lambda: left @ right})
    return {name: case.vectors * case.inputs * case.outputs / time / 1e9 for name, time in times.items()}


@dataclass(frozen=True)
class Section:
    """One table: cases, and how fast everyone is.

    Columns compare with `base`: its rate over the others', or theirs over that of "offset".
    """

    title: str
    base: str
    cases: tuple[Case, ...]
    measure: Callable[[Case, Take], dict[str, float]]


def sections(quick: bool, cells: Sequence[int]) -> Iterator[Section]:
    """What is measured."""
    shapes = SHAPES[:1] if quick else SHAPES
    rows = ROWS[1:] if quick else ROWS
    cases = tuple(Case(*shape, high, bits) for bits in cells for shape in shapes for high in rows)
    exact = tuple(Case(*shape, high, bits, AdcStep.EXACT) for bits in cells for shape in shapes for high in rows)
    yield Section("offset, ADC step a power of two (10^9 slice products / s)", "ours", cases, main_rates)
    yield Section("offset, exact ADC step (10^9 slice products / s)", "ours", exact, main_rates)
    yield Section("differential columns (10^9 slice products / s)", "offset", cases, differential_rates)
    yield Section("programming error and read noise (10^9 slice products / s)", "ours", exact, noisy_rates)
    lossless = tuple(Case(*shape, 256, 2) for shape in shapes)
    yield Section("lossless ADC (10^9 products of 8-bit integers / s)", "ours", lossless, lossless_rates)


def ratio(name: str, rates: dict[str, float], base: str) -> float:
    """How much faster the base is; for variants of ours, how fast they are beside it."""
    is_ours = base == "offset" or name == "2 threads"
    return rates[name] / rates[base] if is_ours else rates[base] / rates[name]


def run(section: Section, take: Take, console: Console) -> list[dict[str, Any]]:
    """Measure a section and print it, one line a case, then geometric means by cell bits."""
    results = []
    for case in section.cases:
        rates = section.measure(case, take)
        ratios = {name: ratio(name, rates, section.base) for name in rates if name != section.base}
        results.append({"section": section.title, **asdict(case), "rates": rates, "ratios": ratios})
    names = list(results[0]["rates"])
    headers = ("cell bits", "inputs x outputs x vectors", "rows", *names, *(f"/ {name}" for name in names[1:]))
    lines = [
        (
            str(case.cell_bits), str(case), str(case.rows),
            *(f"{rate:.1f}" for rate in result["rates"].values()),
            *(f"{ratio:.2f}" for ratio in result["ratios"].values()),
        )
        for case, result in zip(section.cases, results, strict=True)
    ]  # fmt: skip
    console.print(f"\n[bold]{section.title}[/bold]")
    console.print(rows_table(headers, lines))
    for line in summary(results, "lossless" not in section.title):
        console.print(line)
    return results


def summary(results: list[dict[str, Any]], has_requirements: bool) -> Iterator[str]:
    """Geometric means of ratios over shapes and rows, beside what is required."""
    for bits in dict.fromkeys(result["cell_bits"] for result in results):
        own = [result for result in results if result["cell_bits"] == bits]
        parts = []
        for name in own[0]["ratios"]:
            mean = geometric_mean(result["ratios"][name] for result in own)
            required, goal = REQUIRED[name][bits] if has_requirements and name in REQUIRED else (None, None)
            asked = f" (required {required}{f', goal {goal}' if goal else ''})" if required else ""
            parts.append(f"{name} {mean:.2f}{asked}")
        yield f"geometric means, {bits}-bit cells: {'; '.join(parts)}"


def shares_of_peak(results: list[dict[str, Any]]) -> Iterator[str]:
    """Which part of its instructions' peak each kernel reaches."""
    peaks = measure_peaks()
    if not peaks:
        yield "peaks: not measured (no C compiler, or none of these instructions)"
        return
    for instructions, rate in peaks.values():
        yield f"peak of {instructions}: {rate:.0f} x 10^9 products / s"
    for bits, (form, passes) in FORMS[instruction_set()].items():
        own = [each for each in results if "power of two" in each["section"] and each["cell_bits"] == bits]
        yield from _share(f"{bits}-bit cells, {form}", own, peaks[form][1] / passes)
    for word, forms in OTHER_FORMS.items():
        form, passes = next((form, passes) for form, passes in forms.items() if form in peaks)
        own = [each for each in results if word in each["section"]]
        yield from _share(f"{word}, {form}", own, peaks[form][1] / passes)


def _share(name: str, results: list[dict[str, Any]], peak: float) -> Iterator[str]:
    if results:
        shares = [100 * each["rates"]["ours"] / peak for each in results]
        yield f"{name}: {geometric_mean(shares):.0f} % of {peak:.0f} in the geometric mean, {max(shares):.0f} % at best"


def main() -> None:
    """Measure and print; with `--json`, tables go to stderr."""
    restart_with_one_thread()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one shape, one number of rows")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--cells", type=int, nargs="+", choices=CELL_BITS, default=CELL_BITS, help="bits of cells")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--fastest", action="store_true", help="of the rounds, not their median: on a busy machine")
    parser.add_argument("--only", default="", metavar="TEXT", help="sections whose title has this text")
    arguments = parser.parse_args()
    take = partial(interleaved, rounds=arguments.rounds, taken=min if arguments.fastest else median)
    torch.set_num_threads(1)
    console = Console(width=160, highlight=False, stderr=arguments.json)
    console.print(f"{platform.processor() or platform.machine()}, numpy {np.__version__}, torch {torch.__version__}")
    chosen = [section for section in sections(arguments.quick, arguments.cells) if arguments.only in section.title]
    results = [each for section in chosen for each in run(section, take, console)]
    console.print()
    for line in shares_of_peak(results):
        console.print(line)
    for peer in PEERS:
        console.print(
            f"{peer}: {'installed, not compared here' if importlib.util.find_spec(peer) else 'not installed'}"
        )
    if arguments.json:
        print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
