"""Finding the label image of each case in the folders of other programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.scoring.files import FoundFiles, find_files
from zoo.errors import RunError
from zoo.types import Case, CaseKey, LabelSpace

ORGANS = LabelSpace(("liver", "left kidney"), ((1,), (2,)))
REGIONS = LabelSpace(("whole", "core"), ((1, 2), (2,)), exclusive=False)


def case(name: str, image: str = "", label: str = "", query: str = "") -> Case:
    images = (Path("images", image or f"{name}.nii.gz"),)
    return Case(name, images, Path("labels", label or f"{name}.nii.gz"), subject=name, query=query)


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return folder


def find(folder: Path, *cases: Case, labels: LabelSpace = ORGANS, wanted: set[CaseKey] | None = None) -> FoundFiles:
    return find_files(folder, cases, {one.key for one in cases} if wanted is None else wanted, labels)


def named(found: FoundFiles, folder: Path) -> dict[str, dict[int, str]]:
    return {
        str(key): {number: str(path.relative_to(folder)) for number, path in files.items()}
        for key, files in found.of_case.items()
    }


@pytest.mark.parametrize(
    "form",
    [
        "{}.nii.gz",
        "{}.nii",
        "{}.NII.GZ",
        "{}.png",
        "{}_seg.nii.gz",
        "{}_trans.nii.gz",
        "{}/{}_seg.nii.gz",
        "{}/{}_trans.nii.gz",
        "{}/{}_anything.nii.gz",
        "{}/{}.nii.gz",
        "{}/prediction.nii.gz",
    ],
)
def test_a_file_is_found_in_the_forms_of_known_programs(form: str, tmp_path: Path) -> None:
    touch(tmp_path, *(form.replace("{}", name) for name in ("a", "b")))
    expected = {name: {0: form.replace("{}", name)} for name in ("a", "b")}
    found = find(tmp_path, case("a"), case("b"))
    assert named(found, tmp_path) == expected
    assert found.extra == []


def test_the_files_that_nnunet_writes_beside_its_label_images_are_none(tmp_path: Path) -> None:
    beside = (
        "dataset.json",
        "plans.json",
        "summary.json",
        "predict_from_raw_data_args.json",
        "a.npz",
        "a.pkl",
        "._a.nii",
    )
    found = find(touch(tmp_path, "a.nii.gz", *beside), case("a"))
    assert named(found, tmp_path) == {"a": {0: "a.nii.gz"}}
    assert found.extra == []


def test_a_file_has_the_name_of_the_image_or_of_the_label_where_the_case_has_another(tmp_path: Path) -> None:
    cases = [
        case("0001", "img0001.nii.gz", "label0001.nii.gz"),
        case("0002", "img0002_0000.nii.gz", "label0002.nii.gz"),
    ]
    found = find(touch(tmp_path, "img0001_trans.nii.gz", "img0002.nii.gz"), *cases)
    assert named(found, tmp_path) == {"0001": {0: "img0001_trans.nii.gz"}, "0002": {0: "img0002.nii.gz"}}


def test_a_name_of_an_image_that_two_cases_share_is_the_name_of_neither(tmp_path: Path) -> None:
    cases = [case("p1", "p1/ct.nii.gz", "p1/seg.nii.gz"), case("p2", "p2/ct.nii.gz", "p2/seg.nii.gz")]
    found = find(touch(tmp_path, "ct.nii.gz", "p2.nii.gz"), *cases)
    assert named(found, tmp_path) == {"p2": {0: "p2.nii.gz"}}
    assert [path.name for path in found.extra] == ["ct.nii.gz"]


def test_the_id_of_a_case_comes_before_an_appended_word(tmp_path: Path) -> None:
    found = find(touch(tmp_path, "a.png", "a_seg.png"), case("a"), case("a_seg"))
    assert named(found, tmp_path) == {"a": {0: "a.png"}, "a_seg": {0: "a_seg.png"}}


def test_each_query_of_an_image_has_a_file_of_its_own(tmp_path: Path) -> None:
    cases = [case("a", query="left"), case("a", query="right")]
    found = find(touch(tmp_path, "a__left.png", "a__right.png", "a.png"), *cases)
    assert named(found, tmp_path) == {"a__left": {0: "a__left.png"}, "a__right": {0: "a__right.png"}}
    assert [path.name for path in found.extra] == ["a.png"]


def test_one_file_per_region_or_per_class_is_found(tmp_path: Path) -> None:
    regions = find(touch(tmp_path / "regions", "a-1.png", "a-2.png"), case("a"), labels=REGIONS)
    assert named(regions, tmp_path / "regions") == {"a": {1: "a-1.png", 2: "a-2.png"}}
    organs = find(touch(tmp_path / "organs", "a/liver.nii.gz", "a/left_kidney.nii.gz", "a/spleen.nii.gz"), case("a"))
    assert named(organs, tmp_path / "organs") == {"a": {1: "a/liver.nii.gz", 2: "a/left_kidney.nii.gz"}}
    assert [path.name for path in organs.extra] == ["spleen.nii.gz"]


def test_files_of_other_cases_are_extra(tmp_path: Path) -> None:
    found = find(touch(tmp_path, "a.png", "b.png", "c.png"), case("a"), case("b"), wanted={CaseKey("a")})
    assert named(found, tmp_path) == {"a": {0: "a.png"}}
    assert [path.name for path in found.extra] == ["b.png", "c.png"]


def test_a_file_in_a_format_that_is_not_read_is_known(tmp_path: Path) -> None:
    found = find(touch(tmp_path, "a.mha", "b.nrrd", "b.png"), case("a"), case("b"))
    assert {str(key): path.name for key, path in found.unreadable.items()} == {"a": "a.mha"}


@pytest.mark.parametrize(
    "names", [("a.nii", "a.nii.gz"), ("a_seg.nii.gz", "a/a_trans.nii.gz"), ("a.nii.gz", "a/liver.nii.gz")]
)
def test_two_files_of_one_case_are_refused_with_both_names(names: tuple[str, str], tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cases with two files: a \\(") as caught:
        find(touch(tmp_path, *names), case("a"))
    assert all(name in str(caught.value) for name in names)


def test_a_folder_that_does_not_exist_and_a_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no such folder"):
        find(tmp_path / "none", case("a"))
    with pytest.raises(RunError, match="not a folder"):
        find(touch(tmp_path, "a.png") / "a.png", case("a"))
