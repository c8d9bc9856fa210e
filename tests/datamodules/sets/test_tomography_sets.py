"""KiTS23, WORD, FLARE22 and autoPET: regions, splits, channels and missing parts of each."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from datamodules.build import build_datamodule
from datamodules.verify import verify
from tests.helpers.all_sets import counts, stored
from tests.helpers.tomography_sets import make_autopet, make_flare22, make_kits23, make_word
from zoo.errors import DataError


def test_kits23_has_the_overlapping_regions_of_the_challenge(tmp_path: Path) -> None:
    data = build_datamodule("kits23", root=str(make_kits23(tmp_path, 3)), spacing=None)
    case = data.index.case("case_00001")
    label = data.load(case).label
    assert case.label is not None
    assert label is not None
    raw = stored(case.label)
    assert data.labels.names == ("kidney_and_masses", "masses", "tumor")
    for channel, values in enumerate(((1, 2, 3), (2, 3), (2,))):
        np.testing.assert_array_equal(label[channel] > 0, np.isin(raw, values))


def test_kits23_leaves_out_the_cases_whose_image_was_not_downloaded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = make_kits23(tmp_path, 4)
    (root / "case_00002" / "imaging.nii.gz").unlink()
    data = build_datamodule("kits23", root=str(root.parent))
    assert counts(data) == [1, 1, 1]
    assert "kits23: 1 cases have no image and are left out: case_00002" in caplog.text
    (root / "case_00001" / "segmentation.nii.gz").unlink()
    (finding,) = verify(build_datamodule("kits23", root=str(root)))
    assert finding.problem.endswith("case_00001/segmentation.nii.gz: no such file.")
    for image in root.glob("*/imaging.nii.gz"):
        image.unlink()
    with pytest.raises(DataError, match=r"case_00000/imaging\.nii\.gz: no such file.*kits23_download_data"):
        _ = build_datamodule("kits23", root=str(root)).cases
    with pytest.raises(DataError, match="no case_00000 in it"):
        _ = build_datamodule("kits23", root=str(root / "case_00000")).cases


def test_word_has_the_splits_of_its_folders(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = make_word(tmp_path)
    data = build_datamodule("word", root=str(tmp_path))
    assert counts(data) == [3, 1, 1]
    assert data.split.val == ("word_0004",)
    assert counts(build_datamodule("word", root=str(root), protocol="by_case")) == [3, 1, 1]
    for part in ("images", "labels"):
        shutil.rmtree(root / f"{part}Val")
    assert counts(build_datamodule("word", root=str(root))) == [2, 1, 1]
    shutil.rmtree(root / "labelsTs")
    with pytest.raises(DataError, match=r"the test split \(3 cases found\).*--data\.protocol by_case"):
        _ = build_datamodule("word", root=str(root)).split
    assert "imagesTs: no labels for it in" in caplog.text
    (root / "imagesTr" / "word_0002.nii.gz").unlink()
    with pytest.raises(DataError, match=r"imagesTr/word_0002\.nii\.gz: no such file"):
        _ = build_datamodule("word", root=str(root)).cases
    with pytest.raises(DataError, match="no imagesTr in it"):
        _ = build_datamodule("word", root=str(root / "imagesTs")).cases


def test_flare22_reads_the_archive_and_copies_for_nnunet(tmp_path: Path) -> None:
    root = make_flare22(tmp_path, 3)
    data = build_datamodule("flare22", root=str(tmp_path))
    assert counts(data) == [1, 1, 1]
    assert data.index.case("FLARE22_Tr_0002").images[0].name == "FLARE22_Tr_0002_0000.nii.gz"
    for part in ("images", "labels"):
        (root / part).rename(root / f"{part}Tr")
    assert build_datamodule("flare22", root=str(root)).split_hash == data.split_hash
    (root / "labelsTr" / "FLARE22_Tr_0003.nii.gz").unlink()
    with pytest.raises(DataError, match=r"labelsTr/FLARE22_Tr_0003\.nii\.gz: no such file"):
        _ = build_datamodule("flare22", root=str(root)).cases
    shutil.rmtree(root / "labelsTr")
    with pytest.raises(DataError, match=r"no images with labels in it.*FLARE22Train"):
        _ = build_datamodule("flare22", root=str(root)).cases


def test_autopet_has_two_channels_and_keeps_the_studies_of_a_patient_together(tmp_path: Path) -> None:
    root = make_autopet(tmp_path, 4)
    data = build_datamodule("autopet", "tiny", root=str(tmp_path), spacing=None)
    assert len(data.cases) == 5
    first, second, *_, last = data.cases.values()
    assert first.case_id == "PETCT_0000000000_01-02-2003-NA-PET-CT_Ganzkoerper_primaer_mit_KM-00000"
    assert first.subject == second.subject
    assert [path.name for path in first.images] == ["CTres.nii.gz", "SUV.nii.gz"]
    prepared, empty = data.load(first), data.load(last)
    assert prepared.image.shape[0] == 2
    assert np.abs(prepared.image.mean(axis=(1, 2, 3))).max() < 1e-4
    assert prepared.label is not None
    assert empty.label is not None
    assert prepared.label.any()
    assert not empty.label.any()
    assert verify(data) == []
    first.images[1].unlink()
    with pytest.raises(DataError, match=r"SUV\.nii\.gz: no such file"):
        _ = build_datamodule("autopet", root=str(root)).cases
    with pytest.raises(DataError, match=r"no PETCT_\* in it"):
        _ = build_datamodule("autopet", root=str(first.images[0].parent)).cases
