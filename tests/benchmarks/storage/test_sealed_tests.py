"""The tests of a benchmark job count only if they are those of the job, with its checkpoint and its options."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cli.main import main
from benchmarks.leaderboard.leaderboard import make_leaderboard
from benchmarks.leaderboard.row import LeaderboardRow
from benchmarks.plan.job import Plan
from benchmarks.run.preflight import list_open_jobs
from benchmarks.run.progress import read_progress
from benchmarks.storage import layout
from benchmarks.storage.locks import claim
from benchmarks.storage.results import read_benchmark, read_controls
from benchmarks.storage.sealed_tests import check_job_state, find_damage
from benchmarks.storage.stored_plan import load_plan, store_plan
from tests.helpers.made_up_benchmark import controls as made_up_controls
from tests.helpers.sample_benchmark import FACTS, job
from tests.helpers.sample_rows import row
from tests.helpers.sealed_runs import write_run, write_test
from zoo.errors import RunError
from zoo.metrics.score_files import about_path
from zoo.utils.seals import add_seal

JOBS = [job("unet", 0), job("unet", 1)]


def runs_of(folder: Path) -> list[Path]:
    return [layout.job_folder(folder, one.id) for one in JOBS]


def benchmark(folder: Path) -> list[Path]:
    """Write a benchmark of two seeds that are done; return their run folders."""
    store_plan(folder, Plan(tuple(JOBS)))
    for one, run in zip(JOBS, runs_of(folder), strict=True):
        write_run(run, FACTS | {"folder": one.id, "seed": one.seed})
        write_test(run, "test", [row(f"c{i}", "x", 0.5 + 0.1 * one.seed + 0.01 * i) for i in range(3)])
    return runs_of(folder)


def only_row(folder: Path) -> LeaderboardRow:
    [found] = make_leaderboard(read_benchmark(folder)).rows[:1]
    return found


def change_json(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def reseal(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(add_seal(json.loads(path.read_text()) | changes)))


def _swap_seeds(first: Path, second: Path) -> None:
    first.rename(first.with_name("aside"))
    second.rename(first)
    first.with_name("aside").rename(second)


def _copy_test(first: Path, second: Path) -> None:
    shutil.copytree(first / "test", second / "test", dirs_exist_ok=True)


def test_results_that_are_what_their_jobs_wrote_are_ranked(tmp_path: Path) -> None:
    for run in benchmark(tmp_path):
        assert find_damage(run, "fit") == find_damage(run, "test") == ""
    found = only_row(tmp_path)
    assert (found.status, found.seeds, found.mark) == ("ok", 2, "")


@pytest.mark.parametrize(
    ("spoil", "names", "command"),
    [
        (
            lambda a, b: about_path(a / "test" / "cases.csv").unlink(),
            "test/about.json: the file is missing",
            "zoo test",
        ),
        (lambda a, b: about_path(a / "test" / "cases.csv").write_text("{}"), "test/about.json", "zoo test"),
        (lambda a, b: change_json(a / "test/about.json", fold=3), "test/about.json", "zoo test"),
        (
            lambda a, b: (a / "test/cases.csv").write_text(
                (a / "test/cases.csv").read_text().replace(",2.0,", ",2.5,")
            ),
            "test/cases.csv: the file does not match its seal",
            "zoo test",
        ),
        (
            lambda a, b: reseal(a / "test/about.json", changed_options={"model.init_args.overlap": 0.0}),
            "other options than the training: model.init_args.overlap 0.0",
            "zoo test",
        ),
        (
            lambda a, b: reseal(a / "test/about.json", checkpoint="checkpoints/last.ckpt"),
            "the test scored the checkpoint checkpoints/last.ckpt, not checkpoints/best.ckpt",
            "zoo test",
        ),
        (_copy_test, "test/about.json: these are the scores of another run", "zoo test"),
        (_swap_seeds, "these are the results of", "zoo bench run"),
        (
            lambda a, b: (a / "config.yaml").write_text("model: {}"),
            "config.yaml: the file was damaged",
            "zoo bench run",
        ),
        (lambda a, b: change_json(a / "manifest.json", params=7), "manifest.json: the content", "zoo bench run"),
    ],
)
def test_results_that_are_not_what_the_job_wrote_are_refused_with_file_and_command(
    spoil: Callable[[Path, Path], object], names: str, command: str, tmp_path: Path
) -> None:
    runs = benchmark(tmp_path)
    spoil(*runs)
    found = only_row(tmp_path)
    assert (found.status, found.dice) == ("refused", None)
    assert names in found.reason
    assert f"`{command}" in found.reason
    assert any(find_damage(run, "test") for run in runs)
    assert "damaged" in {job.state for job in read_progress(tmp_path, load_plan(tmp_path))}


def test_the_status_names_damaged_results_and_controls(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = benchmark(tmp_path)
    made_up_controls(layout.controls_folder(tmp_path, "hippocampus"), ["x"], 3)
    assert main(["status", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("2 done")
    change_json(runs[1] / "test/about.json", fold=3)
    change_json(layout.controls_folder(tmp_path, "hippocampus") / "controls.json", split_hash="other")
    assert main(["status", str(tmp_path)]) == 0
    *_, job, controls, counts = capsys.readouterr().out.splitlines()
    assert job.startswith(f"damaged    {JOBS[1].id}  test: {runs[1]}/test/about.json: the content does not match")
    assert f"`zoo test --out {runs[1]}` makes it anew" in job
    assert controls.startswith("damaged    controls of hippocampus  ")
    assert counts.startswith("1 done, 1 damaged")
    with claim(runs[1], lambda: None):
        assert check_job_state(runs[1], ("fit", "test")) == ("running", "test")
    assert list_open_jobs(tmp_path, load_plan(tmp_path)) == [JOBS[1]], "its data and its encoder are checked before"


def test_a_reason_to_leave_out_a_test_counts_only_if_the_benchmark_wrote_it(tmp_path: Path) -> None:
    first, _ = benchmark(tmp_path)
    layout.write_skipped(first, "test-blank", "the data set has no text")
    assert find_damage(first, "test-blank") == ""
    change_json(layout.skipped_path(first, "test-blank"), reason="another")
    assert "skipped.json: the content does not match its seal" in find_damage(first, "test-blank")
    layout.write_skipped(first, "test", "no text")
    assert "why test is left out" in find_damage(first, "test")
    found = only_row(tmp_path)
    assert (found.status, found.dice) == ("refused", None)


@pytest.mark.parametrize("name", ["plan.json", "costs.json"])
def test_an_edited_plan_and_edited_costs_are_refused_with_the_command(name: str, tmp_path: Path) -> None:
    benchmark(tmp_path)
    layout.store_costs(tmp_path, {JOBS[0].cost_key: {"params": 1}})
    assert read_benchmark(tmp_path).costs == {JOBS[0].cost_key: {"params": 1}}
    path = tmp_path / name
    path.write_text(re.sub(r"\b1\b", "2", path.read_text()))
    with pytest.raises(RunError, match=rf"{name}: the content does not match its seal.*`zoo bench (run|costs)"):
        read_benchmark(tmp_path)
    content = json.loads(path.read_text())
    del content["seal"]  # as an older version has written it
    layout.write_json(path, content)
    read_benchmark(tmp_path)


def test_a_test_of_a_run_that_was_trained_further_is_refused(tmp_path: Path) -> None:
    first, _ = benchmark(tmp_path)
    write_run(first, FACTS | {"folder": JOBS[0].id, "epochs": 9})
    assert "before its training ended" in only_row(tmp_path).reason


def test_rows_of_an_older_version_are_ranked_and_marked_as_unsealed(tmp_path: Path) -> None:
    """The folder of commit 9890fda has no seal in its manifest and none in `about.json`."""
    for run in benchmark(tmp_path):
        layout.write_json(run / "manifest.json", FACTS)
        about = json.loads((run / "test/about.json").read_text())
        layout.write_json(run / "test/about.json", {key: about[key] for key in ("metric_version",)})
    board = make_leaderboard(read_benchmark(tmp_path))
    assert [(one.status, one.mark) for one in board.rows[:1]] == [("ok", "unsealed")]
    assert any("older version" in text and "no seals" in text for text in board.groups[0].warnings)


def test_altered_controls_have_no_score_and_a_reason_with_the_command(tmp_path: Path) -> None:
    folder = layout.controls_folder(tmp_path, "hippocampus")
    made_up_controls(folder, ["x"], 3)
    assert find_damage(folder, "controls") == ""
    rows = folder / "mean-shape" / "cases.csv"
    rows.write_text(rows.read_text().replace(",2.0,", ",2.5,", 1))
    empty, shape = read_controls(tmp_path, "hippocampus")
    assert empty.scores is not None
    assert (shape.scores, shape.dice) == (None, None)
    assert "mean-shape/cases.csv: the file does not match its seal" in shape.note
    assert "zoo bench run" in shape.note
    assert find_damage(folder, "controls") == shape.note
    change_json(folder / "controls.json", split_hash="other")
    [none] = read_controls(tmp_path, "hippocampus")
    assert "controls.json: the content does not match its seal" in none.note


def test_controls_of_an_older_version_are_read_and_marked(tmp_path: Path) -> None:
    benchmark(tmp_path)
    folder = layout.controls_folder(tmp_path, "hippocampus")
    made_up_controls(folder, ["x"], 3)
    content = json.loads((folder / "controls.json").read_text())
    layout.write_json(folder / "controls.json", {key: content[key] for key in content if key not in ("seal", "files")})
    rows = make_leaderboard(read_benchmark(tmp_path)).groups[0].controls
    assert [(one.mark, one.dice is None) for one in rows] == [("unsealed", False)] * 2
