"""From a network and a policy to a schedule that a chip can run."""

from cimspec.compiler.artifact import load_program, program_text, read_program, save_program
from cimspec.compiler.layout import Block, Layout
from cimspec.compiler.matrices import Matrices
from cimspec.compiler.printer import print_program
from cimspec.compiler.program import CrossbarLayer, Program
from cimspec.compiler.schedule import compile_program, with_full_scales
from cimspec.compiler.text import parse_program
from cimspec.compiler.verify import verify

__all__ = [
    "Block",
    "CrossbarLayer",
    "Layout",
    "Matrices",
    "Program",
    "compile_program",
    "load_program",
    "parse_program",
    "print_program",
    "program_text",
    "read_program",
    "save_program",
    "verify",
    "with_full_scales",
]
