"""Pictures and scores belong together by case and query, because one image may have several queries."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from PIL import Image

from benchmarks.report.entries import Entry, make_entries
from benchmarks.report.gallery import read_gallery
from benchmarks.storage.results import JobResult, TestScores
from tests.helpers.sample_benchmark import job, leaderboard_of, result
from tests.helpers.sample_rows import row

DICES = {("scan", "left"): 0.25, ("scan", "right"): 0.75}


def queried(folder: Path) -> JobResult:
    """Return the result of a job on one image with two queries."""
    rows = tuple(replace(row(case, "lesion", dice), query=query) for (case, query), dice in DICES.items())
    return replace(result(job(), [0.5]), tests={"test": TestScores(rows)}, folder=folder)


def entry_of(one: JobResult) -> Entry:
    (entry,) = make_entries(leaderboard_of([one]).groups[0], [one])
    return entry


def write_pictures(folder: Path, dices: dict[tuple[str, str], float]) -> None:
    target = folder / "test" / "overlays"
    target.mkdir(parents=True)
    Image.new("RGB", (4, 4)).save(target / "picture.png")
    shared: dict[str, object] = {"file": "picture.png", "classes": {}, "text": None, "axis": None, "slice": None}
    cases = [
        {"kind": kind, "case_id": case, "query": query, "dice": dice, **shared}
        for kind, ((case, query), dice) in zip(("worst", "best"), dices.items(), strict=True)
    ]
    content = {"version": 1, "legend": [], "prompts": {}, "cases": cases}
    (target / "overlays.json").write_text(json.dumps(content), encoding="utf-8")


def test_each_query_of_an_image_is_a_case_of_its_own(tmp_path: Path) -> None:
    assert entry_of(queried(tmp_path)).case_dices(None) == [0.25, 0.75]


def test_the_pictures_of_two_queries_of_one_image_are_shown_with_their_own_dice(tmp_path: Path) -> None:
    write_pictures(tmp_path, DICES)
    gallery = read_gallery(entry_of(queried(tmp_path)))
    assert gallery.note == ""
    shown = [(one.query, one.dice) for _, pictures in gallery.kinds for one in pictures]
    assert shown == [("left", 0.25), ("right", 0.75)]


def test_a_picture_with_the_dice_of_another_query_is_left_out(tmp_path: Path) -> None:
    write_pictures(tmp_path, {("scan", "left"): 0.75, ("scan", "right"): 0.25})
    gallery = read_gallery(entry_of(queried(tmp_path)))
    assert gallery.kinds == ()
    assert gallery.note == "the picture of scan, left is of another test than the stored scores"
