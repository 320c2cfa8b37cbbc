"""The memory cell as it is: conductances, how far they stray, and the wires between cells. Ideal unless written."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field

from cimspec.diag import Diagnostics, Source, Span
from cimspec.spec.base import FileModel, SpecModel
from cimspec.units import LongTimeNs, Ohm, Share

SMALLEST_RATIO = 1.1
"""Less between on and off is no memory, and its off current would drown all sums."""

MOST_SIEMENS = 1e3
Siemens = Annotated[float, Field(ge=0, le=MOST_SIEMENS, allow_inf_nan=False)]
Exponent = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
COLUMNS = ("level", "mean", "sigma")


class DeviceTable(FileModel):
    """Measured states of a cell: `level,mean,sigma` in siemens, levels from 0 on, one a line; `#` starts a comment."""

    mean_siemens: Annotated[tuple[Siemens, ...], Field(min_length=2, max_length=256)]
    sigma_siemens: Annotated[tuple[Siemens, ...], Field(min_length=2, max_length=256)]
    path: Path | None = Field(default=None, exclude=True, repr=False)  # of the file, where it came from one

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DeviceTable) and self._states == other._states

    def __hash__(self) -> int:
        return hash(self._states)

    @property
    def _states(self) -> tuple[tuple[float, ...], ...]:
        """What a table is, wherever it was read."""
        return self.mean_siemens, self.sigma_siemens

    @classmethod
    def parse(cls, source: Source, diagnostics: Diagnostics) -> Self | None:
        """The table in a CSV file; None after reporting (CIM315) every line that is wrong."""
        before = diagnostics.count
        lines = list(_lines(source))
        if not lines or tuple(_cells(lines[0].text)) != COLUMNS:
            span = lines[0] if lines else Span(source, 0, 0)
            message = f"a device table starts with `{','.join(COLUMNS)}`"
            diagnostics.error("CIM315", message, span, label="write this header")
            return None
        rows = [row for line in lines[1:] if (row := _row(line, diagnostics)) is not None]
        if diagnostics.count == before:
            _check_order(rows, lines, diagnostics)
        if diagnostics.count > before:
            return None
        path = source.folder / Path(source.name).name if source.folder else None
        means, sigmas = tuple(row[1] for row in rows), tuple(row[2] for row in rows)
        return cls(mean_siemens=means, sigma_siemens=sigmas, path=path)


class Device(SpecModel):
    """What cells and wires do to a sum. Shares are of the range between off and on."""

    on_off_ratio: Annotated[float, Field(ge=SMALLEST_RATIO, le=1e9, allow_inf_nan=False)] | None = Field(
        default=None, description="conductance of a full cell over that of an empty one; infinite if left out"
    )
    program_sigma: Share = Field(default=0.0, description="programming error, the same for all states")
    program_sigma_relative: Share = Field(
        default=0.0, description="programming error as a share of the cell's own conductance; variances add"
    )
    read_sigma: Share = Field(default=0.0, description="noise of one cell, drawn anew with each read")
    drift_nu: Exponent = Field(default=0.0, description="exponent of drift: g(t) = g * (t / drift_start)^-nu")
    drift_nu_sigma: Exponent = Field(default=0.0, description="its spread over cells; no cell drifts upwards")
    drift_time_ns: LongTimeNs | None = Field(default=None, description="time between programming and use")
    drift_start_ns: LongTimeNs = Field(default=1e9, description="when drift starts to count")
    stuck_on: Share = Field(default=0.0, description="cells that are always full")
    stuck_off: Share = Field(default=0.0, description="cells that are always empty")
    wire_resistance_ohm: Ohm | None = Field(default=None, description="wire from one cell to the next")
    on_resistance_ohm: Ohm | None = Field(default=None, description="resistance of a full cell; needed for wires")
    activity: Annotated[Share, Field(gt=0)] = Field(
        default=0.5, description="mean share of rows driven, from which the currents in the wires follow"
    )
    table: DeviceTable | None = Field(default=None, description="measured states, instead of even steps")

    @property
    def is_ideal(self) -> bool:
        """Whether a cell is exactly the integer it should hold, and is read as such."""
        return self.cells_are_exact and self.read_sigma == 0

    @property
    def cells_are_exact(self) -> bool:
        """Whether cells hold what they should; reading them may still add noise."""
        return (
            self.on_off_ratio is None
            and self.table is None
            and self.program_sigma == self.program_sigma_relative == 0
            and self.stuck_on == self.stuck_off == 0
            and self.wire_resistance_ohm is None
            and not self.drifts
        )

    @property
    def drifts(self) -> bool:
        """Whether conductances change between programming and use."""
        moves = self.drift_nu > 0 or self.drift_nu_sigma > 0
        return moves and self.drift_time_ns is not None and self.drift_time_ns != self.drift_start_ns


def _lines(source: Source) -> Iterator[Span]:
    """Lines that say something, without comments and space around."""
    start = 0
    for line in source.text.splitlines(keepends=True):
        text = line.partition("#")[0]
        if stripped := text.strip():
            first = start + text.index(stripped)
            yield Span(source, first, first + len(stripped))
        start += len(line)


def _cells(text: str) -> list[str]:
    return [cell.strip() for cell in text.split(",")]


def _row(line: Span, diagnostics: Diagnostics) -> tuple[int, float, float] | None:
    """Level, mean and sigma of a line."""
    cells = _cells(line.text)
    try:
        level, mean, sigma = int(cells[0]), float(cells[1]), float(cells[2])
        is_right = len(cells) == len(COLUMNS) and 0 <= mean <= MOST_SIEMENS and 0 <= sigma <= MOST_SIEMENS
    except (ValueError, IndexError):
        is_right = False
    if is_right:
        return level, mean, sigma
    label = "write a whole number and two conductances in siemens, such as `3,4.1e-5,2e-6`"
    diagnostics.error("CIM315", f"`{line.text}` is no state of a cell", line, label=label)
    return None


def _check_order(rows: list[tuple[int, float, float]], lines: list[Span], diagnostics: Diagnostics) -> None:
    """Levels are 0, 1, 2 and so on, and each conducts better than the one before."""
    if len(rows) < 2:
        diagnostics.error("CIM315", "a device table has two levels at least", lines[-1], label="add a line for each")
        return
    for index, ((level, mean, _), line) in enumerate(zip(rows, lines[1:], strict=True)):
        if level != index:
            diagnostics.error("CIM315", f"level {index} should stand here, not {level}", line, label="sort by level")
            return
        if index and mean <= rows[index - 1][1]:
            message = f"level {level} conducts {mean:g} S, level {level - 1} no less"
            diagnostics.error("CIM315", message, line, label="each level must conduct better than the one before")
            return
    _check_range(rows, lines, diagnostics)


def _check_range(rows: list[tuple[int, float, float]], lines: list[Span], diagnostics: Diagnostics) -> None:
    """The range between the lowest and the highest level is worth something."""
    low, high = rows[0][1], rows[-1][1]
    if high < SMALLEST_RATIO * low:
        message = f"the highest level conducts {high:g} S, less than {SMALLEST_RATIO} times the lowest"
        diagnostics.error("CIM315", message, lines[-1], label="measure cells that can be told apart")
    for (level, _, sigma), line in zip(rows, lines[1:], strict=True):
        if sigma > high - low:
            message = f"level {level} strays by {sigma:g} S, more than from the lowest level to the highest"
            diagnostics.error("CIM315", message, line, label="write the standard deviation in siemens")
