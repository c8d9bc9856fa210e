"""Split lists of SAT-DS: names of patients and files become cases, and leaks are marked."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from datamodules.build import build_datamodule
from datamodules.cli import main
from datamodules.index.split_files import read_split_file
from tests.helpers.volume_sets import make_brats
from zoo.errors import ConfigError, DataError
from zoo.types import Case


def write(folder: Path, train: list[Any], test: list[Any], name: str = "BTCV.json", **more: Any) -> Path:
    path = folder / name
    path.write_text(json.dumps({"train": train, "val": [], "test": test, **more}), encoding="utf-8")
    return path


def volume(case_id: str, image: str, label: str = "", subject: str = "") -> Case:
    return Case(case_id, (Path("/data") / image,), Path("/data") / (label or f"labels/{case_id}"), subject or case_id)


BTCV = [
    volume(f"{number:04d}", f"img/img{number:04d}.nii.gz", f"label/label{number:04d}.nii.gz") for number in range(4)
]
CHAOS = [volume(f"mr_{number}", f"MR/{number}/T2SPIR/DICOM_anon/1.dcm") for number in (1, 2, 3, 39)]
ACDC = [
    volume(
        f"patient00{number}_{phase}", f"training/p/patient00{number}_frame{frame}.nii.gz", subject=f"patient00{number}"
    )
    for number in range(4)
    for phase, frame in (("ed", "01"), ("es", "12"))
]
MMWHS = [
    volume(name, f"ct_train/{name}_image.nii.gz", f"ct_train/{name}_label.nii.gz")
    for name in (f"ct_train_100{number}" for number in range(4))
]


@pytest.mark.parametrize(
    ("cases", "train", "test", "tested"),
    [
        (BTCV, ["img0000.nii.gz", "img0001.nii.gz", "img0002.nii.gz"], ["img0003.nii.gz"], ["0003"]),
        (CHAOS, ["1", "1", "1", "2", "2", "2", "39", "39", "39"], ["3", "3", "3"], ["mr_3"]),
        (
            ACDC,
            [f"patient00{number}_frame{frame}.nii.gz" for number in range(3) for frame in ("01", "12")],
            ["patient003_frame12.nii.gz"],
            ["patient003_es"],
        ),
        (ACDC, ["patient000", "patient001"], ["patient002", "patient003"], [one.case_id for one in ACDC[4:]]),
        (
            MMWHS,  # its lists name the labels too, in the other split
            ["ct_train_1000_image.nii.gz", "ct_train_1001_image.nii.gz", "ct_train_1003_label.nii.gz"],
            ["ct_train_1003_image.nii.gz", "ct_train_1000_label.nii.gz"],
            ["ct_train_1003"],
        ),
    ],
)
def test_names_of_files_patients_and_folders_find_their_cases(
    tmp_path: Path, cases: list[Case], train: list[str], test: list[str], tested: list[str]
) -> None:
    file = read_split_file(write(tmp_path, train, test, id_loc=-2))
    split = file.split_cases("any", cases)
    assert split.protocol == "sat_BTCV"
    assert sorted(split.test) == sorted(tested)
    assert len(split.val) >= 1
    assert not set(split.test) & {*split.train, *split.val}
    assert split.leaks() == []


def test_visits_of_a_subject_in_both_lists_are_marked_as_a_leak(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_brats(tmp_path / "data", "new")
    names = [f"BraTS-GLI-{number:05d}-000" for number in range(6)]
    path = write(tmp_path, names[:5], ["BraTS-GLI-00000-001", names[5]], "BraTS2023_GLI.json")
    data = build_datamodule("brats", root=str(root), split=str(path))
    assert data.leak_declared
    assert "protocol sat_BraTS2023_GLI leaks, as its file says (1 subject)" in caplog.text
    out = tmp_path / "mine.json"
    assert main(["split", "brats", "--root", str(root), "--data.split", str(path), "--out", str(out)]) == 0
    assert json.loads(out.read_text())["leaks"] is True
    clean = write(tmp_path, names[:4], [names[5]])
    assert not build_datamodule("brats", root=str(root), split=str(clean)).leak_declared
    capsys.readouterr()


def test_a_case_in_both_lists_is_trained_on_and_not_tested(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path, ["img0000", "img0001", "img0002"], ["img0002", "img0003"])
    assert read_split_file(path).split_cases("btcv", BTCV).test == ("0003",)
    assert "1 cases are in both lists, and stay in train as in SAT-DS: 0002" in caplog.text


def sample(patient: object, part: object, dataset: str = "AMOS22_CT") -> str:
    return json.dumps({"image": "a", "patient_id": patient, "official_split": part, "dataset": dataset})


def test_samples_have_an_official_split(tmp_path: Path) -> None:
    path = tmp_path / "AMOS22_CT.jsonl"
    lines = [
        sample("img0000.nii.gz", "train"),
        "",
        sample("img0001.nii.gz", "train"),
        sample("img0003.nii.gz", "valid"),
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    split = read_split_file(path).split_cases("btcv", BTCV)
    assert (split.protocol, split.test) == ("sat_AMOS22_CT_official", ("0003",))


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (["{"], "line 1 is no JSON"),
        ([sample("a", "train"), sample(3, "test")], "line 2 lacks `patient_id` or `official_split`"),
        ([sample("a", "train"), sample("b", "test", "WORD")], "line 2 is of 'WORD', earlier lines of 'AMOS22_CT'"),
        ([sample("a", "train"), sample("b", "unknown")], "no line has the `official_split` test"),
    ],
)
def test_samples_without_a_split_are_refused(tmp_path: Path, lines: list[str], problem: str) -> None:
    path = tmp_path / "A.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(ConfigError, match=re.escape(problem)):
        read_split_file(path)


def test_lists_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"train\[1\] is 3, not a name"):
        read_split_file(write(tmp_path, ["a", 3], ["b"]))
    with pytest.raises(ConfigError, match="`test` is empty"):
        read_split_file(write(tmp_path, ["a"], []))
    other = read_split_file(write(tmp_path, ["img0000.nii.gz", "word_0001.nii.gz"], ["img0003.nii.gz"]))
    with pytest.raises(DataError, match=r"BTCV\.json: 1 names fit no case at hand: word_0001\.nii\.gz"):
        other.split_cases("btcv", BTCV)
