"""Before the first job of a plan, everything that can be known is checked, and all findings are told at once."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.cli import main
from benchmarks.plan.expand import DataEntry, Matrix, make_plan
from benchmarks.plan.job import Job, Settings
from benchmarks.run import local as runner
from benchmarks.run import preflight
from benchmarks.run.preflight import Conditions, check_plan, find_problems
from tests.helpers.data_sets import make_hippocampus
from zoo.errors import ZooError

GIB = 1 << 30


@pytest.fixture(autouse=True)
def _machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a GPU, a network, data folders and consent."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZOO_DATA", raising=False)
    monkeypatch.delenv("ZOO_YES", raising=False)
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    monkeypatch.setattr(preflight, "visible_gpus", list)
    monkeypatch.setattr(preflight, "_has_other_gpu", lambda: False)
    monkeypatch.setattr("zoo.engine.cost_estimate.is_on_this_machine", lambda repo, revision: False)


def jobs_of(models: list[str], data: dict[str, DataEntry], settings: Settings, **more: Any) -> tuple[Job, ...]:
    return make_plan(Matrix(models=models, data=data, seeds=[0, 1], settings=settings, **more)).jobs


def problems(jobs: tuple[Job, ...], **conditions: Any) -> list[str]:
    return [str(problem) for problem in find_problems(jobs, Conditions(**conditions))]


def test_every_finding_is_one_line_and_all_are_told_at_once(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["--models", "unet,bipvl", "--data", "btcv,image_text_folder", "--trainer", "gpu", "--seeds", "0,1"]
    for verb in (["plan"], ["run", "--out", "out"]):
        assert main([*verb, *words]) == 2
        lines = capsys.readouterr().err.splitlines()
        found = [line for line in lines if line.startswith("zoo: error: ")]
        assert found == lines
        for part in (
            "image_text_folder: the data has no title",
            "8 jobs asked for a GPU",
            "bipvl: the weights pubmedbert",
            "no folder is known for 'btcv'",
            "no folder is known for 'image_text_folder'",
        ):
            assert sum(part in line for line in found) == 1, part
    assert not list(tmp_path.iterdir()), "nothing is written"


def test_a_plan_that_can_run_has_no_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_hippocampus(tmp_path)
    monkeypatch.setattr(runner, "run_plan", lambda *_, **__: 0)
    words = ["--models", "unet", "--data", "hippocampus,phantom_chest", "--trainer", "cpu", "--data.root", str(root)]
    assert main(["plan", *words]) == 0
    assert main(["run", *words, "--out", "out"]) == 0


def test_a_published_size_without_a_gpu_needs_consent_or_a_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = jobs_of(["unet"], {"phantom_chest": DataEntry()}, Settings("published"))
    [problem] = problems(jobs)
    assert problem.startswith("phantom_chest-unet-published: the published size without a GPU, ")
    assert "--yes" in problem
    assert problems(jobs, yes=True) == []
    key = jobs[0].cost_key
    assert problems(jobs, seconds={key: 3600.0}) == []
    assert "2.0 days per job" in problems(jobs, seconds={key: 2 * 86400.0 + 1})[0]
    assert problems(jobs_of(["unet"], {"phantom_chest": DataEntry()}, Settings("tiny"))) == []
    few = Settings("published", overrides=(("trainer.max_steps", "5"),))
    assert problems(jobs_of(["unet"], {"phantom_chest": DataEntry()}, few)) == []
    monkeypatch.setattr(preflight, "visible_gpus", lambda: ["GPU-1"])
    assert problems(jobs) == []
    more = jobs_of(["unet"], {"phantom_chest": DataEntry()}, Settings("tiny", "gpu", 4))
    assert "needs 4 devices, and 1 are visible" in problems(more)[0]


def test_wrong_options_and_encoders_are_found_before_the_first_job() -> None:
    settings = Settings("tiny", "cpu", overrides=(("model.widht", "3"),))
    [problem] = problems(jobs_of(["unet"], {"phantom_chest": DataEntry()}, settings))
    assert "widht" in problem
    jobs = jobs_of(["bipvl"], {"phantom_chest": DataEntry()}, Settings("tiny", "cpu"), encoder="minilmm")
    assert "Did you mean minilm" in problems(jobs)[0]


def test_weights_of_a_package_or_a_file_that_is_not_there_are_found_before_the_first_job() -> None:
    for weights, said in (("package:no-such-package", "no package"), ("absent.pth", "no such file or folder")):
        overrides = (("model.vision", "timm:resnet18"), ("model.vision_weights", weights))
        jobs = jobs_of(["unet"], {"phantom_chest": DataEntry()}, Settings("tiny", "cpu", overrides=overrides))
        [problem] = problems(jobs)
        assert said in problem


def test_weights_that_the_hub_does_not_give_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = jobs_of(["bipvl"], {"phantom_chest": DataEntry()}, Settings("tiny", "cpu"), encoder="biobert")
    [problem] = problems(jobs)
    assert "ZOO_OFFLINE=1 forbids the download" in problem
    assert "hf download dmis-lab/biobert-v1.1" in problem
    monkeypatch.setenv("ZOO_OFFLINE", "0")
    asked: list[str] = []

    def model_info(self: object, repo: str, **_: object) -> None:
        asked.append(repo)
        if len(asked) > 1:
            raise OSError("no network")

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", model_info)
    assert problems(jobs) == [], "the first job downloads it"
    assert "the hub cannot be asked (OSError)" in problems(jobs)[0]
    monkeypatch.setattr("zoo.engine.cost_estimate.is_on_this_machine", lambda repo, revision: True)
    assert problems(jobs) == []


def test_cases_and_splits_are_checked_without_an_image(tmp_path: Path) -> None:
    root = make_hippocampus(tmp_path)
    tiny = Settings("tiny", "cpu")
    assert problems(jobs_of(["unet"], {"hippocampus": DataEntry(str(root))}, tiny)) == []
    folds = DataEntry(str(root), chosen_folds=(0, 1), folds=2)
    assert problems(jobs_of(["unet"], {"hippocampus": folds}, tiny)) == []
    next((root / "labelsTr").glob("h*")).unlink()
    [problem] = problems(jobs_of(["unet"], {"hippocampus": DataEntry(str(root))}, tiny))
    assert "labelsTr" in problem
    empty = tmp_path / "empty"
    empty.mkdir()
    [problem] = problems(jobs_of(["unet"], {"hippocampus": DataEntry(str(empty))}, tiny))
    assert "dataset.json" in problem
    assert problems(jobs_of(["unet"], {"hippocampus": DataEntry(str(empty))}, tiny), machine=False) == []
    (tmp_path / "split.json").write_text('{"protocol": "mine", "train": ["a"], "val": ["b"], "test": ["c"]}')
    of_file = DataEntry(overrides=(("data.split", str(tmp_path / "split.json")),))
    assert "split.json" in problems(jobs_of(["unet"], {"phantom_chest": of_file}, tiny))[0]


def test_a_missing_package_for_dicom_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from datamodules.sets import Chaos

    reader = Chaos(root=".", patch=[8, 8, 8]).reader
    made = SimpleNamespace(reader=reader, split_hash="")
    monkeypatch.setattr("datamodules.build.build_datamodule", lambda *_, **__: made)
    monkeypatch.setattr(preflight, "find_spec", lambda name: None)
    jobs = jobs_of(["unet"], {"chaos": DataEntry(".")}, Settings("tiny", "cpu"))
    assert "needs SimpleITK" in problems(jobs)[0]


def test_a_full_disk_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = jobs_of(["unet"], {"phantom_chest": DataEntry()}, Settings("published"))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=GIB))
    [problem] = problems(jobs, out=tmp_path / "deep" / "out", yes=True)
    assert "the checkpoints of 2 jobs need about 1.2 GB, and 1.1 GB are free" in problem
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=3 * GIB))
    assert problems(jobs, out=tmp_path, yes=True) == []


def test_the_last_finding_is_raised_and_the_others_are_reported() -> None:
    said: list[str] = []
    jobs = jobs_of(["unet"], {"nifti_folder": DataEntry("nowhere")}, Settings("tiny", "gpu"))
    with pytest.raises(ZooError, match="nowhere: no such folder"):
        check_plan(jobs, Conditions(), said.append)
    assert [line.partition("zoo: error: ")[2][:12] for line in said] == ["nifti_folder", "2 jobs asked"]


def test_what_needs_torch_is_checked_only_where_nothing_else_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(preflight, "check_index", asked.append)
    monkeypatch.setattr("zoo.engine.lightning_cli.ZooCLI.from_request", lambda *given: asked.append(given))
    settings = Settings("tiny", "cpu", overrides=(("model.widht", "3"),))
    found = problems(jobs_of(["unet"], {"btcv": DataEntry()}, settings))
    assert len(found) == 2, found
    assert "Unknown option '--model.widht'. Did you mean --model.width?" in found[0]
    assert "no folder is known for 'btcv'" in found[1]
    assert not asked
