"""A mistake that cards, files and sources tell ends a command before torch is loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.stub_commands import error_line
from zoo.cli.main import main
from zoo.engine.arguments import compose_request, parse
from zoo.engine.early_checks import check_early

UNET = ["--model", "unet", "--data", "phantom_chest"]
CT = ["--model", "unet", "--data", "btcv"]

MISTAKES = [
    ([*UNET, "--model.lrr", "1"], "Unknown option '--model.lrr'. Did you mean --model.lr"),
    ([*UNET, "--model.loss.dicee", "1"], "Unknown option '--model.loss.dicee'. Did you mean --model.loss.dice"),
    ([*UNET, "--data.pach", "[8, 8]"], "Unknown option '--data.pach'. Did you mean --data.patch"),
    ([*UNET, "--trainer.max_epoch", "3"], "Unknown option '--trainer.max_epoch'. Did you mean --trainer.max_epochs"),
    (["--model", "tevia", *UNET[2:], "--model.tokens", "24"], "has a new name: --model.released.tokens."),
    (["--model", "film", *UNET[2:], "--model.encoder", "brt"], "Unknown text encoder 'brt'. Did you mean bert"),
    ([*UNET, "--model.vision", "unett"], "No vision encoder 'unett'. Did you mean unet"),
    ([*UNET, "--model.text_loss", "lg_sgd"], "--model.text_loss lg_sgd: there is no such loss. There is lg_sdg"),
    ([*UNET, "--model.text_loss", "lg_sdg:tinny"], "Unknown text encoder 'tinny'. Did you mean tiny"),
    ([*UNET, "--model.vision", "timm:"], "No vision encoder 'timm:'."),
    ([*UNET, "--data.protocol", "lvit"], "Unknown protocol 'lvit'. Known: generated."),
    ([*CT, "--data.root", "nowhere"], "nowhere: no such folder for 'btcv'. Run `zoo data prepare btcv --steps`"),
    (CT, "no folder is known for 'btcv'. Run `zoo data prepare btcv --steps`"),
    ([*UNET, "--init-from", "absent.ckpt"], "--init-from absent.ckpt: no such file or folder."),
]


@pytest.fixture(autouse=True)
def _no_data_and_no_lightning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse() -> None:
        raise AssertionError("Lightning is loaded")

    monkeypatch.delenv("ZOO_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    for module in ("fit", "evaluate", "profile"):
        monkeypatch.setattr(f"zoo.cli.{module}.load_lightning", refuse)


@pytest.mark.parametrize(("words", "says"), MISTAKES)
def test_a_mistake_is_told_before_lightning_is_loaded(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert says in error_line(["fit", *words, "--out", "run"], capsys)
    assert list(tmp_path.iterdir()) == []


def test_the_other_commands_of_a_run_check_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("validate", "test", "predict", "profile"):
        assert "no folder is known for 'btcv'" in error_line([verb, *CT], capsys)
        assert "Unknown option '--model.lrr'" in error_line([verb, *UNET, "--model.lrr", "1"], capsys)


def test_a_measurement_checks_the_same_before_it_starts(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["show", "unet", "--data", "btcv", "--size", "tiny"]
    assert "no folder is known for 'btcv'" in error_line([*words, "--probe"], capsys)
    assert main(words) == 0, "what cards tell needs no data"


def test_the_check_of_a_mistake_loads_no_torch() -> None:
    code = (
        "import sys; from zoo.cli.main import main; code = main(sys.argv[1:]);"
        "heavy = {'torch', 'lightning', 'monai', 'jsonargparse', 'scipy', 'numba'} & set(sys.modules);"
        "sys.exit(', '.join(heavy) or code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "fit", *CT, "--data.root", "nowhere"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stderr
    assert "nowhere: no such folder" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        UNET,
        [*CT, "--print_config"],  # a configuration is printed without the data
        [*UNET, "--data.protocol", "null", "--model.vision", "timm:resnet18"],
        ["--model", "lvit", *UNET[2:]],  # whose `vision` has a value of its own
        ["--model", "unet", "--data", "amos22", "--data.root", ".", "--data.modality", "ct"],
        ["--model", "stub_model.StubModel", "--data", "stub_model.StubData", "--model.encoder", "mine"],
        ["--model", "film", *UNET[2:], "--model.encoder", "."],
    ],
)
def test_nothing_is_refused_that_a_class_may_accept(words: list[str]) -> None:
    request = parse("fit", words)
    check_early(request, compose_request(request))


def test_a_finished_run_needs_no_data(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"finished": "today"}), encoding="utf-8")
    request = parse("fit", [*CT, "--out", str(tmp_path)])
    check_early(request, compose_request(request))


def test_an_evaluation_names_the_data_of_the_manifest_and_a_missing_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.yaml").write_text(
        "model: {class_path: zoo.models.UNet}\ndata: {class_path: datamodules.sets.MSD, init_args: {task: Task09}}\n",
        encoding="utf-8",
    )
    (tmp_path / "manifest.json").write_text(json.dumps({"data": "msd_spleen"}), encoding="utf-8")
    assert main(["test", "--out", str(tmp_path), "--data.root", "nowhere"]) == 2
    assert "nowhere: no such folder for 'msd_spleen'" in capsys.readouterr().err
    assert "absent.ckpt" in error_line(["test", "--out", str(tmp_path), "--ckpt", "absent.ckpt"], capsys)
