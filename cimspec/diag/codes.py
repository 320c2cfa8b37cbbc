"""The catalogue of diagnostics: every code that cimspec emits, with what `cimspec explain` prints about it.

1xx syntax and files, 2xx names, types and units, 3xx hardware, 4xx workload, 5xx mapping, 6xx quantization
and search, 9xx environment. A code is never given a second meaning.
"""

from collections.abc import Mapping
from types import MappingProxyType

from cimspec.diag.catalogue import (
    data,
    environment,
    hardware,
    language,
    mapping,
    names,
    onnx,
    policies,
    searches,
    syntax,
    weights,
    workload,
)
from cimspec.diag.catalogue.code import Code

CODES: Mapping[str, Code] = MappingProxyType(
    {
        code.code: code
        for page in (
            syntax,
            names,
            language,
            hardware,
            workload,
            onnx,
            data,
            weights,
            mapping,
            policies,
            searches,
            environment,
        )
        for code in page.CODES
    }
)
