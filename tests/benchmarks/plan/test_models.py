"""Models of a plan without a registered name: a class, and the file of a card."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.cli import main
from benchmarks.plan.job import Plan, Settings
from benchmarks.plan.models import share_import_path
from benchmarks.plan.plan_file import read_matrix
from benchmarks.run.gpu_pool import count_devices
from benchmarks.run.job_runner import build_arguments
from benchmarks.storage.stored_plan import load_plan, store_plan
from tests.helpers.paths import REPOSITORY
from tests.helpers.sample_benchmark import names, plan_of
from zoo.config import compose
from zoo.errors import ConfigError, RunError

CPU = Settings(trainer="cpu")
CLASS = "tests.helpers.third_party.ExampleNet"
CARD = REPOSITORY / "tests" / "helpers" / "third_party" / "example_net.yaml"


@pytest.fixture
def readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path with the module `mynet`: the ten lines of the README."""
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    code = text.partition("```python\n# mynet.py\n")[2].partition("```")[0]
    (tmp_path / "mynet.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    import sys

    sys.modules.pop("mynet", None)


def test_names_classes_and_cards_are_planned_together(readme: Path, tmp_path: Path) -> None:
    shutil.copy(CARD, tmp_path / "card.yaml")
    models = ["mynet.MyNet", "./card.yaml", "unet"]
    plan = plan_of(models, ["phantom_chest"], [0], settings=CPU, encoder="tiny")
    assert names(plan) == [f"phantom_chest-{name}-s0" for name in ("MyNet-tiny", "card-tiny-tiny", "unet-tiny")]
    own, card, unet = plan.jobs
    assert own.flags()[:2] == ["--model", "mynet.MyNet"]
    assert "--model.encoder" not in str(own.flags()), "the class has no such argument"
    assert card.flags()[:2] == ["--model", str(tmp_path / "card.yaml")]
    assert card.flags()[-1] == "--model.encoder=tiny"
    assert (own.track, card.track, unet.track) == ("mask-derived", "mask-derived", "none")
    assert own.steps == card.steps == ("fit", "test", "test-shuffled", "test-blank", "test-names")
    for job in plan.jobs:
        words = build_arguments(job, "fit", Path("out"))
        composed = compose(words[words.index("--model") + 1], "phantom_chest", size="tiny", preset="cpu")
        assert composed.model == job.model
        assert count_devices(job) == 0, "the class is found again by its source"


def test_the_file_of_a_plan_takes_them_too(readme: Path, tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(f"models: [mynet.MyNet, {CARD}]\ndata: [phantom_chest]\ntrainer: cpu\n")
    matrix, _ = read_matrix(tmp_path / "plan.yaml")
    assert list(matrix.models) == ["mynet.MyNet", str(CARD)]
    assert main(["plan", "plan.yaml"]) == 0


def test_a_class_with_an_encoder_gets_the_encoder_of_the_plan() -> None:
    (job,) = plan_of([CLASS], ["phantom_chest"], [0], settings=CPU, encoder="minilm").jobs
    assert job.flags()[-1] == "--model.encoder=minilm"


def test_own_models_stand_beside_the_ablation_of_another_model(readme: Path) -> None:
    plan = plan_of(["mynet.MyNet", "bipvl"], ["phantom_chest"], [0], settings=CPU, encoder="tiny", variants=["no_text"])
    assert [(job.model, job.variant) for job in plan.jobs] == [("MyNet", ""), ("bipvl", ""), ("bipvl", "no_text")]


def test_a_stored_plan_keeps_the_source_and_follows_a_card_that_moves(tmp_path: Path) -> None:
    def planned(folder: str) -> Plan:
        (tmp_path / folder).mkdir()
        shutil.copy(CARD, tmp_path / folder / "net.yaml")
        return plan_of([str(tmp_path / folder / "net.yaml")], ["phantom_chest"], [0], settings=CPU)

    first, second = planned("here"), planned("there")
    assert [job.id for job in first.jobs] == [job.id for job in second.jobs]
    store_plan(tmp_path / "out", first)
    store_plan(tmp_path / "out", second)
    assert [job.source for job in load_plan(tmp_path / "out").jobs] == [str(tmp_path / "there" / "net.yaml")]


def test_another_seed_of_a_changed_card_is_refused(tmp_path: Path) -> None:
    card = shutil.copy(CARD, tmp_path / "net.yaml")
    store_plan(tmp_path / "out", plan_of([str(card)], ["phantom_chest"], [0], settings=CPU))
    Path(card).write_text(CARD.read_text().replace("width: 8", "width: 4"))
    with pytest.raises(RunError, match=r"model\.init_args\.width: 8, not 4"):
        store_plan(tmp_path / "out", plan_of([str(card)], ["phantom_chest"], [1], settings=CPU))


@pytest.mark.parametrize(
    ("models", "message"),
    [
        (["mynet.MyNt"], "the module 'mynet' has no 'MyNt'"),
        (["nonet.MyNet"], r"nonet.MyNet cannot be imported: ModuleNotFoundError: .* Put its folder on the path"),
        (["broken.Net"], r"broken.Net cannot be imported: SystemExit: 3\."),
        (["./none.yaml"], r"none.yaml"),
        (["empty.yaml"], r"empty.yaml: no class"),
        (["unet", "unet.yaml"], "unet and .*unet.yaml have the same name, 'unet'. Rename one of them"),
        (["mynet.MyNt", "unett"], r"MyNt.*unett.*Did you mean"),
    ],
)
def test_a_mistake_is_found_before_the_first_job(models: list[str], message: str, readme: Path) -> None:
    (readme / "broken.py").write_text("raise SystemExit(3)")
    (readme / "empty.yaml").write_text("about: {title: nothing}")
    shutil.copy(CARD, readme / "unet.yaml")
    with pytest.raises(ConfigError, match=message):
        plan_of(models, ["phantom_chest"], [0], settings=CPU)


def test_jobs_import_what_the_runner_imports_from_its_folder(readme: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs run with `python -P`, which leaves the working directory out."""
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    share_import_path(plan_of(["unet"], ["phantom_chest"], [0], settings=CPU).jobs)
    assert os.environ["PYTHONPATH"] == "/elsewhere", "a registered model needs no path"
    share_import_path(plan_of(["mynet.MyNet"], ["phantom_chest"], [0], settings=CPU).jobs)
    assert os.environ["PYTHONPATH"] == f"/elsewhere:{readme}"
