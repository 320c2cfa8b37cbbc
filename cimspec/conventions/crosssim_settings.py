"""The settings of a CrossSim core and its converter: names, numbers or a phrase of text -> frozen `Core` and `Adc`.

A phrase is read as a whole: words that mean nothing here are an error, so that nothing is dropped in silence.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import TypeVar

DEFAULT_WEIGHT_BITS = 4


class Style(StrEnum):
    """How a signed weight is stored: as the difference of two cells, or with an offset in one."""

    BALANCED = "balanced"
    OFFSET = "offset"


class AdcModel(StrEnum):
    """Levels of a converter of b bits: `2^b` evenly spaced, or one fewer, so that zero is one of them."""

    SIGN_MAGNITUDE = "sign-magnitude"
    QUANTIZER = "quantizer"


class AdcRange(StrEnum):
    """What the converter's range follows from: the largest column sum, or one level per smallest cell current."""

    MAX = "max"
    GRANULAR = "granular"


Patterns = Sequence[tuple[str, str]]
Value = TypeVar("Value")

RANGE_WORDS: Patterns = (
    (r"(?:full[- ]scale ?=? ?|range ?=? ?)?(?:rows|max)\b", "max"),
    (r"(?:range ?=? ?)?granular\b", "granular"),
)
ADC_WORDS: Patterns = (
    (r"sign[- ]?magnitude\b", "sign-magnitude"),
    (r"quantizer\b", "quantizer"),
    (r"(\d+)[- ]?bits?\b", "adc_bits"),
    *RANGE_WORDS,
    (r"(?:one conversion |once )?per (?:input[- ])?bit\b", "per_bit"),
    (r"(?:one conversion |once )?per product\b", "per_product"),
    (r"adc\b", "filler"),
)
CORE_WORDS: Patterns = (
    (r"(?:bit[- ]?)?sliced\b", "sliced"),
    (r"balanced\b", "balanced"),
    (r"digital(?: offset)?\b", "digital"),
    (r"offset\b", "offset"),
    (r"(?:with |and )?(?:an? )?unit[- ]column(?: subtraction)?\b", "unit_column"),
    (r"(?:with |and |in )?(\d+)[- ]slices?\b|slices? (\d+)", "slices"),
    (r"cells? (?:of )?(\d+)[- ]?bits?\b|(\d+)[- ]?bits? cells?\b|of (\d+)[- ]?bits?(?: each)?\b", "cell_bits"),
    (r"weights? (?:of )?(\d+)[- ]?bits?\b|(\d+)[- ]?bits? weights?\b", "weight_bits"),
    (r"core\b", "filler"),
)


RANGE_NAMES = "max (full scale = rows), granular, or a full scale as a number"
ADC_NAMES = "sign-magnitude, quantizer, N bit, full scale = rows, granular, per input bit, per product"
CORE_NAMES = "balanced, offset, bit-sliced, N slices, cell N bit, N bit weights, unit column, digital offset"


@dataclass(frozen=True, slots=True)
class Core:
    """How weights are stored. One slice is CrossSim's balanced or offset core, more are its bit-sliced core."""

    style: Style
    weight_bits: int
    slices: int
    cell_bits: int
    unit_column: bool  # whether the offset is subtracted by a column of the array, through its own conversions
    has_own_weight_bits: bool  # whether `weight_bits` was given, not derived

    @property
    def weight_limit(self) -> int:
        """The largest magnitude of a weight."""
        return int((1 << (self.weight_bits - 1)) - 1)

    @property
    def cell_max(self) -> int:
        """The largest content of a cell."""
        return int((1 << self.cell_bits) - 1)


@dataclass(frozen=True, slots=True)
class Adc:
    """A converter, before its range is known in numbers."""

    bits: int  # 0 is ideal
    range: AdcRange | Fraction  # a fraction is the full scale itself, in units of one cell times one input
    per_input_bit: bool
    model: AdcModel | None  # None is sign-magnitude where the range is symmetric, else a plain quantizer


def read_core(
    text: str,
    *,
    weight_bits: int | None,
    cell_bits: int | None,
    slices: int | Sequence[int] | None,
    unit_column: bool | None,
) -> Core:
    """The core that `text` and the numbers describe; numbers say what the text leaves open.

    Raises `ValueError` for words it does not know, numbers that contradict each other, and offset options of a
    balanced core.
    """
    words = _read_words("core", text, CORE_WORDS, CORE_NAMES)
    styles = [style for style in Style if style in words]
    if len(styles) != 1:
        raise ValueError(f"core {text!r} must name one of {', '.join(Style)}")
    style, is_sliced = styles[0], "sliced" in words
    has_unit = bool(_agreed("unit_column", _truth(words, "unit_column", "digital"), unit_column))
    if style is Style.BALANCED and (has_unit or "digital" in words):
        raise ValueError(f"core {text!r}: a unit column or digital offset belongs to an offset core")
    if isinstance(slices, Sequence):
        cell_bits = _agreed("cell_bits", cell_bits, _equal_width(slices))
        slices = len(slices)
    given_bits = _agreed("weight_bits", words.get("weight_bits"), weight_bits)
    width = _agreed("cell_bits", words.get("cell_bits"), cell_bits)
    count = _agreed("slices", words.get("slices"), slices)
    if count is None:
        count = _default_slices(style, is_sliced, given_bits, width)
    bits, width = _complete(style, given_bits, count, width)
    if is_sliced and count < 2:
        raise ValueError(f"core {text!r} has {count} slice; a bit-sliced core has at least 2")
    return Core(style, bits, count, width, has_unit, given_bits is not None)


def read_adc(
    text: str | None,
    *,
    adc_bits: int | None,
    adc_range: str | float | None,
    per_input_bit: bool | None,
) -> Adc:
    """The converter that `text` and the arguments describe. Raises `ValueError` for unknown names and missing bits."""
    words = _read_words("adc", text or "", ADC_WORDS, ADC_NAMES)
    bits = _agreed("adc_bits", words.get("adc_bits"), adc_bits)
    if bits is None:
        raise ValueError("adc_bits is missing; 0 is an ideal converter")
    if not 0 <= bits <= 32:
        raise ValueError(f"adc_bits is {bits}; it is 0 (ideal) .. 32")
    is_sign_magnitude = _truth(words, "sign-magnitude", "quantizer")
    model = {None: None, True: AdcModel.SIGN_MAGNITUDE, False: AdcModel.QUANTIZER}[is_sign_magnitude]
    named: AdcRange | Fraction | None = _named_range(words)
    given: AdcRange | Fraction | None = None if adc_range is None else _read_range(adc_range)
    scale: AdcRange | Fraction = _agreed("adc_range", named, given) or AdcRange.MAX
    per_bit = _agreed("per_input_bit", _truth(words, "per_bit", "per_product"), per_input_bit)
    return Adc(bits, scale, per_bit is not False, model)


def _read_range(adc_range: str | float) -> AdcRange | Fraction | None:
    if isinstance(adc_range, str):
        return _named_range(_read_words("adc_range", adc_range, RANGE_WORDS, RANGE_NAMES))
    if isinstance(adc_range, bool) or not (math.isfinite(adc_range) and adc_range > 0):
        raise ValueError(f"adc_range is {adc_range}; as a number it is a positive full scale")
    return Fraction(adc_range)


def _named_range(words: Mapping[str, int]) -> AdcRange | None:
    found = [kind for kind in AdcRange if kind in words]
    if len(found) > 1:
        raise ValueError(f"the ADC's range is given twice, as {' and '.join(found)}")
    return found[0] if found else None


def _default_slices(style: Style, is_sliced: bool, bits: int | None, width: int | None) -> int:
    """As few as hold the weight; two, where nothing is said of an offset or bit-sliced core."""
    if width is None:
        return 2 if is_sliced or style is Style.OFFSET else 1
    if bits is None and style is Style.BALANCED and not is_sliced:
        return 1
    return -(-((bits or DEFAULT_WEIGHT_BITS) - _sign_bits(style)) // max(width, 1))


def _sign_bits(style: Style) -> int:
    """Bits of a weight that need no cell: the sign, where two cells are subtracted."""
    return 1 if style is Style.BALANCED else 0


def _complete(style: Style, bits: int | None, slices: int, width: int | None) -> tuple[int, int]:
    """Weight bits and cell bits, given some of them."""
    if bits is None:
        bits = DEFAULT_WEIGHT_BITS if width is None else width * slices + _sign_bits(style)
    for name, value, fewest in (("weight_bits", bits, 2), ("slices", slices, 1)):
        if not fewest <= value <= 31:
            raise ValueError(f"{name} is {value}; it is {fewest} .. 31")
    wanted = -(-(bits - _sign_bits(style)) // slices)
    if width not in (None, wanted):
        raise ValueError(f"cell_bits is {width}; {bits}-bit weights in {slices} slices have cells of {wanted}")
    return bits, wanted


def _equal_width(widths: Sequence[int]) -> int:
    if len(set(widths)) != 1:
        raise ValueError(f"slices are {list(widths)}; CrossSim's slices are equally wide")
    return widths[0]


def _read_words(name: str, text: str, patterns: Patterns, known: str) -> dict[str, int]:
    """The meanings found in `text`, each with its number (0 where it has none)."""
    if not isinstance(text, str):
        raise ValueError(f"{name} is {text!r}; it is a text that may name {known}")
    rest = " ".join(text.lower().replace("_", " ").replace(",", " ").replace(";", " ").split())
    words: dict[str, int] = {}
    while rest:
        for pattern, meaning in patterns:
            if match := re.match(pattern, rest):
                number = next((int(group) for group in match.groups() if group), 0)
                words[meaning] = _agreed(meaning, words.get(meaning), number) or 0
                rest = rest[match.end() :].lstrip()
                break
        else:
            raise ValueError(f"{name} {text!r} is not understood at {rest!r}; it may name {known}")
    return words


def _truth(words: Mapping[str, int], true: str, false: str) -> bool | None:
    """Which of two opposites `words` has, None for neither."""
    if true in words and false in words:
        raise ValueError(f"{true} and {false} exclude each other")
    return True if true in words else False if false in words else None


def _agreed(name: str, first: Value | None, second: Value | None) -> Value | None:
    """The one that is given."""
    if first is not None and second is not None and first != second:
        raise ValueError(f"{name} is given twice, as {first} and {second}")
    return second if first is None else first
