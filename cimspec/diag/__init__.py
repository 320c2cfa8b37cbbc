"""Diagnostics: what is wrong, where, and what to do. Data; `render` makes text of them."""

from cimspec.diag.catalogue.code import Code
from cimspec.diag.codes import CODES
from cimspec.diag.collect import CimError, Diagnostics, fail, in_reading_order
from cimspec.diag.diagnostic import Diagnostic, Fix, Label, Severity, Source, Span
from cimspec.diag.fixes import compatible, fixed_text, respelled, written_instead
from cimspec.diag.render import Format, render
from cimspec.diag.suggest import did_you_mean

__all__ = [
    # diagnostic
    "Source",
    "Span",
    "Severity",
    "Label",
    "Fix",
    "Diagnostic",
    # fixes
    "respelled",
    "written_instead",
    "compatible",
    "fixed_text",
    # collect
    "CimError",
    "Diagnostics",
    "fail",
    "in_reading_order",
    # codes
    "Code",
    "CODES",
    # render, suggest
    "Format",
    "render",
    "did_you_mean",
]
