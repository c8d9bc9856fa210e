"""The budget `matched`: what its jobs have in common, which models it leaves out, and what each flag changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cli import main
from benchmarks.plan import expand as planning
from benchmarks.plan.expand import DataEntry, Matrix, make_plan
from benchmarks.plan.job import Job, Plan, Settings
from benchmarks.plan.job_config import resolve_config
from benchmarks.plan.matched import COMMON, MatchedOptions
from benchmarks.plan.models import PlanModel
from benchmarks.plan.plan_file import read_matrix, read_plan
from benchmarks.storage.stored_plan import load_plan, store_plan
from datamodules.index.card import DataCard
from tests.helpers.sample_benchmark import names
from tests.helpers.tuned_recipes import write_tuned
from zoo.cards import ModelCard
from zoo.errors import ConfigError
from zoo.registry import DATA, MODELS, read_yaml
from zoo.sizes import SIZES
from zoo.utils.config_values import find_value

NINE = ("unet", "film", "unet_concat", "text_query", "lan_guide", "tmca", "tevia", "bipvl", "unet_hyper")
ALIKE = (
    *(f"model.{name}" for name in ("vision", "width", "stages", "lr", "weight_decay", "warmup", "loss")),
    *("data.batch_size", "data.epoch_samples", "trainer.max_epochs", "trainer.gradient_clip_val"),
)
TINY = Settings("tiny", "cpu")


def matched(
    models: Sequence[str] = ("unet", "lan_guide"),
    settings: Settings = TINY,
    options: MatchedOptions | None = None,
    data: str = "phantom_chest",
    **more: Any,
) -> Plan:
    fields = {"recipes": ["matched"], "encoder": "minilm", "matched": options or MatchedOptions(), **more}
    return make_plan(Matrix(models, {data: DataEntry()}, [0], settings, **fields))


def value(job: Job, key: str) -> object:
    return find_value(resolve_config(job), key)


@pytest.mark.parametrize("data", ["phantom_chest", "hippocampus"])
@pytest.mark.parametrize("size", SIZES)
def test_all_models_have_one_vision_network_rate_decay_schedule_loss_and_budget(data: str, size: str) -> None:
    jobs = matched(NINE, Settings(size, "cpu"), data=data).jobs
    assert [job.model for job in jobs] == list(NINE)
    shown = {job.model: {key: value(job, key) for key in ALIKE} for job in jobs}
    assert all(one == shown["unet"] for one in shown.values()), shown
    assert None not in shown["unet"].values()
    assert value(jobs[0], "model.vision") == "unet"
    assert {value(job, "model.norm") for job in jobs} <= {None, "instance"}
    assert not any(value(job, "model.vision_weights") for job in jobs)
    assert all(job.name.endswith("@matched-s0") for job in jobs)


@pytest.mark.parametrize("size", SIZES)
def test_the_common_values_have_every_option_of_the_loss(size: str) -> None:
    from zoo.losses.segmentation import LossOptions

    loss = read_yaml(COMMON / f"{size}.yaml")["values"]["model.loss"]
    assert loss.keys() == {field.name for field in fields(LossOptions)}


def test_a_flag_and_the_plan_change_common_values_for_all_models(tmp_path: Path) -> None:
    typed = replace(TINY, overrides=(("model.vision", "conv"), ("model.init_args.lr", "0.5")))
    for job in matched(settings=typed, options=MatchedOptions((("model.width", "8"), ("model.lr", "0.1")))).jobs:
        assert (value(job, "model.vision"), value(job, "model.width"), value(job, "model.lr")) == ("conv", 8, 0.5)
        assert value(job, "model.stages") == 4
    plan = tmp_path / "p.yaml"
    plan.write_text(
        "models: [unet]\ndata: [phantom_chest]\nsize: tiny\nbudget: matched\n"
        "matched: {model.width: 8, model.loss: {dice_per: batch}}\n"
    )
    (job,) = make_plan(read_matrix(plan)[0]).jobs
    assert value(job, "model.loss")["dice_per"] == "batch"  # type: ignore[index]
    assert value(job, "model.loss")["cross_entropy"] == 1  # type: ignore[index]
    assert value(job, "model.width") == 8


def test_each_model_has_its_tuned_rate_or_that_of_its_card(tmp_path: Path) -> None:
    write_tuned(tmp_path, "unet", trials=8, lr=0.0123, weight_decay=0.5)
    unet, lan_guide = matched(options=MatchedOptions(rates="tuned", recipes=str(tmp_path))).jobs
    assert (value(unet, "model.lr"), unet.rate) == (0.0123, "tuned, 8 trials")
    assert (value(lan_guide, "model.lr"), lan_guide.rate) == (1e-3, "card")
    assert value(unet, "model.weight_decay") == value(lan_guide, "model.weight_decay")
    assert {job.rate for job in matched().jobs} == {""}
    with pytest.raises(ConfigError, match="Give --recipes DIR"):
        matched(options=MatchedOptions(rates="tuned"))


def with_card(monkeypatch: pytest.MonkeyPatch, name: str, **about: object) -> None:
    def found(value: str) -> PlanModel:
        card = MODELS.get(value)
        return PlanModel(replace(card, about={**card.about, **(about if value == name else {})}))

    monkeypatch.setattr(planning, "find_model", found)


def test_a_model_with_its_own_vision_network_is_left_out_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with_card(monkeypatch, "lan_guide", vision="own")
    plan = matched(recipes=["equal", "matched"])
    assert names(plan) == [
        "phantom_chest-unet-tiny-s0",
        "phantom_chest-unet-tiny@matched-s0",
        "phantom_chest-lan_guide-tiny-minilm-s0",
    ]
    (note,) = plan.notes
    assert note.startswith("lan_guide is left out of the matched comparison: its text runs inside its own vision")
    assert matched(recipes=["equal"]).notes == ()
    store_plan(tmp_path, plan)
    assert load_plan(tmp_path).notes == plan.notes
    with pytest.raises(ConfigError, match=r"An empty plan\. lan_guide is left out"):
        matched(["lan_guide"])


def test_a_vision_only_network_is_left_out_and_its_encoder_is_offered_as_the_host() -> None:
    notes = matched(["unet", "segresnet", "unetr"]).notes
    reasons = [note.partition("comparison: it is one vision network, and ")[2] for note in notes]
    end = " (`vision: own` in its card); budget `equal` ranks it"
    assert reasons == [
        f"`--model.vision segresnet` puts its encoder under all models{end}",
        f"its transformer has one resolution, and no stages between which a text could enter{end}",
    ]
    host = MatchedOptions((("model.vision", "segresnet"),))
    assert {value(job, "model.vision") for job in matched(["unet", "film", "fpn"], options=host).jobs} == {"segresnet"}


def test_the_cards_of_a_matched_comparison_may_not_have_different_text_encoders() -> None:
    matrix = Matrix(["film", "lan_guide"], {"phantom_chest": DataEntry()}, [0], Settings("published"))
    with pytest.raises(
        ConfigError, match=r"pubmedbert of film, cxr_bert of lan_guide. Choose one with --model.encoder"
    ):
        make_plan(replace(matrix, recipes=["matched"]))
    assert make_plan(matrix)


def test_no_text_is_planned_for_all_models_that_read_text_or_for_the_named() -> None:
    def variants(no_text: Sequence[str] | None) -> list[tuple[str, str]]:
        return [(job.model, job.variant) for job in matched(["unet", "film", "bipvl"], no_text=no_text).jobs]

    assert variants(None) == [("unet", ""), ("film", ""), ("bipvl", "")]
    assert variants([]) == [("unet", ""), ("film", ""), ("film", "no_text"), ("bipvl", ""), ("bipvl", "no_text")]
    assert variants(["bipvl"]) == [("unet", ""), ("film", ""), ("bipvl", ""), ("bipvl", "no_text")]
    with pytest.raises(ConfigError, match=r"unet cannot have the variant no_text. Name models .* text: film, bipvl\."):
        variants(["unet"])
    with pytest.raises(ConfigError, match="No model of the plan can have"):
        matched(["unet"], no_text=[])


def test_no_text_is_planned_once_beside_all_variants() -> None:
    jobs = matched(["bipvl"], no_text=[], variants=[]).jobs
    assert [job.variant for job in jobs].count("no_text") == 1


@pytest.mark.parametrize("name", ["matched_qata", "matched_hippocampus", "matched_phantom"])
def test_a_matched_plan_of_the_zoo_has_unet_all_that_read_text_and_each_no_text(name: str) -> None:
    _, matrix, _ = read_plan(name)
    jobs = make_plan(matrix).jobs
    dims = DataCard.of(DATA.get(jobs[0].data)).spatial_dims
    cards = [ModelCard.of(card) for card in MODELS]
    readers = {card.name for card in cards if card.reads_text and dims in card.spatial_dims and card.vision != "own"}
    assert {job.model for job in jobs} == {"unet", *readers}
    assert {job.settings.recipe for job in jobs} == {"matched"}
    assert {job.model for job in jobs if job.variant == "no_text"} == readers


def planned(arguments: Sequence[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    from benchmarks.cli import plan as verb

    monkeypatch.setattr(verb, "check_plan", lambda *_: None)
    assert main(["plan", *arguments]) == 0
    return [line.partition("  ")[0] for line in capsys.readouterr().out.split("\n\n")[0].splitlines()]


def test_flags_beside_a_plan_change_models_seeds_encoder_and_no_text(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = planned(
        ["matched_qata", "--models", "unet,film", "--seeds", "1,2", "--model.encoder", "minilm"], capsys, monkeypatch
    )
    assert [job.rpartition("-")[0] for job in jobs] == [
        f"qata_cov19-{method}@matched-s{seed}"
        for method in ("unet-tiny", "film-tiny-minilm", "film-tiny-minilm+no_text")
        for seed in (1, 2)
    ]
    without = planned(["matched_qata", "--models", "unet,film", "--no-text", "none"], capsys, monkeypatch)
    assert len(without) == 2


def test_a_matched_plan_of_flags_has_the_jobs_of_the_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = ["--models", "film", "--data", "qata_cov19", "--trainer", "demo", "--budget", "matched", "--no-text", "all"]
    typed = planned(flags, capsys, monkeypatch)
    assert typed == planned(["matched_qata", "--models", "film"], capsys, monkeypatch)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--budget", "mached"], "--budget: unknown 'mached'. Did you mean matched?"),
        (["--matched-lr", "tuned"], "Options of the budget `matched` without that budget. Add --budget matched"),
        (["--budget", "matched", "--matched-lr", "tuned"], "Tuned rates need recipes. Give --recipes DIR"),
        (["--budget", "matched", "--no-text", "unet"], "unet cannot have the variant no_text"),
    ],
)
def test_a_mistake_of_matched_flags_is_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    flags = ["--models", "unet,film", "--data", "phantom_chest", "--trainer", "cpu"]
    assert main(["run", *flags, "--out", str(out), *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not out.exists()
