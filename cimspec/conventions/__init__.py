"""What two published simulators compute for one matrix-vector product, in plain numpy.

    analog_cim_sim(cfg, weights, inputs)                     analog-cim-sim, to the last integer
    crosssim(weights, inputs, core=..., adc_bits=..., ...)   CrossSim 3.2, as float64

For comparing our results with theirs. Their rules are not ours: nothing else in cimspec imports this package, and it
imports nothing of cimspec. Random effects (noise, read disturb, drift) and wire resistance are left out.
"""

from cimspec.conventions.analog_cim_sim import analog_cim_sim
from cimspec.conventions.crosssim import crosssim

__all__ = ["analog_cim_sim", "crosssim"]
