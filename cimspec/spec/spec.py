"""A whole `.cim` file, validated."""

from cimspec.spec.base import SpecModel
from cimspec.spec.chip import Chip
from cimspec.spec.model_file import OnnxModelSpec
from cimspec.spec.search import SearchSpec
from cimspec.spec.training import TrainingSpec
from cimspec.spec.workload import DataSpec, ModelSpec


class Spec(SpecModel):
    """What a file describes. `run` does what is there: no data, cost only; no search, the 8-bit policy."""

    name: str  # the file's stem
    digest: str  # sha256 of the resolved content, not of the text: comments do not change it
    chip: Chip
    model: ModelSpec | OnnxModelSpec
    data: DataSpec | None = None
    training: TrainingSpec = TrainingSpec()
    search: SearchSpec | None = None
