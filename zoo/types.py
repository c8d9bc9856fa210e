"""The types that all three packages share: text, labels, cases, cards and batches. No torch here.

These types are frozen. Processes and checkpoints exchange plain Python (`to_dict`, `from_dict`), so that a checkpoint
loads with `weights_only=True`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NotRequired, TypedDict

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

TRACKS = ("none", "class", "report", "mask-derived")
"""Where the text of a data set comes from. Two text tracks are never ranked together."""

REPORT_TRACKS = ("report", "mask-derived")
"""The text tracks whose images each have a text of their own."""


def has_own_texts(track: str, queries: bool) -> bool:
    """Return whether each image, or each query of an image, has a text of its own.

    Args:
        track: The text track.
        queries: Whether an image has several queries.

    Example:
        >>> has_own_texts("report", False), has_own_texts("class", False), has_own_texts("class", True)
        (True, False, True)
    """
    return track != "none" and (queries or track in REPORT_TRACKS)


UNKNOWN = 255
"""Value of a label where nobody has said whether the voxel belongs to the object (partial labels). Losses leave such
voxels out; a test refuses them."""


class ClassPrompt(NamedTuple):
    """The text of one class.

    Attributes:
        name: The short name.
        sentence: One sentence.
        concepts: Sentences about single attributes.

    Example:
        >>> ClassPrompt("liver", "The liver, a large organ in the right upper abdomen.").concepts
        ()
    """

    name: str
    sentence: str
    concepts: tuple[str, ...] = ()


class Text(NamedTuple):
    """The text of a batch of B images.

    Attributes:
        classes: One prompt per foreground class, in label order; the same for every sample.
        reports: B report strings, or None where the data set has no reports.

    Example:
        >>> Text((ClassPrompt("lesion", "A lesion."),), reports=("One lesion in the left upper zone.",)).reports[0]
        'One lesion in the left upper zone.'
    """

    classes: tuple[ClassPrompt, ...]
    reports: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class LabelSpace:
    """The foreground classes of a data set, by name.

    Attributes:
        names: The K class names, in the order of the model's channels.
        values: The values of the label file that belong to each class.
        exclusive: True: classes exclude each other (softmax over background and K classes, label
            map of 0..K). False: overlapping regions or a single class (K sigmoid channels, K masks).

    Example:
        >>> organs = LabelSpace(names=("liver", "spleen"), values=((1,), (2,)))
        >>> organs.channels
        3
        >>> LabelSpace(names=("lesion",), values=((255,),), exclusive=False).channels
        1
    """

    names: tuple[str, ...]
    values: tuple[tuple[int, ...], ...]
    exclusive: bool = True

    @property
    def channels(self) -> int:
        """Number of logit channels: K, plus one for the background where the classes are exclusive."""
        return len(self.names) + int(self.exclusive)

    def to_dict(self) -> dict[str, Any]:
        """Plain Python, for configs, manifests and checkpoints."""
        return {"names": list(self.names), "values": [list(v) for v in self.values], "exclusive": self.exclusive}

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> LabelSpace:
        """The inverse of `to_dict`."""
        return cls(
            names=tuple(facts["names"]),
            values=tuple(tuple(int(v) for v in values) for values in facts["values"]),
            exclusive=bool(facts["exclusive"]),
        )


class CaseKey(NamedTuple):
    """What identifies a case: the image, and which of its queries.

    Attributes:
        case_id: The image.
        query: The query; empty where an image has one query only, which is the ordinary case.
    """

    case_id: str
    query: str = ""

    def __str__(self) -> str:
        """The name of the case in messages and as a file name."""
        return f"{self.case_id}__{self.query}" if self.query else self.case_id


@dataclass(frozen=True, slots=True)
class Case:
    """One image with one query: its files, its text and its subject.

    Several cases may have the same image. Then each has a query of its own, a report of its own and a label of its
    own. Splits, folds and hashes depend on the images and their subjects.

    Attributes:
        case_id: Name of the image, unique within the data set; safe as a file name.
        images: One path per channel.
        label: Path of the label file; None where the case is only predicted.
        subject: The person that the image shows; splits are made by subject.
        report: The report of the case; None where the data set has no reports.
        query: Name of the query, unique within the image and safe as a file name; empty where the image has one query.
        wordings: Further texts that ask for the same object. Training draws among the report and these.

    Example:
        >>> Case("scan7", (Path("scan7.png"),), Path("mask7.png"), subject="patient3", report="Left lung.").key
        CaseKey(case_id='scan7', query='')
    """

    case_id: str
    images: tuple[Path, ...]
    label: Path | None
    subject: str
    report: str | None = None
    query: str = ""
    wordings: tuple[str, ...] = ()

    @property
    def key(self) -> CaseKey:
        """What identifies the case: image and query."""
        return CaseKey(self.case_id, self.query)


@dataclass(frozen=True, slots=True)
class Geometry:
    """How an array on the network grid lies in its file, so that a prediction can return to it.

    The steps from file to network are: reorient to RAS (3D only), crop, resample to the size of the network grid.
    All attributes but `affine` and `shape` describe the grid after reorientation.

    Attributes:
        affine: 4x4 affine of the file; None for images without one (PNG).
        shape: Shape of the array in the file, in the axis order of the file.
        crop: (start, stop) of the crop on each axis of the reoriented array.
        spacing: Size of a native voxel on each axis of the reoriented array.
        unit: Unit of the spacing and of every distance: "mm", or "px" where the file has no spacing.
        source: The image file; a written prediction gets its header.
    """

    affine: tuple[tuple[float, ...], ...] | None
    shape: tuple[int, ...]
    crop: tuple[tuple[int, int], ...]
    spacing: tuple[float, ...]
    unit: str
    source: Path | None = None


class Native(NamedTuple):
    """What a score needs beside the prediction.

    Attributes:
        geometry: The way back to the grid of the file.
        label: Labels on the native grid in RAS order: uint8 of 0..K with shape S where classes are
            exclusive, else uint8 {0, 1} of shape (K, *S). None where the case has no label.
    """

    geometry: Geometry
    label: NDArray[np.uint8] | None

    def to(self, device: Any) -> Native:
        """Return the object itself, because its arrays are scored in the memory of the CPU; see `Prediction.to`."""
        return self


class InstanceFacts(NamedTuple):
    """What a scorer of instances needs beside the label of a query.

    Attributes:
        numbers: Number of the instance of each voxel from 1, 0 outside, [*S] on the grid of the label; None where
            nobody has numbered the instances, so that the components of the label count.
        focal: Whether the finding is focal, or not; None where nobody says it.
        objects: Whether the label counts objects and shows no structure; None where nobody says it.
    """

    numbers: NDArray[np.integer] | None = None
    focal: bool | None = None
    objects: bool | None = None


class Batch(TypedDict):
    """What every data module gives and every model takes. `S` is (H, W) or the three RAS axes.

    image: float32 [B, C, *S]. label: uint8 [B, 1, *S] of 0..K where classes are exclusive, else
    uint8 {0, 1} [B, K, *S]; `UNKNOWN` where a partial label says nothing; absent in prediction.
    spacing: float32 [B, D], in the order of S.
    query: B names, absent where every image has one query. reports: B strings, absent where the data set has none.
    native: B entries, in evaluation only.
    draw: B draw numbers, in training only. spare: True where this rank has no case of its own and
    only computes along with the others: another rank scores the batch.

    Example:
        >>> from datamodules.sets import PhantomChest
        >>> data = PhantomChest(pixels=32, patch=[32, 32], counts=[4, 2, 2], batch_size=4, epoch_samples=4)
        >>> data.setup("fit")
        >>> batch: Batch = next(iter(data.train_dataloader()))
        >>> tuple(batch["image"].shape), tuple(batch["label"].shape), len(batch["reports"])
        ((4, 1, 32, 32), (4, 1, 32, 32), 4)
    """

    image: Tensor
    label: NotRequired[Tensor]
    case_id: list[str]
    query: NotRequired[list[str]]
    spacing: Tensor
    classes: tuple[ClassPrompt, ...]
    reports: NotRequired[list[str]]
    native: NotRequired[list[Native]]
    draw: NotRequired[list[int]]
    spare: NotRequired[bool]


class Prediction(NamedTuple):
    """The prediction of one case on its native grid, in RAS order.

    Attributes:
        case_id: The case.
        mask: uint8, in the layout of `Native.label`.
        geometry: The way back to the axes of the file.
        query: The query of the case; empty where the image has one query.

    Example:
        >>> import numpy as np
        >>> geometry = Geometry(None, (4, 4), ((0, 4), (0, 4)), (1.0, 1.0), "px")
        >>> Prediction("case-7", np.zeros((1, 4, 4), np.uint8), geometry).mask.shape
        (1, 4, 4)
    """

    case_id: str
    mask: NDArray[np.uint8]
    geometry: Geometry
    query: str = ""

    @property
    def key(self) -> CaseKey:
        """What identifies the case: image and query."""
        return CaseKey(self.case_id, self.query)

    def to(self, device: Any) -> Prediction:
        """Return the prediction itself: its arrays are in the memory of the CPU.

        `lightning.Trainer.predict` moves what a model returns, and cannot move a frozen `Geometry`.
        """
        return self
