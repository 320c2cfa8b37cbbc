"""A whole `.cim` file, validated."""

import hashlib
import json

from pydantic import computed_field

from cimspec.spec.base import SpecModel
from cimspec.spec.chip import Chip
from cimspec.spec.model_file import OnnxModelSpec
from cimspec.spec.search import SearchSpec
from cimspec.spec.training import TrainingSpec
from cimspec.spec.workload import DataSpec, ModelSpec


class Spec(SpecModel):
    """What a file describes. `run` does what is there: no data, cost only; no search, the 8-bit policy."""

    name: str  # the file's stem
    chip: Chip
    model: ModelSpec | OnnxModelSpec
    data: DataSpec | None = None
    training: TrainingSpec = TrainingSpec()
    search: SearchSpec | None = None

    @computed_field(repr=False)  # type: ignore[prop-decorator]
    @property
    def digest(self) -> str:
        """sha256 of the content: the same for every text, file name and machine that means the same."""
        content = self.model_dump(mode="json", exclude={"name", "digest"})
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()
