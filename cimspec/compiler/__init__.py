"""From a network and a policy to a schedule that a chip can run."""

from cimspec.compiler.artifact import load_program, save_program
from cimspec.compiler.layout import Block, Layout
from cimspec.compiler.program import CrossbarLayer, Program
from cimspec.compiler.schedule import compile_program, schedule_layer, with_full_scales
from cimspec.compiler.text import parse_program, print_program

__all__ = [
    "Block",
    "CrossbarLayer",
    "Layout",
    "Program",
    "compile_program",
    "load_program",
    "parse_program",
    "print_program",
    "save_program",
    "schedule_layer",
    "with_full_scales",
]
