"""DICOM SEG: a CT series in, a segmentation out that other programs read on the place of the series."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
import pytest
from pydicom.sr.codedict import codes

import zoo
from tests.helpers.dicom_series import write_series
from tests.zoo.segment.conftest import SMALL
from zoo.cli.main import main
from zoo.errors import DataError, ZooError
from zoo.models import TextQuery, UNet
from zoo.preprocessing import PreprocessingSpec
from zoo.preprocessing.training_input import TrainingInput
from zoo.segment.dicom_codes import find_codes, read_codes, to_long_string
from zoo.segment.result import Segmentation

CLASSES = ("liver", "left_kidney", "rib 4")


def make_volume(shape: tuple[int, int, int] = (5, 18, 14)) -> Any:
    return np.random.default_rng(0).integers(-100, 100, shape).astype(np.int16)


def segmenter_of(model: Callable[..., Any] = UNet, names: tuple[str, ...] = CLASSES) -> zoo.Segmenter:
    facts = zoo.make_facts(names, patch=[16, 16, 16])
    options = {} if model is UNet else {"encoder": "tiny"}
    made = model(facts, **options, **SMALL).eval()
    return zoo.Segmenter(made, TrainingInput({"": PreprocessingSpec()}, "mm"), weights=["ab" * 32])


def with_masks(found: Segmentation, masks: Any, exclusive: bool) -> Segmentation:
    """Put masks, [K, column, row, slice] or a label map, in place of those of an untrained model."""
    turned = found.prediction._replace(mask=np.flip(masks, (-3, -2)).copy() if masks.any() else masks)
    return replace(found, prediction=turned, labels=replace(found.labels, exclusive=exclusive))


def read_with_dcmtk(path: Path, folder: Path) -> tuple[list[Any], dict[str, Any]]:
    """Read a segmentation with dcmqi, which stands on DCMTK and not on pydicom: a NIfTI image per segment."""
    folder.mkdir()
    program = str(Path(sys.executable).with_name("segimage2itkimage"))
    command = [program, "--inputDICOM", str(path), "--outputDirectory", str(folder)]
    subprocess.run([*command, "--outputType", "nii", "--prefix", "x"], check=True, capture_output=True)
    meta = json.loads((folder / "x-meta.json").read_text())
    return [nib.load(file) for file in sorted(folder.glob("*.nii.gz"))], meta


def test_another_library_reads_each_class_on_the_place_of_the_series(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", make_volume())
    segmenter = segmenter_of(TextQuery)
    found = segmenter(tmp_path / "ct", {"liver": "Die Leber, größtes Organ."})
    assert found.save(tmp_path / "seg.dcm") == (tmp_path / "seg.dcm",)
    images, meta = read_with_dcmtk(tmp_path / "seg.dcm", tmp_path / "read")
    (expected,) = found.save(tmp_path / "mask.nii.gz")
    due = nib.load(expected)
    seen = [part[0] for part in meta["segmentAttributes"]]
    assert [part["SegmentLabel"] for part in seen] == list(CLASSES)
    assert [part["SegmentedPropertyTypeCodeSequence"]["CodeMeaning"] for part in seen] == ["Liver", "Kidney", "rib 4"]
    assert seen[1]["SegmentedPropertyTypeModifierCodeSequence"]["CodeMeaning"] == "Left"
    assert (seen[0]["SegmentAlgorithmName"], seen[0]["SegmentAlgorithmType"]) == ("TextQuery", "AUTOMATIC")
    assert seen[0]["SegmentDescription"] == "Die Leber, größtes Organ."
    assert len(images) == found.mask.max() == 3
    for number, image in enumerate(images, 1):
        on_grid = np.round(np.linalg.inv(due.affine) @ image.affine, 4)  # dcmqi mirrors no axis and cuts no slice here
        corner = on_grid[:3, 3].astype(int)
        np.testing.assert_allclose(on_grid[:3, :3], np.eye(3), atol=1e-3)
        read = np.asarray(image.dataobj)
        inside = tuple(slice(start, start + size) for start, size in zip(corner, read.shape, strict=True))
        np.testing.assert_array_equal(read > 0, found.mask[inside] == number)
        assert np.count_nonzero(read) == found.voxels()[CLASSES[number - 1]]


def test_patient_study_and_frame_of_reference_are_carried_over_as_they_are(tmp_path: Path) -> None:
    odd: dict[str, Any] = {"PatientSex": "female", "PatientBirthDate": "unknown", "SliceThickness": None}
    headers = write_series(tmp_path / "ct", make_volume((3, 12, 10)), **odd)
    segmenter_of()(tmp_path / "ct").save(tmp_path / "seg.dcm")
    made = pydicom.dcmread(tmp_path / "seg.dcm")
    for name in ("PatientName", "PatientID", "PatientSex", "PatientBirthDate", "PatientAge", "StudyDate", "StudyID",
                 "AccessionNumber", "StudyInstanceUID", "FrameOfReferenceUID", "ReferringPhysicianName"):  # fmt: skip
        assert made[name].value == headers[0][name].value, name
    assert str(made.PatientName) == "Müller^Jörg"
    assert made.SeriesInstanceUID not in (headers[0].SeriesInstanceUID, headers[0].StudyInstanceUID)
    (series,) = made.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == headers[0].SeriesInstanceUID
    named = [one.ReferencedSOPInstanceUID for one in series.ReferencedInstanceSequence]
    assert named == [header.SOPInstanceUID for header in headers]
    algorithm = made.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence[0]
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("UNet", zoo.__version__)
    assert f"weights={'ab' * 32}" in algorithm.AlgorithmParameters
    assert made.SoftwareVersions == zoo.__version__


def test_overlapping_and_absent_classes_are_written(tmp_path: Path) -> None:
    headers = write_series(tmp_path / "ct", make_volume((3, 12, 10)), turn=0.0,
                           SeriesInstanceUID=lambda place: f"1.2.3.{place}")  # fmt: skip
    found = segmenter_of(names=("liver", "lesion"))(tmp_path / "ct")
    masks = np.zeros((2, 10, 12, 3), np.uint8)
    masks[0, 2:6, 3:9, 1], masks[1, 4:8, 5:7, 1:] = 1, 1
    overlapping = with_masks(found, masks, exclusive=False)
    overlapping.save(tmp_path / "both.dcm")
    made = pydicom.dcmread(tmp_path / "both.dcm")
    assert made.SegmentsOverlap == "YES"
    assert [one.SeriesInstanceUID for one in made.ReferencedSeriesSequence] == ["1.2.3.0", "1.2.3.1", "1.2.3.2"]
    frames = made.pixel_array
    for frame, group in zip(frames, made.PerFrameFunctionalGroupsSequence, strict=True):
        segment = group.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        height = group.PlanePositionSequence[0].ImagePositionPatient[2]
        place = [header.ImagePositionPatient[2] for header in headers].index(height)
        np.testing.assert_array_equal(frame, masks[segment - 1, :, :, place].T)
    assert len(frames) == 3
    with_masks(found, np.zeros((10, 12, 3), np.uint8), exclusive=True).save(tmp_path / "none.dcm")
    assert not pydicom.dcmread(tmp_path / "none.dcm").pixel_array.any()


@pytest.mark.parametrize(
    ("elements", "message"),
    [
        ({"FrameOfReferenceUID": None}, "its header lacks FrameOfReferenceUID"),
        ({"FrameOfReferenceUID": lambda place: f"1.2.{place}"}, "its FrameOfReferenceUID is not that of IM0003.dcm"),
        ({"PatientID": str}, "its PatientID is not that of IM0003.dcm"),
        ({"SOPInstanceUID": "1.2.3"}, "have one SOPInstanceUID"),
    ],
)
def test_a_series_without_what_dicom_seg_needs_gets_no_file(
    elements: dict[str, Any], message: str, tmp_path: Path
) -> None:
    write_series(tmp_path / "ct", make_volume((3, 12, 10)), **elements)
    found = segmenter_of()(tmp_path / "ct")
    with pytest.raises(DataError, match=r"ct/IM000\d\.dcm: no DICOM SEG for this series: .*--format nifti") as caught:
        found.save(tmp_path / "seg.dcm")
    assert message in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["ct"]
    found.save(tmp_path / "mask.nii.gz")


def test_what_highdicom_refuses_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_series(tmp_path / "ct", make_volume((3, 12, 10)))
    found = segmenter_of()(tmp_path / "ct")

    def refuse(**_: object) -> None:
        raise ValueError("no\nsuch module.")

    monkeypatch.setattr("highdicom.seg.Segmentation", refuse)
    with pytest.raises(DataError, match=r"highdicom cannot use its header \(no such module\)\. Write NIfTI"):
        found.save(tmp_path / "seg.dcm")
    assert not (tmp_path / "seg.dcm").exists()


def test_the_mask_of_another_image_is_no_dicom_seg(tmp_path: Path) -> None:
    found = segmenter_of()(np.zeros((16, 16, 16)))
    with pytest.raises(ZooError, match=r"seg\.dcm: only the mask of a DICOM series"):
        found.save(tmp_path / "seg.dcm")


def test_the_command_writes_a_dicom_seg_per_series_and_goes_on_after_a_bad_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    series: dict[str, dict[str, Any]] = {"a.1": {"suffix": ""}, "b": {"FrameOfReferenceUID": None}, "c": {}}
    for name, elements in series.items():
        write_series(tmp_path / "in" / name, make_volume((3, 12, 10)), **elements)
    monkeypatch.setattr("zoo.segment.segmenter.load", lambda *_, **__: segmenter_of())
    command = ["segment", str(tmp_path / "in"), "--run", "r", "--device", "cpu", "--out"]
    assert main([*command, str(tmp_path / "out"), "--csv"]) == 2
    told = capsys.readouterr()
    assert "2 of 3 images in" in told.out
    assert told.err.count("\n") == 1
    assert "lacks FrameOfReferenceUID" in told.err
    assert {path.name for path in (tmp_path / "out").glob("*.dcm")} == {"a.1.dcm", "c.dcm"}
    assert main([*command, str(tmp_path / "out")]) == 2
    assert "2 of 3 images are done already" in capsys.readouterr().out
    assert main([*command, str(tmp_path / "nifti"), "--format", "nifti"]) == 0
    assert sorted(path.name for path in (tmp_path / "nifti").glob("*.nii.gz")) == ["a.1.nii.gz", "b.nii.gz", "c.nii.gz"]
    assert main([*command, str(tmp_path / "in")]) == 2
    assert "would be read as images. Name another --out." in capsys.readouterr().err


def test_every_code_of_the_table_is_known_to_pydicom() -> None:
    table = read_codes()
    for name in (*table["structures"], *table["abnormal"]):
        assert find_codes(name).kind.scheme_designator == "SCT", name
    assert find_codes("Right Kidney").side == codes.SCT.Right
    assert find_codes("left ventricle").side is None
    assert find_codes("liver_tumor").organ == codes.SCT.Liver
    own = find_codes("Milz \\ Niere " + "x" * 90)
    assert (own.kind.scheme_designator, len(own.kind.meaning)) == ("99TEXTSEGZOO", 64)
    assert to_long_string("\n") == "class"
