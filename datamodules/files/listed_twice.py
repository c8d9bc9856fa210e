"""Images that the lists of several splits name: each counts once, so that no reported image is trained on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from datamodules.files.caption_tables import collect_or_warn
from zoo.errors import DataError
from zoo.types import Case, CaseKey


def keep_reported(splits: Mapping[str, list[Case]], lists: Mapping[str, Path]) -> dict[str, list[Case]]:
    """Keep the cases of an image in test before val, and in val before train; of two equal cases, keep the first.

    Each case that is left out is noted: `zoo data verify` lists it, and training warns.

    Args:
        splits: The cases of "train", "val" and "test" in the order of their lists.
        lists: The file that lists each split, for messages.
    """
    kept: dict[str, list[Case]] = {}
    owner: dict[str, str] = {}
    for split in sorted(splits, key=("test", "val", "train").index):
        kept[split] = []
        seen: dict[CaseKey, None] = {}
        for case in splits[split]:
            first = owner.setdefault(case.case_id, split)
            if first != split:
                problem = f"{lists[split]}: it names {case.key}, which {lists[first].name} names too."
                fix = f"Nothing is to be done: the image counts for {first} alone."
                collect_or_warn(DataError(problem, fix, "duplicate_across_parts"))
            elif case.key in seen:
                problem = f"{lists[split]}: it names {case.key} twice."
                collect_or_warn(DataError(problem, "Nothing is to be done: the first entry counts.", "caption_doubled"))
            else:
                kept[split].append(case)
            seen.setdefault(case.key)
    return {split: kept[split] for split in splits}
