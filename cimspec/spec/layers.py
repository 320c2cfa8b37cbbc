"""Binds a model: its statements, one for each layer -> ModelSpec with every name and input spelled out.

Knows names and the order of layers; whether shapes fit is for graph building to find out.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby, islice
from typing import get_args

from msgspec import structs
from pydantic import ValidationError

from cimspec.diag import Diagnostics, Label, Span, respelled
from cimspec.lang import Assign, Section, Statement, Word
from cimspec.spec.base import SpecModel
from cimspec.spec.blocks import Binding, Place, bind_block
from cimspec.spec.fields import FromFile, entries
from cimspec.spec.model_errors import report_model_errors
from cimspec.spec.model_file import WeightsFile
from cimspec.spec.operations import (
    AddSpec,
    AttentionSpec,
    ConcatSpec,
    InputSpec,
    MultiplySpec,
    OpSpec,
    ProductSpec,
)
from cimspec.spec.values import convert_value
from cimspec.spec.workload import ModelSpec

OPS: Mapping[str, type[SpecModel]] = {
    kind: op for op in get_args(get_args(OpSpec)[0]) for kind in get_args(op.model_fields["kind"].annotation)
}
READ_TWO = (AddSpec, MultiplySpec, ProductSpec)
MAX_LAYERS = 10_000  # as ModelSpec has it; checked before the work on every layer
ADVICE = {
    "dense": "linear",
    "fc": "linear",
    "conv": "conv2d",
    "dwconv": "depthwise",
    "pool": "maxpool",
    "bn": "batchnorm",
    "ln": "layernorm",
    "sum": "add",
    "mul": "multiply",
    "matmul": "product",
    "cat": "concat",
    "swish": "silu",
    "mha": "attention",
    "permute": "transpose",
    "view": "reshape",
    "gap": "globalpool",
    "cls_token": "class_token",
}


def bind_model(section: Section, binding: Binding) -> ModelSpec | None:
    """The model that a section describes, or None after reporting."""
    before = binding.diagnostics.count
    binding.spans["model",] = section.span
    statements = section.body or ()
    layers = [statement for statement in statements if isinstance(statement, Section)]
    if len(layers) > MAX_LAYERS:
        message = f"a model has at most {MAX_LAYERS} layers, this one has {len(layers)}"
        binding.diagnostics.error("CIM208", message, section.span)
        return None
    weights: WeightsFile | None = None
    for statement in statements:
        if isinstance(statement, Assign) and statement.name.text == "weights":
            weights = bind_weights(statement, binding)
        elif not isinstance(statement, Section):
            label = "write `conv2d c1 { ... }`"
            message = "a model holds layers and `weights` only"
            binding.diagnostics.error("CIM213", message, statement.span, label=label)
    names = layer_names(layers)
    check_input_first(section, layers, binding.diagnostics)
    check_duplicates(layers, names, binding.diagnostics)
    bound = bind_layers(layers, names, binding)
    assert section.name is not None, "a model without a name was reported"
    draft = {"name": section.name.text, "weights": weights, "layers": tuple(layer for layer in bound if layer)}
    if binding.diagnostics.count > before or None in bound:
        return None
    try:
        return ModelSpec.model_validate(draft)
    except ValidationError as error:
        report_model_errors(error, ModelSpec, "model", section.span, {}, (), binding.diagnostics, is_whole=True)
        return None


def bind_layers(layers: Sequence[Section], names: Sequence[str], binding: Binding) -> list[dict[str, object] | None]:
    """All layers, as LayerSpec takes them; None for those that are wrong, after reporting."""
    positions = {name: index for index, name in reversed(list(enumerate(names)))}
    bound: list[dict[str, object] | None] = []
    for index, layer in enumerate(layers):
        binding.spans["model", "layers", index] = layer.span
    for uses, alike in groupby(enumerate(layers), key=lambda numbered: numbered[1].uses):
        with binding.diagnostics.used_at(uses):
            for index, layer in alike:
                for number, use in enumerate(uses):
                    binding.spans["model", "layers", index, "use", number] = use
                bound.append(bind_layer(index, layer, names, positions, binding))
                if binding.diagnostics.is_hopeless:
                    return bound
    return bound


def bind_weights(statement: Assign, binding: Binding) -> WeightsFile | None:
    """The file in `weights = "m.safetensors"`, or None after reporting."""
    span = binding.spans["model", "weights"] = statement.value.span
    converted = convert_value(statement.value, FromFile(WeightsFile), "weights", binding.diagnostics)
    file = converted.value if converted else None
    if not isinstance(file, WeightsFile):
        return None
    if file.path.suffix not in WeightsFile.SUFFIXES:
        message = f"`{file.shown}` is no file of weights: it ends with none of {', '.join(WeightsFile.SUFFIXES)}"
        help = 'save the weights with `torch.save(network.state_dict(), "m.pt")`'  # noqa: A001
        binding.diagnostics.error("CIM440", message, span, help=help)
        return None
    return file


def report_unknown_layer(word: Word, diagnostics: Diagnostics) -> None:
    """Report a kind of layer that there is not."""
    meant = ADVICE.get(word.text) or diagnostics.did_you_mean(word.text, OPS)
    label = f"did you mean `{meant}`?" if meant else "no layer of this kind"
    if word.text == "dropout":
        label = "remove it: it does nothing once a network is trained"
    diagnostics.error(
        "CIM202",
        f"unknown layer `{word.text}`",
        word.span,
        label=label,
        notes=["`cimspec list layers` shows all kinds"],
        fixes=respelled(word.span, word.text, meant),
    )


def layer_names(layers: Sequence[Statement]) -> tuple[str, ...]:
    """The name of each statement of a model: as given, else kind and position, `relu3`."""
    taken = {layer.name.text for layer in layers if isinstance(layer, Section) and layer.name}
    names = []
    position = 0
    for layer in layers:
        if not isinstance(layer, Section):
            names.append("")
            continue
        position += 1
        if layer.name:
            names.append(layer.name.text)
        else:
            names.append(unused(plain_name(layer.kind.text, position), taken))
            taken.add(names[-1])
    return tuple(names)


def plain_name(kind: str, position: int) -> str:
    """The name of a layer without one, if nothing else has it."""
    if kind == "input":
        return kind
    return f"{kind}_{position}" if kind[-1].isdigit() else f"{kind}{position}"  # relu6_4 is no relu64


def unused(name: str, taken: set[str]) -> str:
    """`name`, or the first of `name_2`, `name_3` ... that is not taken."""
    candidate, count = name, 1
    while candidate in taken:
        count += 1
        candidate = f"{name}_{count}"
    return candidate


def check_input_first(section: Section, layers: Sequence[Section], diagnostics: Diagnostics) -> None:
    """The first layer is the input, and no other is."""
    if not layers or layers[0].kind.text != "input":
        span = layers[0].span if layers else section.span
        diagnostics.error("CIM407", "a model starts with `input`", span, label="write `input 1 x 28 x 28` before this")
    for layer in layers[1:]:
        if layer.kind.text == "input":
            related = [Label(layers[0].span, "this is the first layer")]
            message = "a model has one `input`, as its first layer"
            diagnostics.error("CIM407", message, layer.span, label="remove it", related=related)


def check_duplicates(layers: Sequence[Section], names: Sequence[str], diagnostics: Diagnostics) -> None:
    """No two layers have one name, and none that of a part of attention, which a policy speaks of."""
    first: dict[str, Span] = {}
    parts = {
        f"{name}_{part}": layer.span
        for layer, name in zip(layers, names, strict=True)
        if OPS.get(layer.kind.text) is AttentionSpec
        for part in AttentionSpec.PARTS
    }
    for layer in layers:
        if layer.name is None:
            continue
        name, span = layer.name.text, layer.name.span
        if name in first:
            related = [Label(first[name], "first defined here")]
            diagnostics.error("CIM209", f"two layers are called `{name}`", span, label="rename one", related=related)
        elif name in parts:
            related = [Label(parts[name], "a part of this attention has the name")]
            diagnostics.error("CIM209", f"the name `{name}` is taken", span, label="rename this", related=related)
        first.setdefault(name, span)


def bind_layer(
    index: int, layer: Section, names: Sequence[str], positions: Mapping[str, int], binding: Binding
) -> dict[str, object] | None:
    """One layer, reading the layers before it; `positions` are those of all names."""
    path = ("model", "layers", index)
    diagnostics = binding.diagnostics
    body = list(layer.body or ())
    model = OPS.get(layer.kind.text)
    if model is None:
        report_unknown_layer(layer.kind, diagnostics)
        return None
    if layer.extends:
        diagnostics.error("CIM213", "a layer extends nothing", layer.extends.span, label="remove `extends`")
    if layer.shape and model is InputSpec:
        body.insert(0, Assign(Word("shape", layer.shape.span), layer.shape, layer.shape.span))
    elif layer.shape:
        form = f"{layer.kind.text} {{ {', '.join(entry.key for entry in entries(model))} }}"
        diagnostics.error("CIM213", "only `input` takes a shape", layer.shape.span, label=f"write `{form}`")
    if layer.name and model is InputSpec:
        diagnostics.error("CIM213", "`input` takes no name", layer.name.span, label="remove it")
    if model is InputSpec and not any(isinstance(field, Assign) and field.name.text == "shape" for field in body):
        diagnostics.error("CIM206", "`input` needs a shape", layer.span, label="write `input 1 x 28 x 28`")
        return None
    inputs = layer_inputs(index, layer, names, positions, binding)
    kind = layer.kind.text
    op = bind_block(model, Place(kind, layer.span, path), body, binding, given={"kind": kind})
    if op is None or inputs is None:
        return None
    return {"name": names[index], "inputs": inputs, "op": op}


def layer_inputs(
    index: int, layer: Section, names: Sequence[str], positions: Mapping[str, int], binding: Binding
) -> tuple[str, ...] | None:
    """Names of the layers that a layer reads."""
    kind = layer.kind.text
    model, sources = OPS[kind], layer.sources
    joins = model is ConcatSpec
    wanted = 0 if model is InputSpec else 2 if joins or model in READ_TWO else 1
    if sources is None and wanted < 2:
        return tuple(names[index - 1 : index]) if wanted else ()
    count = len(sources or ())
    if count < wanted or (count > wanted and not joins):
        number = f"{wanted or 'no'} {'or more ' * joins}layer{'s' * (wanted != 1)}"
        names_wanted = ("", " from NAME", f" from FIRST, SECOND{', ...' * joins}")[wanted]
        label = f"write `{kind}{names_wanted}`"
        binding.diagnostics.error("CIM406", f"`{kind}` reads {number}, not {count or 1}", layer.span, label=label)
        return None
    is_known = [check_source(index, source, names, positions, binding) for source in sources or ()]
    for position, source in enumerate(sources or ()):
        binding.spans["model", "layers", index, "inputs", position] = source.span
    return tuple(source.text for source in sources or ()) if all(is_known) else None


def check_source(
    index: int, source: Word, names: Sequence[str], positions: Mapping[str, int], binding: Binding
) -> bool:
    """Whether an earlier layer has the name after `from`."""
    position = positions.get(source.text)
    if position is not None and position < index:
        return True
    meant: str | None = None
    related: list[Label] = []
    if position is not None:
        message = f"layer `{source.text}` is not made yet"
        label = "this is the layer itself" if source.text == names[index] else "move it before this layer"
        if position != index:
            related = [Label(binding.spans["model", "layers", position], "this is the layer")]
    else:
        message = f"there is no layer `{source.text}`"
        meant = binding.diagnostics.did_you_mean(source.text, islice(names, index))
        label = f"did you mean `{meant}`?" if meant else "name a layer written before this one"
    fixes = respelled(source.span, source.text, meant)
    binding.diagnostics.error("CIM402", message, source.span, label=label, related=related, fixes=fixes)
    return False


def with_setting(layer: Section, setting: Assign) -> Section:
    """The layer with a field replaced; a shape given before replaces the one beside the word."""
    body = [old for old in layer.body or () if not (isinstance(old, Assign) and old.name.text == setting.name.text)]
    shape = None if setting.name.text == "shape" else layer.shape
    return structs.replace(layer, shape=shape, body=(*body, setting))
