"""Plans: their content, refused plans, and stored plans that do not change."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest

from benchmarks.plan.job import PLAN_VERSION, Job, Plan, Settings
from benchmarks.run.job_runner import build_arguments
from benchmarks.storage.layout import job_folder, write_json
from benchmarks.storage.stored_plan import load_plan, store_plan
from tests.helpers.sample_benchmark import names, plan_of
from zoo.errors import ConfigError, RunError, ZooError

CPU = Settings(trainer="cpu")


def test_a_plan_is_the_product_in_the_given_order() -> None:
    plan = plan_of(["unet", "bipvl"], ["hippocampus"], [0, 1], settings=CPU, root="data")
    assert names(plan) == [
        "hippocampus-unet-tiny-s0",
        "hippocampus-unet-tiny-s1",
        "hippocampus-bipvl-tiny-tiny-s0",
        "hippocampus-bipvl-tiny-tiny-s1",
    ]
    assert {job.root for job in plan.jobs} == {str(Path("data").resolve())}
    assert [job.track for job in plan.jobs] == ["none", "none", "class", "class"]
    assert [len(job.steps) for job in plan.jobs] == [2, 2, 5, 5]


def test_the_level_of_the_texts_sets_the_track_of_a_job() -> None:
    def job(level: str) -> Job:
        settings = replace(CPU, overrides=(("data.prompt", level),))
        return plan_of(["bipvl"], ["medvlsm_chexlocalize"], [0], settings=settings, root="data").jobs[0]

    assert [job(level).track for level in ("p0", "p1", "p2", "p5")] == ["none", "class", "report", "mask-derived"]
    assert job("p0").steps == ("fit", "test")
    with pytest.raises(ZooError, match=r"--data\.prompt"):
        job("p7")


def test_an_alias_is_planned_under_the_name_of_its_card() -> None:
    typed = ["msd_hippocampus", "hippocampus"]
    assert names(plan_of(["unet"], typed, [0], settings=CPU, root="data")) == ["hippocampus-unet-tiny-s0"]


def test_the_encoder_goes_only_to_models_that_read_text() -> None:
    unet, bipvl = plan_of(["unet", "bipvl"], ["hippocampus"], [0], settings=CPU, encoder="minilm").jobs
    assert "--model.encoder" not in unet.flags()
    assert bipvl.flags()[-1] == "--model.encoder=minilm"


def test_the_size_is_published_unless_the_trainer_or_the_user_says_tiny() -> None:
    def size(**settings: str) -> str:
        return plan_of(["unet"], ["hippocampus"], [0], settings=Settings(**settings)).jobs[0].settings.size  # type: ignore[arg-type]

    assert (size(), size(trainer="cpu"), size(size="tiny")) == ("published", "tiny", "tiny")
    assert size(size="published", trainer="cpu") == "published"


def test_the_arguments_of_each_step() -> None:
    settings = Settings("tiny", "cpu", 2, (("trainer.max_steps", "5"),))
    job = Job("unet", "hippocampus", 3, root="/d", settings=settings)
    assert build_arguments(job, "test-shuffled", Path("out")) == [
        *("test", "--model", "unet", "--data", "hippocampus", "--size", "tiny", "--seed", "3", "--trainer", "cpu"),
        *("--trainer.devices", "2", "--data.root", "/d", "--trainer.max_steps=5", "--out", "out"),
        *("--data.text", "shuffled"),
    ]
    assert build_arguments(job, "fit", Path("out"))[-1] == "out"


def test_the_error_lists_every_unknown_name() -> None:
    with pytest.raises(ConfigError, match=r"bipvll.*bipvl.*hippocampuss.*hippocampus"):
        plan_of(["bipvll"], ["hippocampuss"], [0], settings=CPU)


def test_one_root_for_two_sets_on_disk_is_refused() -> None:
    with pytest.raises(ConfigError, match="ZOO_DATA"):
        plan_of(["unet"], ["hippocampus", "qata_cov19"], [0], settings=CPU, root="d")


def test_a_plan_without_seeds_is_refused() -> None:
    with pytest.raises(ConfigError, match="empty plan"):
        plan_of(["unet"], ["hippocampus"], [], settings=CPU)


def test_a_plan_is_immutable_and_returns_from_disk_as_it_was(tmp_path: Path) -> None:
    plan = plan_of(["unet", "bipvl"], ["hippocampus"], [0], settings=replace(CPU, overrides=(("a.b", "1"),)))
    with pytest.raises(FrozenInstanceError):
        plan.jobs[0].seed = 1  # type: ignore[misc]
    assert store_plan(tmp_path, plan) == load_plan(tmp_path) == plan


def test_jobs_are_added_and_stored_ones_stay(tmp_path: Path) -> None:
    first = store_plan(tmp_path, plan_of(["unet"], ["hippocampus"], [0], settings=CPU))
    written = (tmp_path / "plan.json").read_bytes()
    store_plan(tmp_path, first)
    assert (tmp_path / "plan.json").read_bytes() == written
    whole = store_plan(tmp_path, plan_of(["bipvl", "unet"], ["hippocampus"], [1, 0], settings=CPU))
    assert whole.jobs[0] == first.jobs[0]
    assert len(whole.jobs) == 4
    assert load_plan(tmp_path) == whole


@pytest.mark.parametrize(
    ("settings", "root", "named"),
    [
        (replace(CPU, size="published"), "", 'size: "tiny", not "published"'),
        (replace(CPU, overrides=(("trainer.max_steps", "9"),)), "", "overrides: \\(not set\\), not"),
        (CPU, "elsewhere", "data.root of hippocampus"),
    ],
)
def test_another_plan_in_the_same_folder_is_refused(tmp_path: Path, settings: Settings, root: str, named: str) -> None:
    first = store_plan(tmp_path, plan_of(["unet"], ["hippocampus"], [0], settings=CPU, root=str(tmp_path)))
    write_json(job_folder(tmp_path, first.jobs[0].id) / "manifest.json", {"model": "unet"})
    with pytest.raises(RunError, match=named):
        store_plan(tmp_path, plan_of(["unet"], ["hippocampus"], [1], settings=settings, root=root))
    assert len(load_plan(tmp_path).jobs) == 1


def test_no_plan_and_another_version_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no benchmark here"):
        load_plan(tmp_path)
    (tmp_path / "plan.json").write_text('{"version": 99, "jobs": []}')
    with pytest.raises(RunError, match="version 99"):
        load_plan(tmp_path)
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(ZooError, match="not readable JSON"):
        store_plan(tmp_path, Plan(()))
    for content in (
        "{}",
        '{"jobs": 3}',
        '{"jobs": [3]}',
        '{"jobs": [{"settings": {}, "new": 1}]}',
        '{"jobs": {"a": 1}}',
    ):
        (tmp_path / "plan.json").write_text(f'{{"version": {PLAN_VERSION}, {content[1:]}'.replace(", }", "}"))
        with pytest.raises(RunError, match=r"plan\.json: not the plan of a benchmark"):
            load_plan(tmp_path)


def test_a_plan_that_9890fda_stored_is_read_with_its_variants(tmp_path: Path) -> None:
    job = Job("bipvl", "phantom_chest", 0, settings=CPU, variant="no_text", digest="12345678")
    content = Plan((job,)).to_dict()
    content["version"], content["jobs"][0]["rung"] = 2, content["jobs"][0].pop("variant")
    write_json(tmp_path / "plan.json", content)
    assert load_plan(tmp_path).jobs == (job,)
