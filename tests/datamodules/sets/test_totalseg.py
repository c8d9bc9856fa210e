"""TotalSegmentator: the order of its masks, its groups, its splits and its releases."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from datamodules.build import build_datamodule
from datamodules.index.card import DataCard
from datamodules.sets.totalseg import GROUPS, mask_name
from datamodules.verify import inspect, verify
from tests.helpers.all_sets import counts, stored
from tests.helpers.mask_sets import make_totalseg
from tests.helpers.volume_sets import save
from zoo.errors import ConfigError, DataError, UnknownNameError
from zoo.registry import DATA

CT, MR = "totalseg_cardiac", "totalseg_mr_muscles"


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: make_totalseg(tmp_path_factory.mktemp(name), name) for name in (CT, MR)}


@pytest.fixture
def root(clean: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(clean[CT], tmp_path / "archive"))


def edit_table(root: Path, old: str, new: str) -> None:
    table = root / "meta.csv"
    table.write_text(table.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


def test_a_voxel_of_two_masks_belongs_to_the_later_one(clean: dict[str, Path]) -> None:
    data = build_datamodule(CT, "tiny", root=str(clean[CT]), spacing=None)
    case = data.index.case("s0000")
    assert case.label is not None
    masks = [stored(case.label.parent / f"{mask_name(name)}.nii.gz") for name in data.card.classes]
    assert (np.sum(masks, axis=0) > 1).sum() == len(masks) - 1
    expected = max(range(len(masks)), key=lambda place: masks[place][10, 0, 0]) + 1
    label = data.load(case).label
    assert label is not None
    assert label[0, 10, 0, 0] == expected
    for value, mask in enumerate(masks, start=1):
        later = np.sum(masks[value:], axis=0) if value < len(masks) else np.zeros_like(mask)
        np.testing.assert_array_equal(label[0] == value, (mask > 0) & (later == 0))


def test_a_structure_out_of_view_has_an_empty_mask(clean: dict[str, Path]) -> None:
    data = build_datamodule(CT, "tiny", root=str(clean[CT]), spacing=None)
    label = data.load(data.index.case("s0001")).label
    assert label is not None
    assert set(np.unique(label)) == {0, *range(2, 18)}
    assert verify(data) == []


def test_the_groups_divide_the_classes_of_the_archive() -> None:
    for base, modality, count in (("totalseg", "ct", 117), ("totalseg_mr", "mr", 50)):
        whole = DataCard.of(DATA.get(base))
        assert list(whole.classes.values()) == [(value,) for value in range(1, count + 1)]
        groups = [DataCard.of(DATA.get(f"{base}_{group}")) for group in GROUPS[modality][1:]]
        assert [name for card in groups for name in card.classes] == list(whole.classes)
        for card in groups:
            assert list(card.classes.values()) == [(value,) for value in range(1, len(card.classes) + 1)]
            assert card.folder_name == base
    assert len(DataCard.of(DATA.get("totalseg_mr")).known) == 50


def test_a_group_is_chosen_by_name_or_option() -> None:
    assert build_datamodule("totalseg", group="ribs").name == "totalseg_ribs"
    assert build_datamodule("totalseg", modality="mr").name == "totalseg_mr"
    with pytest.raises(UnknownNameError, match="muscles"):
        build_datamodule("totalseg_mr", group="ribs")
    with pytest.raises(ConfigError, match=r"--data\.modality 'pet' is not one of ct, mr"):
        build_datamodule("totalseg", modality="pet")


def test_the_splits_are_those_of_the_table(clean: dict[str, Path]) -> None:
    ct, mr = (build_datamodule(name, root=str(clean[name].parent)) for name in (CT, MR))
    assert counts(ct) == counts(mr) == [1, 1, 1]  # the table of the MR data has no val case
    assert ct.split.val == ("s0001",)
    assert ct.split.test == mr.split.test == ("s0002",)
    assert ct.load(ct.index.case("s0002")).image.max() <= 1
    assert mr.load(mr.index.case("s0002")).image.min() < 0


def test_a_part_of_the_archive_is_enough(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    edit_table(root, "s0002;", "s0003;53;train\ns0002;")
    data = build_datamodule(CT, root=str(root))
    assert counts(data) == [1, 1, 1]
    assert "1 of 4 listed cases have no file: s0003." in caplog.text
    (root / "s0002").rename(root / "s0003")
    with pytest.raises(DataError, match=r"the test split \(3 cases found\).*--data\.protocol by_case"):
        _ = build_datamodule(CT, root=str(root)).split
    shutil.copytree(root / "s0000", root / "s0007")
    with pytest.raises(DataError, match=r"s0007: not in .*meta\.csv.*--data\.protocol by_case"):
        _ = build_datamodule(CT, root=str(root)).cases
    (root / "meta.csv").unlink()
    with pytest.raises(DataError, match=r"meta\.csv: no such file.*--data\.protocol by_case"):
        _ = build_datamodule(CT, root=str(root)).cases
    assert counts(build_datamodule(CT, root=str(root), protocol="by_case")) == [2, 1, 1]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("image_id;age;split", "image;age;split", r"meta\.csv: columns \['image', 'age', 'split'\] lack image_id"),
        ("s0001;51;val", "s0000;51;val", r"meta\.csv: row 3: case 's0000' with split 'val'.*once"),
        ("s0001;51;val", "s0001;51;training", r"meta\.csv: row 3: case 's0001' with split 'training'"),
        ("s0001;51;val", ";51;val", r"meta\.csv: row 3: case ''"),
    ],
)
def test_a_wrong_table_is_refused_with_its_row(root: Path, old: str, new: str, message: str) -> None:
    edit_table(root, old, new)
    with pytest.raises(DataError, match=message):
        _ = build_datamodule(CT, root=str(root)).cases


@pytest.mark.parametrize(("mask", "release"), [("vertebrae_L6", "3"), ("heart_atrium_left", "1")])
def test_another_release_is_refused(root: Path, mask: str, release: str) -> None:
    masks = root / "s0000" / "segmentations"
    shutil.copy(masks / "aorta.nii.gz", masks / f"{mask}.nii.gz")
    with pytest.raises(DataError, match=rf"{mask}\.nii\.gz: a mask of release {release}.*v201\.zip"):
        _ = build_datamodule(CT, root=str(root)).cases


def test_a_missing_mask_and_a_mask_on_another_grid_are_found(root: Path) -> None:
    (root / "s0001" / "segmentations" / "aorta.nii.gz").unlink()
    save(root / "s0002" / "segmentations" / "iliac_vena_right.nii.gz", np.zeros((12, 12, 11), np.uint8))
    missing, moved = verify(build_datamodule(CT, root=str(root)))
    assert missing.problem.endswith("s0001/segmentations/aorta.nii.gz: no such file.")
    assert "iliac_vena_right.nii.gz: shape (12, 12, 11), but (12, 12, 12) in" in moved.problem


def test_the_empty_masks_of_the_mr_data_are_known(tmp_path: Path) -> None:
    root = make_totalseg(tmp_path, "totalseg_mr")
    (root / "s0001").rename(root / "s0026")
    edit_table(root, "s0001;", "s0026;")
    for mask in (root / "s0026" / "segmentations").iterdir():
        save(mask, np.zeros((12, 12, 12), np.uint8), (1.5, 1.5, 1.5))
    report = inspect(build_datamodule("totalseg_mr", root=str(root)), workers=1)
    assert report.findings == ()
    assert [(finding.case_id, finding.kind) for finding in report.known] == [("s0026", "empty_mask")]


def test_a_folder_without_a_case_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no s0000/segmentations.*contains s0000"):
        _ = build_datamodule("totalseg", root=str(tmp_path)).cases
