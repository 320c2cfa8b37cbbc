"""The chips that a network is fine-tuned for: their ranges + seeds -> errors of policies, outputs."""

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from cimspec.compiler import Program, compile_program
from cimspec.data.dataset import Images
from cimspec.graph import Graph, Policy
from cimspec.pipeline.chip_ranges import ChipRanges
from cimspec.pipeline.policy_errors import PolicyErrors
from cimspec.quant.integer import integer_network
from cimspec.quant.ops import Constants
from cimspec.quant.parameters import QuantizedParameters
from cimspec.sim import execute
from cimspec.sim.calibrate import calibrate_ranges
from cimspec.spec.chip import AdcRange, Chip


@dataclass(frozen=True, slots=True, eq=False)
class TuningChips:
    """Implements `Chips`: they are drawn with `seeds`, and networks are compared on one of `judged_seed`."""

    ranges: ChipRanges
    images: Images  # of the training split, to calibrate whole networks with
    seeds: tuple[int, ...]
    judged_seed: int

    def errors(self, policy: Policy) -> PolicyErrors:
        """What the chips do to networks of a policy."""
        return PolicyErrors(self.ranges, policy, self.seeds)

    def network_outputs(self, parameters: QuantizedParameters, images: Images) -> npt.NDArray[Any]:
        """What a network gives for `images` on the chip that is kept for comparisons: `[images, classes]`."""
        graph = self.ranges.tables.graph
        program, constants = compile_network(graph, parameters, self.ranges.chip, self.images)
        return execute(program, constants, images, seed=self.judged_seed).reshape(len(images), -1)


def compile_network(
    graph: Graph, parameters: QuantizedParameters, chip: Chip, images: Images
) -> tuple[Program, Constants]:
    """The schedule of a quantized network and its constants, ADC ranges calibrated on `images` where the chip does."""
    network = integer_network(graph, parameters)
    policy = Policy.of({layer.name: parameters.layers[layer.name].precision for layer in graph.crossbar_layers})
    program = compile_program(graph, policy, chip)
    if chip.adc.range is AdcRange.CALIBRATED:
        program = calibrate_ranges(program, network.constants, images)
    return program, network.constants
