"""What a chip computes: the numpy definition, the compiled kernel, and the execution of Programs."""

from cimspec.sim.adc import Converter
from cimspec.sim.execute import execute
from cimspec.sim.layer import Engine, ProductLayer
from cimspec.sim.mvm import mvm

__all__ = ["Converter", "Engine", "ProductLayer", "execute", "mvm"]
