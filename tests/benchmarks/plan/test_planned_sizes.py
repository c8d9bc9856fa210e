"""`zoo bench` with a size that the planner makes of the training cases."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.plan.expand import DataEntry, Matrix, make_plan
from benchmarks.plan.job import MATCHED, PUBLISHED, Plan, Settings
from benchmarks.plan.job_config import plan_config
from benchmarks.plan.plan_file import parse_matrix
from benchmarks.run.cost_estimate import count_steps
from benchmarks.run.job_runner import build_arguments, list_tasks
from benchmarks.run.preflight import Conditions, find_problems
from datamodules.analysis.training_summary import store_summary
from datamodules.build import build_datamodule
from tests.helpers.data_sets import make_hippocampus
from zoo.errors import ConfigError
from zoo.utils.config_values import find_value

SHORT = (("data.epoch_samples", "12"), ("trainer.max_epochs", "2"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_hippocampus(tmp_path, 6)


def planned(root: Path, *models: str, size: str = "planned", recipes: tuple[str, ...] = (PUBLISHED,)) -> Plan:
    data: dict[str, Any] = {"hippocampus": DataEntry(root=str(root))}
    settings = Settings(size, "cpu", overrides=SHORT)
    return make_plan(Matrix(models, data, [0], settings, recipes=recipes))


def test_the_job_is_named_by_its_size_and_its_command_has_it(root: Path) -> None:
    (job,) = planned(root, "nnunet", size="planned-plain").jobs
    assert job.name == "hippocampus-nnunet-planned-plain@published-s0"
    fit = build_arguments(job, "fit", Path("out"))
    assert fit[fit.index("--size") + 1] == "planned-plain"
    others = [planned(root, "nnunet", size=size).jobs[0] for size in ("planned", "published")]
    assert len({one.digest for one in (job, *others)}) == 3


def test_controls_read_the_cards_at_the_published_size(root: Path, tmp_path: Path) -> None:
    controls, _ = list_tasks(tmp_path, planned(root, "nnunet"))
    words = controls.steps[0][1]
    assert words[words.index("--size") + 1] == "published"


def test_steps_are_counted_with_the_batch_of_the_plan(root: Path) -> None:
    (job,) = planned(root, "nnunet").jobs
    assert count_steps(job) is None, "no plan yet"
    store_summary(build_datamodule("hippocampus", root=str(root)))
    batch = find_value(plan_config(job), "data.batch_size")
    published = replace(job, settings=replace(job.settings, size="published"))
    assert batch != find_value(plan_config(published), "data.batch_size")
    assert count_steps(job) == 2 * (12 // batch)


def test_a_missing_summary_is_told_before_the_first_job_with_the_command_that_makes_it(root: Path) -> None:
    jobs = planned(root, "nnunet", "resenc_unet").jobs
    (problem,) = find_problems(jobs, Conditions(yes=True))
    assert "Run `zoo data stats hippocampus --root" in str(problem)
    store_summary(build_datamodule("hippocampus", root=str(root)))
    assert not list(find_problems(jobs, Conditions(yes=True)))


def test_a_kind_leaves_out_the_models_that_take_no_plan_and_a_named_one_is_refused(root: Path) -> None:
    plan = planned(root, "vision")
    assert [job.model for job in plan.jobs] == ["nnunet", "resenc_unet"]
    assert any(note.startswith("unet is left out: it takes no --size planned: the shape") for note in plan.notes)
    with pytest.raises(ConfigError, match=r"The model 'unet' takes no --size planned: the shape .* data\. Remove"):
        planned(root, "unet", "nnunet")


@pytest.mark.parametrize("recipe", ["equal", MATCHED])
def test_a_plan_has_a_batch_of_its_own_so_that_budgets_cannot_be_shared(root: Path, recipe: str) -> None:
    with pytest.raises(ConfigError, match=rf"--size planned with the budget {recipe}: .*--budget published"):
        planned(root, "nnunet", recipes=(PUBLISHED, recipe))


def test_the_file_of_a_plan_may_have_a_planned_size() -> None:
    content = {"models": ["nnunet"], "data": ["hippocampus"], "size": "planned-L", "budget": "published"}
    assert parse_matrix(content, "plan.yaml").settings.size == "planned-L"
    with pytest.raises(ConfigError, match=r"plan.yaml: size.*planned-S"):
        parse_matrix({**content, "size": "planned-S"}, "plan.yaml")
