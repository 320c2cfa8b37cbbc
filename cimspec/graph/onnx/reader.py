"""Reads an ONNX file: bytes -> nodes in an order in which they can run, constants, the input and the output.

Nothing of the file is executed, and no other file is opened but tensors of the model below its folder. What is said
here concerns the file as a whole; single nodes are judged by their handlers.
"""

import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from cimspec.diag import Span, fail
from cimspec.graph.onnx.node import Attribute, Node, shortened
from cimspec.graph.onnx.tensors import TensorError, TensorReader
from cimspec.graph.onnx.value import Known, shortest

if TYPE_CHECKING:
    import onnx

MAX_BYTES = (1 << 31) - 1  # what protobuf reads; larger models keep their weights in files of their own
MAX_NODES = 50_000
OLDEST_OPSET = 7  # since then operands are broadcast as numpy does


@dataclass(frozen=True, slots=True)
class FileInput:
    """What the network reads."""

    name: str
    sizes: tuple[int | None, ...] | None  # the batch first; None where the file leaves a size, or all, open
    holds_numbers: bool  # rather than text, truth values or indices


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """What a file says, as far as the output depends on it."""

    name: str  # as it is shown
    nodes: tuple[Node, ...]  # each after those that it reads
    constants: Mapping[str, Known]
    input: FileInput
    output: str
    read: frozenset[str]  # names that a node reads, and the output

    @property
    def stored_bytes(self) -> int:
        """Bytes of all constants."""
        return sum(known.array.nbytes for known in self.constants.values())


def read_file(path: Path, shown: str, span: Span | None) -> OnnxFile:
    """What the file at `path` says; it is `shown` under this name.

    Raises `CimError`: CIM110, CIM111 where there is no file, CIM420 where it is no ONNX model, CIM421 where its
    graph makes no sense, CIM427 where it has several inputs or outputs, CIM428 where other files it needs are missing.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            what = "a folder" if stat.S_ISDIR(status.st_mode) else "not a plain file"
            fail("CIM111", f"`{shown}` is {what}", span, help="name an `.onnx` file")
        if status.st_size > MAX_BYTES:
            message = f"`{shown}` has {status.st_size} bytes, more than the {MAX_BYTES} of one ONNX file"
            fail("CIM420", message, span, help="save the model with its weights as external data")
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        fail("CIM110", f"there is no file `{shown}`", span)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "this is no path"
        fail("CIM111", f"`{shown}` cannot be read: {reason.lower()}", span)
    return read_bytes(content, path.parent, shown, span)


def read_bytes(content: bytes, folder: Path | None, shown: str, span: Span | None) -> OnnxFile:
    """What a model says that is in memory; tensors in other files are looked for below `folder`."""
    try:
        import onnx
    except ImportError:
        message = f"`{shown}` needs the package `onnx`, which is not installed"
        fail("CIM902", message, span, help="pip install 'cimspec[onnx]'")
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_model_from_string(content)
    except DecodeError:
        fail("CIM420", f"`{shown}` is no ONNX model, or is cut off", span, help="export or download it again")
    return _Parser(model, TensorReader(folder), shown, span).file()


@dataclass(slots=True)
class _Parser:
    """Takes a model apart; `shown` and `span` place what is wrong with it."""

    model: "onnx.ModelProto"
    tensors: TensorReader
    shown: str
    span: Span | None

    def file(self) -> OnnxFile:
        """What the model says."""
        graph = self.model.graph
        if not graph.node or not graph.output:
            self._fail("CIM420", f"`{self.shown}` is no ONNX model: it has no nodes", "export or download it again")
        if not all(isinstance(name, str) for name in _names(self.model)):  # protobuf gives bytes for what is no UTF-8
            self._fail("CIM420", f"`{self.shown}` is damaged: a name in it is no text", "export or download it again")
        if len(graph.node) > MAX_NODES:
            self._fail("CIM420", f"`{self.shown}` has {len(graph.node)} nodes, more than {MAX_NODES}")
        if len(graph.output) > 1:
            self._several("outputs", [each.name for each in graph.output])
        nodes = self._needed(graph.output[0].name)
        read = frozenset({graph.output[0].name}.union(*(node.input for node in nodes)))
        constants = self._constants(read)
        inputs = [each for each in graph.input if each.name in read and each.name not in constants]
        if len(inputs) > 1:
            self._several("inputs", [each.name for each in inputs])
        if not inputs:
            self._fail("CIM421", f"the output of `{self.shown}` depends on no input", "export a model with one input")
        self._check_sources(nodes, {*constants, inputs[0].name})
        opset = self._opset()
        parsed = tuple(self._node(node, opset) for node in nodes)
        return OnnxFile(self.shown, parsed, constants, _input_of(inputs[0]), graph.output[0].name, read)

    def _fail(self, code: str, message: str, help: str | None = None) -> NoReturn:  # noqa: A002
        fail(code, shortened(message), self.span, help=help)

    def _several(self, what: str, names: list[str]) -> NoReturn:
        listed = ", ".join(f"`{name}`" for name in names[:5]) + (" ..." if len(names) > 5 else "")
        message = f"`{self.shown}` has {len(names)} {what}: {listed}"
        self._fail("CIM427", message, f"export a model with one of these {what}")

    def _opset(self) -> int:
        """Version of ONNX's own operators."""
        versions = [each.version for each in self.model.opset_import if each.domain in ("", "ai.onnx")]
        version = max(versions, default=1)
        if version < OLDEST_OPSET:
            message = f"`{self.shown}` is written in operator set {version}, {OLDEST_OPSET} is the oldest supported"
            self._fail("CIM420", message, "convert it with `onnx.version_converter.convert_version(model, 13)`")
        return version

    def _needed(self, output: str) -> "list[onnx.NodeProto]":
        """The nodes that the output depends on, each after those that it reads; otherwise as in the file."""
        nodes = self.model.graph.node
        maker: dict[str, int] = {}
        for index, node in enumerate(nodes):
            for name in node.output:
                if name and name in maker:
                    self._fail("CIM421", f"two nodes of `{self.shown}` make `{name}`", "export the model again")
                maker[name] = index
        reads = [sorted({maker[name] for name in node.input if name and name in maker}) for node in nodes]
        order = list(_in_order(reads, maker[output])) if output in maker else []
        if not order:
            self._fail("CIM421", f"no node of `{self.shown}` makes its output `{output}`", "export the model again")
        place = {index: position for position, index in enumerate(order)}
        circle = [index for index in order if any(place[each] >= place[index] for each in reads[index])]
        if circle:
            label = _label(nodes[circle[0]])
            message = f"node `{label}` of `{self.shown}` depends on its own output"
            self._fail("CIM421", message, "export the model again")
        if all(max(reads[index], default=-1) < index for index in order):
            order.sort()  # the file's own order will do
        return [nodes[index] for index in order]

    def _check_sources(self, nodes: "list[onnx.NodeProto]", given: set[str]) -> None:
        """Every value that a node reads is made by something."""
        made = given.union(*(node.output for node in nodes))
        for node in nodes:
            missing = [name for name in node.input if name and name not in made]
            if missing:
                message = f"node `{_label(node)}` of `{self.shown}` reads `{missing[0]}`, which nothing makes"
                self._fail("CIM421", message, "export the model again")

    def _constants(self, read: frozenset[str]) -> dict[str, Known]:
        """Stored tensors that a node reads."""
        graph = self.model.graph
        for sparse in graph.sparse_initializer:
            if sparse.values.name in read:
                self._fail("CIM420", f"tensor `{sparse.values.name}` of `{self.shown}` is sparse", "store it densely")
        return {tensor.name: self._known(tensor) for tensor in graph.initializer if tensor.name in read}

    def _known(self, tensor: "onnx.TensorProto") -> Known:
        try:
            return Known(self.tensors.array(tensor), tensor.name)
        except TensorError as error:
            helps = {"CIM428": "put the file beside the model"}
            self._fail(error.code, f"`{self.shown}`: {error}", helps.get(error.code, "export or download it again"))

    def _node(self, node: "onnx.NodeProto", opset: int) -> Node:
        domain = "" if node.domain == "ai.onnx" else node.domain
        attributes = dict(self._attributes(node))
        return Node(_label(node), node.op_type, tuple(node.input), tuple(node.output), attributes, domain, opset)

    def _attributes(self, node: "onnx.NodeProto") -> Iterator[tuple[str, Attribute]]:
        """Numbers, texts and tensors; operators with graphs or types as attributes are not supported anyway."""
        from onnx import AttributeProto

        for each in node.attribute:
            match each.type:
                case AttributeProto.INT:
                    yield each.name, each.i
                case AttributeProto.FLOAT:
                    yield each.name, shortest(each.f)
                case AttributeProto.STRING:
                    yield each.name, _text(each.s)
                case AttributeProto.INTS:
                    yield each.name, tuple(each.ints)
                case AttributeProto.FLOATS:
                    yield each.name, tuple(each.floats)
                case AttributeProto.STRINGS:
                    yield each.name, tuple(map(_text, each.strings))
                case AttributeProto.TENSOR:
                    yield each.name, self._known(each.t).array


def _names(model: "onnx.ModelProto") -> Iterator[object]:
    """Every name that is read later."""
    graph = model.graph
    for node in graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        for attribute in node.attribute:
            yield from (attribute.name, attribute.t.name)
    yield from (each.name for part in (graph.initializer, graph.input, graph.output) for each in part)
    yield from (each.domain for each in model.opset_import)


def _in_order(reads: list[list[int]], last: int) -> Iterator[int]:
    """Nodes that `last` depends on, each after those that it reads (depth first, without recursion)."""
    seen: set[int] = set()
    stack = [(last, iter(reads[last]))]
    seen.add(last)
    while stack:
        index, rest = stack[-1]
        before = next((each for each in rest if each not in seen), None)
        if before is None:
            stack.pop()
            yield index
        else:
            seen.add(before)
            stack.append((before, iter(reads[before])))


def _input_of(info: "onnx.ValueInfoProto") -> FileInput:
    from onnx import TensorProto

    tensor = info.type.tensor_type
    sizes = tuple(dim.dim_value if dim.dim_value > 0 else None for dim in tensor.shape.dim)
    no_numbers = (TensorProto.STRING, TensorProto.BOOL, TensorProto.INT32, TensorProto.INT64, TensorProto.UNDEFINED)
    return FileInput(info.name, sizes if tensor.HasField("shape") else None, tensor.elem_type not in no_numbers)


def _label(node: "onnx.NodeProto") -> str:
    """What a node is called: its name, else its first output's."""
    return node.name or next(filter(None, node.output), node.op_type)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
