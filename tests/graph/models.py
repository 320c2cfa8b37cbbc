"""Models for tests, written as layers in Python."""

from cimspec.spec import InputSpec, LayerSpec, ModelSpec, OpSpec

Declared = tuple[str, OpSpec] | tuple[str, OpSpec, tuple[str, ...]]


def model(*layers: Declared, signed: bool = False, shape: tuple[int, ...] = (3, 10, 8)) -> ModelSpec:
    """A model on an input `x`; a layer reads the one before it unless it names others."""
    declared = [LayerSpec(name="x", inputs=(), op=InputSpec(shape=shape, signed=signed))]
    for name, op, *inputs in layers:
        declared.append(LayerSpec(name=name, inputs=inputs[0] if inputs else (declared[-1].name,), op=op))
    return ModelSpec(name="m", layers=tuple(declared))
