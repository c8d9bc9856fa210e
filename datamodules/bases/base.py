"""The base of every data set: it has a card, an index of cases, prepared arrays and loaders.

The file of a data set says where its cases are (`list_cases`), how they are split (`split_cases`) and how an image is
prepared (`preprocessing`). An embedded data set overrides `load` and needs no disk.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from datamodules.augment import augment, margin
from datamodules.bases.described import DescribedData
from datamodules.bases.memory import check_training_fits
from datamodules.bases.options import check_options, check_wordings
from datamodules.bases.stored_summary import load_summary
from datamodules.index.card import DataCard
from datamodules.index.cases import FOLDS, split_options
from datamodules.index.split_files import read_split_file
from datamodules.index.splits import SPLITS
from datamodules.loading.cache import preparing_code
from datamodules.loading.datasets import FOREGROUND_SHARE, EvaluationSet, TrainingSet
from datamodules.loading.last_used import LastUsed
from datamodules.loading.loaders import ProcessShare, evaluation_loader, move_tensors, training_loader, used_cases
from datamodules.loading.prepared_cases import PreparedCases
from datamodules.loading.text_source import SplitText
from zoo.errors import ConfigError
from zoo.planner.summary import DatasetSummary
from zoo.preprocessing.apply import PreparedCase, add_label, load_image, load_label
from zoo.preprocessing.spec import PreprocessingSpec
from zoo.preprocessing.undo import ras_shape
from zoo.registry import DATA
from zoo.settings import cache_root
from zoo.types import Batch, Case, Geometry, InstanceFacts
from zoo.utils.activity import track
from zoo.utils.renamed import reject_old_names

log = logging.getLogger(__name__)

RENAMED = {"index": "list_cases", "cut": "split_cases", "recipe": "preprocessing", "recipe_of": "preprocessing_of"}

_STAGE_SPLITS = {"fit": SPLITS, "validate": ("val",), "test": ("test",), "predict": ("test",)}


class SegDataModule(DescribedData):
    """A data set. A subclass sets `name`, which finds its card.

    Args:
        root: Folder of the data set; default `$ZOO_DATA/<folder name>`. An embedded data set needs none.
        patch: Size of a training patch in the order of the image axes. A 2-D image is resized to it.
        batch_size: Samples per batch over all devices, a multiple of their number.
        epoch_samples: Training samples between two validations.
        num_workers: Threads that make batches ahead; 0 makes them in the main thread. They change no draw.
        protocol: Name of the protocol; default the first of the card.
        text: Text control of val and test: one of `zoo.text.controls.CONTROLS`.
        seed: Seed of the training draws and of shuffled and rewritten text, not of the split.
        augment: Augmentation of training batches (`datamodules.augment`): "none", "light", "full" or "elastic".
        train_share: Share of the train split that is used, from its first case on.
        fold: Number of the fold that is the test split, from 0; None for the splits of the protocol.
        folds: Number of folds of a k-fold by subject; default 5.
        split: A JSON file with splits (`datamodules.index.split_files`); `fold` chooses one of its folds.
        val_cases: Most val cases that are validated, at even distances in the order of the ids; None for all.
        foreground_share: Share of the training patches around a foreground voxel, in [0, 1].
        wordings: Number of further wordings of each class (`configs/wordings`) that training draws among, beside its
            sentence; the text control "paraphrase" then reads the others. None for none.

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
        wordings: int | None = None,
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
        if fold is not None and self.card.labelled == "partial":
            problem = f"--data.fold {fold}: the training labels of {self.name} are partial: no score can use them."
            raise ConfigError(problem, "Leave out --data.fold: the protocols report complete labels.")
        given = (batch_size, epoch_samples, augment, text, num_workers, val_cases, foreground_share)
        check_options(self.card, tuple(patch), *given)
        check_wordings(self.card, wordings)
        self.foreground_share, self.wordings = foreground_share, wordings
        self.query_images: LastUsed[PreparedCase] = LastUsed()
        self._geometries: LastUsed[Geometry] = LastUsed()

    def load(self, case: Case) -> PreparedCase:
        """Read and prepare a case without the cache. The queries of an image share its array.

        Raises:
            DataError: A file is not as the card describes it; the message begins with the file.
        """
        make = partial(self.load_image, case)
        image = self.query_images.get(case.case_id, make) if case.query else make()
        native = self.load_label(case, image.geometry)
        return image if native is None else add_label(image, native)

    def load_image(self, case: Case) -> PreparedCase:
        """Read and prepare the image of a case, without its label. An embedded data set generates the image here."""
        return load_image(case, self.preprocessing_of(case), self.reader)

    def load_label(self, case: Case, geometry: Geometry) -> NDArray[np.uint8] | None:
        """Read the label of a case on the grid of its file; None where it has none.

        Args:
            case: The case.
            geometry: The geometry of its image.
        """
        return None if case.label is None else load_label(case, geometry, self.labels, self.reader)

    def native_geometry(self, case: Case) -> Geometry:
        """The geometry of the image of a case on the grid of its file. The queries of an image share it."""

        def read() -> Geometry:
            generated = type(self).load_image is not SegDataModule.load_image
            image = self.load_image(case) if generated else load_image(case, PreprocessingSpec(), self.reader)
            full = tuple((0, size) for size in ras_shape(image.geometry))
            return replace(image.geometry, crop=full)

        return self._geometries.get(case.case_id, read) if case.query else read()

    def describe_instances(self, case: Case, geometry: Geometry) -> InstanceFacts:
        """What is known of the instances of a label, for the conventions that count them; by default nothing.

        Args:
            case: The case.
            geometry: The geometry of its image.
        """
        return InstanceFacts()

    def training_summary(self) -> DatasetSummary:
        """What `zoo data stats` has measured of the training cases of the protocol and fold, for the planner.

        Raises:
            DataError: There is no summary, or it is stale; the message has the command that measures again.
        """
        return load_summary(self)

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
        hooks = ("load", "load_image", "load_label")
        inherited = all(getattr(type(self), name) is getattr(SegDataModule, name) for name in hooks)
        own = [] if inherited else [type(self)]
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
        self.query_images.clear()

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
