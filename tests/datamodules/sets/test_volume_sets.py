"""Properties of each data set of volumes; the contract tests check what all data sets share."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from datamodules.build import build_datamodule
from datamodules.index.card import DataCard
from datamodules.index.splits import SPLITS
from datamodules.verify import verify
from tests.helpers.all_sets import counts, edit, stored
from tests.helpers.volume_sets import (
    VOLUME_REPLICAS,
    make_acdc,
    make_amos,
    make_brats,
    make_mmwhs,
    save,
    wrap,
)
from zoo.data_facts import DataFacts
from zoo.errors import DataError, UnknownNameError
from zoo.registry import DATA


@pytest.mark.parametrize("name", VOLUME_REPLICAS)
@pytest.mark.parametrize("size", ["tiny", "published"])
def test_facts_need_no_data(name: str, size: str) -> None:
    data = build_datamodule(name, size)
    facts = DataFacts.from_dict(data.facts)
    assert facts.name in (name, "hippocampus")
    assert facts.track == "class"
    assert DataCard.of(DATA.get(name)).laterality == "patient"
    assert all(n % 8 == 0 for n in facts.patch)


# AMOS22


def test_amos_modalities_are_one_archive(tmp_path: Path) -> None:
    root = str(make_amos(tmp_path, train=11))
    both, ct, mr = (build_datamodule(name, root=root) for name in ("amos22", "amos22_ct", "amos22_mr"))
    assert counts(both) == [20, 2, 4]
    assert counts(ct) == counts(mr) == [10, 1, 2]
    for part in SPLITS:
        assert sorted(both.split.ids_of(part)) == sorted(ct.split.ids_of(part) + mr.split.ids_of(part))
    assert all(int(case_id[-4:]) > 500 for case_id, _ in mr.cases)
    assert all(both.index.case(name).images[0].parent.name == "imagesVa" for name in both.split.test)
    assert build_datamodule("amos22", root=root, modality="mr").split_hash == mr.split_hash
    one, other = ct.index.case("amos_0001"), mr.index.case("amos_0507")
    assert ct.prepared(one).image.max() <= 1
    assert abs(float(mr.prepared(other).image.mean())) < 0.2
    for whole, case, alone in ((both, one, ct), (both, other, mr)):
        np.testing.assert_array_equal(whole.prepared(case).image, alone.prepared(case).image)
    with pytest.raises(UnknownNameError, match="both"):
        build_datamodule("amos22", modality="pet")


def test_amos_labels_are_checked_by_name(tmp_path: Path) -> None:
    root = make_amos(tmp_path, "ct")
    labels = json.loads((root / "dataset.json").read_text())["labels"]
    edit(root / "dataset.json", labels={**labels, "2": labels["3"], "3": labels["2"]})
    with pytest.raises(DataError, match=r"dataset\.json: label 2 is 'left kidney' here.*right_kidney"):
        build_datamodule("amos22_ct", root=str(root)).list_cases()


def test_amos_a_listed_file_that_is_missing_is_reported(tmp_path: Path) -> None:
    root = make_amos(tmp_path, "ct")
    (root / "labelsTr" / "amos_0004.nii.gz").unlink()
    (finding,) = verify(build_datamodule("amos22_ct", root=str(root)))
    assert finding.problem.endswith("labelsTr/amos_0004.nii.gz: no such file.")
    with pytest.raises(DataError, match="amos_0004"):
        _ = build_datamodule("amos22_ct", root=str(root)).cases


def test_amos_a_few_of_the_listed_cases_are_enough(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = make_amos(tmp_path, "ct", 6, 2)
    for folder in ("imagesTr", "labelsTr"):
        for name in ("amos_0004", "amos_0010"):
            (root / folder / f"{name}.nii.gz").unlink()
    data = build_datamodule("amos22_ct", root=str(root))
    assert counts(data) == [3, 1, 2]
    assert "2 of 8 listed cases have no file: amos_0004, amos_0010." in caplog.text
    (finding,) = verify(build_datamodule("amos22_ct", root=str(root)))  # told once, and no fault of the others hides it
    assert (finding.kind, finding.case_id) == ("missing_file", "")
    shutil.rmtree(root / "imagesVa")
    shutil.rmtree(root / "labelsVa")
    with pytest.raises(DataError, match=r"the test split \(4 cases found\).*--data\.protocol by_case"):
        _ = build_datamodule("amos22_ct", root=str(root)).split
    assert counts(build_datamodule("amos22_ct", root=str(root), protocol="by_case")) == [2, 1, 1]
    for path in root.glob("*/amos_*"):
        path.unlink()
    with pytest.raises(DataError, match=r"amos_0001\.nii\.gz: no such file"):
        _ = build_datamodule("amos22_ct", root=str(root)).cases


def test_amos_leaves_out_a_folder_without_labels_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = make_amos(tmp_path, "ct", 4, 2)
    shutil.rmtree(root / "labelsVa")
    data = build_datamodule("amos22_ct", root=str(root))
    assert len(data.cases) == 4
    assert "imagesVa: no labels for it" in caplog.text
    with pytest.raises(DataError, match="the test split"):
        _ = data.split


# ACDC


def test_acdc_has_both_phases_of_a_patient_in_one_split(tmp_path: Path) -> None:
    root = make_acdc(tmp_path, 20, 5)
    data = build_datamodule("acdc", root=str(root))
    assert counts(data) == [30, 10, 10]
    assert sorted(case_id for case_id, _ in data.cases)[:2] == ["patient001_ED", "patient001_ES"]
    assert data.index.case("patient001_ES").images[0].name == "patient001_frame09.nii.gz"
    assert not data.split.leaks()
    assert {data.split.subjects[name] for name in data.split.test} == {f"patient{n:03d}" for n in range(21, 26)}
    assert Counter(int(name[7:10]) % 5 for name in data.split.val) == dict.fromkeys(range(5), 2)  # one a diagnosis
    assert counts(build_datamodule("acdc", root=str(root), protocol="70-10-20")) == [20, 10, 10]
    assert build_datamodule("acdc", root=str(tmp_path)).split_hash == data.split_hash


def test_acdc_with_one_patient_per_diagnosis_can_be_split(tmp_path: Path) -> None:
    root = make_acdc(tmp_path, 5, 1)
    assert counts(build_datamodule("acdc", root=str(root))) == [8, 2, 2]
    assert counts(build_datamodule("acdc", root=str(root), protocol="70-10-20")) == [6, 2, 2]


def test_acdc_without_its_testing_folder_or_with_a_broken_info_is_refused(tmp_path: Path) -> None:
    root = make_acdc(tmp_path, 15, 0)
    with pytest.raises(DataError, match="the test split"):
        _ = build_datamodule("acdc", root=str(root)).split
    info = root / "training" / "patient002" / "Info.cfg"
    info.write_text("ED: 1\nGroup: NOR\n")
    with pytest.raises(DataError, match=r"patient002/Info\.cfg: no frame number for ES"):
        build_datamodule("acdc", root=str(root)).list_cases()


def test_acdc_reads_copies_with_folders_named_like_files_and_without_test_labels(tmp_path: Path) -> None:
    root = make_acdc(tmp_path, 15, 5)
    before = build_datamodule("acdc", root=str(root))
    for number, path in enumerate(sorted(root.glob("*/*/*_frame*.nii.gz"))):
        wrap(path, f"CMD{number:02d}Gate1.nii")
    wrapped = build_datamodule("acdc", root=str(root))
    assert wrapped.split_hash == before.split_hash
    assert wrapped.index.case("patient001_ED").images[0].parent.name == "patient001_frame01.nii"
    assert verify(wrapped) == []
    for label in root.glob("testing/*/*_gt.nii"):
        shutil.rmtree(label)
    few = build_datamodule("acdc", root=str(root), protocol="70-10-20")
    assert len(few.cases) == 30
    parted = few.split_hash
    (root / "training").rename(root / "moved")
    (root / "training").mkdir()
    (root / "moved").rename(root / "training" / "training")
    assert build_datamodule("acdc", root=str(root), protocol="70-10-20").split_hash == parted


# MM-WHS


def test_mmwhs_label_values_become_classes(tmp_path: Path) -> None:
    data = build_datamodule("mmwhs", root=str(make_mmwhs(tmp_path)))
    assert counts(data) == [6, 2, 2]
    case = data.index.case("ct_train_1001")
    native = data.load(case).native
    native = data.load(case).label[0] if native is None else native  # type: ignore[index]
    assert case.label is not None
    raw = stored(case.label)
    for name, value in (("left_ventricle_myocardium", 205), ("left_atrium", 420), ("pulmonary_artery", 850)):
        np.testing.assert_array_equal(native == 1 + data.labels.names.index(name), raw == value)


def test_mmwhs_wrong_value_is_refused_and_corrected_on_request(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = make_mmwhs(tmp_path, "mr")
    path = root / "mr_train" / "mr_train_1002_label.nii.gz"
    raw = np.asarray(nib.load(path).dataobj).copy()
    raw[tuple(np.argwhere(raw == 420)[0])] = 421
    save(path, raw)
    findings = verify(build_datamodule("mmwhs_mr", root=str(root)))
    assert len(findings) == 1
    assert "mr_train_1002_label.nii.gz: unexpected label values [421] in 1 voxels" in findings[0].problem
    with pytest.raises(DataError, match="mend_labels"):
        build_datamodule("mmwhs_mr", root=str(root)).setup("fit")
    mended = build_datamodule("mmwhs_mr", root=str(root), mend_labels=True)
    label = mended.load(mended.index.case("mr_train_1002")).label
    assert label is not None
    np.testing.assert_array_equal(label[0] == 2, (raw == 420)[::-1] | (raw == 421)[::-1])
    assert "mr_train_1002_label.nii.gz: 1 voxels of 421" in caplog.text


# BraTS


@pytest.mark.parametrize(("layout", "enhancing"), [("old", 4), ("new", 3)])
def test_brats_has_three_regions(tmp_path: Path, layout: str, enhancing: int) -> None:
    root = make_brats(tmp_path, layout)
    data = build_datamodule("brats", "tiny", root=str(root))
    assert len(data.cases) == (7 if layout == "new" else 6)
    case = next(iter(data.cases.values()))
    prepared = data.load(case)
    native = prepared.native if prepared.native is not None else prepared.label
    assert case.label is not None
    assert native is not None
    raw = stored(case.label)
    for channel, values in enumerate(((1, 2, enhancing), (1, enhancing), (enhancing,))):
        np.testing.assert_array_equal(native[channel] > 0, np.isin(raw, values))
    assert prepared.image.shape[0] == 4
    assert max(stop - start for start, stop in prepared.geometry.crop) < 24
    other = 3 if enhancing == 4 else 4
    save(case.label, np.where(raw == enhancing, other, raw).astype(np.uint8)[::-1])
    (finding,) = verify(build_datamodule("brats", root=str(root)))
    assert f"unexpected label values [{other}]" in finding.problem
    case.label.unlink()  # beside labelled folders it is a fault, no validation case
    (finding,) = verify(build_datamodule("brats", root=str(root)))
    assert "no such file" in finding.problem


def test_brats_visits_stay_together_and_a_mix_is_refused(tmp_path: Path) -> None:
    data = build_datamodule("brats", root=str(make_brats(tmp_path, "new")))
    assert data.split.subjects["BraTS-GLI-00000-000"] == data.split.subjects["BraTS-GLI-00000-001"]
    make_brats(tmp_path, "old", 3)
    with pytest.raises(DataError, match=r"BraTS2021_00000: the layout up to 2021, but .*BraTS-GLI-00000-000"):
        build_datamodule("brats", root=str(tmp_path)).list_cases()


def test_brats_reads_the_misnamed_label_of_2020_and_folders_named_like_files(tmp_path: Path) -> None:
    root = make_brats(tmp_path, "old")
    data = build_datamodule("brats", root=str(root))
    home = root / "TrainingData" / "BraTS2021_00003"
    raw = stored(home / f"{home.name}_seg.nii.gz")
    (home / f"{home.name}_seg.nii.gz").rename(home / "W39_1998.09.19_Segm.nii.gz")
    for path in (root / "TrainingData" / "BraTS2021_00001").glob("*.nii.gz"):
        wrap(path, f"00000057_brain_{path.name.split('_')[2].removesuffix('.gz')}")
    found = build_datamodule("brats", root=str(root))
    assert found.split_hash == data.split_hash
    assert verify(found) == []
    label, _ = found.reader.label(home / "W39_1998.09.19_Segm.nii.gz")
    assert found.index.case(home.name).label == home / "W39_1998.09.19_Segm.nii.gz"
    np.testing.assert_array_equal(label == 3, raw == 4)
    shutil.copy(home / "W39_1998.09.19_Segm.nii.gz", home / "other_seg.nii.gz")  # which of two is not guessed
    (finding,) = verify(build_datamodule("brats", root=str(root)))
    assert finding.problem.endswith("BraTS2021_00003_seg.nii.gz: no such file.")


def test_brats_cavity_is_background_on_request(tmp_path: Path) -> None:
    root = make_brats(tmp_path, "new", 3)
    case = next(iter(build_datamodule("brats", root=str(root)).cases.values()))
    assert case.label is not None
    raw = stored(case.label)
    save(case.label, np.where(raw == 2, 4, raw).astype(np.uint8)[::-1])
    (finding,) = verify(build_datamodule("brats", root=str(root)))
    assert "--data.cavity true" in finding.fix
    data = build_datamodule("brats", root=str(root), cavity=True)
    assert verify(data) == []
    prepared = data.load(case)
    native = prepared.native if prepared.native is not None else prepared.label
    assert native is not None
    np.testing.assert_array_equal(native[0] > 0, np.isin(raw, (1, 3)))  # 1 necrosis, 3 enhancing; the oedema became 4
    old = make_brats(tmp_path / "old", "old", 3)  # where 4 is the enhancing tumour, the option changes nothing
    keys = [build_datamodule("brats", root=str(old), cavity=cavity) for cavity in (False, True)]
    assert keys[0].reader == keys[1].reader


def test_brats_of_children_is_refused_for_its_label_values(tmp_path: Path) -> None:
    root = make_brats(tmp_path, "new", 2)
    (root / "TrainingData" / "BraTS-PED-00001-000").mkdir()
    with pytest.raises(DataError, match="labels of BraTS-PED have other values"):
        build_datamodule("brats", root=str(root)).list_cases()
