"""CVPR-BiomedSegFM: its class list, its texts, its subjects, and labels that count objects."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest

from datamodules.build import build_datamodule
from datamodules.files import npz_volumes
from datamodules.files.npz_names import subject_of
from datamodules.files.npz_volumes import read_member
from datamodules.sets import BiomedSegFM
from datamodules.verify import inspect, verify
from tests.helpers.all_sets import edit
from tests.helpers.segfm_set import CLASSES, SPACING, make_biomedsegfm, write_npz
from zoo.data_facts import DataFacts
from zoo.errors import DataError, UnknownNameError
from zoo.utils.seals import hash_file

LIST = "CVPR25_TextSegFMData_with_class.json"
CORESET = "3D_train_npz_random_10percent_16G"
FIRST = Path(CORESET, "CT", "CT_TotalSeg_organs", "CT_TotalSeg_organs_s0000.npz")


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_biomedsegfm(tmp_path_factory.mktemp("segfm"))


@pytest.fixture
def root(clean: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(clean, tmp_path / "segfm"))


def segfm(root: Path, **options: Any) -> BiomedSegFM:
    made = build_datamodule("biomedsegfm", "tiny", root=str(root), **{"spacing": None, **options})
    assert isinstance(made, BiomedSegFM)
    return made


def test_a_query_is_a_value_of_the_list_and_its_texts_are_the_wordings(clean: Path) -> None:
    data = segfm(clean)
    case = data.index.case("CT_TotalSeg_organs-CT_TotalSeg_organs_s0000", "3")
    assert (case.report, *case.wordings) == tuple(CLASSES["CT_TotalSeg_organs"]["3"])
    with np.load(case.images[0]) as arrays:
        mask = arrays["gts"].T == 3
        spacing = arrays["spacing"]
    prepared = data.prepared(case)
    assert prepared.label is not None
    np.testing.assert_array_equal(prepared.label[0], mask)
    assert prepared.geometry.spacing == SPACING == tuple(spacing)
    assert data.facts["track"] == "class"
    assert DataFacts.from_dict(data.facts).has_reports


def test_the_reported_texts_are_those_of_the_files(clean: Path) -> None:
    data = segfm(clean)
    texts = {str(case.key): (case.report, case.wordings) for case in data.index.cases_of("test")}
    assert texts == {
        "CT_TotalSeg_muscles_s0003__2": ("CT of the left psoas muscle", ("Left psoas muscle",)),
        "CT_TotalSeg_organs_s0100__1": ("Spleen", ("Spleen in abdominal CT",)),
        "CT_TotalSeg_organs_s0100__3": ("The largest organ of the abdomen", ()),
        "MR_BraTS-T1c_bratsgli_0100__1": ("Enhancing tumour", ("Enhancing tumour in T1c MR",)),
    }


def test_a_subject_of_the_official_val_is_in_no_other_split(clean: Path) -> None:
    data = segfm(clean)
    assert not data.split.leaks()
    assert not [case for case in data.cases if case.case_id.endswith("s0003") and case.case_id.count("-")]
    assert {data.split.subjects[case_id].partition("_")[0] for case_id in data.split.val} == {"totalseg", "bratsgli"}


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("CT_totalseg-vertebrae_s0480", "totalseg_s0480"),
        ("MR_totalseg_mr_s0480", "totalseg_mr_s0480"),
        ("PET_autoPET_fdg_25707f94a2_07-03-2003-NA-PET-CT Ganzkoerper(1)", "25707f94a2"),
        ("CT_AbdTumor_PETCT_25707f94a2", "25707f94a2"),
        ("MR_WMH_FLAIR_Amsterdam_GE3T_143", "wmh_amsterdam_ge3t_143"),
        ("MR_ProstateADC_ADC-ProstateX-0103", "prostatex-0103"),
        ("MR_ProstateT2_NCI-Prostate3T-01-0014", "nci-prostate3t-01-0014"),
        ("US_Cardiac_patient0224_2CH_half_sequence(1)", "patient0224"),
        ("CT_LIDC-IDRI_LIDC-IDRI-0384_0002", "lidc-idri-0384"),
        ("CT_Aorta_AortaR9", "CT_Aorta_AortaR9"),
    ],
)
def test_files_of_one_person_have_one_subject(name: str, subject: str) -> None:
    assert subject_of(Path(f"{name}.npz")) == subject


def test_labels_that_count_objects_take_part_on_request(clean: Path) -> None:
    assert not [case for case in segfm(clean).cases.values() if "LIDC" in case.case_id or "LUNG1" in case.case_id]
    data = segfm(clean, instances=True)
    objects = [case for case in data.cases.values() if case.query == "instances"]
    assert {case.case_id for case in objects} == {
        "CT_LungLesion-CT_LIDC-IDRI_LIDC-IDRI-0384_0002",
        "CT_LungLesion-CT_LIDC-IDRI_LIDC-IDRI-0384_0003",
        "Microscopy_urocell_Mitochondria-urocell_001_mito",
        "CT_LungLesions_LUNG1-038",
    }
    label = data.prepared(objects[0]).label
    assert label is not None
    assert label.any(), "the values of the file are 3, and the list has 1"
    assert data.preprocessing_by_kind().keys() == {"scan", "microscopy"}


def test_results_say_which_list_was_used(root: Path) -> None:
    data = segfm(root)
    assert data.data_hash == hash_file(root / LIST)
    other = root / "later.json"
    edit(Path(shutil.copy(root / LIST, other)), CT_New={"1": ["New"], "instance_label": 0})
    later = segfm(root, classes=str(other))
    assert later.data_hash != data.data_hash
    case = next(iter(later.cases.values()))
    assert later.prepared_cases._name(case) != data.prepared_cases._name(case), "labels are compared with the new list"


def test_a_label_with_a_value_that_the_list_lacks_is_refused_and_found(root: Path) -> None:
    edit(root / LIST, CT_TotalSeg_organs={"1": ["Spleen"], "2": ["Liver"], "instance_label": 0})
    data = segfm(root)
    message = r"s0000\.npz: gts has the values \[3\], which `CT_TotalSeg_organs` in .*\.json lacks\. .*--data\.classes"
    with pytest.raises(DataError, match=message):
        data.load(data.index.case("CT_TotalSeg_organs-CT_TotalSeg_organs_s0000", "1"))
    assert "label_values" in {finding.kind for finding in verify(segfm(root))}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "no `{data set: {value:"),
        ('{"A": 1}', "A has no `instance_label`"),
        ('{"A": {"1": ["x"]}}', "A has no `instance_label`"),
        ('{"A": {"0": ["x"], "instance_label": 0}}', "A has the key `0`, which is no label value"),
        ('{"A": {"01": ["x"], "instance_label": 0}}', "A has the key `01`"),
        ('{"A": {"\u00b2": ["x"], "instance_label": 0}}', "A has the key `\u00b2`"),
        (f'{{"A": {{"{"1" * 5000}": ["x"], "instance_label": 0}}}}', "A has the key `1{40}`"),
        ('{"A": {"1": "x", "instance_label": 0}}', "A, value 1: a list of texts is expected"),
        ('{"A": {"1": [" "], "instance_label": 0}}', "A, value 1: a list of texts is expected"),
        ('{"A": {"instance_label": 0}}', "A has no class"),
        ('{"A": {"1": ["x"], "1": ["y"], "instance_label": 0}}', "'1'"),
        ('{"CT_TotalSeg_organ": {"1": ["x"], "instance_label": 0}}', "has no data set `CT_[A-Za-z]+"),
    ],
)
def test_a_list_of_another_form_is_refused(root: Path, content: str, message: str) -> None:
    (root / LIST).write_text(content)
    with pytest.raises(DataError, match=message):
        _ = segfm(root).cases


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"1": "Liver"}, "text_prompts has no `instance_label` of 0 or 1"),
        ({"liver": "Liver", "instance_label": 0}, "text_prompts has the key `liver`"),
        ({"1": 5, "instance_label": 0}, "text_prompts has no text for the value 1"),
        ({"instance_label": 0}, "text_prompts has no class"),
    ],
)
def test_texts_of_another_form_are_refused(root: Path, texts: dict[str, Any], message: str) -> None:
    path = root / "3D_val_npz" / "CT_TotalSeg_organs_s0100.npz"
    write_npz(path, imgs=np.zeros((4, 4, 4), np.uint8), spacing=np.ones(3), text_prompts=np.array(texts, dtype=object))
    with pytest.raises(DataError, match=rf"^{path}: {message}"):
        _ = segfm(root).cases


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        (lambda root: (root / "3D_val_gt/3D_val_gt_text/CT_TotalSeg_organs_s0100.npz").unlink(), "missing_file"),
        (lambda root: (root / FIRST).write_bytes(b"no zip"), "unreadable"),
        (lambda root: write_npz(root / FIRST, imgs=np.ones((3, 4, 5)), gts=np.ones((5, 4, 3), int)), "unreadable"),
    ],
)
def test_damage_is_found(root: Path, damage: Callable[[Path], Any], kind: str) -> None:
    damage(root)
    found = verify(segfm(root))
    assert kind in {finding.kind for finding in found}
    assert not [finding for finding in found if "\n" in finding.problem]


def test_image_and_label_of_different_shapes_are_refused(root: Path) -> None:
    path = root / "3D_val_gt" / "3D_val_gt_text" / "CT_TotalSeg_organs_s0100.npz"
    write_npz(path, gts=np.zeros((24, 20, 10), np.uint8))
    data = segfm(root)
    with pytest.raises(DataError, match=r"gts has the shape \(24, 20, 10\), but imgs \(10, 20, 24\) in "):
        data.load(data.index.case("CT_TotalSeg_organs_s0100", "1"))


def test_a_spacing_of_another_unit_is_refused(root: Path) -> None:
    with np.load(root / FIRST) as arrays:
        write_npz(root / FIRST, imgs=arrays["imgs"], gts=arrays["gts"], spacing=np.full(3, 0.001))
    data = segfm(root, spacing=[4.0, 4.0, 4.0])
    case = data.index.case("CT_TotalSeg_organs-CT_TotalSeg_organs_s0000", "1")
    with pytest.raises(DataError, match=r"spacing 0\.001, .* voxels into \(1, 1, 1\)\. Give --data\.spacing null"):
        data.load(case)
    assert segfm(root).load(case).image.shape == (1, 24, 20, 10)


def test_a_missing_folder_and_an_unknown_order_are_told(root: Path) -> None:
    with pytest.raises(DataError, match=r"3D_train_npz_all: no <modality>/<data set>/<name>\.npz in it"):
        _ = segfm(root, protocol="all").cases
    with pytest.raises(UnknownNameError, match=r"spacing_order"):
        segfm(root, spacing_order="yxz")
    (root / LIST).unlink()
    with pytest.raises(DataError, match=r"no such file\. .*--data\.classes"):
        _ = segfm(root).cases


@pytest.mark.parametrize("workers", [1, 4])
def test_verification_reads_each_file_once(clean: Path, monkeypatch: pytest.MonkeyPatch, workers: int) -> None:
    read: list[tuple[Path, str]] = []

    def count(path: Path, name: str, reader: Callable[[IO[bytes]], Any]) -> Any:
        read.append((path, name))
        return read_member(path, name, reader)

    data = segfm(clean)
    monkeypatch.setattr(npz_volumes, "read_member", count)
    report = inspect(data, workers=workers)
    arrays = [one for one in read if one[1] in ("imgs", "gts")]
    assert len(arrays) == len(set(arrays))
    files = {path for case in data.cases.values() for path in (*case.images, case.label)}
    assert len({path for path, _ in arrays}) == len(files)
    assert not report.findings
