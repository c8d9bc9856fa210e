"""The rows of a test and `about.json`: which are read, and which are refused with the command that makes them anew."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.score_rows import ORGANS, SPACING, one_row, scene
from zoo.errors import RunError
from zoo.metrics.case_scores import write_rows
from zoo.metrics.score_files import about_path, read_scores, write_scores
from zoo.metrics.scoring import score_case
from zoo.utils import seals

FIX = "`zoo test --out r` makes it anew."


def written(folder: Path) -> Path:
    """Write the scores of one case with a missed, a spurious and an absent organ."""
    path = folder / "test" / "cases.csv"
    mask, label = scene()
    about = {"metric_version": "1", "spacing": {"a": list(SPACING)}, "shape": {"a": list(label.shape)}}
    write_scores(path, score_case("a", mask, label, ORGANS, SPACING, "mm", 2.0), about)
    return path


def test_scores_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = written(tmp_path)
    rows, about = read_scores(path, FIX)
    assert rows == score_case("a", *scene(), ORGANS, SPACING, "mm", 2.0)
    assert about["files"] == {"cases.csv": seals.hash_file(path)}


def _change_about(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Path], object]:
    def spoil(path: Path) -> None:
        about = about_path(path)
        about.write_text(json.dumps(change(json.loads(about.read_text()))))

    return spoil


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda path: path.write_text(path.read_text().replace("spurious", "spurious ")), "cases.csv: the file does"),
        (lambda path: path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1])), "cases.csv: the file"),
        (lambda path: path.write_bytes(b""), "cases.csv: the file does not match its seal"),
        (lambda path: about_path(path).unlink(), "about.json: the file is missing"),
        (lambda path: about_path(path).write_text("{}"), "about.json: the file does not describe a test"),
        (lambda path: about_path(path).write_text("[]"), "about.json: the file does not describe a test"),
        (lambda path: about_path(path).write_text("[" * 100_000), "about.json: the file is not readable JSON"),
        (_change_about(lambda about: {"metric_version": "1"}), "about.json: the file has no seals"),
        (_change_about(lambda about: about | {"spacing": {"a": [9.0, 1.0, 3.0]}}), "about.json: the content does not"),
        (_change_about(lambda about: seals.add_seal(about | {"files": {}})), "cases.csv: the file does not match"),
    ],
)
def test_files_that_are_not_what_the_test_wrote_are_refused(
    tmp_path: Path, spoil: Callable[[Path], object], says: str
) -> None:
    path = written(tmp_path)
    spoil(path)
    with pytest.raises(RunError) as caught:
        read_scores(path, FIX)
    assert says in str(caught.value)
    assert str(caught.value).endswith(FIX)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"status": "ok", "hd95": 30.0}, r"hd95 is 30\.0, but the diagonal of the image is 25"),
        ({"status": "ok", "hd95_voxels": 20.0}, r"hd95_voxels is 20\.0, but the diagonal of the image is 15"),
        (
            {"status": "missed", "tp": 0, "fp": 0, "dice": 0.0, "nsd": 0.0, "hd95": 3.0},
            r"hd95 is 3\.0, but the diagonal",
        ),
    ],
)
def test_a_distance_beyond_the_diagonal_or_of_a_miss_that_is_not_it_is_refused(
    tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    about = {"spacing": {"a": [1.0, 2.0]}, "shape": {"a": [10, 13]}}  # the diagonal is that of 9 x 24
    write_scores(tmp_path / "cases.csv", [one_row(**change)], about)
    with pytest.raises(RunError, match=rf"Case 'a' class 'liver': {says}"):
        read_scores(tmp_path / "cases.csv", FIX)


def test_a_killed_test_leaves_no_rows_and_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process ends between its two files, also when it replaces an older test."""
    path = written(tmp_path)

    def write_first_only(file: Path, text: str, **options: object) -> None:
        if file.name == "cases.csv":
            raise KeyboardInterrupt
        file.write_text(text)

    monkeypatch.setattr("zoo.metrics.score_files.write_text", write_first_only)
    with pytest.raises(KeyboardInterrupt):
        write_scores(path, [one_row()], {"metric_version": "1"})
    assert not path.exists(), "a benchmark takes the test for not done"
    monkeypatch.undo()
    write_scores(path, [one_row()], {"metric_version": "1"})
    assert read_scores(path, FIX)[0] == [one_row()]


def test_rows_of_an_older_version_without_seals_are_read(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    write_rows(path, [one_row()])
    assert read_scores(path, FIX, sealed=False) == ([one_row()], {})
    about_path(path).write_text(json.dumps({"metric_version": "1"}))
    assert read_scores(path, FIX, sealed=False)[1] == {"metric_version": "1"}
    about_path(path).write_text("{}")
    with pytest.raises(RunError, match="does not describe a test"):
        read_scores(path, FIX, sealed=False)
