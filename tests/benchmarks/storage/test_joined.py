"""Run folders of `zoo fit` and `zoo test` in one table, alone and beside a benchmark."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cli import main
from benchmarks.leaderboard.leaderboard import RankingGroup, make_leaderboard
from benchmarks.plan.job import Plan
from benchmarks.storage import layout
from benchmarks.storage.joined import read_folders
from benchmarks.storage.stored_plan import store_plan
from tests.helpers.made_up_benchmark import benchmark, finished
from tests.helpers.sample_benchmark import job
from tests.helpers.sealed_runs import write_run, write_test
from zoo.errors import RunError
from zoo.metrics.case_scores import read_rows

LABELS = ("liver", "spleen")


def run(folder: Path, model: str = "unet", seed: int = 0, *, lr: float = 0.1, data: Any = None, **facts: Any) -> Path:
    """Write the folder of a finished and tested run, as `zoo fit` and `zoo test` leave it."""
    one = job(model, seed, facts.pop("track", "none"))
    known = {"model": model, "data": "hippocampus", "size": "tiny", "seed": seed, **facts}
    finished(folder, one, LABELS, level=0.5, cases=3, config=make_config(seed, model, lr, data), **known)
    return folder


def make_config(seed: int, model: str, lr: float, data: Any = None) -> dict[str, Any]:
    return {
        "seed_everything": seed,
        "trainer": {"max_epochs": 3, "devices": 1},
        "model": {"class_path": f"zoo.models.{model}", "init_args": {"lr": lr}},
        "data": {
            "class_path": "datamodules.sets.Hippocampus",
            "init_args": {"fold": None, "root": "/d", **(data or {})},
        },
    }


def group(*paths: Path) -> RankingGroup:
    (only,) = make_leaderboard(read_folders(paths)).groups
    return only


def test_runs_that_differ_in_the_seed_alone_are_the_seeds_of_one_row(tmp_path: Path) -> None:
    runs = [run(tmp_path / "a", seed=0), run(tmp_path / "b", seed=1), run(tmp_path / "c", "film")]
    found = group(*runs)
    assert {row.label: row.seeds for row in found.ranked} == {"unet (tiny)": 2, "film (tiny)": 1}
    assert group(tmp_path).rows == found.rows, "a folder that contains the runs is the same"
    assert group(tmp_path / "*").rows == found.rows, "and so is a pattern that no shell has expanded"
    assert group(*runs, runs[0]).rows == found.rows, "a folder that is given twice counts once"


def test_two_configurations_of_one_model_are_two_rows_that_name_the_difference(tmp_path: Path) -> None:
    run(tmp_path / "a", lr=0.1)
    run(tmp_path / "b", lr=0.2)
    assert [row.label for row in group(tmp_path).rows] == ["unet (tiny), model.lr=0.1", "unet (tiny), model.lr=0.2"]


def test_a_run_of_a_tuned_recipe_is_ranked_apart_from_cards(tmp_path: Path) -> None:
    for name in ("unet", "film"):
        run(tmp_path / name, name)
    run(tmp_path / "c", "tmca", tuned={"trials": 8, "search": "space", "seal": "x"})
    found = group(tmp_path)
    assert {row.model for row in found.ranked} == {"unet", "film"}
    assert found.unranked[0].reason == "not comparable: tuning tuned, 8 trials each, not card; search space, not (none)"


def test_the_trials_of_a_search_are_left_out_beside_runs(tmp_path: Path) -> None:
    run(tmp_path / "a")
    store_plan(tmp_path / "tuned", Plan((replace(job("film"), trial=1, texts=()),)))
    for paths in ((tmp_path,), (tmp_path / "a", tmp_path / "tuned")):
        found = read_folders(paths)
        assert [one.job.model for one in found.results] == ["unet"]
        assert found.notes == (
            f"Left out: {tmp_path / 'tuned'}: the trials of `zoo bench tune`, which have no test scores.",
        )


def test_the_comparability_check_is_that_of_a_benchmark(tmp_path: Path) -> None:
    run(tmp_path / "a")
    run(tmp_path / "b", "film")
    run(tmp_path / "c", "tmca", budget={"samples": 700, "batch_size": 4})
    found = group(tmp_path)
    assert [row.model for row in found.ranked] == ["film", "unet"]
    assert found.unranked[0].reason == "not comparable: budget batch_size=4 samples=700, not batch_size=4 samples=100"


def test_folds_are_pooled_and_a_part_of_them_is_not_ranked(tmp_path: Path) -> None:
    for fold in (0, 1):
        folder = run(tmp_path / f"f{fold}", data={"fold": fold, "folds": 3})
        rows = read_rows(layout.cases_path(folder, "test"))
        write_test(folder, "test", [replace(one, case_id=f"fold{fold}-{one.case_id}") for one in rows])
    (row,) = group(tmp_path).unranked
    assert (row.n, row.folds, row.seeds) == (6, 2, 1)
    assert row.reason == "not ranked: pooled over the folds 0, 1 of 3, counted from 0"


def test_what_is_no_complete_result_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path / "good")
    shutil.rmtree(run(tmp_path / "untested", seed=1) / "test")
    run(tmp_path / "stopped", seed=2, finished=None)
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("of mine")
    assert main(["table", *map(str, sorted(tmp_path.iterdir())), "--format", "json"]) == 0
    printed = capsys.readouterr()
    (row,) = json.loads(printed.out)["rows"]
    assert (row["model"], row["seeds"], row["seeds_planned"]) == ("unet", 1, 1)
    lines = printed.err.splitlines()
    assert lines == [line for line in json.loads(printed.out)["footnotes"] if line.startswith("Left out")]
    assert lines == [
        f"Left out: {tmp_path}/empty: no benchmark here (no plan.json), and no run below it.",
        f"Left out: {tmp_path}/notes.txt: no benchmark here (no plan.json), and no run below it.",
        f"Left out: {tmp_path}/stopped is not trained to its end. "
        f"Run the same `zoo fit ... --out {tmp_path}/stopped` again.",
        f"Left out: {tmp_path}/untested has no test scores. Run `zoo test --out {tmp_path}/untested`.",
    ]
    with pytest.raises(RunError, match=r"untested has no test scores.*Give folders of"):
        read_folders([tmp_path / "untested"])


def test_runs_join_a_benchmark_with_its_controls_and_variants(tmp_path: Path) -> None:
    variant = job("bipvl", 0, "class", variant="no_text", changes=(("use_text", "false"),))
    jobs = [job("unet", 0), job("unet", 1), job("bipvl", 0, "class"), variant]
    out = benchmark(tmp_path / "bench", jobs, LABELS, cases=3)
    for one in jobs:
        folder = layout.job_folder(out, one.id)
        write_run(folder, layout.read_json(folder / "manifest.json"), config=make_config(one.seed, one.model, 0.1))
        for step in one.steps[1:]:
            write_test(folder, step, read_rows(layout.cases_path(folder, step)))
    run(tmp_path / "more", "unet", 2, label_space_hash=None)
    run(tmp_path / "film", "film")
    found = group(out, tmp_path / "more", tmp_path / "film")
    assert {row.model: row.seeds for row in found.ranked} == {"bipvl": 1, "unet": 3, "film": 1}
    assert [row.model for row in found.controls] == ["control:all-background", "control:mean-shape"]
    assert [row.variant for row in found.rows if row.variant] == ["no_text"]
    alone = make_leaderboard(read_folders([out])).groups[0]
    assert [row.dice for row in found.controls] == [row.dice for row in alone.controls]


def test_a_run_whose_files_were_edited_is_refused_and_named(tmp_path: Path) -> None:
    run(tmp_path / "a")
    run(tmp_path / "b", "film")
    rows = tmp_path / "b" / "test" / "cases.csv"
    rows.write_text(rows.read_text().replace(",2.0,", ",2.5,", 1))
    found = group(tmp_path)
    assert [row.model for row in found.ranked] == ["unet"]
    (refused,) = found.unranked
    assert (refused.status, refused.dice) == ("refused", None)
    assert f"{rows}: the file does not match its seal" in refused.reason
    assert f"`zoo test --out {tmp_path / 'b'}` makes it anew" in refused.reason


def test_one_training_in_two_folders_is_refused(tmp_path: Path) -> None:
    run(tmp_path / "a")
    run(tmp_path / "b")
    with pytest.raises(RunError, match=r"a and .*b have the same configuration and seed\. Give only one of them"):
        read_folders([tmp_path])


def test_two_own_data_sets_of_one_kind_are_two_groups(tmp_path: Path) -> None:
    for title in ("Ours", "Theirs"):
        run(tmp_path / title, data={"title": title}, data_title=title)
    assert [one.data for one in make_leaderboard(read_folders([tmp_path])).groups] == [
        "Ours (hippocampus)",
        "Theirs (hippocampus)",
    ]


def test_a_report_of_runs_is_beside_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path / "runs" / "a")
    run(tmp_path / "runs" / "b", "film")
    assert main(["report", str(tmp_path / "runs" / "a"), str(tmp_path / "runs" / "b")]) == 0
    assert str(tmp_path / "runs" / "report.html") in capsys.readouterr().out
    assert "film (tiny)" in (tmp_path / "runs" / "report.html").read_text(encoding="utf-8")
