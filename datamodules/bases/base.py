"""The base of every data set: index, split, prepare, sample, collate.

A set's own file says where its cases lie (`index`), how they are parted (`cut`) and how prepared
(`preprocessing`); what follows from its card and its index stands in `said_by_card` and `indexed`, the rest
here. An embedded set overrides `load` and touches no disk.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import cached_property, partial
from pathlib import Path
from typing import Any, cast

import lightning as L
import torch
from torch.utils.data import DataLoader

from datamodules.augment import PRESETS, augment, margin
from datamodules.index.cases import IndexedSet
from datamodules.index.split_files import SplitFile, read_split_file
from datamodules.index.splits import PARTS
from datamodules.loading.cache import Cache, Entry, entry_key, preparing_code
from datamodules.loading.datasets import EvaluationSet, TrainingSet, collate, make_loader
from datamodules.loading.foreground import list_foreground
from datamodules.loading.samplers import DrawSampler, ExactOnceSampler
from zoo.errors import ConfigError, UnknownNameError
from zoo.io.readers import Reader
from zoo.preprocessing.apply import PreparedCase, load_case
from zoo.preprocessing.spec import PreprocessingSpec
from zoo.registry import DATA
from zoo.settings import cache_root
from zoo.text.controls import CONTROLS, control_classes, control_reports
from zoo.text.laterality import allowed_flips
from zoo.types import Batch, Case, ClassPrompt
from zoo.utils.hashing import hash_json
from zoo.utils.parallel import in_order

log = logging.getLogger(__name__)

RENAMED = {"recipe": "preprocessing", "recipe_of": "preprocessing_of"}

_STAGE_PARTS = {"fit": PARTS, "validate": ("val",), "test": ("test",), "predict": ("test",)}


class SegDataModule(IndexedSet, L.LightningDataModule):
    """A data set of the zoo. Subclasses set `name`, which finds their card.

    Args:
        root: Folder of the set; default `$ZOO_DATA/<name>`. An embedded set needs none.
        patch: Size of a training patch, in the order of the image's axes; for images that are
            resized (2-D sets), the size of the network's grid.
        batch_size: Over all devices; it must be a multiple of their number.
        epoch_samples: Training samples between two validations.
        num_workers: Threads that make batches ahead; they change no draw. 0: none, the main thread does.
        protocol: Name of the split; default the card's first.
        text: "true", "shuffled", "blank" or "names": the text of the val, test and predict parts.
        seed: Of the training draws and of the shuffled text; never of the split.
        augment: "none", "light", "full" or "elastic": what training batches go through (`datamodules.augment`).
        train_share: Share of the train part to train on, its first cases; val and test stay whole.
        fold: Fold of a k-fold by subject, from 0, in place of the protocol's parts: it is the test part.
        folds: How many folds; default 5.
        split: A JSON file of parts in place of the protocol's (`datamodules.index.split_files`); `fold` chooses a fold.
    """

    name: str = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Reject a data set that still defines a method under its old name."""
        super().__init_subclass__(**kwargs)
        old = [name for name in RENAMED if name in vars(cls)]
        if old:
            new = ", ".join(f"`{name}` to `{RENAMED[name]}`" for name in old)
            raise ConfigError(f"The data set {cls.__name__} defines methods by their old names.", f"Rename {new}.")

    def __init__(
        self,
        root: str | None = None,
        patch: list[int] = [64, 64],  # noqa: B006  (never changed; the command line needs the type)
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
    ) -> None:
        super().__init__()
        self.root, self.patch, self.seed, self.augment = root, tuple(patch), seed, augment
        self.batch_size, self.epoch_samples, self.num_workers = batch_size, epoch_samples, num_workers
        card = DATA.get(self.name)
        self.name, self.about = card.name, card.about
        self.split_file = None if split is None else read_split_file(Path(split))
        self.protocol = self._known_protocol(protocol or self._protocol_of(self.split_file))
        self.train_share, self.text = train_share, text
        self.fold, self.folds = fold, 5 if folds is None else folds
        if folds is not None and fold is None:
            raise ConfigError(f"--data.folds {folds} without a fold.", "Give --data.fold as well, from 0.")
        if folds is not None and split is not None:
            raise ConfigError(f"--data.folds {folds} beside --data.split.", "The file says how many folds it has.")
        if not 0 < train_share <= 1:
            raise ConfigError(f"--data.train_share {train_share} is no share.", "Give more than 0 and at most 1.")
        if augment not in PRESETS:
            raise UnknownNameError("--data.augment", augment, PRESETS, f"zoo show {self.name}")
        if text not in CONTROLS:
            raise UnknownNameError("--data.text", text, CONTROLS, f"zoo show {self.name}")
        self._check_patch()
        if not 0 < batch_size <= epoch_samples:
            raise ConfigError(
                f"--data.epoch_samples {epoch_samples} holds no batch of {batch_size}.",
                "Raise it to one batch or more.",
            )
        self._keys: dict[str, str] = {}
        self._memory: dict[str, PreparedCase] = {}

    # What a set says of itself

    def preprocessing(self) -> PreprocessingSpec:
        """The preprocessing of the data set; by default, images are only normalised."""
        return PreprocessingSpec()

    def preprocessing_of(self, case: Case) -> PreprocessingSpec:
        """The preprocessing of one case, for data sets with several modalities."""
        return self.preprocessing()

    @cached_property
    def reader(self) -> Reader:
        """How files become arrays; class values that the protocol leaves out become background."""
        return Reader(self.dropped)

    def load(self, case: Case) -> PreparedCase:
        """Read and prepare a case, without the cache; an embedded set generates it here.

        Raises:
            DataError: A file is not what the card says; the message begins with the file.
        """
        return load_case(case, self.preprocessing_of(case), self.labels, self.reader)

    def controls(self) -> dict[str, float]:
        """Reference values of the test part that a table prints beside the models, by name."""
        return {}

    # What follows from it

    def prepared(self, case: Case) -> PreparedCase:
        """A case's arrays: from the cache, or generated and kept in memory where the set is embedded."""
        if self.embedded:
            if case.case_id not in self._memory:
                self._memory[case.case_id] = self._complete(case)
            return self._memory[case.case_id]
        if self._as_one:
            return self._images[case.case_id]
        return self._cache.get(self._key(case), partial(self._complete, case))

    def prepare_all(self, threads: int = 0, progress: Callable[[Iterable[Case]], Iterable[Case]] = iter) -> None:
        """Every case of the index into the cache.

        Args:
            threads: How many cases are worked on at once, and lie in memory; 0 for one.
            progress: Wraps the cases while they are worked on.
        """
        if self._as_one:
            self._open_all(threads, progress)
        else:
            deque(in_order(self.prepared, progress(self.cases.values()), threads), maxlen=0)

    @cached_property
    def _cache(self) -> Cache:
        return Cache(cache_root() / "data" / self.home)

    @property
    def _as_one(self) -> bool:
        """Whether all cases are one entry: images, whatever part, fold or share of them is asked for."""
        return self.about["spatial_dims"] == 2 and not self.embedded

    @cached_property
    def _images(self) -> Entry:
        return self._open_all()

    def _open_all(self, threads: int = 0, progress: Callable[[Iterable[Case]], Iterable[Case]] = iter) -> Entry:
        key = hash_json({case_id: self._key(case) for case_id, case in self.cases.items()})[:32]
        made = in_order(self._complete, progress(self.cases.values()), threads)
        return self._cache.entry(key, lambda: zip(self.cases, made, strict=True))

    def _key(self, case: Case) -> str:
        """The name of what a case's files, recipe and code make, for as long as this object lives."""
        if case.case_id not in self._keys:
            paths = [*case.images, *([case.label] if case.label else [])]
            files = [file for path in paths for file in self.reader.files(path)]
            recipe = {"recipe": asdict(self.preprocessing_of(case)), **self._preparation}
            self._keys[case.case_id] = entry_key(files, recipe)
        return self._keys[case.case_id]

    @cached_property
    def _preparation(self) -> dict[str, Any]:
        """What makes the arrays beside the files and their preprocessing: labels, reader and code."""
        own = [] if type(self).load is SegDataModule.load else [type(self)]
        code = preparing_code([type(self.reader), *own], without=SegDataModule.__mro__)
        return {"labels": self.labels.to_dict(), "reader": repr(self.reader), "code": code}

    def _complete(self, case: Case) -> PreparedCase:
        """A freshly loaded case with its foreground listed."""
        prepared = self.load(case)
        if prepared.foreground is not None or prepared.label is None:
            return prepared
        names = len(self.labels.names)
        return prepared._replace(foreground=list_foreground(prepared.label, self.labels.exclusive, names))

    # What the trainer calls

    def setup(self, stage: str | None = None) -> None:
        """Check and prepare every case of the stage (fit: of all parts), so that a bad file ends it here.

        Raises:
            DataError: As `cases`, `split` and `load`.
        """
        parts = _STAGE_PARTS.get(stage or "fit", PARTS)
        for part in parts:
            if part != "train":
                self._text(part)
        cases = self._part_cases(parts)
        log.info("%s: %d cases to prepare or to find prepared", self.name, len(cases))
        for case in cases:
            self.prepared(case)

    def train_dataloader(self) -> DataLoader[Any]:
        """Numbered draws; `set_epoch` of its sampler moves on to the next ones."""
        samples = self.epoch_samples // self.batch_size * self.batch_size
        wider = margin(self.augment, self.patch)
        cases = self._part_cases(["train"])
        dataset = TrainingSet(cases, self.prepared, self.patch, self.seed, self.prompts, wider)
        sampler = DrawSampler(len(dataset), samples, self.seed, *self._rank_world())
        return make_loader(dataset, sampler, self._per_device(), self.num_workers)

    def val_dataloader(self) -> DataLoader[Any]:
        """Every validation case exactly once over the ranks."""
        return self._evaluation("val")

    def test_dataloader(self) -> DataLoader[Any]:
        """Every test case exactly once over the ranks."""
        return self._evaluation("test")

    def predict_dataloader(self) -> DataLoader[Any]:
        """The test cases."""
        return self._evaluation("test")

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Move the tensors; Lightning's own walk would stumble over the frozen facts in `native`."""
        move = {
            key: value.to(device, non_blocking=True) for key, value in batch.items() if isinstance(value, torch.Tensor)
        }
        return cast(Batch, {**batch, **move})

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Augment a training batch (one that has draws) on the device."""
        if self.augment == "none" or "draw" not in batch:
            return batch
        return augment(batch, self.seed, allowed_flips(self.about, self.prompts), self.augment, self.patch)

    # Private

    def _protocol_of(self, file: SplitFile | None) -> str | None:
        """The card's protocol that a split file was made from, whose classes then hold; None where there is none."""
        told = "" if file is None else file.protocol
        return next(
            (name for name in self.about["protocols"] if told == name or told.startswith(f"{name}, fold ")), None
        )

    def _part_cases(self, parts: Iterable[str]) -> list[Case]:
        return [self.cases[case_id] for part in parts for case_id in self.split.part(part)]

    def _text(self, part: str) -> tuple[tuple[ClassPrompt, ...], dict[str, str] | None]:
        """The class prompts and reports that a part's batches carry under the text control."""
        if not self.has_reports:
            return control_classes(self.prompts, self.text, self.seed), None
        own = {case.case_id: case.report or "" for case in self._part_cases([part])}
        without = self.text in ("blank", "names")  # shuffled reports stand beside the true class prompts
        classes = control_classes(self.prompts, self.text) if without else self.prompts
        return classes, control_reports(own, self.text, self.seed, self.labels.names)

    def _evaluation(self, part: str) -> DataLoader[Any]:
        classes, reports = self._text(part)
        dataset = EvaluationSet(self._part_cases([part]), self.prepared, self.labels.exclusive)
        size = 1 if self.about["spatial_dims"] == 3 else self._per_device()
        rank, world = self._rank_world()
        spare = rank >= len(dataset)  # a rank without a case goes through the motions, or the others would wait for it
        sampler = ExactOnceSampler(1) if spare else ExactOnceSampler(len(dataset), rank, world)
        gather = partial(collate, classes=classes, reports=reports, spare=spare)
        return make_loader(dataset, sampler, size, self.num_workers, gather)

    def _rank_world(self) -> tuple[int, int]:
        if self.trainer is None:
            return 0, 1
        return self.trainer.global_rank, self.trainer.world_size

    def _per_device(self) -> int:
        _, world = self._rank_world()
        if self.batch_size % world:
            raise ConfigError(
                f"--data.batch_size {self.batch_size} cannot be divided over {world} devices.",
                "It counts samples over all devices: give a multiple.",
            )
        return self.batch_size // world
