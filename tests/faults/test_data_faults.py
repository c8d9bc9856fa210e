"""Faults in a user's files: `verify` and `fit` find each fault and give the file in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from datamodules.build import build_datamodule
from datamodules.cli import main
from datamodules.verify import verify
from tests.helpers.data_sets import make_btcv, make_hippocampus, make_qata, write_nifti, write_png
from tests.helpers.file_damage import move_subject
from zoo.errors import DataError


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def change(path: Path, edit: Callable[[np.ndarray], np.ndarray]) -> None:
    image = nib.load(path)
    write_nifti(path, edit(np.asarray(image.dataobj)).astype(np.float32), image.affine)


def set_nan(array: np.ndarray) -> np.ndarray:
    array = array.astype(np.float32)
    array[3, 3, 3] = np.nan
    return array


def set_nine(array: np.ndarray) -> np.ndarray:
    array = np.array(array)
    array[0, 0, 0] = 9
    return array


IMAGE, LABEL = "imagesTr/hippocampus_002.nii.gz", "labelsTr/hippocampus_002.nii.gz"
VOLUME_FAULTS: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "truncated image": (IMAGE, truncate, "truncated"),
    "truncated label": (LABEL, truncate, "truncated"),
    "no image": (IMAGE, lambda path: path.write_bytes(b"not an image"), "unreadable"),
    "NaN": (IMAGE, lambda path: change(path, set_nan), "NaN"),
    "fourth axis": (IMAGE, lambda path: change(path, lambda a: np.stack([a, a], -1)), "4-D"),
    "unexpected label": (LABEL, lambda path: change(path, set_nine), "unexpected label values [9]"),
    "broken label value": (LABEL, lambda path: change(path, lambda a: a * 0.5), "whole numbers"),
    "shapes differ": (LABEL, lambda path: change(path, lambda a: a[1:]), "shape"),
    "label missing": (LABEL, lambda path: path.unlink(), "no such file"),
    "image missing": (IMAGE, lambda path: path.unlink(), "no such file"),
}


@pytest.mark.parametrize("fault", VOLUME_FAULTS)
def test_fault_of_a_volume_is_found(tmp_path: Path, fault: str) -> None:
    root = make_hippocampus(tmp_path, 5)
    name, inject, message = VOLUME_FAULTS[fault]
    inject(root / name)
    check("hippocampus", root, Path(name).name, message)


def check(data_name: str, root: Path, file: str, message: str) -> None:
    """Check that `verify` finds the fault once and that `setup` ends with it."""
    findings = verify(build_datamodule(data_name, "tiny", root=str(root)))
    assert len(findings) == 1
    assert file in findings[0].problem
    assert message in findings[0].problem
    with pytest.raises(DataError) as caught:
        build_datamodule(data_name, "tiny", root=str(root)).setup("fit")
    assert file in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def edit_table(root: Path, edit: Callable[[list[str]], list[str]]) -> None:
    table = root / "prompt" / "train.csv"
    table.write_text("\n".join(edit(table.read_text().splitlines())) + "\n")


CAPTION_FAULTS: dict[str, tuple[Callable[[list[str]], list[str]], str]] = {
    "missing": (lambda rows: rows[:-1], "caption is missing"),
    "empty": (lambda rows: [*rows[:-1], rows[-1].split(",")[0] + ","], "caption is empty"),
    "blank": (lambda rows: [*rows[:-1], rows[-1].split(",")[0] + ",  "], "caption is empty"),
}


@pytest.mark.parametrize("fault", CAPTION_FAULTS)
def test_fault_of_a_caption_is_found(tmp_path: Path, fault: str) -> None:
    root = make_qata(tmp_path)
    edit, message = CAPTION_FAULTS[fault]
    edit_table(root, edit)
    check("qata_cov19", root, "sub-s00010_ses-e10_cr.png", message)


def test_caption_without_image_is_found(tmp_path: Path) -> None:
    root = make_qata(tmp_path)
    (root / "Train" / "Images" / "sub-s00002_ses-e2_cr.png").unlink()
    check("qata_cov19", root, "sub-s00002_ses-e2_cr.png", "no such file")


def test_image_without_mask_is_found(tmp_path: Path) -> None:
    root = make_qata(tmp_path)
    (root / "Train" / "GTs" / "mask_sub-s00002_ses-e2_cr.png").unlink()
    check("qata_cov19", root, "mask_sub-s00002_ses-e2_cr.png", "no such file")


def test_gray_value_in_a_mask_is_found(tmp_path: Path) -> None:
    root = make_qata(tmp_path)
    write_png(root / "Test" / "GTs" / "mask_sub-s00011_ses-e11_cr.png", np.full((32, 32), 7, np.uint8))
    check("qata_cov19", root, "mask_sub-s00011_ses-e11_cr.png", "unexpected label values [7]")


def test_subject_in_two_splits_is_found(tmp_path: Path) -> None:
    root = make_qata(tmp_path)
    move_subject(root, "s00001")
    check("qata_cov19", root, "subject sub-s00001 is in train (sub-s00001_ses-e1_cr)", "sub-s00001_ses-e14_cr.png:")


def test_a_declared_leak_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = make_qata(tmp_path, layout="lvit", val=3)
    for folder in ("img", "labelcol"):
        for path in (root / "Val_Folder" / folder).glob("*s00011*"):
            path.rename(path.with_name(path.name.replace("s00011", "s00001")))
    import openpyxl

    table = root / "Val_Folder" / "Val_text.xlsx"
    book = openpyxl.load_workbook(table)
    for row in book.active.iter_rows(min_row=2):
        row[0].value = row[0].value.replace("s00011", "s00001")
    book.save(table)
    data = build_datamodule("qata_cov19", "tiny", root=str(root), protocol="lvit")
    assert data.split.leaks()
    assert data.leak_declared
    assert "leaks" in caplog.text
    assert "sub-s00001" in caplog.text
    caplog.clear()
    assert verify(data) == []
    assert "leaks" in caplog.text
    assert not verify(data)


def test_several_faults_are_all_listed(tmp_path: Path) -> None:
    root = make_hippocampus(tmp_path, 5)
    truncate(root / "imagesTr/hippocampus_001.nii.gz")
    change(root / "labelsTr/hippocampus_001.nii.gz", set_nine)
    (root / "labelsTr/hippocampus_004.nii.gz").unlink()
    problems = [finding.problem for finding in verify(build_datamodule("hippocampus", "tiny", root=str(root)))]
    assert len(problems) == 3
    for part in ("imagesTr/hippocampus_001", "labelsTr/hippocampus_001", "labelsTr/hippocampus_004"):
        assert any(part in problem for problem in problems)


def test_clean_sets_have_no_findings(tmp_path: Path) -> None:
    roots = {
        "hippocampus": make_hippocampus(tmp_path, 5),
        "qata_cov19": make_qata(tmp_path),
        "btcv": make_btcv(tmp_path, ("0001", "0007", "0035")),
    }
    for name, root in roots.items():
        assert verify(build_datamodule(name, "tiny", root=str(root))) == []


LAYOUTS: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "no listing": ("hippocampus", lambda root: None, "dataset.json"),
    "no json": ("hippocampus", lambda root: (root / "dataset.json").write_text("{"), "dataset.json"),
    "no training": ("hippocampus", lambda root: (root / "dataset.json").write_text("{}"), "dataset.json"),
    "way out": (
        "hippocampus",
        lambda root: (root / "dataset.json").write_text(json.dumps({"training": [{"image": "../x", "label": "y"}]})),
        "leads out",
    ),
    "no RawData": ("btcv", lambda root: None, "RawData"),
    "no Train": ("qata_cov19", lambda root: None, "Train/Images"),
    "no captions": (
        "qata_cov19",
        lambda root: (root / "Train" / "Images").mkdir(parents=True),
        "no captions for Train",
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_another_layout_is_reported(tmp_path: Path, layout: str, capsys: pytest.CaptureFixture[str]) -> None:
    name, build, message = LAYOUTS[layout]
    build(tmp_path)
    assert main(["verify", name, "--root", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("table", "message"),
    [("Image,Words\na,b\n", "lack Image"), ("", "lack Image"), ("Image,text\na.png,b\na.png,c\n", "comes twice")],
)
def test_caption_table_of_another_kind_is_reported(tmp_path: Path, table: str, message: str) -> None:
    root = make_qata(tmp_path)
    (root / "prompt" / "train.csv").write_text(table)
    with pytest.raises(DataError, match=message):
        build_datamodule("qata_cov19", root=str(root)).list_cases()


def test_file_that_is_no_workbook_is_reported(tmp_path: Path) -> None:
    root = make_qata(tmp_path, layout="lvit")
    (root / "Test_Folder" / "Test_text.xlsx").write_bytes(b"no workbook")
    with pytest.raises(DataError, match=r"Test_text\.xlsx: not a readable"):
        build_datamodule("qata_cov19", root=str(root)).list_cases()


def test_missing_openpyxl_is_reported_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_qata(tmp_path, layout="lvit")
    monkeypatch.setitem(__import__("sys").modules, "openpyxl", None)
    with pytest.raises(DataError, match=r"\[xlsx\]"):
        build_datamodule("qata_cov19", root=str(root)).list_cases()


def test_missing_folder_is_reported(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["prepare", "btcv"]) == 2
    assert "--from FOLDER" in capsys.readouterr().err
    assert main(["verify", "btcv"]) == 2
    assert "Run `zoo data prepare btcv --steps`, or give --data.root DIR." in capsys.readouterr().err
    for command, says in (("prepare", "'btcv' is missing"), ("stats", "no such folder")):
        assert main([command, "btcv", "--root", str(tmp_path / "none")]) == 2
        assert says in capsys.readouterr().err
