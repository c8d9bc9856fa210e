"""What a checkpoint must know of the images of its training, so that new images get the same preprocessing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from zoo.preprocessing.spec import PreprocessingSpec

KEY = "zoo_input"
"""Key of a checkpoint for `TrainingInput.to_dict()`."""


@dataclass(frozen=True, slots=True)
class TrainingInput:
    """The images of a training.

    Attributes:
        preprocessing: Kind of image to its preprocessing. A data set with one kind of image names it "".
        unit: Unit of the voxel sizes: "mm" or "px".

    Example:
        >>> found = TrainingInput({"": PreprocessingSpec(size=(64, 64))}, unit="px")
        >>> TrainingInput.from_dict(found.to_dict()) == found
        True
    """

    preprocessing: Mapping[str, PreprocessingSpec]
    unit: str

    def to_dict(self) -> dict[str, Any]:
        """Plain Python, for checkpoints."""
        specs = {kind: asdict(spec) for kind, spec in self.preprocessing.items()}
        return {"preprocessing": specs, "unit": self.unit}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> TrainingInput:
        """The inverse of `to_dict`."""
        specs = {str(kind): _read_spec(spec) for kind, spec in content["preprocessing"].items()}
        return cls(specs, str(content["unit"]))


def _read_spec(content: Mapping[str, Any]) -> PreprocessingSpec:
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list | tuple) else value for key, value in content.items()
    }
    return PreprocessingSpec(**values)
