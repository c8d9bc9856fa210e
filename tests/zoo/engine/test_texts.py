"""A text of a command stays that text, whatever YAML, OmegaConf or the locale would make of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from tests.helpers.stub_commands import FIT, STUB, resolved
from zoo.cli.main import main
from zoo.engine.arguments import compose_request, parse
from zoo.engine.lightning_cli import ZooCLI
from zoo.utils.class_args import convert_arguments, is_text
from zoo.utils.literal_text import dump_quoted, escape_interpolation

TEXTS = (
    *("1e3", "1.5", "0x10", "12", "no", "true", "null", "~", "None", "2020-01-01", "", " a "),
    *("a: b", "[a", "[1, 2]", "{a: 1}", "- a", "&a", "*a", "!a", "a #b", "'a'", '"a"', "@a", "%a", "a=b", "x\ny"),
    *("${HOME}x", "${a", "$", "\\${a}", "\\\\${a}", "${data.init_args.batch_size}", "läs", "\\n"),
)


pytestmark = pytest.mark.usefixtures("stub_importable")


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_reaches_the_model_and_the_configuration_as_it_was_typed(text: str) -> None:
    request = parse("fit", [*STUB, f"--model.encoder={text}", f"--data.init_args.text={text}"])
    cli = ZooCLI.from_request(request, compose_request(request))
    config = cli.resolved()
    assert (config["model"]["init_args"]["encoder"], config["data"]["init_args"]["text"]) == (text, text)
    cli.build(logger=[])
    assert cli.model.hparams["encoder"] == text, "a checkpoint has it too"
    assert getattr(cli.datamodule, "text") == text  # noqa: B009 - a LightningDataModule has no such attribute


@pytest.mark.parametrize("text", TEXTS)
def test_yaml_and_interpolation_give_back_what_was_quoted(text: str) -> None:
    from omegaconf import OmegaConf

    assert yaml.safe_load(dump_quoted({"a": text})) == {"a": text}
    content = OmegaConf.create(yaml.safe_load(dump_quoted({"a": escape_interpolation(text)})))
    assert OmegaConf.to_container(content, resolve=True) == {"a": text}


def test_a_text_is_kept_by_the_commands_for_data_too() -> None:
    StubData = __import__("stub_model").StubData  # noqa: N806 - a class
    assert convert_arguments(StubData, {"text": "1e3", "batch_size": "3"}, "--data.", "") == {
        "text": "1e3",
        "batch_size": 3,
    }
    assert convert_arguments(StubData, {"root": "null", "text": "null"}, "--data.", "") == {
        "root": None,
        "text": "null",
    }
    assert [is_text(StubData, name) for name in ("root", "text", "batch_size", "seed")] == [True, True, False, False]


def test_null_unsets_an_argument_that_may_be_unset(capsys: pytest.CaptureFixture[str]) -> None:
    assert resolved(["fit", *STUB, "--data.root", "null"], capsys)["data"]["init_args"].get("root") is None


def test_a_run_with_odd_texts_is_tested_continued_and_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = f"{tmp_path}/a: ${{HOME}}x [b"
    words = [*FIT[:-1], "1", "--data.root", root, "--model.encoder", "1e3"]
    out = tmp_path / "run: ${x}"
    assert main([*words, "--out", str(out)]) == 0
    config = yaml.safe_load((out / "config.yaml").read_text(encoding="utf-8"))
    assert (config["data"]["init_args"]["root"], config["model"]["init_args"]["encoder"]) == (root, "1e3")
    content = torch.load(out / "checkpoints" / "last.ckpt", weights_only=True)
    assert content["hyper_parameters"]["encoder"] == "1e3"
    assert main(["test", "--out", str(out)]) == 0
    assert main([*words, "--out", str(out)]) == 0
    printed = resolved(words, capsys)
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(printed), encoding="utf-8")
    assert resolved(["fit", "-c", str(tmp_path / "c.yaml")], capsys) == printed


def test_a_locale_without_letters_is_no_hindrance() -> None:
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "zoo", "läs"], env={**os.environ, **plain}, capture_output=True, check=False
    )
    assert done.returncode == 2
    assert "Unknown command 'läs'" in done.stderr.decode("utf-8")
