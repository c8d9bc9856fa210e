"""`DataFacts`: what a model must know of a data set. No torch here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zoo.types import ClassPrompt, LabelSpace, has_own_texts


@dataclass(frozen=True, slots=True)
class DataFacts:
    """What a model must know of a data set. It is written once, on the data card, and linked to the model.

    Attributes:
        name: The registered name of the data set.
        spatial_dims: 2 or 3.
        in_channels: Channels of the image tensor.
        patch: Size of a training patch, in the order of the image axes.
        labels: The label space.
        prompts: One prompt per class.
        track: One of `TRACKS`.
        tolerance: Tolerance of the normalised surface distance, in the unit of the data set.
        prompt_version: Version of the texts of `prompts`; 0 where they are only the names of the classes.
        flips: The axes along which training may mirror an image.
        partial: Whether a label may have voxels of which nobody has said what they are (`zoo.types.UNKNOWN`).
        queries: Whether an image has several queries, each with a text of its own.

    Example:
        >>> facts = DataFacts.from_dict(make_facts(["liver", "spleen"], patch=[96, 96, 96]))
        >>> facts.spatial_dims, facts.labels.channels
        (3, 3)
    """

    name: str
    spatial_dims: int
    in_channels: int
    patch: tuple[int, ...]
    labels: LabelSpace
    prompts: tuple[ClassPrompt, ...]
    track: str
    tolerance: float = 2.0
    prompt_version: int = 0
    flips: tuple[int, ...] = ()
    partial: bool = False
    queries: bool = False

    @property
    def has_reports(self) -> bool:
        """Whether each image, or each query of an image, has a text of its own."""
        return has_own_texts(self.track, self.queries)

    def to_dict(self) -> dict[str, Any]:
        """Plain Python, which the command line links from the data to the model."""
        prompts = [{"name": p.name, "sentence": p.sentence, "concepts": list(p.concepts)} for p in self.prompts]
        return {
            "name": self.name,
            "spatial_dims": self.spatial_dims,
            "in_channels": self.in_channels,
            "patch": list(self.patch),
            "labels": self.labels.to_dict(),
            "prompts": prompts,
            "track": self.track,
            "tolerance": self.tolerance,
            "prompt_version": self.prompt_version,
            "flips": list(self.flips),
            **({"partial": True} if self.partial else {}),  # absent in the facts of runs before partial labels
            **({"queries": True} if self.queries else {}),
        }

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> DataFacts:
        """The inverse of `to_dict`."""
        return cls(
            name=facts["name"],
            spatial_dims=int(facts["spatial_dims"]),
            in_channels=int(facts["in_channels"]),
            patch=tuple(int(n) for n in facts["patch"]),
            labels=LabelSpace.from_dict(facts["labels"]),
            prompts=tuple(ClassPrompt(p["name"], p["sentence"], tuple(p["concepts"])) for p in facts["prompts"]),
            track=facts["track"],
            tolerance=float(facts["tolerance"]),
            prompt_version=int(facts.get("prompt_version", 0)),
            flips=tuple(int(axis) for axis in facts.get("flips", ())),
            partial=bool(facts.get("partial", False)),
            queries=bool(facts.get("queries", False)),
        )


def make_facts(
    classes: Sequence[str],
    patch: Sequence[int],
    in_channels: int = 1,
    prompts: Sequence[ClassPrompt] | None = None,
    name: str = "mine",
) -> dict[str, Any]:
    """Make the facts of data that have no data module, for a model in a training loop of your own.

    Args:
        classes: The names of the classes. Several classes exclude each other; one class has one sigmoid channel.
        patch: Size of a training patch; its length says whether images are 2D or 3D.
        in_channels: Channels of the image.
        prompts: One prompt per class; by default the sentence of a class is its name.
        name: The name of the data.

    Returns:
        `DataFacts.to_dict()`, the first argument of every model.

    Example:
        >>> make_facts(["lesion"], patch=[64, 64])["labels"]
        {'names': ['lesion'], 'values': [[1]], 'exclusive': False}
    """
    values = tuple((number,) for number in range(1, len(classes) + 1))
    if prompts is None:
        prompts = [ClassPrompt(one, f"{one.replace('_', ' ').capitalize()}.") for one in classes]
    labels = LabelSpace(tuple(classes), values, exclusive=len(classes) > 1)
    return DataFacts(name, len(patch), in_channels, tuple(patch), labels, tuple(prompts), "class").to_dict()
