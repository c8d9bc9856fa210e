"""One entry of a leaderboard that others can join, and the folder of all entries.

    leaderboard/<data>/<protocol>/<name>/
        submission.json      what was submitted, with the SHA-256 of each other file and a seal of its own
        README.md            the model card
        plan.json, results/  the jobs, each with its configuration, manifest and rows, as in a benchmark
        label_images/<job>/  the label images, where the terms of the data allow them
        scored_again.json    written by the maintainers, who have scored the label images again

An entry is the folder of a benchmark. So tables, ranking and the comparability check read it as they read any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.storage.layout import read_sealed, write_sealed
from zoo.errors import RunError
from zoo.utils.format import list_some
from zoo.utils.seals import FILES, SEAL, hash_file

VERSION = 1
SUBMISSION, RESCORED, IMAGES = "submission.json", "scored_again.json", "label_images"

_FIX = "Write the entry again with `zoo bench submit`."
_KEYS = ("version", "name", "data", "protocol", "metric_version", "model", "text_track", FILES, IMAGES, SEAL)


@dataclass(frozen=True, slots=True)
class Submission:
    """An entry.

    Attributes:
        folder: Its folder.
        content: The content of `submission.json`.
    """

    folder: Path
    content: Mapping[str, Any]

    @property
    def data(self) -> str:
        """The data set."""
        return str(self.content["data"])

    @property
    def protocol(self) -> str:
        """The protocol, with the number of folds of a k-fold: "by_case", "by_case-5fold"."""
        return str(self.content["protocol"])

    @property
    def name(self) -> str:
        """The name of the entry."""
        return str(self.content["name"])

    @property
    def has_rows(self) -> bool:
        """Whether the entry has the score of each case; without them it cannot be checked."""
        return bool(self.content.get("has_rows", True))

    @property
    def images(self) -> Mapping[str, Mapping[str, str]]:
        """Job to the SHA-256 of each of its label images, by file name."""
        images: Mapping[str, Mapping[str, str]] = self.content[IMAGES].get("files", {})
        return images

    def read_rescoring(self) -> Mapping[str, Any]:
        """Return when and with which commit the maintainers have scored these label images again; empty if never.

        Raises:
            RunError: The file is damaged, or is about other scores.
        """
        path = self.folder / RESCORED
        if not path.is_file():
            return {}
        fix = "Remove it, and score again with `zoo bench check --record`."
        content = read_sealed(path, fix)
        if SEAL not in content or content.get("submission") != self.content[SEAL]:
            raise RunError(f"{path}: it is about another state of this entry.", fix)
        return content

    def record_rescoring(self, facts: Mapping[str, Any]) -> None:
        """Write `scored_again.json`."""
        write_sealed(self.folder / RESCORED, {"submission": self.content[SEAL], **facts})


def read_submission(folder: Path) -> Submission:
    """Read an entry, and compare each file with its SHA-256.

    Raises:
        RunError: A file is missing, was changed, or does not belong to the entry.
    """
    path = folder / SUBMISSION
    content = read_sealed(path, _FIX)
    lacking = [key for key in _KEYS if key not in content]
    if lacking or content["version"] != VERSION:
        raise RunError(
            f"{path}: no entry of a leaderboard: it lacks {', '.join(lacking) or f'version {VERSION}'}.", _FIX
        )
    links = [one.name for one in folder.rglob("*") if one.is_symlink()]
    if links:
        raise RunError(f"{folder}: links: {list_some(sorted(links))}.", "Put the files themselves into the entry.")
    present = {str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file()} - {SUBMISSION, RESCORED}
    files: Mapping[str, str] = content[FILES]
    for problem, names in (("missing", files.keys() - present), ("not of the entry", present - files.keys())):
        if names:
            raise RunError(f"{folder}: {problem}: {list_some(sorted(names))}.", _FIX)
    changed = [name for name, digest in sorted(files.items()) if hash_file(folder / name) != digest]
    if changed:
        raise RunError(f"{folder}: changed since it was submitted: {list_some(changed)}.", _FIX)
    entry = Submission(folder, content)
    if (folder.parent.parent.name, folder.parent.name) != (entry.data, entry.protocol):
        raise RunError(
            f"{folder}: this is an entry for {entry.data}/{entry.protocol}.", "Move it to the folder of that name."
        )
    return entry


def list_entries(board: Path) -> list[Path]:
    """Return the folders of all entries, `<data>/<protocol>/<name>`, sorted.

    Raises:
        RunError: There is no such folder, or a folder where an entry belongs has no `submission.json`.
    """
    if not board.is_dir():
        raise RunError(f"{board}: no such folder.", "Give the folder of a leaderboard.")
    found = sorted(one for one in board.glob("*/*/*") if one.is_dir())
    strange = next((one for one in found if not (one / SUBMISSION).is_file()), None)
    if strange is not None:
        raise RunError(f"{strange}: no {SUBMISSION} here.", _FIX)
    return found
