"""Published numbers from sources that were read, each with its citation, split, convention and units.

A number is listed only if somebody read it in the paper, in the repository of its authors, in the repository of an
independent re-run, or in public notes that quote it; `Source.read_in` says which. Numbers from memory are not listed.
`configs/published` has them: `sources.yaml`, and one file per data set in `scores`, also for data sets that the zoo
does not have.

Papers use "Dice" for two numbers: the mean over images, and the ratio of pixels pooled over all images. The same model
differs by more than five points between them. The Dice D and the IoU of a table show which number it has: pooled pairs
satisfy IoU = D / (2 - D) up to rounding, and means over images have a larger IoU.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from zoo.errors import ConfigError, did_you_mean
from zoo.registry import CONFIGS, read_yaml
from zoo.utils.typed_content import read_content

FOLDER = CONFIGS / "published"

PER_IMAGE, POOLED, PER_CASE, UNKNOWN = "dice per image", "dice pooled", "dice per case", "not stated"
"""The conventions: our `dice` on images of one class, our `dice_global`, our `dice` of volumes, and an unknown one."""

CONVENTIONS = (PER_IMAGE, POOLED, PER_CASE, UNKNOWN)
"""The conventions, in the order of a comparison."""

OURS = {PER_IMAGE: "dice", POOLED: "dice_global", PER_CASE: "dice"}
"""Convention to the column of our table with the same convention."""

READ_IN = ("paper", "repository", "re-run", "notes")
"""Where a number was read: the paper, the repository of its authors, a re-run by others, or notes that quote it."""

UNITS = ("px", "mm", UNKNOWN)
"""Units of an HD95."""

_ROUNDING = 0.02
"""Percent points by which a rounded pooled Dice and IoU may differ from IoU = D / (2 - D)."""


@dataclass(frozen=True, slots=True)
class Source:
    """The source of published numbers.

    Attributes:
        key: Short name.
        citation: Authors or repository, title, venue.
        where: Place within the source.
        read_in: One of `READ_IN`.
    """

    key: str
    citation: str
    where: str
    read_in: str

    def __post_init__(self) -> None:
        """Check that the source is complete.

        Raises:
            ValueError: A text is empty, or `read_in` is unknown.
        """
        for name in ("citation", "where"):
            if not getattr(self, name).strip():
                raise ValueError(f"{name} is empty")
        if self.read_in not in READ_IN:
            raise ValueError(f"read_in is '{self.read_in}', not one of {', '.join(READ_IN)}")

    @property
    def rerun(self) -> bool:
        """Whether others than the authors of the method have run it."""
        return self.read_in == "re-run"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedScore:
    """The published numbers of one method on one data set, under one convention.

    Attributes:
        data: Our name of the data set.
        method: The name of the method in the source.
        convention: One of `CONVENTIONS`.
        split: Number of train, val and test images, by the source or its code; or "not stated".
        source: The source.
        model: The name in this zoo of the method, also of one that has still to join; rows of ours stand beside the
            number as soon as the model exists. Empty for a method that the zoo does not plan.
        network: What the network there has other than the published size of `model` here; empty where they agree.
        dice: Dice in percent, None where the source has none.
        iou: IoU in percent, None where the source has none.
        hd95: HD95 in `hd95_unit`, None where the source has none.
        hd95_unit: One of `UNITS`; empty without an HD95.
        nsd: NSD in percent, None where the source has none.
        nsd_tolerance: Tolerance of the NSD, or "not stated"; empty without an NSD.
        test: Number of test images, None where it is not stated.
        folds: Number of folds whose test cases are pooled, None for one split.
        std: Standard deviation of the Dice over seeds in percent points, None where the source has none.
        note: A remark.
    """

    data: str
    method: str
    convention: str
    split: str
    source: Source
    model: str = ""
    network: str = ""
    dice: float | None = None
    iou: float | None = None
    hd95: float | None = None
    hd95_unit: str = ""
    nsd: float | None = None
    nsd_tolerance: str = ""
    test: int | None = None
    folds: int | None = None
    std: float | None = None
    note: str = ""

    def __post_init__(self) -> None:
        """Check that no number lacks its convention or its unit, and that Dice and IoU have the stated convention.

        Raises:
            ValueError: A rule is broken; the message begins with the name of the attribute.
        """
        for name in ("method", "split"):
            if not getattr(self, name).strip():
                raise ValueError(f"{name} is empty")
        if self.network and not self.model:
            raise ValueError("network says how a model differs, and model is missing")
        if self.convention not in CONVENTIONS:
            raise ValueError(f"convention is '{self.convention}', not one of {', '.join(CONVENTIONS)}")
        if self.dice is None and self.hd95 is None and self.nsd is None:
            raise ValueError("dice is missing, and so are hd95 and nsd: a score has a number")
        for name in ("dice", "iou", "nsd"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 100:
                raise ValueError(f"{name} is {value}, not a percentage")
        self._check_units()
        self._check_pair()

    def _check_units(self) -> None:
        if self.hd95 is not None and self.hd95_unit not in UNITS:
            raise ValueError(f"hd95_unit is '{self.hd95_unit}', not one of {', '.join(UNITS)}")
        if self.hd95 is None and self.hd95_unit:
            raise ValueError("hd95_unit is given without hd95")
        if self.hd95 is not None and self.hd95 < 0:
            raise ValueError(f"hd95 is {self.hd95}, which no distance is")
        if (self.nsd is None) != (not self.nsd_tolerance):
            raise ValueError("nsd_tolerance belongs to nsd: write both or neither")
        if self.std is not None and self.dice is None:
            raise ValueError("std is the deviation of dice, which is missing")
        if any(count is not None and count <= 0 for count in (self.test, self.folds)):
            raise ValueError("test and folds are positive numbers; leave out what is not stated")

    def _check_pair(self) -> None:
        """Check Dice and IoU. D / (2 - D) is convex, so its mean lies above its value at the mean (Jensen)."""
        if self.dice is None or self.iou is None:
            return
        share = self.dice / 100
        pooled = 100 * share / (2 - share)
        if self.convention == POOLED and abs(self.iou - pooled) > _ROUNDING:
            raise ValueError(f"iou is {self.iou}, but a pooled dice of {self.dice} has the IoU {pooled:.2f}")
        if self.convention in (PER_IMAGE, PER_CASE) and self.iou <= pooled + _ROUNDING:
            raise ValueError(f"iou is {self.iou}, but a mean dice of {self.dice} has an IoU above {pooled:.2f}")


def read_published(folder: Path = FOLDER) -> tuple[PublishedScore, ...]:
    """Read and check every published number.

    Args:
        folder: A folder with `sources.yaml` and `scores/DATA.yaml`.

    Raises:
        ConfigError: A file cannot be read, or a number lacks its source, its convention or its unit.
    """
    path = folder / "sources.yaml"
    sources = {}
    for name, entry in read_yaml(path).items():
        named = {**entry, "key": str(name)} if isinstance(entry, Mapping) else entry
        sources[str(name)] = read_content(Source, named, str(path), str(name))
    return tuple(score for file in sorted((folder / "scores").glob("*.yaml")) for score in _read_scores(file, sources))


def _read_scores(path: Path, sources: Mapping[str, Source]) -> list[PublishedScore]:
    content = read_yaml(path)
    entries = content.get("scores")
    if set(content) != {"title", "scores"} or not isinstance(entries, list):
        raise ConfigError(f"{path}: the keys `title` and `scores` are expected.", "Write a list below `scores:`.")
    found = []
    for number, entry in enumerate(entries, start=1):
        key = f"scores[{number}]"
        if not isinstance(entry, Mapping):
            raise ConfigError(f"{path}: {key} is not a mapping.", "Write `{method: ..., source: ...}`.")
        name = str(entry.get("source", ""))
        if name not in sources:
            listed = f"Sources of sources.yaml: {', '.join(sources)}."
            wrong = f"{path}: {key}.source is " + (f"'{name}', no known source." if name else "missing.")
            raise ConfigError(wrong, did_you_mean(name, sources, listed, most=1))
        rest = {one: value for one, value in entry.items() if one != "source"}
        found.append(read_content(PublishedScore, rest, str(path), key, data=path.stem, source=sources[name]))
    return found


@cache
def all_published() -> tuple[PublishedScore, ...]:
    """Return the published numbers that come with the zoo, read once."""
    return read_published()


NOT_READ = {
    "bipvl": "BiPVL-Seg (arXiv 2503.23534): only the abstract and the figure could be read, no result number",
    "tmca": "TMCA (arXiv 2412.13533, Expert Systems with Applications 2026): only the abstracts, no result number",
    "tevia": "TeViA: only the abstract, no result number; its repository has neither logs nor results",
}
"""Why no published number of a model could be read, where there is a reason."""


def describe_silence(model: str) -> str:
    """Say why no published number of a model is listed; empty where one is.

    Example:
        >>> describe_silence("unet"), describe_silence("unet_concat")
        ('', 'no number of it was found in a source that we could read')
    """
    if any(number.model == model for number in all_published()):
        return ""
    return NOT_READ.get(model, "no number of it was found in a source that we could read")


def published_on(data: str) -> tuple[PublishedScore, ...]:
    """Return the published numbers of a data set, sorted by convention.

    Example:
        >>> [score.method for score in published_on("monuseg")]
        ['U-Net', 'LViT-T']
    """
    mine = [number for number in all_published() if number.data == data]
    return tuple(sorted(mine, key=lambda number: CONVENTIONS.index(number.convention)))
