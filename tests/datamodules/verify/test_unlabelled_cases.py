"""`zoo data verify` reads the images of cases without labels, which `zoo predict` will read."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from datamodules.verify import inspect
from tests.helpers.image_sets import make_own_pictures, make_own_volumes
from tests.helpers.own_data import pictures, volumes


def new_scans(folder: Path) -> Path:
    """Volumes in the form of nnU-Net with two channels, of which two more cases have no label."""
    root = make_own_volumes(folder, "nnunet", channels=2)
    (root / "imagesTs").mkdir()
    for number in range(2):
        for channel in range(2):
            source = root / "imagesTr" / f"case0_0_{channel:04d}.nii.gz"
            shutil.copy(source, root / "imagesTs" / f"new{number}_{channel:04d}.nii.gz")
    return root


def _change(path: Path, change: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]) -> None:
    image = nib.load(path)
    values, affine = change(np.asarray(image.dataobj, np.float32), np.array(image.affine))
    nib.save(nib.Nifti1Image(values, affine), path)


def test_sound_cases_without_labels_are_counted_and_have_no_finding(tmp_path: Path) -> None:
    report = inspect(volumes(new_scans(tmp_path)))
    assert report.findings == ()
    assert (report.cases, report.files) == (8, 6 * 3 + 2 * 2)


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:400]), "unreadable"),
        (lambda path: _change(path, lambda values, affine: (values * np.nan, affine)), "not_finite"),
        (lambda path: _change(path, lambda values, affine: (values[:-1], affine)), "shape_mismatch"),
        (
            lambda path: _change(path, lambda values, affine: (values, affine @ np.diag([1, 1, 2, 1]))),
            "affine_mismatch",
        ),
        (lambda path: _change(path, lambda values, affine: (values, np.diag([-1.0, 1, 2, 1]))), "affine_mismatch"),
        (lambda path: path.unlink(), ""),
    ],
)
def test_a_fault_of_a_case_without_a_label_is_a_finding(
    spoil: Callable[[Path], object], kind: str, tmp_path: Path
) -> None:
    root = new_scans(tmp_path)
    spoil(root / "imagesTs" / "new1_0001.nii.gz")
    found = inspect(volumes(root)).findings
    assert len(found) == 1
    assert "new1" in found[0].problem
    assert kind in ("", found[0].kind)


def test_a_folder_without_any_label_is_inspected(tmp_path: Path) -> None:
    root = make_own_pictures(tmp_path)
    table = root / "cases.csv"
    rows = [line.split(",") for line in table.read_text(encoding="utf-8-sig").splitlines()]
    table.write_text("\n".join(",".join([row[0], "", *row[2:]]) if row[1] != "mask" else ",".join(row) for row in rows))
    report = inspect(pictures(root))
    assert (report.findings, report.cases, report.files) == ((), 12, 12)
    (root / "pictures" / "p3.jpg").write_bytes(b"no picture")
    (finding,) = inspect(pictures(root)).findings
    assert "p3.jpg" in finding.problem
