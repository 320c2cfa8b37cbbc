"""Walks through the nodes of a file and turns each into layers. All that cannot be taken over is told at once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cimspec.diag import CimError, Diagnostics, Span, did_you_mean
from cimspec.graph.onnx import arithmetic, coding, functions, image, layout, matrix
from cimspec.graph.onnx.builder import Builder
from cimspec.graph.onnx.call import Call, Handler, as_moving
from cimspec.graph.onnx.fold import FOLDABLE, Folder
from cimspec.graph.onnx.node import Node, Problem, shortened
from cimspec.graph.onnx.reader import OnnxFile
from cimspec.graph.onnx.value import Known, Moving, Value

HANDLERS: Mapping[str, Handler] = {
    **image.HANDLERS,
    **matrix.HANDLERS,
    **arithmetic.HANDLERS,
    **functions.HANDLERS,
    **layout.HANDLERS,
    **coding.HANDLERS,
}
"""What each operator becomes."""

HELP = {
    "CIM423": "write this part of the model in another way, and export it again",
    "CIM426": "export weights from before the training diverged",
    "CIM432": f"quantize symmetrically: {coding.SYMMETRIC}",
    "CIM430": "look at the sizes that this node is given, and export the model again",
}
MAX_TOLD = 4  # names of nodes that one diagnostic lists


@dataclass(slots=True)
class Walk:
    """Values by name; those that depend on a node with a problem are missing."""

    file: OnnxFile
    builder: Builder
    folder: Folder
    values: dict[str, Value]
    problems: list[tuple[Node, Problem]] = field(default_factory=list)

    def run(self) -> Moving | None:
        """The output, or None if there are problems."""
        for node in self.file.nodes:
            self._read(node)
        if self.problems:
            return None
        last = self.file.nodes[-1]
        value = self.values[self.file.output]
        try:
            return as_moving(self.builder, value, last)
        except Problem as problem:
            self.problems.append((last, problem))
            return None

    def _read(self, node: Node) -> None:
        """Take over one node, unless it reads something that is missing already."""
        try:
            if not is_supported(node):
                raise Problem("is not supported", code="CIM422")
            operands = tuple(self.values.get(name) for name in node.inputs)
            if any(name and value is None for name, value in zip(node.inputs, operands, strict=True)):
                handler_of(node)
                return
            results = self._results(node, operands)
        except Problem as problem:
            self.problems.append((node, problem))
            return
        self.values.update(zip(node.outputs, results, strict=False))

    def _results(self, node: Node, operands: tuple[Value | None, ...]) -> tuple[Value, ...]:
        known = tuple(value for value in operands if isinstance(value, Known))
        narrows = node.op == "Clip" and bool(known) and coding.is_integer(known[0].array)
        if node.op in FOLDABLE and not narrows and len(known) == sum(value is not None for value in operands):
            return self.folder.fold(node, tuple(value if isinstance(value, Known) else None for value in operands))
        made = handler_of(node)(Call(self.builder, node, operands))
        results = made if isinstance(made, tuple) else (made,)
        others = [name for name in node.outputs[len(results) :] if name in self.file.read]
        if others:
            raise Problem(f"makes `{others[0]}`, which another node reads; only its first output is supported")
        return results


def is_supported(node: Node) -> bool:
    """Whether an operator can be taken over at all."""
    return not node.domain and (node.op in HANDLERS or node.op in FOLDABLE)


def handler_of(node: Node) -> Handler:
    """What turns a node that reads activations into layers."""
    handler = HANDLERS.get(node.op)
    if handler is None:
        raise Problem("is not supported where an activation is read", code="CIM422")
    return handler


def report(file: OnnxFile, problems: Iterable[tuple[Node, Problem]], span: Span | None) -> CimError:
    """One diagnostic for each kind of problem, with the nodes that have it."""
    groups: dict[tuple[str, str, str, str | None], list[Node]] = {}
    for node, problem in problems:
        key = (problem.code, node.operator, problem.message, problem.help)
        groups.setdefault(key, []).append(node)
    diagnostics = Diagnostics()
    for (code, operator, message, help_), nodes in groups.items():
        names = ", ".join(f"`{node.name}`" for node in nodes[:MAX_TOLD])
        names += f" and {len(nodes) - MAX_TOLD} more" if len(nodes) > MAX_TOLD else ""
        if code == "CIM422":
            text = f"operator `{operator}` {message}: node{'s' * (len(nodes) > 1)} {names} of `{file.name}`"
            help_ = _advice(operator)
        else:
            text = f"`{operator}` {names} of `{file.name}`: {message}"
        diagnostics.error(code, shortened(text), span, help=help_ or HELP.get(code))
    return CimError(diagnostics.all)


def _advice(operator: str) -> str:
    from onnx import defs

    meant = None if defs.has(operator) else did_you_mean(operator, HANDLERS)
    return f"did you mean `{meant}`?" if meant else "replace it in the model, and export that again"
