"""Load the data a spec names: DataSpec -> Dataset. `check_data` says whether it fits the network."""

from cimspec.data.builtin import builtin_data
from cimspec.data.check import check_data
from cimspec.data.dataset import Dataset
from cimspec.data.own import own_data
from cimspec.spec.data_source import BuiltinData
from cimspec.spec.workload import DataSpec

__all__ = ["check_data", "load_data"]


def load_data(spec: DataSpec) -> Dataset:
    """The data set of `spec`; raises `CimError`: CIM404 or CIM902 for built-in data, CIM111 and CIM45x for files."""
    match spec.source:
        case BuiltinData(dataset=name):
            return builtin_data(name)
        case source:
            return own_data(spec.name, source)
