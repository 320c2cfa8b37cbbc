"""The quality of many policies on the simulated chip: ADC, cells and noise included, without fine-tuning.

Tables + chip + Split -> Policy -> Quality. The integer network is executed as its Program would be. Several chips are
made, each of which sees its share of the images, so that a policy is not fitted to one chip's errors; where cells hold
what they should, one chip does, and each core takes a share.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from cimspec.compiler import with_full_scales
from cimspec.compiler.schedule import schedule
from cimspec.data.cores import cores
from cimspec.data.dataset import Split
from cimspec.graph import Policy
from cimspec.pipeline.chip_ranges import ChipRanges
from cimspec.pipeline.chip_share import ChipShare, Execution, ProgrammedChip
from cimspec.quant.convolve import channels_last
from cimspec.quant.execute import float_outputs
from cimspec.quant.integer import integer_network
from cimspec.quant.ops import Array
from cimspec.quant.quality import Quality, measure
from cimspec.quant.tables import Tables, quantize
from cimspec.spec.chip import Chip

CACHE_BYTES = 256 * 1024 * 1024
"""Of what layers made, and as many again of programmed layers."""


class ChipEvaluator:
    """Measures policies on a chip, divergence at `temperature`. Not for several threads at once."""

    def __init__(
        self,
        tables: Tables,
        chip: Chip,
        split: Split,
        temperature: float,
        ranges: ChipRanges,
        *,
        seeds: tuple[int, ...],
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        """`seeds` key the chips, one for each."""
        self._tables = tables
        self._chip = chip
        self._labels = torch.from_numpy(split.labels)
        self._temperature = temperature
        seen = channels_last(torch.from_numpy(split.images))
        self._float_outputs = float_outputs(tables.graph, tables.weights, seen).flatten(1)
        self._ranges = ranges
        if chip.device.cells_are_exact:
            seeds = seeds[:1] * cores()  # one chip: what it does to one image is independent of the others
        seeds = seeds[: max(1, len(split))]  # no share without an image
        chips = {seed: ProgrammedChip(seed, cache_bytes=cache_bytes // len(set(seeds))) for seed in set(seeds)}
        parts = np.array_split(np.arange(len(split)), len(seeds))
        images = split.images.astype(np.float64)
        self._shares = [
            ChipShare(chips[seed], images[part], int(part[0]), cache_bytes=cache_bytes // len(seeds))
            for seed, part in zip(seeds, parts, strict=True)
        ]
        self._threads = ThreadPoolExecutor(cores())

    def quality(self, policy: Policy) -> Quality:
        """The quality of the network quantized to `policy`, on the chip, without fine-tuning."""
        outputs = torch.from_numpy(self.outputs(policy)).float()
        return measure(outputs, self._float_outputs, self._labels, self._temperature)

    def outputs(self, policy: Policy) -> Array:
        """What the network gives for each image: `[images, classes]`."""
        execution = self._execution(policy)
        values = np.concatenate(list(self._threads.map(lambda share: share.run(execution), self._shares)))
        return values.reshape(len(values), -1)

    def _execution(self, policy: Policy) -> Execution:
        network = integer_network(self._tables.graph, quantize(self._tables, policy))
        program = schedule(self._tables.graph.name, network.lowered, self._chip)
        scales = self._threads.map(lambda layer: self._ranges.full_scale(program, layer), program.layers)
        named = zip((layer.name for layer in program.layers), scales, strict=True)
        calibrated = with_full_scales(program, {name: scale for name, scale in named if scale is not None})
        return Execution(calibrated, network.constants, policy)
