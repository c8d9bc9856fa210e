"""MedCLIPSeg's packs: their sheets as text controls, their parts, and the faults that the release has."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from datamodules.build import build_datamodule
from datamodules.sets import MedCLIPSeg
from datamodules.sets.medclipseg import SHEETS
from datamodules.verify import Finding, verify
from tests.helpers.caption_sheets import HEADER, make_pack
from tests.helpers.image_sets import write_table
from zoo.errors import DataError, NotApplicableError
from zoo.io.tables import read_table


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    made: dict[str, Path] = {}

    def get(name: str) -> Path:
        if name not in made:
            made[name] = make_pack(name, tmp_path_factory.mktemp(name))
        return made[name]

    return get


@pytest.fixture
def busi(clean: Callable[[str], Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(clean("busi"), tmp_path / "BUSI"))


def med(name: str, root: Path, **options: Any) -> MedCLIPSeg:
    made = build_datamodule(f"medclipseg_{name}", "tiny", root=str(root), **options)
    assert isinstance(made, MedCLIPSeg)
    return made


def kinds(findings: list[Finding], kind: str) -> list[str]:
    return [finding.problem for finding in findings if finding.kind == kind]


def add_row(sheet: Path, *row: str) -> None:
    _, rows = read_table(sheet)
    write_table(sheet, [HEADER, *((one[0], one[1], one[2]) for one in rows), row])


@pytest.mark.parametrize("control", SHEETS)
def test_a_sheet_is_the_text_of_its_control(clean: Callable[[str], Path], control: str) -> None:
    data = med("busi", clean("busi"), text=control)
    cases = data.cases_of("test")
    reports = data.text_source.for_split("test").reports_of([case.key for case in cases])
    assert reports == [f"{control} of {case.case_id}.png" for case in cases]
    train = data.cases_of("train")
    assert data.text_source.for_split("train").reports_of([one.key for one in train]) == [one.report for one in train]
    with pytest.raises(NotApplicableError, match="has no such text for 3 cases"):
        data.text_source.for_split("val")


def test_a_pack_without_sheets_has_only_the_rules(clean: Callable[[str], Path]) -> None:
    with pytest.raises(NotApplicableError, match="do not know the form"):
        med("eus", clean("eus"), text="contradict").text_source.for_split("test")


def test_a_sheet_without_a_test_image_is_found(busi: Path) -> None:
    sheet = busi / "Prompts_Folder" / "Test_text_contradictory.xlsx"
    _, rows = read_table(sheet)
    write_table(sheet, [HEADER, *((one[0], one[1], one[2]) for one in rows[1:])])
    (finding,) = verify(med("busi", busi))
    assert finding.problem.startswith(f"{sheet}: no caption for 1 test images, such as ")
    (busi / "Prompts_Folder" / "Test_text_overdescriptive.xlsx").write_bytes(b"no sheet")
    assert {finding.kind for finding in verify(med("busi", busi))} == {"caption_missing", "caption_table"}


def test_an_image_of_several_parts_counts_for_the_reported_one(busi: Path) -> None:
    parts = {part: busi / f"{part}_Folder" for part in ("Train", "Test")}
    name = sorted((parts["Test"] / "img").iterdir())[0].name
    for kind in ("img", "label"):
        shutil.copy(parts["Test"] / kind / name, parts["Train"] / kind / name)
    sheet = busi / "Prompts_Folder" / "Train_text.xlsx"
    add_row(sheet, name, "One spot.", name)
    add_row(sheet, "1.png", "Another text.", "1.png")
    data = med("busi", busi)
    assert [len(data.split.ids_of(part)) for part in ("train", "val", "test")] == [8, 3, 4]
    assert data.index.case("1").report == "One spot in the top left."
    findings = verify(data)
    assert kinds(findings, "caption_doubled") == [f"{sheet}: '1.png' comes twice."]
    assert len(kinds(findings, "duplicate_across_parts")) == 1
    assert len(findings) == 2


def test_an_empty_val_part_is_cut_from_train(clean: Callable[[str], Path]) -> None:
    data = med("uwaterloo", clean("uwaterloo"))
    assert [len(data.split.ids_of(part)) for part in ("train", "val", "test")] == [7, 1, 4]
    assert verify(data) == []


@pytest.mark.parametrize(
    ("name", "first", "subject"),
    [
        ("eus", "C01_V1_0042", "C01"),
        ("busbra", "bus_0001-l", "bus_0001"),
        ("qata", "sub-S00001_ses-E1_run-1", "sub-s00001"),
    ],
)
def test_a_name_tells_the_subject(clean: Callable[[str], Path], name: str, first: str, subject: str) -> None:
    assert med(name, clean(name)).index.case(first).subject == subject


def test_patients_of_two_parts_are_kept_together_or_marked(clean: Callable[[str], Path], tmp_path: Path) -> None:
    root = Path(shutil.copytree(clean("busbra"), tmp_path / "BUSBRA"))
    for path in [*root.glob("Test_Folder/*/bus_0441-l.png")]:  # the other side of a patient of train
        path.rename(path.with_name("bus_0001-r.png"))
    for sheet in (root / "Prompts_Folder").glob("Test_text*.xlsx"):
        _, rows = read_table(sheet)
        named = [[cell.replace("bus_0441-l", "bus_0001-r") for cell in row] for row in rows]
        write_table(sheet, [HEADER, *((one[0], one[1], one[2]) for one in named)])
    assert not med("busbra", root).split.leaks()
    published = med("busbra", root, protocol="published")
    assert [leak.subject for leak in published.split.leaks()] == ["bus_0001"]
    assert published.leak_declared
    assert len(med("qata", clean("qata"), protocol="by_subject").split.test) == 4


def test_slices_without_a_patient_are_marked(clean: Callable[[str], Path]) -> None:
    data = med("btmri", clean("btmri"))
    assert data.leak_declared
    assert not data.split.leaks()
    assert not med("busi", clean("busi")).leak_declared


def test_train_images_that_are_all_tested_on_are_refused(clean: Callable[[str], Path], tmp_path: Path) -> None:
    root = Path(shutil.copytree(clean("cvc300"), tmp_path / "CVC300"))
    shutil.rmtree(root / "Train_Folder")
    shutil.copytree(root / "Test_Folder", root / "Train_Folder")
    with pytest.raises(DataError, match=r"no image is left in train.* Train on another data set"):
        _ = med("cvc300", root).split
