"""`dataset_summary.json`: the summary of the training cases of one split, with its hash, the split's, and a seal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from zoo.errors import DataError
from zoo.planner.summary import DatasetSummary
from zoo.settings import cache_root
from zoo.utils.atomic_files import write_atomically
from zoo.utils.json_objects import read_object
from zoo.utils.seals import add_seal, is_intact

SUMMARY = "dataset_summary.json"
"""Name of the file."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What a summary was measured of.

    Attributes:
        data: The registered name of the data set.
        protocol: The name of the protocol.
        fold: The fold; None for the splits of the protocol.
        split_hash: The hash of the splits.
        training_hash: The hash of the files of the training cases, and of what is read from them.
    """

    data: str
    protocol: str
    fold: int | None
    split_hash: str
    training_hash: str

    @property
    def path(self) -> Path:
        """The file of the summary, beside the cache of prepared cases."""
        fold = "" if self.fold is None else f"-fold{self.fold}"
        folder = f"{self.protocol}{fold}-{self.split_hash[:12]}"
        return cache_root() / "summaries" / self.data / folder / SUMMARY


def write_summary(summary: DatasetSummary, origin: Origin) -> Path:
    """Write a summary, completely or not at all, and return its file.

    Raises:
        RunError: The file cannot be written.
    """
    content = add_seal({**asdict(origin), "hash": summary.hash, "summary": summary.to_dict()})
    text = json.dumps(content, indent=1) + "\n"
    fix = "Free some space or set ZOO_CACHE."
    write_atomically(origin.path, lambda path: path.write_text(text, encoding="utf-8"), fix=fix)
    return origin.path


def read_summary(origin: Origin, command: str) -> DatasetSummary:
    """Read the summary of a split.

    Args:
        origin: The split and the training files as they are now.
        command: The command that measures the training cases.

    Raises:
        DataError: There is no summary, it was edited, or it is of another split or of other training files.
        RunError: The file is no JSON object.
    """
    path, fix = origin.path, f"Run `{command}`."
    if not path.is_file():
        fold = "" if origin.fold is None else f", fold {origin.fold}"
        where = f"{origin.data} (protocol {origin.protocol}{fold})"
        raise DataError(f"{path}: no summary of the training cases of {where}.", fix)
    content = read_object(path, fix)
    if not is_intact(content):
        raise DataError(f"{path}: was edited or damaged after it was measured.", fix)
    stale = _what_differs(content, origin)
    if stale:
        raise DataError(f"{path}: {stale}.", fix)
    try:
        return DatasetSummary.from_dict(content["summary"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: was written by another version ({error}).", fix) from error


def _what_differs(content: Mapping[str, object], origin: Origin) -> str:
    """What makes a summary stale; empty where nothing does."""
    if content.get("split_hash") != origin.split_hash:
        return "is of another split"
    if content.get("training_hash") != origin.training_hash:
        return "the training cases have changed since it was measured"
    return ""
