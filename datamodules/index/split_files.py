"""Splits as JSON files: those of the package, and a file of the user in place of a protocol.

`configs/splits/<data set>.json` holds for each protocol its three splits, five folds by subject and their source. A
complete data set is split as this file says, so that a later version of a random generator cannot change a split. An
incomplete data set is split by the same rules again.

`zoo data split NAME --out FILE.json` writes the splits of any data set, and `--data.split FILE.json` reads them:

    {"data": "acdc", "protocol": "mine", "train": [ids], "val": [ids], "test": [ids]}

In place of the three keys, the file may have `"folds": [{"train": [...], "val": [...], "test": [...]}, ...]`; then
`--data.fold` chooses one. `leaks: true` declares that a subject may be in several splits. `subjects` and `hash` are
checked where the file has them.

nnU-Net's `splits_final.json`, a list of {"train", "val"}, is read too: a fold's `val` is its test split, because the
scores of nnU-Net's cross-validation are those of `val`. Our val split is a tenth of the other subjects. The split lists
of SAT-DS are read too (`datamodules.index.sat_splits`); their val split is empty, so that a tenth of train is val.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from datamodules.index import sat_splits
from datamodules.index.case_names import normalise_name
from datamodules.index.splits import SPLITS, Split, cut_fold, fold_name, hold_out_val, make_split
from zoo.errors import ConfigError, DataError
from zoo.registry import CONFIGS
from zoo.types import Case
from zoo.utils.text_files import read_json, read_text

CaseIds = Mapping[str, Sequence[str]]
"""The case ids of train, val and test."""

_FIX = "Write it with `zoo data split NAME --out FILE.json`."


@dataclass(frozen=True)
class SplitFile:
    """A split file of the user.

    Attributes:
        path: The file.
        content: The content of the file, whose form is checked.
        of_sat: Whether the lists have the names of SAT-DS in place of case ids.
    """

    path: Path
    content: Mapping[str, Any]
    of_sat: bool = False

    @property
    def protocol(self) -> str:
        """Name of the protocol in all results."""
        return str(self.content["protocol"])

    def protocol_among(self, protocols: Iterable[str]) -> str | None:
        """The protocol that the file, or its fold, was made from; None where the card has no such protocol."""
        return next(
            (one for one in protocols if self.protocol == one or self.protocol.startswith(f"{one}, fold ")), None
        )

    @property
    def folds(self) -> int | None:
        """Number of folds in the file; None where it has one split."""
        return len(self.content["folds"]) if "folds" in self.content else None

    @property
    def leaks(self) -> bool:
        """Whether the file declares that a subject is in several splits."""
        return bool(self.content.get("leaks", False))

    def split_cases(self, data: str, cases: Sequence[Case], fold: int | None = None) -> Split:
        """Split cases as the file says.

        Args:
            data: Name of the data set.
            cases: One case per image.
            fold: Number of the fold in the file, from 0; None where the file has no folds.

        Raises:
            ConfigError: A fold is given and the file has none, or the file has folds and none is given.
            DataError: The file belongs to another data set, names an unknown case or a case twice, has an empty split
                or another subject for a case, or was changed after it was written.
        """
        if self.of_sat:
            content = sat_splits.to_case_ids(self.path, self.content, cases)
            return replace(self, content=content, of_sat=False).split_cases(data, cases, fold)
        self._check_cases(data, cases)
        folds = self.content.get("folds")
        if (folds is None) != (fold is None) or (folds is not None and not 0 <= (fold or 0) < len(folds)):
            held = f"{len(folds)} folds" if folds is not None else "no folds"
            asked = f"--data.fold {fold}" if fold is not None else "no --data.fold"
            way = "Leave it out." if folds is None else f"Give --data.fold, 0 to {len(folds) - 1}."
            raise ConfigError(f"{self.path}: {held} in it, and {asked}.", way)
        case_ids = self.content if folds is None else folds[fold]
        name = self.protocol if fold is None else fold_name(self.protocol, fold, len(folds or ()))
        try:
            split = _split_by_ids(name, case_ids, cases)
        except DataError as error:
            raise DataError(f"{self.path}: {error}") from error
        if case_ids.get("hash") not in (None, split.hash):
            raise DataError(
                f"{self.path}: changed after it was written ({name}).", "If you changed it, remove its `hash`."
            )
        return split

    def _check_cases(self, data: str, cases: Sequence[Case]) -> None:
        if self.content.get("data", data) != data:
            raise DataError(f"{self.path}: a split of '{self.content['data']}', not of '{data}'.", _FIX)
        subjects = {case.case_id: case.subject for case in cases}
        for case_ids in self.content.get("folds", [self.content]):
            empty = next((one for one in SPLITS if case_ids.get(one) == []), None)
            if empty:
                raise DataError(f"{self.path}: no case for the {empty} split.", "Name one case or more.", "split")
        every = [case_ids.get(one, ()) for case_ids in self.content.get("folds", [self.content]) for one in SPLITS]
        unknown = sorted({case_id for ids in every for case_id in ids} - subjects.keys())
        if unknown:
            shown = ", ".join(unknown[:5])
            fix = "Correct the file, or get these cases."
            raise DataError(f"{self.path}: {len(unknown)} cases are not in {data}: {shown}.", fix)
        for case_id, subject in self.content.get("subjects", {}).items():
            if subjects.get(case_id, subject) != subject:
                raise DataError(
                    f"{self.path}: case {case_id} is of {subject}, but of {subjects[case_id]} in {data}.", _FIX
                )


def read_split_file(path: Path) -> SplitFile:
    """Read a split file of the user.

    Raises:
        ConfigError: The file cannot be read, or it has another form than the docstring of this module describes.
    """
    path = path.expanduser()
    samples = path.suffix.lower() == sat_splits.JSONL
    try:
        content = read_text(path) if samples else read_json(path)
    except (OSError, ValueError) as error:
        raise ConfigError(f"--data.split {path}: not a readable JSON file: {error}.", _FIX) from error
    content = _with_plain_names(content)
    if samples:
        return SplitFile(path, sat_splits.read_samples(path, content), of_sat=True)
    if isinstance(content, list):
        return SplitFile(path, _from_nnunet(path, content))
    if sat_splits.is_list(content):
        return SplitFile(path, sat_splits.to_content(path, content), of_sat=True)
    has_name = isinstance(content, dict) and isinstance(content.get("protocol"), str) and content["protocol"].strip()
    folds = content.get("folds", [content]) if has_name else None
    if not has_name or not isinstance(folds, list) or not folds or not all(_has_case_ids(one) for one in folds):
        raise ConfigError(f"--data.split {path}: no `protocol` with train, val and test as lists of case ids.", _FIX)
    if "folds" in content and any(split in content for split in SPLITS):
        raise ConfigError(f"--data.split {path}: both `folds` and train, val or test.", "Keep one of them.")
    if not isinstance(content.get("subjects", {}), dict):
        raise ConfigError(f"--data.split {path}: `subjects` does not map case ids to subjects.", _FIX)
    return SplitFile(path, content)


def _split_by_ids(name: str, case_ids: CaseIds, cases: Sequence[Case]) -> Split:
    """Split cases by their ids; without a val split, a tenth of the subjects that are not tested is val."""
    if "val" in case_ids:
        return make_split(name, {one: case_ids[one] for one in SPLITS}, cases)
    used = {*case_ids["train"], *case_ids["test"]}
    return hold_out_val(name, [case for case in cases if case.case_id in used], set(case_ids["test"]))


def _from_nnunet(path: Path, folds: list[Any]) -> dict[str, Any]:
    """The content of nnU-Net's `splits_final.json` in the form of this module.

    Raises:
        ConfigError: A fold has another form, or a case is in both of its lists.
    """
    found = []
    for number, fold in enumerate(folds):
        is_fold = isinstance(fold, dict) and set(fold) == {"train", "val"}
        if not is_fold or not all(_is_list_of_names(ids) for ids in fold.values()):
            problem = f"--data.split {path}: fold {number} is not {{train, val}} with lists of case ids."
            raise ConfigError(problem, f"Give nnU-Net's splits_final.json, or: {_FIX}")
        both = sorted(set(fold["train"]) & set(fold["val"]))
        if both:
            problem = f"--data.split {path}: fold {number} has {both[0]} in train and in val."
            raise ConfigError(problem, "Name each case in one of them.")
        found.append({"train": fold["train"], "test": fold["val"]})
    if not found:
        raise ConfigError(f"--data.split {path}: a list without a fold.", _FIX)
    return {"protocol": path.stem, "folds": found}


def _with_plain_names(entry: Any) -> Any:
    """The content with composed characters in every text, as the case ids of data sets have them."""
    if isinstance(entry, str):
        return normalise_name(entry)
    if isinstance(entry, dict):
        return {normalise_name(str(key)): _with_plain_names(value) for key, value in entry.items()}
    return [_with_plain_names(value) for value in entry] if isinstance(entry, list) else entry


def to_content(data: str, splits: Sequence[Split], protocol: str, source: str) -> dict[str, Any]:
    """Make the content of a split file.

    Args:
        data: Name of the data set.
        splits: The splits of a protocol, or all its folds.
        protocol: Name of the protocol, without the number of a fold.
        source: Where the splits come from.
    """
    content: dict[str, Any] = {"data": data, "protocol": protocol, "source": source}
    if any(split.leaks() for split in splits):
        content["leaks"] = True
    entries = [{**{one: list(split.ids_of(one)) for one in SPLITS}, "hash": split.hash} for split in splits]
    content |= entries[0] if len(splits) == 1 else {"folds": entries}
    return {**content, "subjects": dict(sorted(splits[0].subjects.items()))}


def to_text(content: Any, indent: str = "") -> str:
    """Format as JSON with each list of ids and each mapping to strings on one line, for easy comparison."""
    if isinstance(content, dict) and not all(isinstance(value, str) for value in content.values()):
        rows = [f"{indent} {json.dumps(key)}: {to_text(value, indent + ' ')}" for key, value in content.items()]
        return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
    if isinstance(content, list) and content and isinstance(content[0], dict):
        rows = [f"{indent} {to_text(value, indent + ' ')}" for value in content]
        return "[\n" + ",\n".join(rows) + f"\n{indent}]"
    return json.dumps(content, ensure_ascii=False)


def as_shipped(name: str, split: Split) -> Split:
    """Replace splits by those that the package has for exactly these cases; keep them where it has none."""
    entry = _shipped(name).get(split.protocol)
    return _replaced(split, entry) if entry and _of_same_cases(split, entry) else split


def shipped_fold(name: str, split: Split, fold: int, folds: int, keep_test: bool) -> Split:
    """Make a fold: that of the package where it has the fold for exactly these cases, else by `cut_fold`.

    Args:
        name: Name of the data set.
        split: The splits of the protocol.
        fold: Number of the fold, from 0.
        folds: Number of folds.
        keep_test: See `cut_fold`.

    Raises:
        ConfigError, DataError: As in `cut_fold`.
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


def _of_same_cases(split: Split, entry: CaseIds) -> bool:
    return {case_id for one in SPLITS for case_id in entry[one]} == split.subjects.keys()


def _replaced(split: Split, case_ids: CaseIds) -> Split:
    train, val, test = (tuple(case_ids[one]) for one in SPLITS)
    return replace(split, train=train, val=val, test=test)


def _has_case_ids(entry: Any) -> bool:
    return isinstance(entry, dict) and all(_is_list_of_names(entry.get(one)) for one in SPLITS)


def _is_list_of_names(ids: Any) -> bool:
    return isinstance(ids, list) and all(isinstance(name, str) for name in ids)
