"""The base of every data set: it has a card, an index of cases, prepared arrays and loaders.

The file of a data set says where its cases are (`list_cases`), how they are split (`split_cases`) and how an image is
prepared (`preprocessing`). An embedded data set overrides `load` and needs no disk.
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch.utils.data import DataLoader

from datamodules.acquire.sources import find_folder
from datamodules.augment import augment, margin
from datamodules.bases.memory import check_training_fits
from datamodules.bases.options import check_options
from datamodules.bases.stored_summary import load_summary
from datamodules.index.card import DataCard
from datamodules.index.cases import FOLDS, CaseIndex, split_options
from datamodules.index.split_files import read_split_file
from datamodules.index.splits import SPLITS, Split
from datamodules.loading.cache import preparing_code
from datamodules.loading.datasets import FOREGROUND_SHARE, EvaluationSet, TrainingSet
from datamodules.loading.loaders import ProcessShare, evaluation_loader, move_tensors, training_loader, used_cases
from datamodules.loading.prepared_cases import PreparedCases
from datamodules.loading.text_source import SplitText, TextSource
from datamodules.loading.used_cases import spread_cases
from zoo.errors import ConfigError
from zoo.io.readers import Reader
from zoo.planner.summary import DatasetSummary
from zoo.preprocessing.apply import PreparedCase, load_case
from zoo.preprocessing.spec import PreprocessingSpec
from zoo.preprocessing.training_input import TrainingInput
from zoo.registry import DATA
from zoo.settings import cache_root
from zoo.text.laterality import allowed_flips
from zoo.text.prompt_files import load_prompts, prompt_version
from zoo.types import Batch, Case, CaseKey, ClassPrompt, LabelSpace
from zoo.utils.activity import track
from zoo.utils.renamed import reject_old_names

log = logging.getLogger(__name__)

RENAMED = {"index": "list_cases", "cut": "split_cases", "recipe": "preprocessing", "recipe_of": "preprocessing_of"}

_STAGE_SPLITS = {"fit": SPLITS, "validate": ("val",), "test": ("test",), "predict": ("test",)}


class SegDataModule(L.LightningDataModule):
    """A data set. A subclass sets `name`, which finds its card.

    Args:
        root: Folder of the data set; default `$ZOO_DATA/<folder name>`. An embedded data set needs none.
        patch: Size of a training patch in the order of the image axes. A 2-D image is resized to it.
        batch_size: Samples per batch over all devices, a multiple of their number.
        epoch_samples: Training samples between two validations.
        num_workers: Threads that make batches ahead; 0 makes them in the main thread. They change no draw.
        protocol: Name of the protocol; default the first of the card.
        text: Text control of val and test: "true", "shuffled", "blank" or "names".
        seed: Seed of the training draws and of the shuffled text, not of the split.
        augment: Augmentation of training batches (`datamodules.augment`): "none", "light", "full" or "elastic".
        train_share: Share of the train split that is used, from its first case on.
        fold: Number of the fold that is the test split, from 0; None for the splits of the protocol.
        folds: Number of folds of a k-fold by subject; default 5.
        split: A JSON file with splits (`datamodules.index.split_files`); `fold` chooses one of its folds.
        val_cases: Most val cases that are validated, at even distances in the order of the ids; None for all.
        foreground_share: Share of the training patches around a foreground voxel, in [0, 1].

    Example:
        >>> from datamodules.sets import PhantomChest
        >>> data = PhantomChest(pixels=32, patch=[32, 32], counts=[4, 2, 2], batch_size=4, epoch_samples=4)
        >>> data.setup("test")
        >>> next(iter(data.test_dataloader()))["case_id"]
        ['test-0000', 'test-0000-other', 'test-0001', 'test-0001-other']
    """

    name: str = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Reject a data set that still defines a method under its old name."""
        super().__init_subclass__(**kwargs)
        reject_old_names(cls, "data set", RENAMED)

    def __init__(
        self,
        root: str | None = None,
        patch: list[int] = [64, 64],  # noqa: B006  (it is never changed, and the command line needs the type)
        batch_size: int = 2,
        epoch_samples: int = 250,
        num_workers: int = 2,
        protocol: str | None = None,
        text: str = "true",
        seed: int = 0,
        augment: str = "light",
        train_share: float = 1.0,
        fold: int | None = None,
        folds: int | None = None,
        split: str | None = None,
        val_cases: int | None = None,
        foreground_share: float = FOREGROUND_SHARE,
    ) -> None:
        super().__init__()
        self.root, self.patch, self.seed = root, tuple(patch), seed
        self.augment, self.num_workers = augment, num_workers
        self.batch_size, self.epoch_samples, self.val_cases = batch_size, epoch_samples, val_cases
        self.card = DataCard.of(DATA.get(self.name))
        self.name, self.text = self.card.name, text
        file = None if split is None else read_split_file(Path(split))
        self.protocol = self.choose_protocol(protocol or (file.protocol_among(self.card.protocols) if file else None))
        self.fold, self.folds = fold, folds or (file.folds if file else None) or FOLDS
        self.split_options = split_options(train_share, fold, folds, file)
        check_options(self.card, tuple(patch), batch_size, epoch_samples, augment, text, num_workers, val_cases)
        if not 0 <= foreground_share <= 1:
            raise ConfigError(
                f"--data.foreground_share {foreground_share} is not between 0 and 1.", "nnU-Net has 0.33, the zoo 0.67."
            )
        self.foreground_share = foreground_share

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

    def load(self, case: Case) -> PreparedCase:
        """Read and prepare a case without the cache. An embedded data set generates the case here.

        Raises:
            DataError: A file is not as the card describes it; the message begins with the file.
        """
        return load_case(case, self.preprocessing_of(case), self.labels, self.reader)

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

    def training_summary(self) -> DatasetSummary:
        """What `zoo data stats` has measured of the training cases of the protocol and fold, for the planner.

        Raises:
            DataError: There is no summary, or it is stale; the message has the command that measures again.
        """
        return load_summary(self)

    @property
    def split_hash(self) -> str:
        """The hash of the splits; reads the index."""
        return self.split.hash

    @property
    def leak_declared(self) -> bool:
        """Whether a subject is in several splits, as the card declares; every result is then marked."""
        return bool(self.split.leaks())

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

    @cached_property
    def text_source(self) -> TextSource:
        """The text of all batches."""
        return TextSource(self.prompts, self.card.has_reports, self.index.cases_of, self.text, self.seed)

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

    def prepared(self, case: Case) -> PreparedCase:
        """The arrays of a case: from the cache, or kept in memory where the data set is embedded."""
        return self.prepared_cases.get(case)

    @cached_property
    def prepared_cases(self) -> PreparedCases:
        """The arrays of all cases."""
        folder = None if self.card.embedded else cache_root() / "data" / self.card.folder_name
        how = (self.load, self.preprocessing_of, self.reader, self.labels, self._code)
        return PreparedCases(folder, self.card.spatial_dims == 2, lambda: self.cases, *how)

    def _code(self) -> str:
        """The hash of the code that makes the arrays, with that of a data set that overrides `load`."""
        own = [] if type(self).load is SegDataModule.load else [type(self)]
        return preparing_code([type(self.reader), *own], without=SegDataModule.__mro__)

    # What the trainer calls

    def setup(self, stage: str | None = None) -> None:
        """Prepare every case of the stage (fit: of all splits) that the trainer uses: a bad file is found at once.

        Raises:
            DataError: The index, the splits or a file are not as documented.
            ConfigError: The batches cannot fit into the memory.
        """
        if stage in (None, "fit"):
            check_training_fits(self.patch, self.batch_size, self.num_workers)
        splits = _STAGE_SPLITS.get(stage or "fit", SPLITS)
        for split in splits:
            self.text_source.for_split(split)
        sizes = (self.batch_size, self._share.evaluation_batch(self.batch_size, self.card.spatial_dims))
        how = (self.epoch_samples, sizes, self.seed, self._share)
        used = {split: used_cases(split, self.cases_of(split), *how) for split in SPLITS}
        self.prepared_cases.choose(list(chain(*used.values())), list(chain(*map(self.cases_of, SPLITS))))
        cases = [case for split in splits for case in used[split]]
        log.info("%s: %d cases to prepare or to find prepared", self.name, len(cases))
        for case in track(cases, "preparing case"):
            self.prepared_cases.prepare(case)

    def train_dataloader(self) -> DataLoader[Any]:
        """Numbered draws; `set_epoch` of the sampler selects the next draws."""
        text = self.text_source.for_split("train")
        wider = margin(self.augment, self.patch)
        cases = self.index.cases_of("train")
        dataset = TrainingSet(cases, self.prepared, self.patch, self.seed, text, wider, self.foreground_share)
        return training_loader(dataset, self.epoch_samples, self.batch_size, self.num_workers, self._share)

    def val_dataloader(self) -> DataLoader[Any]:
        """Every validation case, or `val_cases` of them, exactly once over the ranks."""
        return self._evaluation("val")

    def test_dataloader(self) -> DataLoader[Any]:
        """Every test case exactly once over the ranks."""
        return self._evaluation("test")

    def predict_dataloader(self) -> DataLoader[Any]:
        """The test cases."""
        return self._evaluation("test")

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Move the tensors. Lightning's own function fails on the frozen dataclasses in `native`."""
        return move_tensors(batch, device)

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Augment a training batch (one that has draws) on the device."""
        if self.augment == "none" or "draw" not in batch:
            return batch
        return augment(batch, self.seed, self.flips, self.augment, self.patch)

    def _evaluation(self, split: str) -> DataLoader[Any]:
        return self._loader(self.cases_of(split), self.text_source.for_split(split), split)

    def _loader(self, cases: Sequence[Case], text: SplitText, split: str) -> DataLoader[Any]:
        dataset = EvaluationSet(cases, self.prepared, self.labels.exclusive, text)
        size = self._share.evaluation_batch(self.batch_size, self.card.spatial_dims)
        return evaluation_loader(dataset, size, self.num_workers, self._share, split)

    @property
    def _share(self) -> ProcessShare:
        return ProcessShare.of(self.trainer)
