"""The file of a plan: what it becomes, what its jobs are called, and what it refuses in one line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cli import main
from benchmarks.plan import equal, expand
from benchmarks.plan.expand import make_plan
from benchmarks.plan.folds import describe_parts
from benchmarks.plan.job import Plan, Settings
from benchmarks.plan.job_config import resolve_config
from benchmarks.plan.models import PlanModel, expand_kinds
from benchmarks.plan.plan_file import PLANS, describe_plan, list_plans, read_matrix, read_plan
from benchmarks.storage.stored_plan import load_plan, store_plan
from datamodules.acquire.sources import load_source
from datamodules.index.card import DataCard
from tests.helpers.sample_benchmark import names, plan_of
from zoo.cards import ModelCard
from zoo.config import compose
from zoo.errors import ConfigError, RunError
from zoo.registry import DATA, MODELS, Card

FULL = """
about: everything that a plan may say
models: [unet, bipvl]
data:
  hippocampus: {root: somewhere, folds: [0, 3], overrides: {data.epoch_samples: 16}}
  phantom_chest:
seeds: [0, 1]
texts: [true, blank]
trainer: cpu
encoder: minilm
overrides: {trainer.max_epochs: 2}
"""


def plan_in(folder: Path, text: str) -> Plan:
    (folder / "plan.yaml").write_text(text)
    matrix, written = read_matrix(folder / "plan.yaml")
    return make_plan(matrix, written)


def test_a_matrix_becomes_the_product(tmp_path: Path) -> None:
    plan = plan_in(tmp_path, FULL)
    assert names(plan)[:3] == [
        "hippocampus-f0-unet-tiny-s0",
        "hippocampus-f0-unet-tiny-s1",
        "hippocampus-f0-bipvl-tiny-minilm-s0",
    ]
    assert len(plan.jobs) == 2 * (2 + 1) * 2
    fold = next(job for job in plan.jobs if job.fold == 3 and job.model == "bipvl")
    assert fold.steps == ("fit", "test", "test-blank")
    assert fold.root == str(Path("somewhere").resolve())
    assert fold.flags()[-4:] == [
        "--model.encoder=minilm",
        "--data.fold=3",
        "--trainer.max_epochs=2",
        "--data.epoch_samples=16",
    ]
    chest = plan.jobs[-1]
    assert (chest.data, chest.root, chest.overrides, chest.fold) == ("phantom_chest", "", (), None)


def test_folds_may_be_a_number_of_all(tmp_path: Path) -> None:
    plan = plan_in(tmp_path, "models: [unet]\ndata: {hippocampus: {folds: 3}}\ntrainer: cpu\n")
    assert [(job.fold, job.folds) for job in plan.jobs] == [(0, 3), (1, 3), (2, 3)]
    assert "--data.folds=3" in plan.jobs[0].flags()


def test_a_part_of_the_folds_is_said_before_the_first_job(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The folds of a split file are those of the file, whatever the default."""
    ids = {"train": ["a"], "val": ["b"], "test": ["c"]}
    (tmp_path / "split.json").write_text(json.dumps({"protocol": "mine", "folds": [ids] * 3}))
    of_file = f"{{folds: [0, 2], overrides: {{data.split: {tmp_path}/split.json}}}}"
    text = f"models: [unet]\ndata:\n  hippocampus: {{folds: [1, 0]}}\n  phantom_abdomen: {of_file}\ntrainer: cpu\n"
    (tmp_path / "plan.yaml").write_text(text)
    assert main(["plan", str(tmp_path / "plan.yaml"), "--launcher", "slurm"]) == 0  # the nodes have the data
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("hippocampus: folds 0, 1 of 5 (counted from 0): rows over a part of the folds have scores")
    assert second.startswith("phantom_abdomen: folds 0, 2 of 3 ")
    assert describe_parts(plan_in(tmp_path, "models: [unet]\ndata: {hippocampus: {folds: 3}}\n").jobs) == []
    with pytest.raises(ConfigError, match="phantom_abdomen: fold 4 of 3 does not exist"):
        plan_in(tmp_path, text.replace("[0, 2]", "[4]"))


def test_an_id_is_the_same_everywhere_and_for_every_seed(tmp_path: Path) -> None:
    here = plan_in(tmp_path, FULL)
    there = plan_in(tmp_path, FULL.replace("somewhere", "/mnt/elsewhere"))
    assert [job.id for job in here.jobs] == [job.id for job in there.jobs]
    by_name = {job.name.rpartition("-s")[0]: job.digest for job in here.jobs}
    assert {(job.name.rpartition("-s")[0], job.digest) for job in here.jobs} == set(by_name.items())
    assert len(set(by_name.values())) == len(by_name)
    assert here.jobs[0].id == f"{here.jobs[0].name}-{here.jobs[0].digest}"


def test_a_path_of_one_machine_is_not_in_the_hash() -> None:
    def digest(path: str) -> str:
        settings = Settings(trainer="cpu", overrides=(("model.weights", path),))
        return plan_of(["unet"], ["phantom_chest"], [0], settings=settings).jobs[0].digest

    assert digest("/mnt/a/weights.pt") == digest("/home/b/weights.pt") != digest("/home/b/other.pt")


def test_a_number_is_the_same_typed_and_in_a_card() -> None:
    typed = Settings(trainer="cpu", overrides=(("trainer.max_epochs", "5"),))
    one, other = (
        plan_of(["unet"], ["phantom_chest"], [0], settings=s).jobs[0] for s in (Settings(trainer="cpu"), typed)
    )
    assert resolve_config(one)["trainer"]["max_epochs"] == 5
    assert one.digest == other.digest


def test_the_budget_is_equal_or_each_models_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def with_recipe(model: str | None, data: str | None, **more: Any) -> object:
        composed = compose(model, data, **more)
        own = {"trainer": {"max_epochs": 99, "max_steps": 7}} if model == "bipvl" else {}
        config = composed.config | {"trainer": composed.config["trainer"] | own.get("trainer", {})}
        return replace(composed, config=config)

    monkeypatch.setattr(equal, "compose", with_recipe)
    text = "models: [unet, bipvl]\ndata: [phantom_chest]\ntrainer: cpu\nbudget: [equal, published]\n"
    unet, _, shared, published = plan_in(tmp_path, text).jobs
    assert unet.overrides == ()
    assert shared.overrides == (("trainer.max_epochs", "5"), ("trainer.max_steps", "-1"))
    assert published.overrides == ()
    assert [job.settings.recipe for job in (shared, published)] == ["equal", "published"]
    assert published.name == "phantom_chest-bipvl-tiny-tiny@published-s0"


def test_with_an_equal_budget_every_model_has_the_loss_of_its_size(tmp_path: Path) -> None:
    text = "models: [unet, lan_guide]\ndata: [phantom_chest]\nsize: published\nbudget: [equal, published]\n"
    unet, _, shared, published = plan_in(tmp_path, text).jobs
    assert (unet.overrides, published.overrides) == ((), ())
    assert shared.overrides == (("model.loss.cross_entropy", "1.0"),), "lan_guide's release has no cross entropy"
    typed = plan_in(tmp_path, text + "overrides: {model.loss.cross_entropy: 0.5}\n").jobs
    assert [job.overrides for job in typed if job.settings.recipe == "equal"] == [(), ()]


def test_a_stored_plan_does_not_change(tmp_path: Path) -> None:
    out, more = tmp_path / "out", FULL.replace("seeds: [0, 1]", "seeds: [0, 1, 2]")
    first = store_plan(out, plan_in(tmp_path, FULL), extend=False)
    assert store_plan(out, plan_in(tmp_path, FULL), extend=False) == first == load_plan(out)
    with pytest.raises(RunError, match=r"differs in seeds: \[0, 1\], not \[0, 1, 2\].*--extend"):
        store_plan(out, plan_in(tmp_path, more), extend=False)
    assert load_plan(out) == first
    assert len(store_plan(out, plan_in(tmp_path, more)).jobs) == 18


def test_texts_are_added_to_stored_jobs_and_never_passed_over(tmp_path: Path) -> None:
    out, more = tmp_path / "out", FULL.replace("texts: [true, blank]", "texts: [names, shuffled]")
    before = store_plan(out, plan_in(tmp_path, FULL), extend=False)
    with pytest.raises(RunError, match=r'differs in texts: \[true, "blank"\], not \["names", "shuffled"\].*--extend'):
        store_plan(out, plan_in(tmp_path, more), extend=False)
    assert load_plan(out) == before
    after = store_plan(out, plan_in(tmp_path, more))
    assert load_plan(out) == after
    assert names(after) == names(before)
    assert {job.texts for job in after.jobs} == {("true", "shuffled", "blank", "names")}
    assert store_plan(out, plan_in(tmp_path, FULL)) == after, "no text is ever taken out"


def test_a_job_whose_configuration_changed_is_refused_with_the_keys(tmp_path: Path) -> None:
    out = tmp_path / "out"
    store_plan(out, plan_in(tmp_path, FULL))
    with pytest.raises(RunError, match=r"epoch_samples: 16, not 24 \(of hippocampus-f0-unet-tiny-s1 and 3 more\)"):
        store_plan(out, plan_in(tmp_path, FULL.replace("epoch_samples: 16", "epoch_samples: 24")))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("modells: [unet]", r"plan.yaml: unknown key 'modells'. Did you mean models\?"),
        ("rungs: [no_text]", "plan.yaml: the key 'rungs' has a new name. Write `variants`."),
        ("data: [hippocampuss]", r"Unknown data set 'hippocampuss'. Did you mean .*hippocampus"),
        ("data: {hippocampus: {rot: x}}", r"data.hippocampus: unknown key 'rot'. Did you mean root\?"),
        ("data: {hippocampus: {folds: x}}", r"data.hippocampus.folds: \"x\" is not a list of whole numbers"),
        ("data: {hippocampus: {folds: 1}}", r"data.hippocampus.folds: 1 is no number of folds. Write at least 2"),
        ("data: {hippocampus: {folds: [0, 7]}}", r"hippocampus: fold 7 of 5 does not exist. Write folds from 0 to 4"),
        ("seeds: [a]", r"seeds: \[\"a\"\] is not a list of whole numbers"),
        ("size: tini", r"size: unknown 'tini'. Did you mean tiny\?"),
        ("texts: [shufled]", r"texts: unknown 'shufled'. Did you mean shuffled\?"),
        ("budget: equall", r"budget: unknown 'equall'. Did you mean equal\?"),
        ("devices: 0", "devices: 0"),
        ("overrides: {trainr.max_steps: 1}", r"unknown key 'trainr.max_steps'. Did you mean trainer.max_steps\?"),
        ("overrides: {data.root: x}", "data.root cannot be set here. Use instead: root of the data set"),
        ("overrides: {data.init_args.text: blank}", "cannot be set here"),
        ("models: []", "no `models`"),
        ("models: [3]", "3 is not a name"),
        ("trainer: cpuu", "cpuu"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(
    change: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import re

    key = change.partition(":")[0]
    kept = {"models": "models: [unet]", "data": "data: [phantom_chest]"}
    text = "\n".join([*(line for name, line in kept.items() if name != key), change])
    (tmp_path / "plan.yaml").write_text(text)
    out = tmp_path / "out"
    assert main(["run", "--plan", str(tmp_path / "plan.yaml"), "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert re.search(message, error), error
    assert error.count("\n") == 1
    assert not out.exists()


def test_a_model_that_cannot_take_the_images_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def flat(name: str) -> PlanModel:
        card = MODELS.get(name)
        return PlanModel(replace(card, about={**card.about, "spatial_dims": [2]}))

    monkeypatch.setattr(expand, "find_model", flat)
    with pytest.raises(ConfigError, match="takes no 3-dimensional images, which 'hippocampus' has"):
        plan_of(["unet"], ["hippocampus"], [0], settings=Settings())


SETS = ("btcv", "kvasir")
"""Public data sets of both dimensions whose plan is made of their card; those of the others differ in the name."""


@pytest.mark.parametrize("name", sorted({*(path.stem for path in PLANS.glob("*.yaml")), *SETS}))
def test_every_plan_of_the_zoo_is_valid(name: str) -> None:
    _, matrix, written = read_plan(name)
    plan = make_plan(matrix, written)
    assert written["about"]
    assert {job.data for job in plan.jobs} <= {*written["data"]}
    assert all(json.dumps(config) for config in plan.configs.values())


def test_the_documented_plans_exist() -> None:
    promised = {"btcv", "amos22", "hippocampus", "qata_cov19", "mosmed_plus", "monuseg", "demo"}
    assert promised <= set(list_plans())
    with pytest.raises(ConfigError, match="Did you mean hippocampus"):
        read_plan("hippocampuss")


def test_each_public_data_set_has_a_plan_with_all_models_of_its_dimension() -> None:
    published = {card.name for card in DATA if not DataCard.of(card).embedded and load_source(DataCard.of(card))}
    assert published <= set(list_plans())
    assert describe_plan("acdc") == f"all models on {DataCard.of(DATA.get('acdc')).title}, at their published sizes"
    _, matrix, written = read_plan("btcv")
    plan = make_plan(matrix, written)
    expected = {card.name for card in MODELS if 3 in ModelCard.of(card).parameters}
    assert {job.model for job in plan.jobs} == expected
    assert {(job.data, job.settings.size, job.seed) for job in plan.jobs} == {
        ("btcv", "published", n) for n in range(3)
    }
    assert "lan_guide is left out: it has no published network for the 3-dimensional images of 'btcv'" in plan.notes


@pytest.mark.parametrize(("name", "dims"), [("rivals_2d", 2), ("rivals_3d", 3)])
def test_the_rivals_are_all_models_of_a_dimension(name: str, dims: int) -> None:
    _, matrix, written = read_plan(name)
    jobs = make_plan(matrix, written).jobs
    expected = {card.name for card in MODELS if dims in ModelCard.of(card).spatial_dims}
    for data in {job.data for job in jobs}:
        assert {job.model for job in jobs if job.data == data} == expected


def test_a_kind_stands_for_its_models_and_names_may_stand_beside_it() -> None:
    cards = [ModelCard.of(card) for card in MODELS]
    assert set(expand_kinds(["vision"]).names) == {card.name for card in cards if card.text == "none"}
    assert set(expand_kinds(["text"]).names) == {card.name for card in cards if card.reads_text}
    assert set(expand_kinds(["all"]).names) == {card.name for card in cards}
    both = expand_kinds(["unet", "text"])
    assert both.names[0] == "unet"
    assert "unet" not in both.of_kind
    assert "film" in both.of_kind


def test_a_named_model_without_a_network_for_the_data_is_refused_and_one_of_a_kind_is_left_out() -> None:
    with pytest.raises(
        ConfigError, match="'lan_guide' has no published network for the 3-dimensional images of 'btcv'"
    ):
        plan_of(["lan_guide"], ["btcv"], [0], settings=Settings("published", "gpu"), encoder="minilm")
    changed = Settings("published", "gpu", overrides=(("model.vision", "conv"), ("model.vision_weights", "")))
    assert len(plan_of(["lan_guide"], ["btcv"], [0], settings=changed, encoder="minilm").jobs) == 1
    assert len(plan_of(["lan_guide"], ["btcv"], [0], settings=Settings("tiny", "cpu")).jobs) == 1


def test_the_models_of_broken_cards_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    cards = [Card("mynet", broken="mynet.yaml: no class."), MODELS.get("unet")]
    monkeypatch.setattr("benchmarks.plan.models.MODELS", cards)
    choice = expand_kinds(["all"])
    assert choice.names == ("unet",)
    assert choice.notes == ("mynet is left out: mynet.yaml: no class.",)


def test_the_demo_has_the_jobs_of_the_typed_command() -> None:
    _, matrix, written = read_plan("demo")
    budget = (("data.epoch_samples", "1280"), ("trainer.max_epochs", "4"))
    typed = plan_of(["unet", "bipvl"], ["phantom_chest"], [0], settings=Settings("tiny", "demo", overrides=budget))
    assert make_plan(matrix, written).jobs == typed.jobs


def test_flags_beside_a_plan_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--plan", "demo", "--size", "tiny", "--out", str(tmp_path / "x")]) == 2
    assert "--size beside a plan" in capsys.readouterr().err
    assert main(["run", "--out", str(tmp_path / "x")]) == 2
    assert "--models and --data missing" in capsys.readouterr().err


def test_a_run_prints_what_it_will_cost_before_it_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise ConfigError("the jobs start.")

    monkeypatch.setattr("benchmarks.cli.run.check_plan", lambda *_: None)
    monkeypatch.setattr("benchmarks.cli.run.run_stored", stop)
    assert main(["run", "--plan", "demo", "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.splitlines()[:3] == [
        "2 jobs, 1280 training steps, 5 tests",
        "--probe measures the time of a step first",
        "zoo: error: the jobs start.",
    ]


def test_texts_of_the_command_are_added_to_those_of_the_plan(capsys: pytest.CaptureFixture[str]) -> None:
    texts = ["--texts", "contradict,paraphrase,blank"]
    assert main(["plan", "demo", *texts]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("  fit test")  # a model that reads no text
    assert lines[1].endswith("  fit test test-shuffled test-blank test-names test-contradict test-paraphrase")
    assert main(["plan", "demo", "--texts", "paraphrases"]) == 2
    assert "--texts: unknown 'paraphrases'. Did you mean paraphrase?" in capsys.readouterr().err


def test_plan_prints_the_jobs_and_their_steps(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan"]) == 0
    assert "hippocampus" in capsys.readouterr().out
    assert main(["plan", "demo"]) == 0
    printed = capsys.readouterr().out
    assert "fit test test-shuffled test-blank test-names" in printed
    assert "2 jobs, 1280 training steps, 5 tests" in printed
    assert main(["plan", "--models", "unet", "--data", "phantom_chest", "--trainer.max_steps", "7", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["methods"][0]["steps"] == 7
