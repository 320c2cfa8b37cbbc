"""ADC ranges of layers whose network is not fine-tuned yet: Tables + chip + images -> the range of a precision.

They are taken from what the float network sends into each layer, so a layer's range depends on no other layer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from cimspec.compiler import CrossbarLayer, Program
from cimspec.compiler.body import steps_of
from cimspec.data.dataset import Images
from cimspec.graph import Precision
from cimspec.quant.ops import Array, Codes
from cimspec.quant.samples import Sample, sample_inputs
from cimspec.quant.tables import Tables
from cimspec.sim.calibrate import Seen, layer_range, seen_inputs
from cimspec.spec.chip import AdcRange, Chip

SAMPLED_VECTORS = 128
"""Input vectors of each layer that are looked at."""


@dataclass(frozen=True, slots=True, eq=False)
class ChipRanges:
    """Of one network on one chip. Any thread may use it."""

    tables: Tables
    chip: Chip
    samples: Mapping[str, Sample]
    _known: dict[tuple[str, Precision], float] = field(default_factory=dict)

    @classmethod
    def of(cls, tables: Tables, chip: Chip, images: Images) -> "ChipRanges":
        """Ranges from what the float network makes of `images`."""
        return cls(tables, chip, sample_inputs(tables.graph, tables.weights, images, SAMPLED_VECTORS))

    def full_scale(self, program: Program, layer: CrossbarLayer) -> float | None:
        """A layer's range, weights as post-training quantization leaves them; None where the chip calibrates none."""
        if self.chip.adc.range is not AdcRange.CALIBRATED:
            return None
        key = (layer.name, layer.op.precision)
        if key not in self._known:
            codes = (
                self.tables.weight_codes(layer.name, layer.op.precision.weight_bits) if not layer.op.moving else None
            )
            self._known[key] = layer_range(self.seen(program, layer, codes), steps_of(layer.op, self.chip))
        return self._known[key]

    def seen(self, program: Program, layer: CrossbarLayer, weights: Array | None) -> list[Seen]:
        """What a layer's matrices hold, and some codes that drive them: one for each matrix.

        `weights` are its codes `[outputs, inputs]`; where it stores activations, these are sampled, and there is one
        for each head of several images.
        """
        op, table, sample = layer.op, self.tables.layers[layer.name], self.samples[layer.name]
        codes = _coded(
            sample.inputs,
            table.input_steps[op.precision.activation_bits],
            Codes(op.precision.activation_bits, op.signed),
        )
        if sample.stored is not None:
            step = float(table.weight_steps[op.precision.weight_bits][0])
            weights = _coded(sample.stored, step, Codes(op.precision.weight_bits, True))
        assert weights is not None, "layers that store no activations have weights"
        return seen_inputs(program.matrices(layer), weights, codes)


def _coded(values: Array, step: float, codes: Codes) -> Array:
    return np.clip(np.rint(values / step), codes.low, codes.high).astype(np.int64)
