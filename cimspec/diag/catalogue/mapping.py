"""5xx: programs, and networks that cannot be mapped to the chip."""

from cimspec.diag.catalogue.code import Code

CODES = (
    Code(
        "CIM501",
        "program not readable",
        what="The file is not a compiled program, is damaged, or comes from another version.",
        why="The simulator executes programs exactly as written, so it takes no half-understood ones.",
        example="cimspec simulate spec.cim",
        fix="cimspec compile spec.cim, then simulate what it wrote",
    ),
    Code(
        "CIM502",
        "layer cannot be mapped",
        what="No placement of the layer on the chip's crossbars exists.",
        why="The columns of one weight share a crossbar where they are subtracted before the ADC.",
        example="crossbar { columns = 1; ... }; adc { subtraction = before_adc; ... }",
        fix="crossbar { columns = 2; ... }; adc { subtraction = before_adc; ... }",
    ),
    Code(
        "CIM503",
        "program computes something else",
        what="The program's instructions do not compute what its operations say.",
        why="A schedule is executed only if buffers are written before they are read and every weight is in its place.",
        example="a program in which `write blocks 0..4` was changed to `write blocks 1..4`",
        fix="cimspec compile spec.cim -o spec.cimp, and simulate that",
    ),
    Code(
        "CIM504",
        "buffers overflow",
        what="Where weights stay, the tensors that wait on one tile take more than its buffer.",
        why="A layer whose results have no place has to wait, so the interval that is reported would not be reached.",
        example="chip small extends resident { tile { buffer = 1 KiB } }",
        fix="chip small extends resident { tile { buffer = 64 KiB } }",
    ),
)
