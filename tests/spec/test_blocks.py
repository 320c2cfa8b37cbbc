"""Binding is generic: any model of the family can be written as a block, without a line of code for it."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, model_validator

from cimspec.diag import Diagnostics, Source, render
from cimspec.lang import Section, parse
from cimspec.spec.base import SpecModel
from cimspec.spec.blocks import Binding, Place, bind_block
from cimspec.units import Bits, LossPp, TimeNs


class Shade(StrEnum):
    DARK = "dark"
    PALE = "pale"


class Inner(SpecModel):
    depth_bits: Annotated[Bits, Field(ge=1)] = 3


class Folder(SpecModel):
    kind: Literal["folder"] = "folder"
    path: str
    limit: int | None = None


class Archive(SpecModel):
    kind: Literal["npz"] = "npz"
    path: str


class Sample(SpecModel):
    pause_ns: TimeNs
    slack_pp: LossPp = 1.0
    shade: Shade = Shade.DARK
    mode: Literal["fast", "slow"] = "fast"
    flag: bool = False
    label: str = ""
    widths: Annotated[tuple[int, ...], Field(min_length=1)] | None = None
    inner: Inner = Inner()
    source: Folder | Archive | None = None

    @model_validator(mode="after")
    def dark_is_slow(self) -> "Sample":
        if self.shade is Shade.DARK and self.mode == "fast" and self.flag:
            raise ValueError("`shade = dark` with `flag` needs `mode = slow`")
        return self


def bound(text: str) -> tuple[Sample | None, str]:
    diagnostics = Diagnostics()
    (section,) = parse(Source("t.cim", f"sample {{ {text} }}"), diagnostics).statements
    assert isinstance(section, Section)
    sample = bind_block(Sample, Place("sample", section.span, ("sample",)), section.body or (), Binding(diagnostics))
    return sample, render(diagnostics.all, "concise")


def test_every_type_of_field():
    sample, said = bound(
        'pause = 2 ms; slack = 0.5 pp; shade = pale; mode = slow; flag = true; label = "x"; widths = [1, 3..5]\n'
        'inner { depth = 4 bit }; source = folder("a", limit = 3)'
    )
    assert said == ""
    assert sample == Sample(
        pause_ns=2e6,
        slack_pp=0.5,
        shade=Shade.PALE,
        mode="slow",
        flag=True,
        label="x",
        widths=(1, 3, 4, 5),
        inner=Inner(depth_bits=4),
        source=Folder(path="a", limit=3),
    )


def test_a_single_value_is_a_list_of_one():
    sample, _ = bound("pause = 1 ns; widths = 3")
    assert sample
    assert sample.widths == (3,)


def test_rules_of_a_model_are_reported_in_its_own_words():
    _, said = bound("pause = 1 ns; flag = true")
    assert said == "t.cim:1:1: CIM219 `shade = dark` with `flag` needs `mode = slow`"


def test_items_out_of_range_and_blocks_in_the_wrong_form():
    _, said = bound('pause = 1 ns; inner = 3; source { path = "a" }; widths = []; label { }')
    assert said.splitlines() == [
        "t.cim:1:24: CIM213 `inner` is not written with `=`",
        "t.cim:1:35: CIM213 `source` is not written like this",
        "t.cim:1:71: CIM213 `label` is not written like this",
        "t.cim:1:67: CIM208 `sample.widths` must have at least 1 entry, not 0",
    ]
