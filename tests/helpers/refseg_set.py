"""A small replica of M3D-RefSeg, with the traps of its files."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

from tests.helpers.volume_sets import labelled, save

HEADER = ("Image", "Mask", "Mask_ID", "Question_Type", "Question", "Answer")
SIDES = {1: "left", 2: "right", 5: "lower"}
"""Value of a region to a word of its note."""

SHARED = "s0006"
"""A case of both tables."""


def make_m3d_refseg(folder: Path, train: int = 7, test: int = 3) -> Path:
    """Write tables and cases with three regions each; return the folder of the tables.

    The last case of the training table is in the test table as well, with another region.
    """
    root = folder / "M3D-RefSeg"
    tables: dict[str, list[tuple[str, ...]]] = {"train": [], "test": [], "all": []}
    for number in range(train + test - 1):
        name = f"s{number:04d}"
        image, label = labelled((22, 24, 16), SIDES, number)
        home = root / "M3D_RefSeg" / name
        save(home / "ct.nii.gz", image, (3.0, 3.0, 4.0))
        save(home / "mask.nii.gz", label, (3.0, 3.0, 4.0))
        notes = {str(value): f"A dense focus in the {side} part." for value, side in SIDES.items()}
        (home / "text.json").write_text(json.dumps(notes), encoding="utf-8")
        for value, side in SIDES.items():
            parts = ["train" if number < train else "test"]
            parts = ["train" if value < 5 else "test"] if name == SHARED else parts
            for part in (*parts, "all"):
                tables[part] += _rows(name, value, side)
    for part, rows in tables.items():
        write_table(root / f"M3D_RefSeg_{part}.csv", rows)
    return root


def write_table(path: Path, rows: Sequence[tuple[str, ...]]) -> Path:
    """Write a table with its header."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([HEADER, *rows])
    return path


def _rows(name: str, value: int, side: str) -> list[tuple[str, ...]]:
    files = (f"{name}/ct.nii.gz", f"{name}/mask.nii.gz", str(value))
    return [
        (*files, "1", "What may be a calcification? Please segment it.", "It is [SEG], because it is dense."),
        (*files, "0", f"Where is the focus of the {side} part?", "Sure, it is [SEG]."),
        (*files, "0", f"Can you segment the {side}, dense focus?", "Sure, it is [SEG]."),
    ]
