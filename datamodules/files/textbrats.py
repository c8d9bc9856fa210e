"""The texts and the lists that TextBraTS adds to the training data of BraTS 2020.

`<case>_flair_text.txt` is one text per case, in the folder of the images or in a folder of its own; the features beside
it (`.npy`, of BioBERT) are not read. `Train.json` and `Test.json` name the cases under the key `training`, each with a
`fold`: in `Train.json` 1 is train and 0 is val, in `Test.json` 0 is test. Lists and rules were read in
github.com/Jupitern52/TextBraTS; the texts were not at hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from datamodules.files.caption_tables import collect_or_raise
from datamodules.files.nifti_layout import read_listing
from datamodules.index.case_names import normalise_name
from zoo.errors import DataError
from zoo.types import Case
from zoo.utils.text_files import read_text

END = "_flair_text.txt"
"""What follows the name of a case in the name of its text."""

FOLDS: Mapping[str, Mapping[int, str]] = {"Train.json": {1: "train", 0: "val"}, "Test.json": {0: "test"}}
"""The split by list and fold."""

_RELEASE = "Get it from https://github.com/Jupitern52/TextBraTS"


def add_texts(folder: Path, cases: Sequence[Case], lists: Mapping[str, Sequence[str]] | None) -> list[Case]:
    """Give each case its text.

    Args:
        folder: The folder of the data set, which is searched for texts.
        cases: The labelled cases.
        lists: The names of the cases by split; None for all cases.

    Returns:
        The cases of the lists in their order, also those without a file; without lists, all cases. A case without a
        text has the report None.

    Raises:
        DataError: No case has a text, two texts of a case differ, or a text is not Unicode.
    """
    texts = _find_texts(folder)
    if not any(case.case_id in texts for case in cases):
        problem = f"{folder}: no text for its {len(cases)} cases, such as {cases[0].case_id}{END}."
        fix = "Put the folder TextBraTSData of the release into it, beside the cases of BraTS 2020."
        raise DataError(problem, fix, "caption_missing")
    found = {case.case_id: case for case in cases}
    names = found if lists is None else [name for split in lists.values() for name in split]
    return [
        replace(found[name], report=_read_report(texts.get(name))) if name in found else _absent_case(folder, name)
        for name in names
    ]


def read_lists(folder: Path) -> dict[str, list[str]]:
    """Read the names of the cases of each split from `Train.json` and `Test.json`, in `folder` or one folder below it.

    Raises:
        DataError: A list is missing or has another form, or names a case twice.
    """
    splits: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    places: dict[str, str] = {}
    for file, folds in FOLDS.items():
        path = _find_list(folder, file)
        entries = read_listing(path, "TextBraTS", f"{_RELEASE} again.").get("training")
        if not isinstance(entries, list):
            raise DataError(f"{path}: no list `training`.", f"{_RELEASE} again.", "unreadable")
        for number, entry in enumerate(entries):
            place = f"{path}: training[{number}]"
            name, fold = _read_entry(place, entry, folds)
            if name in places:
                problem = f"{place}: {name} is also {places[name]}."
                raise DataError(problem, "Name each case once.", "case_twice")
            places[name] = f"training[{number}] of {path.name}"
            splits[folds[fold]].append(name)
    return splits


def _read_entry(place: str, entry: Any, folds: Mapping[int, str]) -> tuple[str, int]:
    """The name of the case and the fold of an entry: the folder of the label names the case."""
    given = entry if isinstance(entry, dict) else {}
    label, fold = given.get("label"), given.get("fold")
    if not isinstance(label, str) or not PurePosixPath(label).parent.name:
        raise DataError(f"{place} has no `label` CASE/CASE_seg.nii.gz.", f"{_RELEASE} again.", "unreadable")
    if type(fold) is not int or fold not in folds:
        known = " or ".join(str(one) for one in folds)
        raise DataError(f"{place}: `fold` is {fold!r}, not {known}.", f"{_RELEASE} again.", "unreadable")
    return normalise_name(PurePosixPath(label).parent.name), fold


def _find_list(folder: Path, name: str) -> Path:
    """A list in the folder or one folder below it.

    Raises:
        DataError: There is none, or several.
    """
    found = [path for path in (folder / name, *sorted(folder.glob(f"*/{name}"))) if path.is_file()]
    if not found:
        fix = f"{_RELEASE}, or choose --data.protocol by_subject."
        raise DataError(f"{folder / name}: no such file.", fix, "missing_file")
    if len(found) > 1 and any(path.read_bytes() != found[0].read_bytes() for path in found):
        raise DataError(f"{found[1]}: differs from {found[0]}.", "Remove one of them.")
    return found[0]


def _find_texts(folder: Path) -> dict[str, list[Path]]:
    """The texts below a folder by the name of their case. A merged copy of a text is allowed."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob(f"*{END}")):
        if not path.name.startswith("."):
            found.setdefault(normalise_name(path.name.removesuffix(END)), []).append(path)
    return found


def _read_report(paths: Sequence[Path] | None) -> str | None:
    """The text of a case on one line; None without a file.

    Raises:
        DataError: A file cannot be read, or two files differ. Inside of `caption_faults`, the fault is collected.
    """
    texts: dict[str, Path] = {}
    for path in paths or ():
        try:
            texts.setdefault(" ".join(read_text(path).split()), path)
        except (OSError, ValueError) as error:
            collect_or_raise(DataError(f"{path}: {error}.", "Save it as UTF-8, or get it again.", "caption_table"))
    if len(texts) > 1:
        first, second = list(texts.values())[:2]
        collect_or_raise(DataError(f"{second}: differs from {first}.", "Remove one of them.", "caption_doubled"))
    return next(iter(texts), None)


def _absent_case(folder: Path, name: str) -> Case:
    """A case that a list names and that has no file; the checks report its files."""
    image = folder / name / f"{name}_flair.nii.gz"
    return Case(name, (image,), image.with_name(f"{name}_seg.nii.gz"), subject=name, report="")
