"""Splits as JSON: those that come with the sets, and a file of the user's in place of a protocol.

`configs/splits/<set>.json` holds for each protocol its three parts, five folds by subject and where they
come from. A set that is at hand as a whole is parted as its file says, so that no change of a random
generator ever parts it otherwise; a part of a set is cut by the same rules anew.

`zoo data split NAME --out FILE.json` writes any set's parts, and `--data.split FILE.json` reads them:

    {"data": "acdc", "protocol": "mine", "train": [ids], "val": [ids], "test": [ids]}

or, in place of the three, `"folds": [{"train": [...], "val": [...], "test": [...]}, ...]`, of which `--data.fold`
chooses. `leaks: true` declares that subjects may stand in several parts; `subjects` and `hash` are checked
where they are there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from datamodules.index.splits import SPLITS, Split, cut_fold, fold_name, make_split
from zoo.errors import ConfigError, DataError
from zoo.registry import CONFIGS
from zoo.types import Case

Parts = Mapping[str, Sequence[str]]
_FIX = "Write it with `zoo data split NAME --out FILE.json`."


@dataclass(frozen=True)
class SplitFile:
    """A user's split.

    Attributes:
        path: The file.
        content: What stands in it, its form checked.
    """

    path: Path
    content: Mapping[str, Any]

    @property
    def protocol(self) -> str:
        """The name by which its results go."""
        return str(self.content["protocol"])

    def protocol_among(self, protocols: Iterable[str]) -> str | None:
        """The protocol of a card that the file was made from, of which it may be a fold; None where there is none."""
        return next(
            (one for one in protocols if self.protocol == one or self.protocol.startswith(f"{one}, fold ")), None
        )

    @property
    def leaks(self) -> bool:
        """Whether it declares that subjects stand in several parts."""
        return bool(self.content.get("leaks", False))

    def split_cases(self, data: str, cases: Sequence[Case], fold: int | None = None) -> Split:
        """The parts, checked against a set.

        Args:
            data: The set's name.
            cases: Its cases.
            fold: Which of the file's folds, from 0; None where it has none.

        Raises:
            ConfigError: A fold is wanted of a file without folds, or none of one with.
            DataError: The file is another set's, names a case that is not there or twice, has an empty part, has
                another subject for a case, or was changed after it was written.
        """
        self._check_set(data, cases)
        folds = self.content.get("folds")
        if (folds is None) != (fold is None) or (folds is not None and not 0 <= (fold or 0) < len(folds)):
            held = f"{len(folds)} folds" if folds is not None else "no folds"
            asked = f"--data.fold {fold}" if fold is not None else "no --data.fold"
            way = "Leave it out." if folds is None else f"Give --data.fold, 0 to {len(folds) - 1}."
            raise ConfigError(f"{self.path}: {held} in it, and {asked}.", way)
        parts = self.content if folds is None else folds[fold]
        name = self.protocol if fold is None else fold_name(self.protocol, fold, len(folds or ()))
        try:
            split = make_split(name, {part: parts[part] for part in SPLITS}, cases)
        except DataError as error:
            raise DataError(f"{self.path}: {error}") from error
        if parts.get("hash") not in (None, split.hash):
            raise DataError(f"{self.path}: changed after it was written ({name}).", "Remove its `hash`, if you did so.")
        return split

    def _check_set(self, data: str, cases: Sequence[Case]) -> None:
        if self.content.get("data", data) != data:
            raise DataError(f"{self.path}: a split of '{self.content['data']}', not of '{data}'.", _FIX)
        subjects = {case.case_id: case.subject for case in cases}
        every = [parts[part] for parts in self.content.get("folds", [self.content]) for part in SPLITS]
        lost = sorted({case_id for ids in every for case_id in ids} - subjects.keys())
        if lost:
            shown = ", ".join(lost[:5])
            raise DataError(f"{self.path}: {len(lost)} cases are not in {data}: {shown}.", "Mend it, or get them.")
        for case_id, subject in self.content.get("subjects", {}).items():
            if subjects.get(case_id, subject) != subject:
                raise DataError(
                    f"{self.path}: case {case_id} is of {subject}, but of {subjects[case_id]} in {data}.", _FIX
                )


def read_split_file(path: Path) -> SplitFile:
    """A user's split file.

    Raises:
        ConfigError: It cannot be read or has another form than the module's docstring says.
    """
    path = path.expanduser()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"--data.split {path}: not a readable JSON file: {error}.", _FIX) from error
    whole = isinstance(content, dict) and isinstance(content.get("protocol"), str) and content["protocol"].strip()
    folds = content.get("folds", [content]) if whole else None
    if not whole or not isinstance(folds, list) or not folds or not all(_has_parts(parts) for parts in folds):
        raise ConfigError(f"--data.split {path}: no `protocol` with train, val and test as lists of case ids.", _FIX)
    if "folds" in content and any(part in content for part in SPLITS):
        raise ConfigError(f"--data.split {path}: both folds and parts in it.", "Keep one of them.")
    if not isinstance(content.get("subjects", {}), dict):
        raise ConfigError(f"--data.split {path}: `subjects` is no mapping of case ids to subjects.", _FIX)
    return SplitFile(path, content)


def to_content(data: str, splits: Sequence[Split], protocol: str, source: str) -> dict[str, Any]:
    """What a split file holds.

    Args:
        data: The set's name.
        splits: One split, or all folds of a protocol.
        protocol: Its name, without a fold's number where there are several.
        source: Where the parts come from.
    """
    content: dict[str, Any] = {"data": data, "protocol": protocol, "source": source}
    if any(split.leaks() for split in splits):
        content["leaks"] = True
    entries = [{**{part: list(split.ids_of(part)) for part in SPLITS}, "hash": split.hash} for split in splits]
    content |= entries[0] if len(splits) == 1 else {"folds": entries}
    return {**content, "subjects": dict(sorted(splits[0].subjects.items()))}


def to_text(content: Any, indent: str = "") -> str:
    """JSON with every list of ids and every mapping to strings on one line, so that a part can be compared by eye."""
    if isinstance(content, dict) and not all(isinstance(value, str) for value in content.values()):
        rows = [f"{indent} {json.dumps(key)}: {to_text(value, indent + ' ')}" for key, value in content.items()]
        return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
    if isinstance(content, list) and content and isinstance(content[0], dict):
        rows = [f"{indent} {to_text(value, indent + ' ')}" for value in content]
        return "[\n" + ",\n".join(rows) + f"\n{indent}]"
    return json.dumps(content, ensure_ascii=False)


def as_shipped(name: str, split: Split) -> Split:
    """A protocol's parts from the set's own file, where that has them for just these cases; else as they are."""
    entry = _shipped(name).get(split.protocol)
    return _replaced(split, entry) if entry and _of_same_cases(split, entry) else split


def shipped_fold(name: str, split: Split, fold: int, folds: int, keep_test: bool) -> Split:
    """A fold from the set's own file, where that has it for just these cases; else by `cut_fold`.

    Args:
        name: The set's name.
        split: The protocol's parts.
        fold: Which fold, from 0.
        folds: How many.
        keep_test: See `cut_fold`.

    Raises:
        ConfigError, DataError: As `cut_fold`.
    """
    cut = cut_fold(split, fold, folds, keep_test)
    entry = _shipped(name).get(split.protocol)
    if not entry or not _of_same_cases(split, entry) or len(entry.get("folds", ())) != folds:
        return cut
    return _replaced(cut, entry["folds"][fold])


@cache
def _shipped(name: str) -> Mapping[str, Any]:
    """The protocols of `configs/splits/<name>.json`; empty where there is no such file."""
    path = CONFIGS / "splits" / f"{name}.json"
    if not path.is_file():
        return {}
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _of_same_cases(split: Split, entry: Parts) -> bool:
    return {case_id for part in SPLITS for case_id in entry[part]} == split.subjects.keys()


def _replaced(split: Split, parts: Parts) -> Split:
    train, val, test = (tuple(parts[part]) for part in SPLITS)
    return replace(split, train=train, val=val, test=test)


def _has_parts(parts: Any) -> bool:
    return isinstance(parts, dict) and all(
        isinstance(parts.get(part), list) and all(isinstance(name, str) for name in parts[part]) for part in SPLITS
    )
