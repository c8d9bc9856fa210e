"""The stored summary of the training cases of a split: where it is, whether it is current, and what measures it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from datamodules.index.cases import FOLDS
from datamodules.loading.cache import entry_key
from zoo.planner.files import Origin, read_summary
from zoo.planner.summary import DatasetSummary
from zoo.utils.hashing import hash_json

if TYPE_CHECKING:
    from datamodules.bases.base import SegDataModule

VERSION = 1
"""Version of what is measured; a summary of another version is stale."""


def load_summary(data: SegDataModule) -> DatasetSummary:
    """Read the stored summary of the training cases of a data set.

    Raises:
        DataError: There is none, or it is stale; the message has the command that measures again.
    """
    return read_summary(origin_of(data), stats_command(data))


def origin_of(data: SegDataModule) -> Origin:
    """The split of a data set, with the state of the files of its training cases as they are now."""
    cases = data.index.cases_of("train")
    common = {"version": VERSION, "labels": data.labels.to_dict(), "reader": repr(data.reader)}
    states = {}
    for case in cases:
        paths = [*case.images, *([case.label] if case.label else [])]
        files = [file for path in paths for file in data.reader.files(path)]
        states[str(case.key)] = entry_key(files, {**common, "crop_above": data.preprocessing_of(case).crop_above})
    if data.card.embedded:  # no file: the options make the grid, which the first case shows
        geometry = data.load(cases[0]).geometry
        states["grid"] = hash_json([geometry.crop, geometry.spacing])
    return Origin(data.name, data.protocol, data.fold, data.split_hash, hash_json(states))


def stats_command(data: SegDataModule) -> str:
    """The command that measures the training cases of a data set, with the options that choose its split."""
    options = data.split_options
    words = ["zoo", "data", "stats", data.name, *(["--root", data.root] if data.root else [])]
    words += ["--protocol", data.protocol]
    words += [] if data.fold is None else ["--fold", str(data.fold)]
    words += [] if data.fold is None or options.folds == FOLDS else ["--data.folds", str(options.folds)]
    words += [] if options.file is None else ["--data.split", str(options.file.path)]
    words += [] if options.train_share == 1 else ["--data.train_share", f"{options.train_share:g}"]
    return shlex.join(words)
