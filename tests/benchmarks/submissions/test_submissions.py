"""Entries of a leaderboard that others can join: written, checked, scored again and shown."""

from __future__ import annotations

import inspect
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.cli.main import main
from benchmarks.storage.layout import write_sealed
from benchmarks.storage.results import read_benchmark
from benchmarks.submissions import writing
from benchmarks.submissions.checking import check_board
from benchmarks.submissions.folder import IMAGES, RESCORED, SUBMISSION, read_submission
from benchmarks.submissions.rescoring import OF_TEST, find_difference, score_again
from tests.benchmarks.submissions.conftest import GROUP, OURS, TMCA
from tests.helpers.sample_rows import absent, row
from zoo.errors import ConfigError, RunError
from zoo.registry import DATA
from zoo.utils.plugins import import_object
from zoo.utils.seals import FILES, hash_file


def findings_of(board: Path) -> str:
    return "\n".join(check_board(board).findings)


def reseal(entry: Path, **changes: object) -> None:
    """Write `submission.json` as somebody does who wants to deceive."""
    content = json.loads((entry / SUBMISSION).read_text())
    files = {name: hash_file(entry / name) for name in content[FILES] if (entry / name).is_file()}
    write_sealed(entry / SUBMISSION, {**content, FILES: files, **changes})


def label_image(entry: Path) -> Path:
    return min((entry / IMAGES).rglob("*.png"))


def job_of(entry: Path) -> Path:
    return next((entry / "results").iterdir())


def test_the_leaderboard_of_the_project_has_no_finding() -> None:
    board = check_board(OURS)
    assert board.findings == ()
    assert all(entry.read_rescoring() for entry in board.entries)


def test_an_entry_is_scored_again_row_by_row(entry: Path) -> None:
    assert score_again(read_submission(entry)).rows == 96
    image = label_image(entry)
    mask = np.asarray(Image.open(image)).copy()
    mask[0, 0] = mask.max()
    Image.fromarray(mask).save(image)
    reseal(entry)
    with pytest.raises(RunError, match=r"Case '.*', lesion: \w+ is .* and was scored again as"):
        score_again(read_submission(entry))


def test_every_option_that_says_what_is_generated_reaches_the_second_scoring() -> None:
    embedded = [card for card in DATA if card.about.get("embedded")]
    assert len(embedded) > 1
    for card in embedded:
        maker = import_object(card.config["data"]["class_path"])
        own = set(inspect.signature(maker).parameters) - {"kwargs"}
        assert own <= set(OF_TEST), card.name


def break_row(entry: Path) -> None:
    path = job_of(entry) / "test" / "cases.csv"
    path.write_text(path.read_text().replace("test-0001,", "test-0009,", 1))


def break_row_and_reseal(entry: Path) -> None:
    break_row(entry)
    reseal(entry)


def drop_file(entry: Path) -> None:
    (job_of(entry) / "manifest.json").unlink()


def add_file(entry: Path) -> None:
    (entry / "run.sh").write_text("echo")


def link_file(entry: Path) -> None:
    (entry / "README.md").unlink()
    (entry / "README.md").symlink_to("/etc/hostname")


def edit_facts(entry: Path) -> None:
    path = entry / SUBMISSION
    path.write_text(path.read_text().replace('"size": "tiny"', '"size": "published"'))


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (break_row, "changed since it was submitted: results/"),
        (drop_file, "missing: results/"),
        (add_file, "not of the entry: run.sh"),
        (link_file, "links: README.md"),
        (edit_facts, "does not match its seal"),
        (lambda entry: (entry / RESCORED).write_text("{}"), "it is about another state of this entry"),
        (lambda entry: reseal(entry, metric_version="0"), "scored by version 0 of the metrics"),
        (lambda entry: reseal(entry, data="btcv"), "this is an entry for btcv/generated. Move it"),
        (break_row_and_reseal, "cases.csv"),
    ],
)
def test_a_damaged_entry_is_a_finding_with_its_place(
    damage: Callable[[Path], object], told: str, board: Path, entry: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if (entry / RESCORED).is_file():
        (entry / RESCORED).unlink()
    damage(entry)
    assert main(["check", str(board)]) == 2
    printed = capsys.readouterr().err
    assert told in printed
    assert str(entry) in printed
    assert "Traceback" not in printed


def test_the_same_training_twice_is_a_finding(board: Path, entry: Path) -> None:
    shutil.copytree(entry, entry.with_name("again"))
    assert TMCA in findings_of(board)


def test_a_changed_entry_is_no_longer_scored_again_by_us(board: Path, entry: Path) -> None:
    assert read_submission(entry).read_rescoring()
    reseal(entry, name="other")
    assert "it is about another state of this entry" in findings_of(board)


def test_rows_differ_by_value_status_and_presence() -> None:
    rows = [row("a", "x", 0.5), row("b", "x", 0.25), absent("c", "x")]
    assert find_difference(rows, [replace(one, mark="leak") for one in rows]) == ""
    assert "only among the submitted rows" in find_difference(rows, rows[1:])
    assert "not among the submitted rows" in find_difference(rows[1:], rows)
    assert "hd95 is" in find_difference(rows, [replace(rows[0], hd95=rows[0].hd95 + 1), *rows[1:]])


def test_a_benchmark_is_submitted_with_its_label_images(entry: Path, tmp_path: Path) -> None:
    job = job_of(entry)
    shutil.copytree(entry / IMAGES / job.name, job / "predictions")
    assert main(["submit", str(entry), "--to", str(tmp_path / "new"), "--name", "mine"]) == 0
    target = tmp_path / "new" / GROUP / "mine"
    written = read_submission(target)
    assert (written.has_rows, written.content["text_track"]) == (True, "mask-derived")
    assert len(list((target / IMAGES).rglob("*.png"))) == 96
    assert check_board(tmp_path / "new").findings == ()
    assert "| true | 96 | 0.98" in (target / "README.md").read_text()
    assert main(["submit", str(entry), "--to", str(tmp_path / "new"), "--name", "mine"]) == 2


def test_label_images_may_lie_elsewhere(entry: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job = job_of(entry)
    shutil.copytree(entry / IMAGES / job.name, job / "predictions")
    address = "https://example.org/masks.zip"
    assert main(["submit", str(entry), "--to", str(tmp_path / "new"), "--images-at", address]) == 0
    (folder,) = (tmp_path / "new" / GROUP).iterdir()
    assert not (folder / IMAGES).exists()
    written = read_submission(folder)
    assert len(written.images[job.name]) == 96
    assert score_again(written).note == f"its label images lie at {address}"
    assert capsys.readouterr().err == ""


def test_what_the_terms_forbid_is_left_out_and_said(
    entry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    card = DATA.get("phantom_chest")
    about = {**card.about, "publish": {"images": "no", "weights": "no", "rows": "no"}}
    monkeypatch.setattr(DATA, "get", lambda name: replace(card, about=about))
    job = job_of(entry)
    shutil.copytree(entry / IMAGES / job.name, job / "predictions")
    assert main(["submit", str(entry), "--to", str(tmp_path / "new"), "--name", "mine"]) == 0
    folder = tmp_path / "new" / GROUP / "mine"
    assert not list(folder.rglob("cases.csv"))
    assert not list(folder.rglob("*.png"))
    printed = capsys.readouterr().out
    assert "mine: rows are left out" in printed
    assert "mine: label images are left out" in printed
    written = read_submission(folder)
    assert not written.has_rows
    assert json.loads((folder / "means.json").read_text())[job.name]["test"]["dice"] > 0.9
    assert check_board(tmp_path / "new").findings == ()


def test_the_hash_of_a_list_of_classes_does_not_make_a_published_set_own_data(entry: Path) -> None:
    first = read_benchmark(entry).results[0]
    for data, own in (("biomedsegfm", False), ("nifti_folder", True)):
        result = replace(first, job=replace(first.job, data=data), manifest={"data_hash": "a"})
        if own:
            with pytest.raises(ConfigError, match="nifti_folder: your own data"):
                writing._find_terms([result], writing.EntryOptions())
        else:
            assert writing._find_terms([result], writing.EntryOptions()).allows("rows")


def test_recording_needs_scoring_again(board: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(board), "--record"]) == 2
    assert "Add --data.root DIR or --again" in capsys.readouterr().err
