"""`zoo bench tune`: the same trials for all models, selected on validation, as recipes that a comparison uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.cli import main
from benchmarks.plan.job import Job
from benchmarks.plan.search_space import OWN_TERM, read_space
from benchmarks.storage import layout
from benchmarks.storage.stored_plan import load_plan
from tests.helpers.fake_trials import FakeTrials
from tests.helpers.tuned_recipes import write_tuned
from zoo.config import compose
from zoo.recipes import TunedRecipe, read_tuned

SHORT = ["--data", "phantom_chest", "--trainer", "cpu"]
TUNE = ["tune", "--models", "unet,tmca", *SHORT, "--trials", "4"]


def recipe(out: Path, model: str) -> TunedRecipe:
    found = read_tuned(out / "recipes" / f"{model}-phantom_chest-tiny.yaml")
    assert found is not None
    return found


def refusal(words: Sequence[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(list(words)) == 2
    return capsys.readouterr().err.splitlines()[-1]


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch) -> FakeTrials:
    """Replace the steps of jobs by functions in this process."""
    fake = FakeTrials()
    monkeypatch.setattr("benchmarks.run.job_runner.run_group", fake.run)
    return fake


@pytest.fixture(autouse=True)
def _one_parse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip the parser of each model, which `test_preflight` tests."""
    monkeypatch.setattr("benchmarks.run.preflight._find_wrong_options", lambda jobs: [])


def test_every_model_has_the_same_points_and_the_best_validation_dice_becomes_its_recipe(
    tmp_path: Path, trials: FakeTrials, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*TUNE, "--out", str(tmp_path), "--trainer.max_epochs", "1"]) == 0
    points = read_space().points(4, 0)
    jobs = load_plan(tmp_path).jobs
    shared = {key for key in points[0] if key != OWN_TERM}
    for model, own in (("unet", set()), ("tmca", {"alignment"})):
        of_model = [dict(job.changes) for job in jobs if job.model == model]
        assert [{key: one[key] for key in shared} for one in of_model] == [
            {key: str(point[key]) for key in shared} for point in points
        ]
        assert all(one.keys() == shared | own for one in of_model)
        found = recipe(tmp_path, model)
        dices = [trial["mean"] or 0.0 for trial in found.tuned.table]
        assert found.tuned.value == max(dices)
        assert found.tuned.best == dices.index(max(dices)) + 1
        assert found.lr == points[found.tuned.best - 1]["lr"]
        assert [trial["trial"] for trial in found.tuned.table] == [1, 2, 3, 4]
        assert compose(model, "phantom_chest", size="tiny", files=[found.path]).tuned == found
    assert recipe(tmp_path, "unet").search_hash == recipe(tmp_path, "tmca").search_hash
    said = capsys.readouterr()
    assert "8 jobs" in said.err, "the costs stand before the start"
    assert "trial" in said.out
    assert str(tmp_path / "recipes") in said.out


def test_no_trial_is_tested_and_none_prepares_the_test_cases(tmp_path: Path, trials: FakeTrials) -> None:
    assert main([*TUNE, "--out", str(tmp_path), "--trainer.limit_test_batches", "1.0"]) == 0
    assert {words[0] for words in trials.commands} == {"fit"}
    assert all(words.count("--trainer.limit_test_batches=0") == 1 for words in trials.commands)
    assert not any("--trainer.limit_test_batches=1.0" in words for words in trials.commands)
    assert not (tmp_path / "controls").exists(), "a control reads the test part"


def test_a_killed_search_continues_with_the_missing_trials_and_gives_the_same_recipe(
    tmp_path: Path, trials: FakeTrials, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, part = tmp_path / "whole", tmp_path / "part"
    assert main([*TUNE, "--out", str(whole)]) == 0
    trials.killed = {"tmca-tiny-tiny+trial03"}
    assert main([*TUNE, "--out", str(part)]) == 1
    assert "tmca-phantom_chest-tiny.yaml: no recipe, 1 trials are open" in capsys.readouterr().out
    assert recipe(part, "unet").path.is_file()
    trials.killed, trials.commands = set(), []
    assert main([*TUNE, "--out", str(part)]) == 0
    assert len(trials.commands) == 1
    for model in ("unet", "tmca"):
        assert recipe(part, model).path.read_bytes() == recipe(whole, model).path.read_bytes()


def test_a_trial_whose_loss_is_not_finite_counts_and_does_not_run_again(tmp_path: Path, trials: FakeTrials) -> None:
    assert main([*TUNE, "--out", str(tmp_path)]) == 0
    diverged = [trial for trial in recipe(tmp_path, "unet").tuned.table if trial["mean"] is None]
    assert [trial["values"]["lr"] for trial in diverged] == [0.00662]
    assert "not finite" in diverged[0]["note"]
    trials.commands = []
    assert main([*TUNE, "--out", str(tmp_path)]) == 0
    assert trials.commands == []


def test_more_trials_continue_the_sequence_and_fewer_are_refused(
    tmp_path: Path, trials: FakeTrials, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*TUNE, "--out", str(tmp_path)]) == 0
    trials.commands = []
    assert main([*TUNE[:-1], "6", "--out", str(tmp_path)]) == 0
    assert len(trials.commands) == 4
    assert recipe(tmp_path, "unet").trials == 6
    assert "6 trials" in refusal([*TUNE, "--out", str(tmp_path)], capsys)
    one = ["tune", "--models", "film", *SHORT, "--trials", "4", "--out", str(tmp_path)]
    assert "the search would not be equal" in refusal(one, capsys)
    other = refusal([*TUNE[:-1], "6", "--points-seed", "1", "--out", str(tmp_path)], capsys)
    assert "trial 1 of unet on phantom_chest" in other


def test_the_seeds_of_a_trial_are_averaged(tmp_path: Path, trials: FakeTrials) -> None:
    assert main([*TUNE, "--out", str(tmp_path), "--trial-seeds", "0,2"]) == 0
    found = recipe(tmp_path, "unet")
    assert found.tuned.search["seeds"] == [0, 2]
    first, second = found.tuned.table[found.tuned.best - 1]["val_dice"]
    assert first - second == pytest.approx(0.02)
    assert found.tuned.value == pytest.approx((first + second) / 2)


def test_a_recipe_that_a_user_changed_is_kept(
    tmp_path: Path, trials: FakeTrials, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*TUNE, "--out", str(tmp_path)]) == 0
    path = recipe(tmp_path, "unet").path
    changed = path.read_text(encoding="utf-8").replace("lr: ", "lr: 1")
    path.write_text(changed, encoding="utf-8")
    assert main([*TUNE, "--out", str(tmp_path)]) == 1
    assert "was changed by hand, and is kept" in capsys.readouterr().out
    assert path.read_text(encoding="utf-8") == changed


def test_trials_without_a_validation_dice_give_no_recipe(
    tmp_path: Path, trials: FakeTrials, capsys: pytest.CaptureFixture[str]
) -> None:
    trials.facts = {"best_val_dice": None}
    assert main([*TUNE, "--out", str(tmp_path)]) == 1
    assert "the training has no validation Dice" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--trainer.max_epochs", "1", "--model.lr", "0.1"], "--model.lr is set, and the space of the search has it"),
        (["--trials", "0"], "is not a number from 1"),
        (["--trials", "2000"], "at most 1024"),
        (["--space", "no.yaml"], "no.yaml: cannot be read"),
        (["--trainer", "demo"], "tests after each training (test,"),
        (["--points-seed", "x"], "--points-seed x: a seed is a whole number"),
    ],
)
def test_what_cannot_be_searched_is_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    out = tmp_path / "out"
    assert message in refusal([*TUNE, *words, "--out", str(out)], capsys)
    assert not out.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"data": {"phantom_chest": {"folds": 2}}}, "validation cases of one fold are test cases of another"),
        ({"budget": ["equal", "published"]}, "would have one recipe"),
    ],
)
def test_folds_and_two_budgets_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: dict[str, Any], message: str
) -> None:
    plan = tmp_path / "my.yaml"
    plan.write_text(yaml.safe_dump({"models": ["unet"], "data": ["phantom_chest"], "trainer": "cpu", **content}))
    assert message in refusal(["tune", str(plan), "--trials", "2", "--out", str(tmp_path / "out")], capsys)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"space": {}}, "space is empty"),
        ({"space": {"lr": {"log": [0, 1]}}}, "a logarithm needs values above 0"),
        ({"space": {"lr": {"log": [1, 0.1]}}}, "not [low, high]"),
        ({"space": {"lr": {"log": [0.1, 1], "choices": [1]}}}, "exactly one of the three"),
        ({"space": {"lr": {"logg": [0.1, 1]}}}, "unknown key file.space.lr.logg"),
        ({"space": {"model.lr": {"log": [0.1, 1]}}}, "write the argument alone"),
        ({"space": {"own_term": {"log": [0.1, 1]}}}, "no argument has this name"),
    ],
)
def test_a_wrong_space_is_one_line_with_its_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], space: dict[str, Any], message: str
) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(yaml.safe_dump(space))
    line = refusal([*TUNE, "--space", str(path), "--out", str(tmp_path / "out")], capsys)
    assert message in line
    assert "space.yaml" in line


def test_trials_are_no_benchmark_and_a_benchmark_has_no_trials(
    tmp_path: Path, trials: FakeTrials, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*TUNE, "--out", str(tmp_path)]) == 0
    assert "the trials of `zoo bench tune`" in refusal(["table", str(tmp_path)], capsys)
    run = ["run", "--models", "unet", *SHORT, "--out", str(tmp_path)]
    assert "its jobs: trials, not a comparison" in refusal(run, capsys)
    assert main(["status", str(tmp_path)]) == 0
    assert "6 done, 2 failed" in capsys.readouterr().out


def jobs_of(out: Path) -> dict[str, Job]:
    return {job.model: replace(job, root="") for job in load_plan(out).jobs}


def test_a_comparison_takes_the_values_of_recipes_and_of_cards_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchmarks.run.preflight.check_index", lambda job: None)
    monkeypatch.setattr("benchmarks.run.local.run_plan", lambda *_, **__: 0)
    write_tuned(tmp_path / "recipes", lr=0.0123, loss={"dice_per": "image"})
    words = ["--models", "unet,film", *SHORT, "--recipes", str(tmp_path / "recipes")]
    assert main(["run", *words, "--out", str(tmp_path / "out")]) == 0
    assert "film on phantom_chest: no tuned recipe, so its card is used" in capsys.readouterr().out
    jobs = jobs_of(tmp_path / "out")
    assert {"--model.lr=0.0123", "--model.loss.dice_per=image"} <= set(jobs["unet"].flags())
    assert (jobs["unet"].tuned, jobs["film"].tuned, jobs["film"].search) == (8, 0, "")
    assert load_plan(tmp_path / "out").configs[jobs["unet"].digest]["model.init_args.lr"] == 0.0123


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--models", "film"], "no recipe for a model of this plan"),
        (["--models", "unet", "--model.lr", "0.1"], "--model.lr is set"),
        (["--models", "unet", "--recipes", "nowhere"], "nowhere: no such folder of recipes"),
        (["--models", "unet"], "were selected on another split"),
    ],
)
def test_recipes_that_do_not_fit_a_comparison_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    path = write_tuned(tmp_path / "recipes", split_hash="of other cases")
    line = refusal(["run", "--recipes", str(path.parent), *words, *SHORT, "--out", str(tmp_path / "out")], capsys)
    assert message in line
    assert not (tmp_path / "out").exists()


def test_the_status_of_a_tuned_job_says_so_for_tables_of_its_folder_alone(tmp_path: Path, trials: FakeTrials) -> None:
    from benchmarks.plan.job import Plan, Settings
    from benchmarks.run.local import run_plan

    job = Job("unet", "phantom_chest", 0, settings=Settings("tiny", "cpu", None, (("model.lr", "0.001"),)), texts=())
    run_plan(tmp_path, Plan((replace(job, tuned=8, search="hash"),)), lambda _: None, controls=None)
    status = layout.read_status(layout.job_folder(tmp_path, job.id))
    assert status["tuned"] == {"trials": 8, "search": "hash"}
