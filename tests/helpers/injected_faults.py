"""Functions that damage a clean replica, and the finding of `zoo data verify`: at least one fault of each kind."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from tests.helpers.data_sets import make_hippocampus, write_png
from tests.helpers.file_damage import (
    BRAIN,
    CHEST,
    MASK,
    OWN,
    QATA,
    SCAN,
    TABLE,
    brighter,
    copy_list,
    copy_picture,
    copy_within_train,
    double_row,
    edit,
    flip_byte,
    flip_png_checksum,
    louder,
    move_subject,
    no_affine,
    opposite,
    place,
    replace,
    rows,
    say,
    shifted,
    stray_value,
    truncate,
    turned,
    with_value,
)


class Injected(NamedTuple):
    """A fault: the data set, the function that damages a clean replica, and the finding, which occurs once."""

    data: str
    damage: Callable[[Path], object]
    kind: str
    file: str
    words: str = ""
    options: dict[str, Any] = {}  # noqa: RUF012 - read only


TEST_CHEST, TRAIN_CHEST = "Test/Images/sub-s00012_ses-e12_cr.png", "Train/Images/sub-s00005_ses-e5_cr.png"
T2F = "BraTS-GLI-00002-000-t2f.nii.gz"

INJECTED: dict[str, Injected] = {
    # volumes
    "truncated image": Injected("hippocampus", lambda r: truncate(r / SCAN), "unreadable", SCAN, "truncated"),
    "truncated label": Injected("hippocampus", lambda r: truncate(r / BRAIN), "unreadable", BRAIN),
    "gzip checksum": Injected("hippocampus", lambda r: flip_byte(r / SCAN, -6), "unreadable", SCAN, "CRC"),
    "gzip checksum of a label": Injected("hippocampus", lambda r: flip_byte(r / BRAIN, -6), "unreadable", BRAIN),
    "no NIfTI": Injected("hippocampus", lambda r: (r / SCAN).write_bytes(b"not an image"), "unreadable", SCAN),
    "image missing": Injected("hippocampus", lambda r: (r / SCAN).unlink(), "missing_file", SCAN),
    "label missing": Injected("hippocampus", lambda r: (r / BRAIN).unlink(), "missing_file", BRAIN),
    "NaN": Injected("hippocampus", lambda r: edit(r / SCAN, with_value(np.nan)), "not_finite", SCAN),
    "infinite": Injected("hippocampus", lambda r: edit(r / SCAN, with_value(np.inf)), "not_finite", SCAN),
    "shapes": Injected("hippocampus", lambda r: edit(r / BRAIN, lambda a: a[1:]), "shape_mismatch", BRAIN),
    "origin": Injected(
        "hippocampus", lambda r: place(r / BRAIN, shifted(0, 3, 0)), "affine_mismatch", BRAIN, "origin is 3 mm"
    ),
    "spacing": Injected(
        "hippocampus",
        lambda r: place(r / BRAIN, np.diag([1, 1, 1.1, 1])),
        "affine_mismatch",
        BRAIN,
        "spacing is 1 x 1 x 1.1",
    ),
    "direction": Injected(
        "hippocampus", lambda r: place(r / BRAIN, turned(4)), "affine_mismatch", BRAIN, "direction of an axis is 4 deg"
    ),
    "flipped": Injected(
        "hippocampus", lambda r: place(r / BRAIN, np.diag([-1, 1, 1, 1])), "affine_mismatch", BRAIN, "180 degrees"
    ),
    "axes exchanged": Injected(
        "hippocampus", lambda r: place(r / BRAIN, np.eye(4)[[1, 0, 2, 3]]), "affine_mismatch", BRAIN, "90 degrees"
    ),
    "no affine": Injected("hippocampus", lambda r: no_affine(r / SCAN), "affine_unusable", SCAN),
    "fourth axis": Injected(
        "hippocampus", lambda r: edit(r / SCAN, lambda a: np.stack([a, a], -1)), "dimensions", SCAN, "4-D"
    ),
    "strange value": Injected("hippocampus", lambda r: edit(r / BRAIN, with_value(9)), "label_values", BRAIN, "[9]"),
    "halves": Injected("hippocampus", lambda r: edit(r / BRAIN, with_value(0.5)), "label_not_whole", BRAIN),
    "empty label": Injected("hippocampus", lambda r: edit(r / BRAIN, np.zeros_like), "empty_mask", BRAIN),
    "constant volume": Injected("hippocampus", lambda r: edit(r / SCAN, np.ones_like), "constant_image", SCAN),
    "copied case": Injected("hippocampus", copy_within_train, "duplicate", "imagesTr"),
    "copied case, other scale": Injected(
        "hippocampus", lambda r: copy_within_train(r, louder), "near_duplicate", "imagesTr"
    ),
    "too few cases": Injected(
        "hippocampus",
        lambda r: shutil.copy(make_hippocampus(r.parent / "two", 2) / "dataset.json", r),
        "split",
        "Task04",
    ),
    "channel moved": Injected(
        "brats", lambda r: place(next(r.rglob(T2F)), shifted(1, 0, 0) @ np.diag([-1, 1, 1, 1])), "affine_mismatch", T2F
    ),
    "constant channel": Injected("brats", lambda r: edit(next(r.rglob(T2F)), np.zeros_like), "constant_image", T2F),
    "channel missing": Injected("brats", lambda r: next(r.rglob(T2F)).unlink(), "missing_file", T2F),
    "stray 421": Injected("mmwhs_mr", stray_value, "label_values", "mr_train_1002_label", "[421]"),
    "mask of a slice missing": Injected(
        "chaos",
        lambda r: sorted((r / "MR/3/T2SPIR/Ground").iterdir())[2].unlink(),
        "incomplete_series",
        "MR/3",
        "5 masks",
    ),
    # pictures and captions
    "truncated picture": Injected(QATA, lambda r: truncate(r / CHEST), "unreadable", CHEST),
    "PNG checksum": Injected(QATA, lambda r: flip_png_checksum(r / CHEST), "unreadable", CHEST, "checksum"),
    "picture missing": Injected(QATA, lambda r: (r / CHEST).unlink(), "missing_file", CHEST),
    "mask missing": Injected(QATA, lambda r: (r / MASK).unlink(), "missing_file", MASK),
    "mask of another size": Injected(
        QATA,
        lambda r: Image.open(r / MASK).resize((40, 32), Image.Resampling.NEAREST).save(r / MASK),
        "shape_mismatch",
        MASK,
    ),
    "gray mask": Injected(
        QATA, lambda r: write_png(r / MASK, np.full((32, 32), 7, np.uint8)), "label_values", MASK, "[7]"
    ),
    "empty mask": Injected(QATA, lambda r: write_png(r / MASK, np.zeros((32, 32), np.uint8)), "empty_mask", MASK),
    "black picture": Injected(
        QATA, lambda r: write_png(r / CHEST, np.zeros((32, 32), np.uint8)), "constant_image", CHEST
    ),
    "colour": Injected(OWN, lambda r: None, "dimensions", "p0.jpg", "colour", {"channels": 1}),
    "caption missing": Injected(
        QATA, lambda r: rows(r, lambda lines: [x for x in lines if "s00002" not in x]), "caption_missing", CHEST
    ),
    "caption empty": Injected(QATA, lambda r: say(r, "  "), "caption_empty", CHEST),
    "caption doubled": Injected(
        QATA, lambda r: rows(r, lambda lines: [*lines, lines[1]]), "caption_doubled", TABLE, "comes twice"
    ),
    "caption of nothing": Injected(
        QATA, lambda r: rows(r, lambda lines: [*lines, "mask_gone.png,Text."]), "caption_without_image", "gone.png"
    ),
    "caption of a picture of another part": Injected(
        QATA,
        lambda r: rows(r, lambda lines: [*lines, f"mask_{Path(TEST_CHEST).name},Text."]),
        "caption_without_image",
        f"Train/Images/{Path(TEST_CHEST).name}",
    ),
    "no table": Injected(QATA, lambda r: (r / TABLE).write_bytes(b"\xff\xfe\x00bad"), "caption_table", TABLE),
    "table without its column": Injected(
        QATA, lambda r: rows(r, lambda lines: ["Image,Words", *lines[1:]]), "caption_table", TABLE, "lack"
    ),
    "other side": Injected(
        QATA, lambda r: say(r, f"One infected area, {opposite(r)} lung."), "side_contradiction", CHEST
    ),
    "not bilateral": Injected(QATA, lambda r: say(r, "Bilateral infection."), "side_contradiction", CHEST),
    "caption of nothing beside a mask": Injected(
        QATA,
        lambda r: say(r, "No pulmonary infection, zero infected areas."),
        "absence_contradiction",
        MASK,
        "not empty",
    ),
    "list of another set": Injected(
        "medvlsm_cvc300",
        lambda r: copy_list(r / "cvc300_polyp", r / "colondb_polyp"),
        "captions_of_others",
        "cvc300_polyp/anns/test.json",
        "CVC-ColonDB",
    ),
    "picture of test in train": Injected(
        QATA,
        lambda r: copy_picture(r, TRAIN_CHEST, TEST_CHEST),
        "duplicate_across_parts",
        TEST_CHEST,
        "in test, the same image as",
    ),
    "picture of test in train, brighter": Injected(
        QATA, lambda r: copy_picture(r, TRAIN_CHEST, TEST_CHEST, brighter), "near_duplicate_across_parts", TEST_CHEST
    ),
    "subject in two parts": Injected(QATA, move_subject, "subject_leak", "s00002_ses-e14", "sub-s00002"),
    "one mask for two": Injected(
        OWN, lambda r: replace(r / "cases.csv", "masks/p0", "masks/p4"), "mask_shared", "p4.png", "2 cases"
    ),
    "class without voxels": Injected(
        OWN, lambda r: replace(r / "dataset.yaml", ": 2", ": 2, vessel: 7"), "class_absent", "mine"
    ),
    "control character in a name": Injected(
        OWN,
        lambda r: replace(r / "cases.csv", "pictures/p0", "pictures/p\x7f0"),
        "unusable_name",
        "p\\u007f0.jpg",
        "cannot",
    ),
    "row twice": Injected(OWN, double_row, "case_twice", "p0.jpg", "2 times"),
}
