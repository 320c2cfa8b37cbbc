"""Policies as files: JSON, by position or by name.

[[8, 8], [4, 6], ...]                                                      in execution order
{"layers": [{"name": "c1", "weight_bits": 8, "activation_bits": 8}, ...]}   any further keys are ignored
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cimspec.diag import Diagnostics, Source, Span, did_you_mean, fail
from cimspec.graph.graph import Graph
from cimspec.graph.precision import Policy, Precision

SMALLEST_BITS, LARGEST_BITS = 2, 8


@dataclass(frozen=True, slots=True)
class _Entry:
    """One element of the file's list, and where it stands."""

    value: Any
    span: Span


def policy_as_json(policy: Policy) -> dict[str, Any]:
    """The form with names."""
    return {
        "layers": [
            {"name": name, "weight_bits": weight_bits, "activation_bits": activation_bits}
            for name, (weight_bits, activation_bits) in policy
        ]
    }


def load_policy(path: Path, graph: Graph) -> Policy:
    """The policy in `path` for the crossbar layers of `graph`.

    Raises `CimError`: CIM601 not readable, CIM602 wrong number of layers, CIM603 wrong names, CIM604 bits out of range.
    """
    try:
        source = Source(str(path), path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        fail("CIM601", f"cannot read the policy `{path}`: {reason}")
    return parse_policy(source, graph)


def parse_policy(source: Source, graph: Graph) -> Policy:
    """The policy that a JSON text holds; raises as `load_policy` does."""
    whole, entries = _entries(source)
    names = tuple(layer.name for layer in graph.crossbar_layers)
    by_name = any(isinstance(entry.value, dict) for entry in entries)
    diagnostics = Diagnostics()
    if not by_name and len(entries) != len(names):
        fail(
            "CIM602",
            f"the policy has {len(entries)} layers, `{graph.name}` has {len(names)} on crossbars",
            whole,
            notes=[f"in execution order: {', '.join(names)}"],
        )
    found: dict[str, Precision] = {}
    for index, entry in enumerate(entries):
        name = _name(entry, names, found, diagnostics) if by_name else names[index]
        precision = _precision(entry, diagnostics)
        if name and precision:
            found[name] = precision
    missing = [name for name in names if name not in found]
    if missing and not diagnostics.has_errors:
        label = f"add {'it' if len(missing) == 1 else 'them'} here"
        diagnostics.error(
            "CIM603", f"the policy leaves out {', '.join(f'`{name}`' for name in missing)}", whole, label=label
        )
    diagnostics.raise_if_errors()
    return Policy(names, tuple(found[name] for name in names))


def _entries(source: Source) -> tuple[Span, tuple[_Entry, ...]]:
    """The file's list of layers: the span of the list, and its elements."""
    text = source.text
    try:
        data = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        position = error.pos if isinstance(error, json.JSONDecodeError) else 0
        reason = error.msg.lower() if isinstance(error, json.JSONDecodeError) else "it is nested too deeply"
        fail("CIM601", f"the policy is not JSON: {reason}", Span(source, position, position + 1), help=_HELP)
    start = len(text) - len(text.lstrip())
    if isinstance(data, dict) and isinstance(data.get("layers"), list):
        start = text.index("[", text.index('"layers"'))
    elif not isinstance(data, list):
        fail(
            "CIM601",
            "the policy is neither a list nor an object with `layers`",
            Span(source, start, start + 1),
            help=_HELP,
        )
    entries = tuple(_elements(source, start))
    end = entries[-1].span.end if entries else start + 1
    return Span(source, start, end), entries


_HELP = 'write [[8, 8], ...] or {"layers": [{"name": "c1", "weight_bits": 8, "activation_bits": 8}, ...]}'


def _elements(source: Source, start: int) -> Iterator[_Entry]:
    """Elements of the JSON list that starts at `start`, which is known to be well formed."""
    decoder = json.JSONDecoder()
    position = _skip(source.text, start + 1, " \t\r\n")
    while source.text[position] != "]":
        value, end = decoder.raw_decode(source.text, position)
        yield _Entry(value, Span(source, position, end))
        position = _skip(source.text, end, " \t\r\n,")


def _skip(text: str, position: int, characters: str) -> int:
    while text[position] in characters:
        position += 1
    return position


def _name(entry: _Entry, names: tuple[str, ...], found: dict[str, Precision], diagnostics: Diagnostics) -> str | None:
    name = entry.value.get("name") if isinstance(entry.value, dict) else None
    if name in found:
        diagnostics.error("CIM603", f"the policy names `{name}` twice", entry.span)
    elif name not in names:
        near = did_you_mean(str(name), names)
        label = f"did you mean `{near}`?" if near else None
        notes = [f"layers on crossbars: {', '.join(names)}"]
        diagnostics.error(
            "CIM603", f"the policy names `{name}`, which the model does not have", entry.span, label=label, notes=notes
        )
    else:
        return str(name)
    return None


def _precision(entry: _Entry, diagnostics: Diagnostics) -> Precision | None:
    match entry.value:
        case [int(weight_bits), int(activation_bits)]:
            pass
        case {"weight_bits": int(weight_bits), "activation_bits": int(activation_bits)}:
            pass
        case _:
            diagnostics.error("CIM601", "not a pair of weight bits and activation bits", entry.span, help=_HELP)
            return None
    precision = Precision(weight_bits, activation_bits)
    if any(isinstance(bits, bool) or not SMALLEST_BITS <= bits <= LARGEST_BITS for bits in precision):
        message = f"{weight_bits}/{activation_bits} bits; {SMALLEST_BITS} to {LARGEST_BITS} are possible"
        diagnostics.error("CIM604", message, entry.span)
        return None
    return precision
