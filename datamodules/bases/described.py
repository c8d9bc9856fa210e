"""What a data set is, before an array is prepared: its card, cases, splits, texts and the facts that a model needs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import lightning as L

from datamodules.acquire.sources import find_folder
from datamodules.index.card import DataCard
from datamodules.index.cases import CaseIndex, SplitOptions
from datamodules.index.findings import SIDE_CONTRADICTION
from datamodules.index.splits import Split
from datamodules.loading.text_source import TextSource
from datamodules.loading.used_cases import spread_cases
from zoo.io.readers import Reader
from zoo.preprocessing.spec import PreprocessingSpec
from zoo.preprocessing.training_input import TrainingInput
from zoo.text.laterality import allowed_flips
from zoo.text.prompt_files import load_prompts, prompt_version
from zoo.text.wordings import find_wordings
from zoo.types import Case, CaseKey, ClassPrompt, LabelSpace


class DescribedData(L.LightningDataModule):
    """A data set as its card, its listing and the options of a user describe it.

    `SegDataModule` sets the attributes from its arguments, and adds what the trainer calls.
    """

    card: DataCard
    root: str | None
    protocol: str
    patch: tuple[int, ...]
    val_cases: int | None
    text: str
    seed: int
    batch_size: int
    wordings: int | None
    split_options: SplitOptions

    listed = False
    """Whether published listings name all cases, also those of which a user has no file."""

    @abstractmethod
    def list_cases(self) -> list[Case]:
        """List all labelled cases in file order. Reads listings and captions, not images."""

    def list_unlabelled(self) -> list[Case]:
        """List the cases that are only predicted, because they have no label; data sets with a protocol have none."""
        return []

    @abstractmethod
    def split_cases(self, cases: list[Case]) -> Split:
        """Split the cases by `self.protocol`. It gets one case per image."""

    def choose_protocol(self, name: str | None) -> str:
        """The protocol of a name; without a name, the first of the card."""
        return self.card.known_protocol(name)

    def preprocessing(self) -> PreprocessingSpec:
        """The preprocessing of the data set; by default, images are only normalised."""
        return PreprocessingSpec()

    def preprocessing_of(self, case: Case) -> PreprocessingSpec:
        """The preprocessing of one case, for data sets with several modalities."""
        return self.preprocessing()

    def preprocessing_by_kind(self) -> dict[str, PreprocessingSpec]:
        """The preprocessing of each kind of image by its name; a data set with one kind names it ""."""
        return {"": self.preprocessing()}

    @property
    def training_input(self) -> TrainingInput:
        """What a checkpoint must know of the images."""
        return TrainingInput(self.preprocessing_by_kind(), self.card.unit)

    @cached_property
    def reader(self) -> Reader:
        """The reader of the files. Label values of classes that the protocol leaves out become background."""
        return Reader(self.dropped_values)

    def controls(self) -> dict[str, float]:
        """Reference values of the test split that a table prints beside the models, by name."""
        return {}

    @cached_property
    def index(self) -> CaseIndex:
        """The cases and their splits."""
        return self.make_index()

    def make_index(self) -> CaseIndex:
        """A new index, which has read nothing yet."""
        return CaseIndex(self.card, self.protocol, self.split_options, self.list_cases, self.split_cases, self.listed)

    @property
    def cases(self) -> dict[CaseKey, Case]:
        """All cases of the index by their keys."""
        return self.index.cases

    @property
    def split(self) -> Split:
        """The splits of the index."""
        return self.index.split

    def cases_of(self, split: str) -> list[Case]:
        """The cases of a split that a run uses: all of them, but of val at most `val_cases`."""
        cases = self.index.cases_of(split)
        return spread_cases(cases, self.val_cases) if split == "val" and self.val_cases else cases

    @property
    def split_hash(self) -> str:
        """The hash of the splits; reads the index."""
        return self.split.hash

    @property
    def leak_declared(self) -> bool:
        """Whether a subject is in several splits, as the card declares; every result is then marked.

        Where no name tells the subject of a frame or slice (`video`), the card alone decides.
        """
        return bool(self.split.leaks()) or (self.card.video and self.index.declares_leak)

    @property
    def prompt_hash(self) -> str:
        """The hash of all true texts; reads the index."""
        return self.text_source.hash_of(self.cases.values())

    @cached_property
    def labels(self) -> LabelSpace:
        """The label space of the protocol."""
        return self.card.labels(self.protocol)

    @property
    def dropped_values(self) -> tuple[int, ...]:
        """The label values of the classes that the protocol leaves out."""
        return self.card.dropped_values(self.protocol)

    @cached_property
    def prompts(self) -> tuple[ClassPrompt, ...]:
        """The true class prompts of the protocol."""
        prompts = load_prompts(self.card.prompts, tuple(self.card.classes))
        return tuple(prompt for prompt in prompts if prompt.name in self.labels.names)

    @property
    def flips(self) -> tuple[int, ...]:
        """The axes along which training may mirror."""
        return allowed_flips(self.card.flips, self.card.spatial_dims, self.card.sides_known, self.prompts)

    @cached_property
    def prompt_version(self) -> int:
        """The version of the class prompts."""
        return prompt_version(self.card.prompts)

    def written_texts(self, control: str) -> Mapping[CaseKey, str] | None:
        """The texts that the files of the data set have for a text control; None where the rule of the control applies.

        `zoo data verify` asks for each control, so that faults of the files are found.
        """
        return None

    @cached_property
    def text_source(self) -> TextSource:
        """The text of all batches."""
        return TextSource(
            self.prompts,
            self.card.has_reports,
            self.index.cases_of,
            self.text,
            self.seed,
            contradicting={case_id for case_id, finding in self.card.known.items() if finding == SIDE_CONTRADICTION},
            wordings=lambda: find_wordings(self.card.prompts, tuple(self.card.classes)),
            written=self.written_texts,
            drawn=self.wordings or 0,
            batch_size=self.batch_size,
        )

    @property
    def facts(self) -> dict[str, Any]:
        """What a model must know (`DataFacts.to_dict`)."""
        facts = self.card.facts(self.protocol, self.patch, self.prompts, self.prompt_version, self.flips)
        return facts.to_dict()

    @cached_property
    def folder(self) -> Path:
        """The folder of the data set.

        Raises:
            DataError: Neither `root` nor `ZOO_DATA` leads to a folder.
        """
        return find_folder(self.card, self.root)
