"""Data as people have it: folders within folders, tables with too many columns, facts that are none."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from datamodules.files.caption_tables import read_captions, read_table
from datamodules.index.splits import SPLITS
from datamodules.verify import inspect
from tests.helpers.all_sets import built, counts
from tests.helpers.data_sets import make_qata
from tests.helpers.image_sets import make_monuseg, make_mosmed, make_own_pictures, make_pranet, write_table
from zoo.errors import DataError


@pytest.mark.parametrize(
    ("name", "make", "inner"),
    [
        ("qata_cov19", lambda folder: make_qata(folder, layout="lvit"), "Covid19"),
        ("monuseg", make_monuseg, "MoNuSeg"),
        ("mosmed_plus", lambda folder: make_mosmed(folder, "lvit"), "MosMedDataPlus"),
    ],
)
def test_lvits_folder_of_all_sets_will_do(tmp_path: Path, name: str, make: Callable[[Path], Path], inner: str) -> None:
    alone = built(name, make(tmp_path / "alone"))
    others = tmp_path / "datasets"
    shutil.copytree(alone.folder, others / inner)
    (others / "Another" / "Train_Folder" / "img").mkdir(parents=True)
    data = built(name, others)
    assert counts(data) == counts(alone)
    assert data.prompt_hash == alone.prompt_hash


def test_tables_may_lie_in_a_folder_of_their_own(tmp_path: Path) -> None:
    root = make_mosmed(tmp_path)
    due = built("mosmed_plus", root)
    hashed = due.prompt_hash
    (root / "text_annotations").mkdir()
    for table in root.glob("*_text*"):
        table.rename(root / "text_annotations" / table.name)
    assert built("mosmed_plus", root).prompt_hash == hashed


def test_a_row_for_the_image_and_one_for_its_mask_are_one_too_many(tmp_path: Path) -> None:
    root = make_monuseg(tmp_path)
    table = root / "Val_Folder" / "Val_text.xlsx"
    header, rows = read_table(table)
    stem = Path(rows[0][0]).stem
    write_table(table, [tuple(header), *(tuple(row) for row in rows), (f"{stem}.tif", "Another text.")])
    with pytest.raises(DataError, match=f"the case id '{stem}' occurs 2 times"):
        _ = built("monuseg", root).cases


def test_a_column_that_comes_twice_is_not_guessed(tmp_path: Path) -> None:
    rows = [("Image", "text", "Text"), ("a.png", "one", "two")]
    with pytest.raises(DataError, match=r"t\.csv: the column 'text' comes twice"):
        read_captions(write_table(tmp_path / "t.csv", rows))
    rows = [("Image", "text", "Description"), ("a.png", "one", "two")]
    with pytest.raises(DataError, match=r"t\.csv: which of the columns description and text"):
        read_captions(write_table(tmp_path / "t.csv", rows))
    gaps = [("Image", "text", "", ""), ("a.png", "one", "", "")]
    assert read_captions(write_table(tmp_path / "t.csv", gaps)) == [("a.png", "one")]


def test_tabs_part_columns_too(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("Image\ttext\na.png\tOne, two; three.\n", encoding="utf-8")
    assert read_captions(path) == [("a.png", "One, two; three.")]


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
def test_a_fact_that_is_none_is_refused(tmp_path: Path, fact: str, message: str) -> None:
    root = make_own_pictures(tmp_path)
    (root / "dataset.yaml").write_text(f"classes: {{whole: [1, 2], core: [2]}}\nchannels: 3\n{fact}\n")
    with pytest.raises(DataError, match=message):
        built("image_text_folder", root)


def test_paths_of_windows_are_followed(tmp_path: Path) -> None:
    root = make_own_pictures(tmp_path)
    due = list(built("image_text_folder", root).cases.values())
    text = (root / "cases.csv").read_text(encoding="utf-8")
    turned = text.replace("pictures/", "pictures\\").replace("masks/", "masks\\")
    (root / "cases.csv").write_text(turned, encoding="utf-8")
    assert list(built("image_text_folder", root).cases.values()) == due


def test_a_row_without_subject_is_not_taken_for_a_person_of_its_own(tmp_path: Path) -> None:
    root = make_own_pictures(tmp_path)
    header, rows = read_table(root / "cases.csv")
    rows[1][header.index("subject")] = ""
    write_table(root / "cases.csv", [tuple(header), *(tuple(row) for row in rows)])
    with pytest.raises(DataError, match=r"cases\.csv: a row without subject"):
        _ = built("image_text_folder", root).cases


def lessen(root: Path, kept: slice) -> None:
    """Leaves these images of each folder, and their masks; the tables stay whole."""
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
def test_a_part_of_a_set_under_whole_tables_keeps_its_roles(
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
    lessen(root, kept)
    part = built(name, root, protocol=protocol)
    assert 0 < len(part.cases) < len(whole.cases)
    assert "listed cases have no file" in caplog.text
    assert all(case == whole.cases[key] for key, case in part.cases.items())
    assert sum(counts(part)) == len(part.cases)
    if protocol == "lvit":  # what the tables say of an image that is there is not dealt anew
        assert all(set(part.split.ids_of(home)) <= set(whole.split.ids_of(home)) for home in SPLITS)
    assert {finding.kind for finding in inspect(part, workers=1).findings} >= {"caption_without_image"}


def test_images_of_which_none_is_there_are_refused(tmp_path: Path) -> None:
    root = make_monuseg(tmp_path)
    lessen(root, slice(0))
    with pytest.raises(DataError, match="a caption names this file, but it and its mask are missing"):
        _ = built("monuseg", root).cases


def test_own_pictures_that_are_not_there_are_refused(tmp_path: Path) -> None:
    root = make_own_pictures(tmp_path)
    (root / "pictures" / "p3.jpg").unlink()
    (root / "masks" / "p3.png").unlink()
    with pytest.raises(DataError, match=r"p3\.jpg: a caption names this file"):
        _ = built("image_text_folder", root).cases


def test_a_part_of_qata_is_cut_between_people(tmp_path: Path) -> None:
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
