"""Split lists of SAT-DS (github.com/zhaoziheng/SAT-DS), which name patients or files in place of our cases.

`data/split_json/<set>.json` is {"train": [names], "val": [], "test": [names]}, beside an `id_loc` that is not used. A
name comes once per sample, so that four MR sequences of a patient are four entries. `data/jsonl/<set>.jsonl` has one
sample per line, with `patient_id` and `official_split`; most sets have one official split only.

What the 80 published lists have, and what is done here:

- The file name of an image, with its suffix, the name of a case or the folder of a patient: each finds its cases.
- The file name of a label (MM-WHS): left out, because it is no `patient_id` of SAT-DS.
- A name in both lists (BraTS2020, BraTS2021, MSD_BrainTumour, MSD_Prostate): train, as the code of SAT-DS decides.
- A subject in both lists under two names (visits in BraTS2023): it stays, and results are marked as leaking.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from datamodules.index.case_names import nifti_stem
from zoo.errors import ConfigError, DataError
from zoo.types import Case

JSONL = ".jsonl"

_PARTS = {"train": "train", "test": "test", "valid": "test"}
"""The list by `official_split`: a published validation part is tested, because a test part without labels is absent."""
_FIX = "Give data/split_json/<set>.json of SAT-DS."
log = logging.getLogger(__name__)


def is_list(content: Any) -> bool:
    """Whether the content of a JSON file is a split list of SAT-DS: no `protocol`, and `val` is empty."""
    if not isinstance(content, dict) or "protocol" in content or content.get("val") != []:
        return False
    return all(isinstance(content.get(key), list) for key in ("train", "test"))


def to_content(path: Path, content: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a split list in our form, still with the names of SAT-DS.

    Raises:
        ConfigError: A list is empty or holds something else than names.
    """
    lists = {}
    for key in ("train", "test"):
        names = content[key]
        wrong = next((number for number, name in enumerate(names) if not _is_name(name)), None)
        if wrong is not None or not names:
            problem = f"{key}[{wrong}] is {names[wrong]!r}, not a name" if wrong is not None else f"`{key}` is empty"
            raise ConfigError(f"--data.split {path}: {problem}.", _FIX)
        lists[key] = list(dict.fromkeys(names))
    return {"protocol": f"sat_{path.stem}", "leaks": True, **lists}


def read_samples(path: Path, text: str) -> dict[str, Any]:
    """The content of a `.jsonl` in our form: its official splits.

    Raises:
        ConfigError: A line has another form, the file has several data sets, or it has no official test split.
    """
    lists: dict[str, list[str]] = {"train": [], "test": []}
    sets: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            sample = json.loads(line)
        except ValueError as error:
            raise ConfigError(f"--data.split {path}: line {number} is no JSON: {error}.", _FIX) from error
        given = sample if isinstance(sample, dict) else {}
        name, part = given.get("patient_id"), given.get("official_split")
        if not isinstance(name, str) or not _is_name(name) or not isinstance(part, str):
            raise ConfigError(f"--data.split {path}: line {number} lacks `patient_id` or `official_split`.", _FIX)
        sets.setdefault(str(given.get("dataset", "")), number)
        if part in _PARTS:
            lists[_PARTS[part]].append(name)
    if len(sets) > 1:
        second, line_number = list(sets.items())[1]
        problem = f"line {line_number} is of '{second}', earlier lines of '{next(iter(sets))}'"
        raise ConfigError(f"--data.split {path}: {problem}.", "Give the file of one data set.")
    empty = next((key for key, names in lists.items() if not names), None)
    if empty is not None:
        raise ConfigError(f"--data.split {path}: no line has the `official_split` {empty}.", _FIX)
    return {**to_content(path, lists), "protocol": f"sat_{path.stem}_official"}


def to_case_ids(path: Path, content: Mapping[str, Any], cases: Sequence[Case]) -> dict[str, Any]:
    """The content with our case ids in place of the names of SAT-DS.

    Raises:
        DataError: A name belongs to no case.
    """
    owners, labels = _owners(cases), {nifti_stem(case.label) for case in cases if case.label is not None}
    found: dict[str, list[str]] = {}
    unknown: list[str] = []
    for key in ("train", "test"):
        ids: dict[str, None] = {}
        for name in content[key]:
            stem = nifti_stem(Path(name))
            if stem in owners:
                ids.update(dict.fromkeys(owners[stem]))
            elif stem not in labels:
                unknown.append(name)
        found[key] = list(ids)
    if unknown:
        problem = f"{path}: {len(unknown)} names fit no case at hand: {', '.join(unknown[:5])}."
        raise DataError(problem, "Give the list of this data set, or get these cases.", "split")
    both = sorted(set(found["train"]) & set(found["test"]))
    if both:
        shown = ", ".join(both[:5])
        log.warning("%s: %d cases are in both lists, and stay in train as in SAT-DS: %s", path, len(both), shown)
    return {**content, **found, "test": [case_id for case_id in found["test"] if case_id not in set(both)]}


def _owners(cases: Sequence[Case]) -> dict[str, list[str]]:
    """The case ids by each name of a case: its id, its images, its subject, and the folders of its subject alone."""
    folders: dict[str, set[str]] = {}
    parts = {case.case_id: list(_folders_below(case, _common_folder(cases))) for case in cases}
    for case in cases:
        for part in parts[case.case_id]:
            folders.setdefault(part, set()).add(case.subject)
    levels: list[dict[str, list[str]]] = [{}, {}, {}, {}]
    for case in cases:
        own = [part for part in parts[case.case_id] if len(folders[part]) == 1]
        for level, names in zip(levels, ([case.case_id], _stems(case.images), [case.subject], own), strict=True):
            for name in dict.fromkeys(names):
                level.setdefault(name, []).append(case.case_id)
    return {**levels[3], **levels[2], **levels[1], **levels[0]}


def _stems(paths: Iterable[Path]) -> list[str]:
    return [nifti_stem(path) for path in paths]


def _common_folder(cases: Sequence[Case]) -> Path:
    images = [str(case.images[0].parent) for case in cases if case.images]
    return Path(os.path.commonpath(images)) if images else Path()


def _folders_below(case: Case, top: Path) -> Iterable[str]:
    """The names of the folders between a common folder and the first image of a case."""
    if case.images and case.images[0].is_relative_to(top):
        yield from (nifti_stem(Path(part)) for part in case.images[0].relative_to(top).parts[:-1])


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and bool(nifti_stem(Path(name)))
