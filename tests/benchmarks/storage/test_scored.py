"""The stored scores of methods outside the zoo: complete or absent, sealed, never replaced, joined with benchmarks."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from benchmarks.storage.joined import read_folders
from benchmarks.storage.results import read_benchmark
from benchmarks.storage.scored import SCORED, ScoredPart, part_folder, read_scored, write_parts
from tests.helpers.made_up_benchmark import benchmark
from tests.helpers.sample_benchmark import job
from tests.helpers.sample_rows import row
from zoo.errors import RunError


def part(name: str = "Ours", data: str = "hippocampus", split: str = "abc", fold: int | None = None) -> ScoredPart:
    told: dict[str, Any] = {"name": name, "data": data, "title": "", "stated": {}, "missing_as_empty": []}
    about = {"split_hash": split, "fold": fold, "folds": 5, "metric_version": "1", SCORED: told}
    return ScoredPart((row("c0", "x", 0.5),), about)


def test_parts_are_read_as_they_were_written_and_no_unfinished_file_stays(tmp_path: Path) -> None:
    written = write_parts(tmp_path / "out", [part(fold=0), part(fold=1)])
    assert [path.name.rpartition("-")[0] for path in written] == ["hippocampus-f0-Ours", "hippocampus-f1-Ours"]
    parts, notes = read_scored(tmp_path / "out")
    assert (notes, [one.fold for one in parts], [one.rows for one in parts]) == ((), [0, 1], [part().rows] * 2)
    assert sorted(path.name for path in (tmp_path / "out" / "scored").iterdir()) == sorted(one.name for one in written)


def test_a_name_becomes_one_folder_whatever_letters_it_has(tmp_path: Path) -> None:
    for name in ("../../etc", "a/b", "Ours (ä, 2026)", "-x", "." * 3, "n" * 100):
        (folder,) = write_parts(tmp_path, [part(name)])
        assert folder.parent == tmp_path / "scored"
    assert {one.name for one in read_scored(tmp_path)[0]} >= {"../../etc", "a/b", "n" * 100}


def test_scores_that_exist_are_never_replaced(tmp_path: Path) -> None:
    (folder,) = write_parts(tmp_path, [part()])
    before = (folder / "cases.csv").read_bytes()
    with pytest.raises(RunError, match="this name is scored already on these cases"):
        write_parts(tmp_path, [part("New"), part()])
    assert (folder / "cases.csv").read_bytes() == before
    assert len(list((tmp_path / "scored").iterdir())) == 1, "the other part of the command is not stored either"


def test_a_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for target in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(RunError, match="not the folder of a benchmark"):
            write_parts(target, [part()])
    (tmp_path / "empty").mkdir()
    assert write_parts(tmp_path / "empty", [part()])


def test_damaged_scores_are_refused_with_their_folder(tmp_path: Path) -> None:
    (folder,) = write_parts(tmp_path, [part()])
    (folder / "cases.csv").write_text((folder / "cases.csv").read_text().replace("0.5", "0.9"))
    ((found,), notes) = read_scored(tmp_path)
    assert (notes, found.rows, found.name) == ((), (), "Ours")
    assert "does not match its seal" in found.refusal
    assert "run the same `zoo score` again" in found.refusal


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"scored": {"name": "x"}}'])
def test_a_folder_that_tells_no_name_is_left_out_with_a_note(content: str, tmp_path: Path) -> None:
    (folder,) = write_parts(tmp_path, [part()])
    (folder / "about.json").write_text(content)
    parts, (note,) = read_scored(tmp_path)
    assert parts == ()
    assert note.startswith(f"Left out: {folder / 'about.json'}: ")
    assert read_benchmark(tmp_path).notes == (note,)


def test_a_folder_without_a_plan_is_a_benchmark_if_it_has_scores(tmp_path: Path) -> None:
    write_parts(tmp_path / "a", [part()])
    assert [one.name for one in read_benchmark(tmp_path / "a").scored] == ["Ours"]
    write_parts(tmp_path / "b", [part("Theirs")])
    assert [one.name for one in read_folders([tmp_path]).scored] == ["Ours", "Theirs"]


def test_scores_stand_beside_the_jobs_of_a_benchmark(tmp_path: Path) -> None:
    folder = benchmark(tmp_path / "bench", [job("unet")], ["x"])
    write_parts(folder, [part()])
    found = read_benchmark(folder)
    assert ([one.state for one in found.results], [one.name for one in found.scored]) == (["done"], ["Ours"])


def test_one_name_on_the_same_cases_in_two_folders_is_refused(tmp_path: Path) -> None:
    write_parts(tmp_path / "a", [part(), part(split="other")])
    assert len(read_folders([tmp_path / "a", tmp_path / "a" / "."]).scored) == 2
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    with pytest.raises(RunError, match="have scores of one name on the same cases"):
        read_folders([tmp_path / "a", tmp_path / "b"])


def test_the_folder_of_a_part_is_known_before_it_is_scored(tmp_path: Path) -> None:
    (folder,) = write_parts(tmp_path, [part(fold=3)])
    bare = json.loads((folder / "about.json").read_text())
    assert part_folder(tmp_path, ScoredPart((), bare)) == folder
