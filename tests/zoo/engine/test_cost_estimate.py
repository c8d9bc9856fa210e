"""What a training needs, from the cards; `zoo show --data`; and the question before a training of days."""

from __future__ import annotations

import logging
import os
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import BertConfig, BertModel

import zoo.engine.cost_estimate as estimate
from zoo.cli.main import main
from zoo.config import compose
from zoo.engine import cost_gate
from zoo.engine.cost_estimate import SECONDS, find_hub_files, find_needs, format_hours
from zoo.engine.cost_gate import check_costs, has_device, is_large
from zoo.engine.cost_probe import Watch
from zoo.errors import RunError
from zoo.registry import ENCODERS

CPU = {"trainer": {"accelerator": "cpu"}}


@pytest.fixture(autouse=True)
def _no_consent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZOO_YES", raising=False)


def test_the_needs_of_a_published_size_follow_from_the_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate, "is_on_this_machine", lambda repo, revision: False)
    needs = find_needs(compose("bipvl", "btcv"))
    assert (needs.samples, needs.steps, needs.batch_size, needs.patch) == (48000, 24000, 2, (96, 96, 96))
    assert (needs.parameters, needs.encoder_parameters) == (101691273, 108891648)
    assert needs.memory == 16 * (101691273 + 108891648), "the text encoder is trained"
    [files] = needs.downloads
    assert (files.name, files.size, len(files.revision)) == ("pubmedbert", 440_000_000, 40)
    frozen = find_needs(compose("lan_guide", "qata_cov19"))
    assert frozen.memory == 16 * 42175420 + 4 * 108891648
    assert [files.option for files in frozen.hub] == ["model.encoder", "model.vision_weights"]
    small = find_needs(compose("unet", "phantom_chest", size="tiny"))
    assert (small.memory, small.encoder_parameters, small.hub) == (None, 0, ())
    assert small.lines()["memory"] == "not known without --probe"


@pytest.mark.parametrize(("name", "vocabulary"), [("pubmedbert", 30522), ("biobert", 28996), ("minilm", 30522)])
def test_the_parameters_on_a_card_are_those_of_its_bert(name: str, vocabulary: int) -> None:
    about = ENCODERS.get(name).about
    width = about["width"]
    sizes = BertConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        num_hidden_layers=about["layers"],
        num_attention_heads=12,
        intermediate_size=4 * width,
    )
    with torch.device("meta"):
        model = BertModel(sizes, add_pooling_layer=False)
    assert sum(weight.numel() for weight in model.parameters()) == about["parameters"]
    assert about["download_mb"] * 1e6 >= 4 * about["parameters"] * 0.99


def test_weights_of_a_folder_or_a_package_are_no_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate, "is_on_this_machine", lambda repo, revision: False)
    monkeypatch.setattr(estimate, "find_spec", lambda package: SimpleNamespace())

    def found(**arguments: str) -> list[tuple[str, bool]]:
        config = {"model": {"init_args": arguments}}
        return [(files.name, files.here) for files in find_hub_files(config)]

    assert found(encoder=str(tmp_path), vision_weights=str(tmp_path)) == []
    assert found(encoder="tiny") == []
    assert found(encoder="minilm") == [("minilm", True)]
    assert found(vision_weights="a/b@c") == [("a/b@c", False)]
    (tmp_path / "weights.pth").touch()
    for local in ("package:some-weights", str(tmp_path / "weights.pth")):
        assert found(vision="timm:resnet18", vision_weights=local) == []
    (files,) = find_hub_files({"model": {"init_args": {"vision": "timm:resnet18", "vision_weights": "hub@c"}}})
    assert (files.repo, files.revision) == ("timm/resnet18.a1_in1k", "c")


def test_show_prints_what_a_training_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "unet", "--data", "hippocampus", "--size", "tiny", "--trainer.max_epochs", "1"]) == 0
    shown = capsys.readouterr().out
    for part in ("unet (tiny)", "on hippocampus", "288, batches of 2, 48x64x48 each", "144", "--probe"):
        assert part in shown
    assert main(["show", "unet", "--probe"]) == 2
    assert "--data NAME" in capsys.readouterr().err
    assert main(["show", "unet", "--data", "hippocampuss"]) == 2
    assert "Did you mean hippocampus" in capsys.readouterr().err


def test_show_measures_steps_when_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []
    measured = {"step_seconds": 2.0, "peak_bytes": 3e9, "device": "processor", "steps_planned": 90_000}

    def measure(words: list[str], limit: float) -> dict[str, Any]:
        asked.append(words)
        return measured

    monkeypatch.setattr("zoo.cli.needs.measure_steps", measure)
    assert main(["show", "unet", "--data", "btcv", "--probe", "--data.root", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    for part in ("2.000 s on processor", "3.0 GB", "2.1 days, more than a day"):
        assert part in shown
    assert asked == [["--model", "unet", "--data", "btcv", "--data.root", str(tmp_path)]]
    measured.clear()
    measured["note"] = "no probe: d: no such folder."
    assert main(["show", "unet", "--data", "btcv", "--probe", "--data.root", str(tmp_path)]) == 2
    assert "no such folder" in capsys.readouterr().err


def test_a_training_of_days_without_a_gpu_needs_consent(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    composed = compose("bipvl", "btcv")
    step = {"step_seconds": 130.0, "peak_bytes": 7e9, "at_least": True}
    monkeypatch.setattr(cost_gate, "measure_steps", lambda *_: step)
    config = {**composed.config, "trainer": {"accelerator": "cpu", "max_epochs": 100}}
    with caplog.at_level("INFO"), pytest.raises(RunError, match=r"at least 36\.1 days.*--yes") as caught:
        check_costs(composed, config, [])
    assert "\n" not in str(caught.value)
    assert "24000 steps, 3.4 GB of memory" in caplog.text
    assert "pubmedbert" in caplog.text
    step["step_seconds"] = 1.0
    check_costs(composed, config, [])  # seven hours
    monkeypatch.setattr(cost_gate, "measure_steps", lambda *_: pytest.fail("measured"))
    check_costs(composed, config, [], yes=True)
    monkeypatch.setenv("ZOO_YES", "1")
    check_costs(composed, config, [])


def test_only_large_trainings_without_a_device_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost_gate, "measure_steps", lambda *_: pytest.fail("measured"))
    check_costs(compose("bipvl", "btcv", size="tiny"), CPU, [])
    check_costs(compose("my.pkg.Net", "btcv"), CPU, [])
    few = compose("unet", "btcv")
    check_costs(few, {**few.config, "trainer": {"accelerator": "cpu", "max_steps": 5}}, [])
    monkeypatch.setenv("LOCAL_RANK", "1")
    check_costs(compose("bipvl", "btcv"), CPU, [])
    assert [is_large(compose("unet", "btcv", size=size, preset=preset)) for size, preset in
            (("tiny", "cpu"), ("tiny", "ddp"), ("published", "gpu"))] == [False, True, True]  # fmt: skip
    assert has_device({"trainer": {"accelerator": "gpu"}})
    assert has_device({"trainer": {"accelerator": "auto"}}) == torch.cuda.is_available()


def test_a_probe_that_fails_leaves_the_reason_to_the_training(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def late(*_: object) -> dict[str, Any]:
        raise subprocess.TimeoutExpired("probe", 1)

    composed = compose("unet", "btcv")
    for measure in (lambda *_: {"note": "no probe: img.nii.gz is broken."}, late):
        monkeypatch.setattr(cost_gate, "measure_steps", measure)
        with caplog.at_level(logging.INFO):
            check_costs(composed, {**composed.config, **CPU}, [])
    assert "img.nii.gz is broken" in caplog.text
    assert "not done in" in caplog.text


def test_a_refused_training_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[str, ...]] = []

    def measure(words: tuple[str, ...], *_: object) -> dict[str, Any]:
        asked.append(words)
        return {"step_seconds": 1e6, "peak_bytes": 1}

    monkeypatch.setattr(cost_gate, "measure_steps", measure)
    words = ["--model", "unet", "--data", "phantom_chest", "--trainer.accelerator", "cpu", "--out", str(tmp_path / "r")]
    assert main(["fit", *words]) == 2
    assert "--yes" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()
    assert asked == [tuple(words)]


def test_a_probe_ends_within_a_long_step(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[float | None, bool]] = []
    ended: list[int] = []
    monkeypatch.setenv(SECONDS, "0.05")
    monkeypatch.setattr(os, "_exit", ended.append)
    watch = Watch(epochs=3, say=lambda watch: seen.append((watch.step_seconds, watch.at_least)))
    trainer: Any = SimpleNamespace(num_training_batches=10, accumulate_grad_batches=4)
    watch.on_train_start(trainer, SimpleNamespace())  # type: ignore[arg-type]
    until = time.monotonic() + 10
    while not ended and time.monotonic() < until:
        time.sleep(0.01)
    assert ended == [0]
    [(seconds, at_least)] = seen
    assert seconds is not None
    assert seconds >= 0.05
    assert at_least
    assert watch.planned == 9


def test_long_times_are_days() -> None:
    assert [format_hours(seconds) for seconds in (3600.0, 200_000.0)] == ["1:00:00", "2.3 days"]
