"""2-D data sets as users have them: other folders, parts of a data set, unusual tables and masks."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datamodules.index.splits import SPLITS
from datamodules.verify import inspect, verify
from tests.helpers.all_sets import built, counts
from tests.helpers.data_sets import make_qata
from tests.helpers.image_sets import (
    make_kvasir_seg,
    make_monuseg,
    make_mosmed,
    make_own_pictures,
    make_pranet,
    write_picture,
    write_table,
)
from zoo.errors import DataError
from zoo.io.tables import read_table


def test_gray_values_are_thresholded_only_in_declared_data_sets(tmp_path: Path) -> None:
    """Polyp masks are JPEG files. In other data sets a gray value is a finding and never becomes a label."""
    root = make_qata(tmp_path, size=48)
    mask = next((root / "Test" / "GTs").iterdir())
    gray = np.zeros((48, 48), np.uint8)
    gray[10:30, 10:30], gray[9, 10:30] = 255, 7
    write_picture(mask, gray)
    strict, lenient = built("qata_cov19", root), built("kvasir", make_kvasir_seg(tmp_path))
    problems = [finding.problem for finding in verify(strict)]
    assert len(problems) == 1
    assert problems[0].startswith(f"{mask}: unexpected label values [7]")
    assert np.unique(lenient.reader.label(mask)[0]).tolist() == [0, 255]
    assert not strict.reader.black_white  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["monuseg", "mosmed_plus"])
def test_masks_of_unknown_gray_values_are_read_as_black_and_white(tmp_path: Path, name: str) -> None:
    root = make_monuseg(tmp_path) if name == "monuseg" else make_mosmed(tmp_path)
    masks = sorted(path for path in root.rglob("*.png") if path.parent.name in ("labelcol", "masks"))
    gray = np.zeros(np.asarray(Image.open(masks[0])).shape[:2], np.uint8)
    gray[10:30, 10:30], gray[9, 10:30], gray[30, 10:30] = 1, 0, 0
    write_picture(masks[0], gray)  # 0 and 1
    gray[10:30, 10:30], gray[9, 10:30], gray[30, 10:30] = 255, 60, 190
    write_picture(masks[1], gray)  # smooth edges
    write_picture(masks[2], np.arange(gray.size).reshape(gray.shape).astype(np.uint8))  # a number per object
    data = built(name, root)
    (finding,) = verify(data)
    assert finding.problem.startswith(f"{masks[2]}: not a black-and-white mask")
    assert data.reader.label(masks[0])[0].sum() == 255 * 20 * 20
    assert data.reader.label(masks[1])[0].sum() == 255 * 20 * 21


def test_a_missing_file_is_reported_with_the_suffix_of_its_folder(tmp_path: Path) -> None:
    root = make_kvasir_seg(tmp_path)
    (root / "masks" / "cju003.jpg").unlink()
    assert any(finding.problem.endswith("masks/cju003.jpg: no such file.") for finding in verify(built("kvasir", root)))
    other = make_monuseg(tmp_path)
    shutil.rmtree(other / "Train_Folder" / "labelcol")
    problems = [finding.problem for finding in verify(built("monuseg", other))]
    assert len(problems) == 6
    assert all("Train_Folder/labelcol/TCGA" in problem and "no such file" in problem for problem in problems)
    shutil.rmtree(other / "Train_Folder")
    with pytest.raises(DataError, match="no Train_Folder/img in it"):
        built("monuseg", other).list_cases()


@pytest.mark.parametrize(
    ("name", "make", "inner"),
    [
        ("qata_cov19", lambda folder: make_qata(folder, layout="lvit"), "Covid19"),
        ("monuseg", make_monuseg, "MoNuSeg"),
        ("mosmed_plus", lambda folder: make_mosmed(folder, "lvit"), "MosMedDataPlus"),
    ],
)
def test_the_parent_folder_of_lvits_data_sets_is_accepted(
    tmp_path: Path, name: str, make: Callable[[Path], Path], inner: str
) -> None:
    alone = built(name, make(tmp_path / "alone"))
    others = tmp_path / "datasets"
    shutil.copytree(alone.folder, others / inner)
    (others / "Another" / "Train_Folder" / "img").mkdir(parents=True)
    data = built(name, others)
    assert counts(data) == counts(alone)
    assert data.prompt_hash == alone.prompt_hash


def test_tables_may_be_in_their_own_folder(tmp_path: Path) -> None:
    root = make_mosmed(tmp_path)
    due = built("mosmed_plus", root)
    hashed = due.prompt_hash
    (root / "text_annotations").mkdir()
    for table in root.glob("*_text*"):
        table.rename(root / "text_annotations" / table.name)
    assert built("mosmed_plus", root).prompt_hash == hashed


def test_two_rows_for_one_image_are_refused(tmp_path: Path) -> None:
    root = make_monuseg(tmp_path)
    table = root / "Val_Folder" / "Val_text.xlsx"
    header, rows = read_table(table)
    stem = Path(rows[0][0]).stem
    write_table(table, [tuple(header), *(tuple(row) for row in rows), (f"{stem}.tif", "Another text.")])
    with pytest.raises(DataError, match=f"the case id '{stem}' occurs 2 times"):
        _ = built("monuseg", root).cases


@pytest.mark.parametrize(
    ("fact", "message"),
    [
        ("laterality: Image", "laterality is 'Image' beside the data. Write image or patient"),
        ("flips: 1", "flips is 1 "),
        ("flips: [2]", r"flips is \[2\] "),
        ("tolerance: two", "tolerance is 'two' "),
        ("empty_masks: 1", "empty_masks is 1 "),
        ("exclusive: maybe", "exclusive is 'maybe' "),
        ("exclusive: true", "exclusive classes with a common value"),
    ],
)
def test_a_wrong_value_in_the_description_is_refused(tmp_path: Path, fact: str, message: str) -> None:
    root = make_own_pictures(tmp_path)
    (root / "dataset.yaml").write_text(f"classes: {{whole: [1, 2], core: [2]}}\nchannels: 3\n{fact}\n")
    with pytest.raises(DataError, match=message):
        built("image_text_folder", root)


def test_paths_with_backslashes_are_read(tmp_path: Path) -> None:
    root = make_own_pictures(tmp_path)
    due = list(built("image_text_folder", root).cases.values())
    text = (root / "cases.csv").read_text(encoding="utf-8")
    turned = text.replace("pictures/", "pictures\\").replace("masks/", "masks\\")
    (root / "cases.csv").write_text(turned, encoding="utf-8")
    assert list(built("image_text_folder", root).cases.values()) == due


def test_a_row_without_subject_is_refused(tmp_path: Path) -> None:
    root = make_own_pictures(tmp_path)
    header, rows = read_table(root / "cases.csv")
    rows[1][header.index("subject")] = ""
    write_table(root / "cases.csv", [tuple(header), *(tuple(row) for row in rows)])
    with pytest.raises(DataError, match=r"cases\.csv: a row without subject"):
        _ = built("image_text_folder", root).cases


def keep_some(root: Path, kept: slice) -> None:
    """Keep some images of each folder and their masks; the tables stay complete."""
    left: set[str] = set()
    pictures = sorted(path for path in root.rglob("*") if path.suffix in (".png", ".jpg", ".tif"))
    masks = ("labelcol", "masks", "mask", "Ground-truths")
    for folder in sorted({path.parent for path in pictures if path.parent.name not in masks}):
        left |= {path.stem for path in sorted(folder.iterdir())[kept]}
    for path in pictures:
        if path.stem.removeprefix("mask_") not in left:
            path.unlink()


@pytest.mark.parametrize(
    ("name", "make", "kept", "protocol"),
    [
        ("qata_cov19", lambda folder: make_qata(folder, layout="kaggle", val=3), slice(-10, None), "file_order"),
        ("qata_cov19", lambda folder: make_qata(folder, layout="kaggle", val=3), slice(-12, None), "lvit"),
        ("monuseg", make_monuseg, slice(2), "lvit"),
        ("mosmed_plus", make_mosmed, slice(22), "study"),
        ("mosmed_plus", make_mosmed, slice(22), "published"),
        ("clinicdb", make_pranet, slice(8), "published"),
        ("clinicdb", make_pranet, slice(8), "by_sequence"),
        ("colondb", make_pranet, slice(8), "pranet"),
    ],
)
def test_some_images_with_complete_tables_keep_their_split(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    name: str,
    make: Callable[[Path], Path],
    kept: slice,
    protocol: str,
) -> None:
    root = make(tmp_path)
    whole = built(name, root, protocol=protocol)
    assert sum(counts(whole)) == len(whole.cases)
    keep_some(root, kept)
    part = built(name, root, protocol=protocol)
    assert 0 < len(part.cases) < len(whole.cases)
    assert "listed cases have no file" in caplog.text
    assert all(case == whole.cases[key] for key, case in part.cases.items())
    assert sum(counts(part)) == len(part.cases)
    if protocol == "lvit":  # what the tables say of an image that is there is not dealt anew
        assert all(set(part.split.ids_of(home)) <= set(whole.split.ids_of(home)) for home in SPLITS)
    assert {finding.kind for finding in inspect(part, workers=1).findings} >= {"caption_without_image"}


def test_a_data_set_without_any_image_is_refused(tmp_path: Path) -> None:
    root = make_monuseg(tmp_path)
    keep_some(root, slice(0))
    with pytest.raises(DataError, match="a caption names this file, but it and its mask are missing"):
        _ = built("monuseg", root).cases


def test_missing_pictures_of_own_data_are_refused(tmp_path: Path) -> None:
    root = make_own_pictures(tmp_path)
    (root / "pictures" / "p3.jpg").unlink()
    (root / "masks" / "p3.png").unlink()
    with pytest.raises(DataError, match=r"p3\.jpg: a caption names this file"):
        _ = built("image_text_folder", root).cases


def test_some_images_of_qata_are_split_between_subjects(tmp_path: Path) -> None:
    root = make_qata(tmp_path, train=10, test=4)
    whole = built("qata_cov19", root)
    assert counts(whole) == [8, 2, 4]
    last, first = whole.split.train[-1], whole.split.val[0]
    again = last.split("_")[0] + "_ses-e99_cr"  # a second visit, the first row after the cut
    for case_id, path in ((first, "Train/Images/{}.png"), (first, "Train/GTs/mask_{}.png")):
        (root / path.format(case_id)).rename(root / path.format(again))
    table = root / "prompt" / "train.csv"
    table.write_text(table.read_text().replace(first, again))
    parted = built("qata_cov19", root).split
    assert again in parted.train
    assert (len(parted.train), len(parted.val)) == (9, 1)
