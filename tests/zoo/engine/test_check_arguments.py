"""Arguments of a model that form a group: their names and types on the command line and in files."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from zoo.cli.main import main

TEVIA = ("--model", "tevia", "--data", "phantom_chest", "--size", "tiny", "--trainer", "cpu")


def _error(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line of a command that must fail with exit code 2."""
    assert main(words) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1, error
    return error


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ["--model.released.tokns", "24"],
            "Unknown option '--model.released.tokns'. Did you mean --model.released.tok",
        ),
        (
            ["--model.released.token", "24"],
            "Did you mean --model.released.tokens or",
        ),  # no beginning of a name is a name
        (["--model.released.tokens", "many"], "--model.released.tokens=many: not of the type int | None"),
        (["--model.released", "3"], "Unknown option '--model.released'. Did you mean --model.released.tokens?"),
        (["--model.tokens", "24"], "The option '--model.tokens' has a new name: --model.released.tokens."),
        (["--model.init_args.segmentation=dice"], "has a new name: --model.init_args.loss.cross_entropy."),
        (["--model.released.segmentation", "dice"], "has a new name: --model.loss.cross_entropy."),
        (
            ["--model.loss.dice_per", "case"],
            "--model.loss.dice_per 'case' is unknown. Use one of image, batch, batch_in_2d.",
        ),
        (["--model", "bipvl", "--model.variant", "release"], "has a new name: --model.released.network."),
        (["--model", "bipvl", "--model.released.network", "draft"], "released.network=draft: not of the type bool"),
        (["--model", "bipvl", "--model.freeze_fusion", "true"], "a new name: --model.released.freeze_fusion."),
        (["--model", "tmca", "--model.tokens", "24"], "has a new name: --model.released.tokens."),
        (["--model", "lan_guide", "--model.tokens", "24"], "has a new name: --model.released.tokens."),
    ],
)
def test_switches_of_a_release_are_a_group_and_each_former_name_gives_the_new_one(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert says in _error(["fit", *TEVIA, *words, "--out", str(tmp_path / "run")], capsys)
    assert not (tmp_path / "run").exists()


def test_a_file_and_a_flag_set_switches_of_a_release(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("model: {init_args: {released: {tokens: 24, text_dropout: true}}}\n")
    words = ["fit", *TEVIA, "-c", str(path), "--model.released.text_dropout", "false", "--print_config"]
    assert main(words) == 0
    printed = yaml.safe_load(capsys.readouterr().out)["model"]["init_args"]["released"]
    assert (printed["tokens"], printed["text_dropout"], printed["foreground"]) == (24, False, "adaptive")
    for text, says in (
        ("{tokns: 24}", "Unknown key 'model.init_args.released.tokns'"),
        ("3", "Unknown key 'model.init_args.released'"),
        ("{tokens: many}", "model.init_args.released.tokens=many: not of the type int | None"),
    ):
        path.write_text(f"model: {{init_args: {{released: {text}}}}}\n")
        assert says in _error(["fit", *TEVIA, "-c", str(path)], capsys)
    path.write_text("model: {init_args: {tokens: 24}}\n")
    line = _error(["fit", *TEVIA, "-c", str(path)], capsys)
    assert "The key 'model.init_args.tokens' has a new name: model.init_args.released.tokens." in line
