"""M3D-RefSeg: its tables, its notes, and cases that both tables name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from datamodules.build import build_datamodule
from datamodules.files.region_tables import read_regions
from datamodules.sets import M3DRefSeg
from datamodules.verify import verify
from tests.helpers.all_sets import counts, stored
from tests.helpers.refseg_set import SHARED, make_m3d_refseg, write_table
from zoo.errors import DataError, UnknownNameError

NOTE = "A dense focus in the left part."
QUESTIONS = (
    *("Where is the focus of the left part?", "Can you segment the left, dense focus?"),
    "What may be a calcification? Please segment it.",
)
ROW = ("s0000/ct.nii.gz", "s0000/mask.nii.gz", "1", "0", "Where?", "Here.")


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_m3d_refseg(tmp_path_factory.mktemp("refseg"))


@pytest.fixture
def root(clean: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(clean, tmp_path / "refseg"))


def refseg(root: Path, **options: Any) -> M3DRefSeg:
    made = build_datamodule("m3d_refseg", "tiny", root=str(root), **{"spacing": None, **options})
    assert isinstance(made, M3DRefSeg)
    return made


def test_a_query_is_a_region_whose_rows_are_its_wordings(clean: Path) -> None:
    case = refseg(clean).index.case("s0000", "1")
    assert (case.report, case.wordings) == (NOTE, QUESTIONS)
    asked = refseg(clean, texts="question").index.case("s0000", "1")
    assert (asked.report, asked.wordings) == (QUESTIONS[0], QUESTIONS[1:])
    label = refseg(clean).prepared(case).label
    assert label is not None
    np.testing.assert_array_equal(label[0], stored(clean / "M3D_RefSeg" / "s0000" / "mask.nii.gz") == 1)


def test_a_case_of_both_tables_is_reported_and_not_trained_on(clean: Path) -> None:
    data = refseg(clean)
    assert counts(data) == [5, 1, 3]
    assert not data.split.leaks()
    assert [case.query for case in data.cases.values() if case.case_id == SHARED] == ["5"]
    by_case = refseg(clean, protocol="by_case")
    assert sum(counts(by_case)) == 9
    assert [case.query for case in by_case.cases.values() if case.case_id == SHARED] == ["1", "2", "5"]


def test_the_tables_may_have_the_names_that_the_programs_of_the_authors_use(root: Path) -> None:
    expected = refseg(root).split_hash
    (root / "M3D_RefSeg_train.csv").rename(root / "M3D_RefSeg" / "M3D_RefSeg.csv")
    (root / "M3D_RefSeg_test.csv").rename(root / "M3D_RefSeg" / "M3D_RefSeg_test.csv")
    assert refseg(root).split_hash == expected
    (root / "M3D_RefSeg_all.csv").unlink()
    assert sum(counts(refseg(root, protocol="by_case"))) == 9
    (root / "M3D_RefSeg" / "M3D_RefSeg_test.csv").unlink()
    with pytest.raises(DataError, match=r"M3D_RefSeg_test\.csv"):
        _ = refseg(root).cases


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({0: "ct.nii.gz"}, r"row 2: Image 'ct\.nii\.gz' is not FOLDER/FILE"),
        ({1: "s0001/mask.nii.gz"}, "row 2: Image is in s0000, but Mask in s0001"),
        ({2: "0"}, "row 2: Mask_ID '0' is no whole number from 1"),
        ({2: "1.5"}, "row 2: Mask_ID '1.5'"),
        ({2: "one"}, "row 2: Mask_ID 'one'"),
        ({4: ""}, "row 2: Question is empty"),
    ],
)
def test_a_row_of_another_form_is_refused(tmp_path: Path, change: dict[int, str], message: str) -> None:
    row = tuple(change.get(place, cell) for place, cell in enumerate(ROW))
    path = write_table(tmp_path / "a.csv", [row])
    with pytest.raises(DataError, match=rf"^{path}: {message}"):
        read_regions([path])


def test_values_with_a_decimal_point_and_whole_paths_are_read(tmp_path: Path) -> None:
    rows = [("./Data/s0000/ct.nii.gz", "Data\\s0000\\mask.nii.gz", "3.0", "", "Where?", ""), ROW, ROW]
    found = read_regions([write_table(tmp_path / "a.csv", rows)])
    assert [(one.case, one.image, one.mask, one.value, one.questions) for one in found] == [
        ("s0000", "ct.nii.gz", "mask.nii.gz", value, ("Where?",)) for value in (3, 1)
    ]
    (tmp_path / "b.csv").write_text("Image,Mask,Question\na,b,c\n")
    with pytest.raises(DataError, match="the column 'Mask_ID' is missing"):
        read_regions([tmp_path / "b.csv"])


@pytest.mark.parametrize(
    ("notes", "message"),
    [
        ("[]", "no `{mask: text}` in it"),
        ('{"1": {"en": "A focus."}}', "no `{mask: text}` in it"),
        ("{", "line 1"),
        (json.dumps({"1": NOTE, "2": " "}), "no note for the mask 2, which a table names"),
        (None, "no such file"),
    ],
)
def test_notes_of_another_form_are_refused_unless_questions_are_wanted(
    root: Path, notes: str | None, message: str
) -> None:
    path = root / "M3D_RefSeg" / "s0000" / "text.json"
    path.unlink() if notes is None else path.write_text(notes)
    with pytest.raises(DataError, match=rf"^{path}: .*{message}.*--data\.texts question"):
        _ = refseg(root).cases
    assert refseg(root, texts="question").cases
    with pytest.raises(UnknownNameError, match=r"--data\.texts"):
        refseg(root, texts="answer")


def drop_region(path: Path) -> None:
    image = nib.load(path)
    values = np.where(np.asarray(image.dataobj) == 2, np.uint8(0), np.asarray(image.dataobj))
    nib.save(nib.Nifti1Image(values, image.affine), path)


@pytest.mark.parametrize(
    ("damage", "kind", "words"),
    [
        (drop_region, "empty_mask", "the mask of query 2 is empty"),
        (lambda path: nib.save(nib.Nifti1Image(np.ones((4, 4, 4), np.uint8), np.eye(4)), path), "shape_mismatch", "("),
        (lambda path: path.write_bytes(path.read_bytes()[:-30]), "unreadable", "truncated"),
    ],
)
def test_a_label_map_that_does_not_fit_is_found(
    root: Path, damage: Callable[[Path], Any], kind: str, words: str
) -> None:
    path = root / "M3D_RefSeg" / "s0000" / "mask.nii.gz"
    damage(path)
    found = [finding for finding in verify(refseg(root)) if finding.file == str(path)]
    assert {finding.kind for finding in found} == {kind}
    assert words in found[0].problem


def test_a_part_of_the_cases_is_enough(root: Path) -> None:
    shutil.rmtree(root / "M3D_RefSeg" / "s0000")
    assert counts(refseg(root)) == [4, 1, 3]
