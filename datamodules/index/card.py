"""The card of a data set: what its YAML file says, as typed and checked facts. Reads no data and no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from zoo.data_facts import DataFacts
from zoo.errors import UnknownNameError
from zoo.metrics.conventions import CONVENTIONS
from zoo.publishing import Publish
from zoo.registry import Card
from zoo.types import TRACKS, UNKNOWN, ClassPrompt, LabelSpace, has_own_texts
from zoo.utils.typed_content import read_content

LATERALITIES = ("", "image", "patient")
"""Whose left a text means: the image's or the patient's; empty where nobody has said it."""

MOST_CLASSES = UNKNOWN - 1
"""Largest number of exclusive classes: a label map has 8 bits per voxel, 0 is the background, and 255 is unknown."""

LABELS = ("complete", "partial")
"""Whether every voxel without label is background, or is unknown in some cases."""


@dataclass(frozen=True, slots=True)
class ProtocolCard:
    """One protocol of a data set.

    Attributes:
        about: The protocol in one line.
        classes: The classes that the protocol keeps; None for all of them.
        leaks: Whether a subject may be in several splits. Then every result is marked.
        own_test: Whether the test split was published with the data set; a k-fold then leaves it out.
    """

    about: str = ""
    classes: tuple[str, ...] | None = None
    leaks: bool = False
    own_test: bool = False


@dataclass(frozen=True, slots=True)
class DataCard:
    """The `about` of a data set's card.

    Attributes:
        name: The registered name.
        title: The data set in one line.
        spatial_dims: 2 or 3.
        in_channels: Channels of an image.
        track: Where the text comes from, one of `zoo.types.TRACKS`.
        protocols: The protocols by name; the first one is the default.
        task: What is segmented.
        homepage: The page of the data set's authors.
        licence: The licence of the data set.
        modality: The modality of the images.
        unit: Unit of the spacing: "mm" or "px".
        classes: Class name to label values, in the order of the model's channels.
        exclusive: Whether a voxel has one class at most.
        prompts: The prompt file: a name of `configs/prompts`, or a path.
        tolerance: Tolerance of the normalised surface distance, in `unit`.
        laterality: One of `LATERALITIES`.
        flips: The axes along which training may mirror an image, counted from 0.
        embedded: Whether the data set is generated, so that it has no files.
        empty_masks: Whether a mask may be background alone.
        labelled: One of `LABELS`.
        cases: Number of images with a public label in the release; 0 where it is not known.
        queries: Whether an image has several queries, each with a text and a mask of its own.
        video: Whether neighbouring images are frames of one video, so that near duplicates are no findings.
        folder: Name of the folder in `ZOO_DATA` and in the cache; empty for the registered name.
        known: Case id to the kind of finding that the published data set is known to have.
        absent: Modality to the classes that have no label there.
        listing: Label value to the name that `dataset.json` must have for it (Medical Segmentation Decathlon).
        source: Where the data set is available (`datamodules.acquire.sources.Source`), for a card of another
            package; None where `configs/sources` says it.
        publish: What the terms of the data set allow to publish.
        conventions: Further conventions by which each test is scored, of `zoo.metrics.conventions.CONVENTIONS`.
        prompt_tracks: The text track of each value of the option `prompt`, where the texts of a data set come in
            levels; `track` is that of the default level.
        contains: The data sets whose cases are inside this one (`zoo.contamination`).
    """

    name: str
    title: str
    spatial_dims: int
    in_channels: int
    track: str
    protocols: Mapping[str, ProtocolCard]
    task: str = ""
    homepage: str = ""
    licence: str = ""
    modality: str = ""
    unit: str = "mm"
    classes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    exclusive: bool = True
    prompts: str = ""
    tolerance: float = 2.0
    laterality: str = ""
    flips: tuple[int, ...] = ()
    embedded: bool = False
    empty_masks: bool = False
    labelled: str = "complete"
    cases: int = 0
    queries: bool = False
    video: bool = False
    folder: str = ""
    known: Mapping[str, str] = field(default_factory=dict)
    absent: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    listing: Mapping[int, str] = field(default_factory=dict)
    source: Mapping[str, Any] | None = None
    publish: Publish = field(default_factory=Publish)
    conventions: tuple[str, ...] = ()
    prompt_tracks: Mapping[str, str] = field(default_factory=dict)
    contains: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the values that a type cannot check.

        Raises:
            ValueError: A value is not one of those that are known; the message begins with the key.
        """
        choices: list[tuple[str, int | str, tuple[int | str, ...]]] = [
            ("spatial_dims", self.spatial_dims, (2, 3)),
            ("track", self.track, TRACKS),
            ("laterality", self.laterality, LATERALITIES),
            ("labelled", self.labelled, LABELS),
            *((f"prompt_tracks.{level}", track, TRACKS) for level, track in self.prompt_tracks.items()),
        ]
        for key, value, known in choices:
            if value not in known:
                listed = ", ".join(str(one) for one in known if one != "")
                raise ValueError(f"{key} is '{value}', not one of {listed}")
        if self.in_channels < 1:
            raise ValueError(f"in_channels is {self.in_channels}, not 1 or more")
        if self.tolerance <= 0:
            raise ValueError(f"tolerance is {self.tolerance}, not above 0")
        if not all(0 <= axis < self.spatial_dims for axis in self.flips):
            raise ValueError(f"flips is {list(self.flips)}, not a list of axes from 0 to {self.spatial_dims - 1}")
        if self.exclusive and len(self.classes) > MOST_CLASSES:
            raise ValueError(f"classes has {len(self.classes)} exclusive classes, more than {MOST_CLASSES}")
        if self.labelled == "partial" and not self.exclusive and len(self.classes) > 1:
            raise ValueError("labelled is partial, but several overlapping classes have no value for unknown voxels")
        unknown_names = [name for name in self.conventions if name not in CONVENTIONS]
        if unknown_names:
            raise ValueError(f"conventions has '{unknown_names[0]}', not one of {', '.join(CONVENTIONS)}")
        if not self.protocols:
            raise ValueError("protocols is empty; name one protocol or more")
        for name, protocol in self.protocols.items():
            unknown = [one for one in protocol.classes or () if one not in self.classes]
            if unknown:
                raise ValueError(f"protocols.{name}.classes has '{unknown[0]}', which is no class of the card")

    @classmethod
    def of(cls, card: Card) -> DataCard:
        """Read and check the card of a data set.

        Raises:
            ConfigError: An unknown key, a missing key or a wrong value, in one line with the card's file.

        Example:
            >>> from zoo.registry import DATA
            >>> DataCard.of(DATA.get("phantom_chest")).classes
            {'lesion': (1,)}
        """
        return read_content(cls, card.about, card.place, "about", name=card.name)

    @property
    def has_reports(self) -> bool:
        """Whether every case has a text of its own: a report, or that of its query."""
        return has_own_texts(self.track, self.queries)

    def at_level(self, prompt: str) -> DataCard:
        """The card with the text track of a value of the option `prompt`.

        Example:
            >>> from zoo.registry import DATA
            >>> DataCard.of(DATA.get("medvlsm_busi")).at_level("p1").track
            'class'

        Raises:
            UnknownNameError: The texts of the data set have no such level.
        """
        if prompt not in self.prompt_tracks:
            raise UnknownNameError("--data.prompt", prompt, self.prompt_tracks, f"zoo show {self.name}")
        return replace(self, track=self.prompt_tracks[prompt])

    @property
    def sides_known(self) -> bool:
        """Whether left and right of a report can be exchanged: the card says whose left is meant, or has no reports."""
        return bool(self.laterality) or not self.has_reports

    @property
    def folder_name(self) -> str:
        """Name of the folder in `ZOO_DATA` and in the cache: all cards of one archive have the same folder."""
        return self.folder or self.name

    def known_protocol(self, name: str | None) -> str:
        """The name of a protocol; the first of the card where None is given.

        Raises:
            UnknownNameError: The card has no such protocol.
        """
        if name is not None and name not in self.protocols:
            raise UnknownNameError("protocol", name, self.protocols, f"zoo show {self.name}")
        return name or next(iter(self.protocols))

    def labels(self, protocol: str) -> LabelSpace:
        """The label space of a protocol: the classes that it keeps, in the order of the card."""
        kept = self._kept_classes(protocol)
        return LabelSpace(tuple(kept), tuple(kept.values()), self.exclusive)

    def dropped_values(self, protocol: str) -> tuple[int, ...]:
        """The label values of the classes that a protocol does not keep, sorted."""
        kept = {value for values in self._kept_classes(protocol).values() for value in values}
        return tuple(sorted({value for values in self.classes.values() for value in values} - kept))

    def facts(
        self,
        protocol: str,
        patch: tuple[int, ...],
        prompts: tuple[ClassPrompt, ...],
        prompt_version: int,
        flips: tuple[int, ...] = (),
    ) -> DataFacts:
        """What a model must know of the data set under a protocol."""
        return DataFacts(
            name=self.name,
            spatial_dims=self.spatial_dims,
            in_channels=self.in_channels,
            patch=patch,
            labels=self.labels(protocol),
            prompts=prompts,
            track=self.track,
            tolerance=self.tolerance,
            prompt_version=prompt_version,
            flips=flips,
            partial=self.labelled == "partial",
            queries=self.queries,
        )

    def _kept_classes(self, protocol: str) -> dict[str, tuple[int, ...]]:
        names = self.protocols[protocol].classes
        return {name: values for name, values in self.classes.items() if names is None or name in names}
