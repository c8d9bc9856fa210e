"""A configuration from a file reads no environment, and names no function that a run would call."""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from lightning.pytorch import callbacks, loggers, profilers, strategies
from lightning.pytorch.plugins import environments

from benchmarks.plan.plan_file import read_matrix
from zoo.config import compose
from zoo.engine.arguments import compose_request, parse
from zoo.engine.lightning_cli import ZooCLI
from zoo.errors import ConfigError
from zoo.utils.class_args import convert_arguments
from zoo.utils.config_files import (
    ALLOWED_CLASSES,
    FUNCTION_ARGUMENTS,
    check_config,
    check_no_resolvers,
    check_overrides,
)

LAMBDA = {"class_path": "lightning.pytorch.callbacks.LambdaCallback", "init_args": {"on_fit_start": "os.abort"}}
REFUSED: list[dict[str, Any]] = [
    {"callbacks": [LAMBDA]},
    {"callbacks": LAMBDA},
    {"callbacks": "LambdaCallback"},
    {"callbacks": "abort"},
    {"callbacks": "other.yaml"},
    {"callbacks": ["os.abort"]},
    {"callbacks": "[{class_path: LambdaCallback, init_args: {on_fit_start: os.abort}}]"},
    {"callbacks": [{"class_path": "my.EarlyStopping"}]},
    {"callbacks": [{"class_path": "StochasticWeightAveraging", "init_args": {"swa_lrs": 0.1, "avg_fn": "os.abort"}}]},
    {"strategy": {"class_path": "DDPStrategy", "init_args": {"ddp_comm_hook": "os.abort"}}},
    {"strategy": "subprocess.Popen"},
    {"logger": [{"class_path": "os.system"}]},
    {"plugins": ["os.system"]},
    {"profiler": {"class_path": "lightning.pytorch.callbacks.LambdaCallback"}},
    {"callbacks": [{"class_path": "Timer", "init_args": {"duration": {"class_path": "os.abort"}}}]},
]


@pytest.mark.parametrize("trainer", REFUSED)
def test_a_file_names_no_class_and_no_function_of_its_choice(trainer: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"a\.yaml: trainer\.\w+.* names .*, which no file may name"):
        check_config({"trainer": trainer}, "a.yaml")


@pytest.mark.parametrize(
    "trainer",
    [
        {"callbacks": None, "strategy": "auto", "logger": False, "profiler": "simple", "accelerator": "gpu"},
        {"strategy": "ddp_find_unused_parameters_false", "precision": "bf16-mixed", "max_time": "00:12:00:00"},
        {"callbacks": [{"class_path": "lightning.pytorch.callbacks.EarlyStopping", "init_args": {"monitor": "a"}}]},
        {"callbacks": ["Timer", "lightning.pytorch.callbacks.lr_monitor.LearningRateMonitor"]},
        {"logger": {"class_path": "lightning.pytorch.loggers.CSVLogger", "init_args": {"save_dir": "a.b/c"}}},
        {"callbacks": {"class_path": "zoo.callbacks.history.TrimHistory"}},
    ],
)
def test_a_file_names_classes_of_the_list(trainer: dict[str, Any]) -> None:
    check_config({"trainer": trainer, "model": {"class_path": "mynet.MyNet"}}, "a.yaml")


def test_the_list_has_each_argument_that_takes_a_function() -> None:
    found = set()
    for module in (callbacks, loggers, strategies, profilers, environments):
        for name in ALLOWED_CLASSES & set(dir(module)):
            parameters = inspect.signature(getattr(module, name).__init__).parameters.values()
            found |= {one.name for one in parameters if "Callable" in str(one.annotation)}
    assert found <= FUNCTION_ARGUMENTS


def test_the_user_allows_a_class_by_a_flag_or_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    config = {"trainer": {"callbacks": ["my.Callback"]}}
    check_config(config, "config.yaml", confirmed="my.Callback")
    for other in ("my.CallbackTwo", "not.my.Callback", ""):
        with pytest.raises(ConfigError, match=r"ZOO_ALLOWED_CLASSES=my\.Callback"):
            check_config(config, "config.yaml", confirmed=other)
    monkeypatch.setenv("ZOO_ALLOWED_CLASSES", "other, my.Callback")
    check_config(config, "config.yaml")


@pytest.mark.parametrize(
    "text",
    [
        *("1: 2", "null: 1", "2024-01-01: x", "trainer: [1]", "trainer: 3", "trainer: {1: 2}", "model: 3", "data: x"),
        *("model: {init_args: [1]}", "data: {init_args: {1: 2}}", "data: {init_args: {x: {2024-01-01: 1}}}"),
    ],
)
def test_a_layer_of_another_form_is_refused_with_its_key(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"a\.yaml: .*(is .*, not a mapping|the key .* is no text)"):
        compose("unet", "phantom_chest", files=[path])


@pytest.mark.parametrize(
    "text", ["trainer:", "model:", "data: {init_args: }", "trainer:\nmodel: {init_args: {lr: 0.5}}"]
)
def test_an_empty_section_changes_nothing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    expected = compose("unet", "phantom_chest", preset="cpu").config
    if "lr" in text:
        expected["model"]["init_args"] = expected["model"]["init_args"] | {"lr": 0.5}
    assert compose("unet", "phantom_chest", preset="cpu", files=[path]).config == expected


@pytest.mark.parametrize("text", ["${oc.env:HOME}", "a ${oc.env:X,b}", "${oc.${a}:X}", "${ oc.env : X}", "${x:}"])
def test_a_resolver_is_refused_wherever_it_stands(text: str) -> None:
    for content in (text, [text], {"a": {"b": [text]}}, {text: 1}):
        with pytest.raises(ConfigError, match="reads the environment"):
            check_no_resolvers(content, "a.yaml")


@pytest.mark.parametrize("text", ["${trainer.max_epochs}", "a: b", "$HOME:1", "{a:b}", "12:00"])
def test_other_text_is_no_resolver(text: str) -> None:
    check_no_resolvers({"a": text}, "a.yaml")


def refused_file(path: Path, content: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.parametrize("content", [{"data": {"init_args": {"seed": "${oc.env:HOME}"}}}, {"trainer": REFUSED[0]}])
def test_each_file_of_a_command_is_checked(tmp_path: Path, content: dict[str, Any]) -> None:
    layer = refused_file(tmp_path / "layer.yaml", content)
    card = refused_file(tmp_path / "card.yaml", {"config": content})
    sized = refused_file(tmp_path / "sized.yaml", {"sizes": {"tiny": content}})
    run = tmp_path / "run"
    run.mkdir()
    refused_file(run / "config.yaml", {"model": {"class_path": "a.B"}, "data": {"class_path": "a.C"}} | content)
    (run / "manifest.json").write_text("{}")
    for use in (
        lambda: compose("unet", "phantom_chest", files=[layer]),
        lambda: compose("unet", "phantom_chest", preset=str(card)),
        lambda: compose(str(sized), "phantom_chest"),
        lambda: compose("unet", str(card)),
        lambda: compose_request(parse("test", ["--out", str(run)])),
    ):
        with pytest.raises(ConfigError, match=r"\.yaml: .*(reads the environment|no file may name)"):
            use()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("trainer.callbacks", [LAMBDA]),
        ("trainer.callbacks+", "LambdaCallback"),
        ("trainer.strategy.ddp_comm_hook", "os.abort"),
        ("trainer.strategy.init_args.ddp_comm_hook", "os.abort"),
        ("data.title", "${oc.env:HOME}"),
    ],
)
def test_the_overrides_of_a_plan_are_checked(tmp_path: Path, key: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=r"which (no file may name|reads the environment)"):
        check_overrides([(key, value)], "plan.yaml")
    plan = {"models": ["unet"], "data": {"phantom_chest": {"overrides": {key: value}}}, "seeds": [0]}
    with pytest.raises(ConfigError, match=r"plan\.yaml: data\.phantom_chest: overrides: "):
        read_matrix(refused_file(tmp_path / "plan.yaml", plan))


def test_a_flag_names_every_class_but_reads_no_environment() -> None:
    config = compose("unet", "phantom_chest", size="tiny").config
    with pytest.raises(ConfigError, match=r"--data\.text: '\$\{oc\.env:HOME\}', which reads the environment"):
        ZooCLI(config, [("data.text", "${oc.env:HOME}")])
    flag = ("trainer.callbacks+", "lightning.pytorch.callbacks.LambdaCallback")
    assert ZooCLI(config, [flag]).config["trainer"]["callbacks"][0]["class_path"].endswith("LambdaCallback")


def test_an_option_of_a_data_command_reads_no_environment() -> None:
    with pytest.raises(ConfigError, match="reads the environment") as caught:
        convert_arguments(Path, {"title": "${oc.env:HOME}"}, "--data.", "")
    assert os.environ["HOME"] not in str(caught.value)
