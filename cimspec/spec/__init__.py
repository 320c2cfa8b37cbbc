"""The spec: a `.cim` file as validated models, and the loader that makes it."""

from cimspec.spec.base import SpecModel
from cimspec.spec.bind import Loaded, load, load_spec
from cimspec.spec.chip import (
    Adc,
    AdcCalibration,
    AdcConversion,
    AdcLevels,
    AdcRange,
    AdcStep,
    Chip,
    Crossbar,
    Dac,
    Encoding,
    Rounding,
    SignedInputs,
    SliceCount,
    StepCount,
    Subtraction,
    WeightMode,
)
from cimspec.spec.device import Device, DeviceTable
from cimspec.spec.search import EvaluateOn, Keep, Method, Objective, Requirements, SearchSpec
from cimspec.spec.spec import Spec
from cimspec.spec.training import TrainingSpec
from cimspec.spec.workload import (
    AddSpec,
    AvgPoolSpec,
    BatchNormSpec,
    BuiltinData,
    Conv2dSpec,
    DataSpec,
    FlattenSpec,
    GlobalAvgPoolSpec,
    InputSpec,
    LayerSpec,
    LinearSpec,
    MaxPoolSpec,
    ModelSpec,
    OpSpec,
    ReluSpec,
)

__all__ = [
    # bind: a file -> a spec
    "load_spec",
    "load",
    "Loaded",
    "Spec",
    "SpecModel",
    # chip
    "Chip",
    "Crossbar",
    "Adc",
    "Dac",
    "Device",
    "DeviceTable",
    "Encoding",
    "Subtraction",
    "AdcRange",
    "AdcCalibration",
    "AdcConversion",
    "AdcStep",
    "AdcLevels",
    "Rounding",
    "SignedInputs",
    "WeightMode",
    "SliceCount",
    "StepCount",
    # workload
    "ModelSpec",
    "LayerSpec",
    "OpSpec",
    "InputSpec",
    "Conv2dSpec",
    "LinearSpec",
    "BatchNormSpec",
    "ReluSpec",
    "MaxPoolSpec",
    "AvgPoolSpec",
    "GlobalAvgPoolSpec",
    "AddSpec",
    "FlattenSpec",
    "DataSpec",
    "BuiltinData",
    # training and search
    "TrainingSpec",
    "SearchSpec",
    "Keep",
    "Requirements",
    "Objective",
    "EvaluateOn",
    "Method",
]
