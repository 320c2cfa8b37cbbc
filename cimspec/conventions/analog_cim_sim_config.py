"""The configuration of analog-cim-sim: its JSON object as a dict -> a checked, frozen `Config`."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar


class Mode(StrEnum):
    """How inputs (`I_`) and weights (`W_`) are mapped: the six integer modes that the simulator has."""

    I_DIFF_W_DIFF_1XB = "I_DIFF_W_DIFF_1XB"
    I_DIFF_W_DIFF_2XB = "I_DIFF_W_DIFF_2XB"
    I_OFFS_W_DIFF = "I_OFFS_W_DIFF"
    I_TC_W_DIFF = "I_TC_W_DIFF"
    I_UINT_W_DIFF = "I_UINT_W_DIFF"
    I_UINT_W_OFFS = "I_UINT_W_OFFS"


class AdcType(StrEnum):
    """The converter: ideal, symmetric around zero, or from zero up."""

    INF_ADC = "INF_ADC"
    SYM_RANGE_ADC = "SYM_RANGE_ADC"
    POS_RANGE_ONLY_ADC = "POS_RANGE_ONLY_ADC"


NUMBERS = ("M", "N", "W_BIT", "I_BIT")
ANALOG = ("HRS", "LRS", "adc_type")
NOISE = ("HRS_NOISE", "LRS_NOISE")
OFF = {
    "adc_calib_mode": "MAX",
    "adc_profile": False,
    "c2c_var": False,
    "read_disturb": False,
    "parasitics": False,
}  # effects that are not modelled here, with the value that leaves them out
WITHOUT_EFFECT = ("verbose", "d2d_var", "adc_profile_bin_size")
KEYS = (*NUMBERS, "SPLIT", "m_mode", "digital_only", *ANALOG, "resolution", *NOISE, *OFF, *WITHOUT_EFFECT)

Name = TypeVar("Name", Mode, AdcType)


@dataclass(frozen=True, slots=True)
class Config:
    """What of the configuration decides the result. Currents are in uA."""

    columns: int  # `M`: outputs that fit
    rows: int  # `N`: inputs that fit; the converter's range follows from it
    split: tuple[int, ...]  # bits per slice, most significant first
    weight_bits: int
    input_bits: int
    mode: Mode
    digital_only: bool
    hrs: float
    lrs: float
    adc_type: AdcType
    resolution: int

    @property
    def shifts(self) -> tuple[int, ...]:
        """Position of each slice's lowest bit in the weight."""
        return tuple(self.weight_bits - sum(self.split[: index + 1]) for index in range(len(self.split)))

    @property
    def is_offset(self) -> bool:
        """Whether weights are stored as `w + 2^(W_BIT-1)` in one array, not as two arrays that are subtracted."""
        return self.mode is Mode.I_UINT_W_OFFS

    @classmethod
    def of(cls, cfg: Mapping[str, Any]) -> "Config":
        """Reads and checks `cfg`. Raises `ValueError` for keys and values that the simulator or this model lacks."""
        _check_keys(cfg)
        mode = _named(Mode, "m_mode", cfg["m_mode"])
        digital_only = bool(cfg.get("digital_only", False))
        columns, rows, weight_bits, input_bits = (_positive(key, cfg[key]) for key in NUMBERS)
        split = tuple(_positive("a width in SPLIT", width) for width in cfg["SPLIT"])
        if not 1 <= sum(split) <= weight_bits:
            raise ValueError(f"SPLIT {list(split)} has {sum(split)} bits, W_BIT is {weight_bits}")
        hrs, lrs, adc_type, resolution = (0.0, 1.0, AdcType.INF_ADC, 0) if digital_only else _read_analog(cfg, mode)
        return cls(columns, rows, split, weight_bits, input_bits, mode, digital_only, hrs, lrs, adc_type, resolution)


def _check_keys(cfg: Mapping[str, Any]) -> None:
    for key, value in cfg.items():
        if key not in KEYS:
            raise ValueError(f"unknown key {key!r}; keys are {', '.join(KEYS)}")
        if key in NOISE and value != 0:
            raise ValueError(f"{key} is {value}; noise is random, so only 0 can be compared")
        if key in OFF and value != OFF[key]:
            raise ValueError(f"{key} is {value!r}; only {OFF[key]!r} is modelled")
    missing = [key for key in (*NUMBERS, "SPLIT", "m_mode") if key not in cfg]
    if missing:
        raise ValueError(f"missing: {', '.join(missing)}")


def _read_analog(cfg: Mapping[str, Any], mode: Mode) -> tuple[float, float, AdcType, int]:
    missing = [key for key in ANALOG if key not in cfg]
    if missing:
        raise ValueError(f"missing, as digital_only is false: {', '.join(missing)}")
    hrs, lrs = float(cfg["HRS"]), float(cfg["LRS"])
    if not 0 <= hrs < lrs < float("inf"):
        raise ValueError(f"HRS is {hrs}, LRS is {lrs}; currents need 0 <= HRS < LRS")
    adc_type = _named(AdcType, "adc_type", cfg["adc_type"])
    offset = mode is Mode.I_UINT_W_OFFS
    fitting = AdcType.POS_RANGE_ONLY_ADC if offset else AdcType.SYM_RANGE_ADC
    if adc_type not in (AdcType.INF_ADC, fitting):
        raise ValueError(f"{mode} needs {fitting} or INF_ADC, adc_type is {adc_type}")
    if adc_type is AdcType.INF_ADC:
        return hrs, lrs, adc_type, 0
    resolution = _positive("resolution", cfg.get("resolution"))
    fewest = 1 if offset else 2
    if not fewest <= resolution <= 30:
        raise ValueError(f"resolution is {resolution}; {adc_type} takes {fewest} .. 30")
    return hrs, lrs, adc_type, resolution


def _positive(key: str, value: Any) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < 1:
        raise ValueError(f"{key} is {value!r}; it must be a positive integer")
    return int(value)


def _named(kind: type[Name], key: str, value: object) -> Name:
    try:
        return kind(str(value))
    except ValueError:
        raise ValueError(f"unknown {key} {value!r}; it is one of {', '.join(kind)}") from None
