"""Options of the run commands: what is refused, and which configuration they resolve to."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.helpers.stub_commands import FIT, STUB, error_line, resolved

pytestmark = pytest.mark.usefixtures("stub_importable")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--model.lrr", "1"], "Unknown option '--model.lrr'. Did you mean --model.lr?"),
        (["--trainer.max_epoch", "3"], "--trainer.max_epochs"),
        (["--trainer.max_epochs", "many"], "--trainer.max_epochs=many: not of the type"),
        (["--model.lr", "fast"], "--model.lr=fast: not of the type float"),
        (["--data.init_args.batch_size=4.5"], "--data.batch_size=4.5: not of the type int"),
        (["--data.epoch_sample=1", "--model.widht=2"], "--data.epoch_samples"),
        (["-c", "/nonexistent.yaml"], "/nonexistent.yaml"),
        (["--data.seed", "3"], "--data.seed has no effect. --seed sets it."),
        (["--model.facts", "{}"], "--model.facts has no effect"),
        (["--trainer.default_root_dir", "x"], "--trainer.default_root_dir has no effect. --out DIR sets"),
        (["--trainer.use_distributed_sampler=true"], "--trainer.use_distributed_sampler has no effect"),
    ],
)
def test_mistyped_flags_end_with_one_line(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert says in error_line(["fit", *STUB, *words], capsys)


@pytest.mark.parametrize("precision", ["bf16-true", "16-true", "64-true", "64"])
def test_an_unusable_precision_is_refused_before_a_folder_is_made(
    precision: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = error_line([*FIT, "--trainer.precision", precision, "--out", str(tmp_path / "run")], capsys)
    assert "bf16-mixed" in line
    assert not (tmp_path / "run").exists()


def test_keys_in_files_are_checked_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("trainer: {max_epoch: 1}\nmodle: {}\n")
    line = error_line(["fit", *STUB, "-c", str(path)], capsys)
    assert "Did you mean trainer.max_epochs" in line
    assert "Unknown key 'modle'. Did you mean model?" in line
    path.write_text("model: {init_args: {lr: fast}}\n")
    assert "model.init_args.lr=fast: not of the type float" in error_line(["fit", *STUB, "-c", str(path)], capsys)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("no_such.Net", "cannot be imported"),
        ("stub_model.Nothing", "cannot be imported"),
        ("stub_model.StubData", "is no"),
    ],
)
def test_unusable_classes_end_with_one_line(model: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert says in error_line(["fit", "--model", model, "--data", "stub_model.StubData"], capsys)


def test_the_order_of_flags_does_not_change_the_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    pairs = [STUB[i : i + 2] for i in (0, 2, 4)] + [["--model.lr", "0.3"], ["--trainer.max_epochs", "2"]]
    orders = [pairs, pairs[::-1], [*pairs[3:], *pairs[:3]]]
    configs = [resolved(["fit", *(word for pair in order for word in pair)], capsys) for order in orders]
    assert configs[0] == configs[1] == configs[2]
    assert configs[0]["model"]["init_args"]["lr"] == 0.3


def test_layers_reach_the_parser_and_print_config_round_trips(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = {
        "config": {"model": {"class_path": "stub_model.StubModel", "init_args": {"lr": 0.5}}},
        "sizes": {"tiny": {"model": {"init_args": {"width": 6}}}},
    }
    (tmp_path / "mynet.yaml").write_text(yaml.safe_dump(card))
    (tmp_path / "mine.yaml").write_text(
        "data: {init_args: {batch_size: 3, epoch_samples: '${data.init_args.batch_size}'}}"
    )
    words = ["fit", "--model", str(tmp_path / "mynet.yaml"), "--data", "stub_model.StubData"]
    config = resolved([*words, "--trainer", "debug", "-c", str(tmp_path / "mine.yaml"), "--seed", "5"], capsys)
    assert config["model"]["init_args"] == {"lr": 0.5, "width": 6, "encoder": "tiny"}
    assert config["data"]["init_args"]["epoch_samples"] == 3, "interpolated"
    assert (config["trainer"]["max_epochs"], config["seed_everything"]) == (1, 5)
    (tmp_path / "again.yaml").write_text(yaml.safe_dump(config))
    assert resolved(["fit", "-c", str(tmp_path / "again.yaml")], capsys) == config


@pytest.mark.parametrize("preset", ["cpu", "gpu", "gpu_fast", "ddp", "debug"])
def test_every_preset_is_accepted_by_the_parser(preset: str, capsys: pytest.CaptureFixture[str]) -> None:
    config = resolved(["fit", *STUB[:4], "--trainer", preset], capsys)
    if preset == "ddp":
        assert config["trainer"]["strategy"]["init_args"]["broadcast_buffers"] is False
        assert config["trainer"]["sync_batchnorm"] is True
