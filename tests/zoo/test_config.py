"""Layers, their order, and the identity of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import zoo.config
from zoo.config import Config, compose, config_hash, differing_keys, merge
from zoo.errors import ConfigError, UnknownNameError
from zoo.registry import CONFIGS, MODELS, TRAINERS, Card, read_yaml
from zoo.utils.config_values import without_refused


def write(path: Path, content: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


@pytest.fixture
def cards(tmp_path: Path) -> tuple[str, str]:
    """Return a model card and a data card that set the same keys as later layers."""
    model = {
        "about": {"text": "none"},
        "config": {"model": {"class_path": "pkg.Net", "init_args": {"lr": 1, "a": 1, "shape": [1, 2]}}},
        "sizes": {"tiny": {"model": {"init_args": {"lr": 2, "width": 8}}}, "published": {"model": {}}},
    }
    data = {
        "config": {"data": {"class_path": "pkg.Set", "init_args": {"batch_size": 1, "patch": [64, 64]}}},
        "sizes": {"tiny": {"data": {"init_args": {"patch": [16]}}}},
    }
    return str(write(tmp_path / "net.yaml", model)), str(write(tmp_path / "set.yaml", data))


def test_later_layers_override_and_lists_are_replaced(cards: tuple[str, str], tmp_path: Path) -> None:
    first = write(tmp_path / "c1.yaml", {"model": {"init_args": {"a": 5}}, "trainer": {"precision": "64-true"}})
    second = write(tmp_path / "c2.yaml", {"model": {"init_args": {"a": 6, "shape": [9]}}})
    composed = compose(*cards, preset="cpu", files=[first, second])
    assert composed.config["model"] == {
        "class_path": "pkg.Net",
        "init_args": {"lr": 2, "a": 6, "shape": [9], "width": 8},
    }
    assert composed.config["data"]["init_args"] == {"batch_size": 1, "patch": [16]}
    assert composed.config["trainer"]["precision"] == "64-true"
    assert composed.config["trainer"]["accelerator"] == "cpu"
    assert (composed.model, composed.data, composed.size, composed.preset) == ("net", "set", "tiny", "cpu")
    assert composed.layers == ("model net", "data set", "size tiny", "trainer cpu", str(first), str(second))


def test_a_recipe_overrides_the_size_and_a_preset_overrides_the_recipe(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    recipe = {
        "config": {"trainer": {"max_epochs": 7, "precision": "16-mixed"}, "model": {"init_args": {"lr": 0.5}}},
        "sizes": {"tiny": {"trainer": {"max_epochs": 3}}},
    }
    write(tmp_path / "recipe" / "set" / "unet.yaml", recipe)
    monkeypatch.setattr(zoo.config, "CONFIGS", tmp_path)
    card = zoo.config.find_card(MODELS, "unet", "model")
    ours = Card("set", config={"data": {"class_path": "pkg.Set"}})
    monkeypatch.setattr(zoo.config, "find_card", lambda _r, value, _s: {"unet": card, "set": ours}[value])
    published = compose("unet", "set").config
    assert published["trainer"] == {"max_epochs": 7, "precision": "16-mixed"}
    assert published["model"]["init_args"]["lr"] == 0.5
    assert compose("unet", "set", size="tiny").config["trainer"]["max_epochs"] == 3


@pytest.mark.parametrize("path", sorted((CONFIGS / "recipe").glob("*/*.yaml")), ids=lambda path: path.stem)
def test_each_recipe_of_the_zoo_names_a_model_and_a_data_set_and_is_applied(path: Path) -> None:
    content = read_yaml(path)
    for size, layer in content["sizes"].items():
        composed = compose(path.stem, path.parent.name, size=size)
        values = composed.config["model"]["init_args"]
        assert layer["model"]["init_args"].items() <= values.items()
        assert f"recipe {path.parent.name}/{path.stem}" in composed.layers


def test_a_user_card_with_our_name_gets_no_recipe(tmp_path: Path) -> None:
    write(tmp_path / "unet.yaml", {"config": {"model": {"class_path": "my.Net"}}})
    composed = compose(str(tmp_path / "unet.yaml"), None)
    assert composed.config == {"model": {"class_path": "my.Net"}}
    assert not any("recipe" in layer for layer in composed.layers)


@pytest.mark.parametrize(
    ("preset", "size"), [(None, "published"), ("cpu", "tiny"), ("debug", "tiny"), ("gpu", "published")]
)
def test_the_default_size_is_that_of_the_preset(cards: tuple[str, str], preset: str | None, size: str) -> None:
    assert compose(*cards, preset=preset).size == size
    assert compose(*cards, preset=preset, size="tiny").size == "tiny"


@pytest.mark.parametrize("preset", TRAINERS.names())
def test_every_preset_composes(cards: tuple[str, str], preset: str) -> None:
    config = compose(*cards, preset=preset).config
    assert set(config) == {"model", "data", "trainer"}
    assert config["trainer"]["accelerator"]


def test_a_changed_class_path_is_refused(cards: tuple[str, str], tmp_path: Path) -> None:
    other = write(tmp_path / "c.yaml", {"model": {"class_path": "pkg.Other"}})
    with pytest.raises(ConfigError, match=r"c\.yaml: model\.class_path is changed from pkg\.Net to pkg\.Other"):
        compose(*cards, files=[other])
    same = write(tmp_path / "same.yaml", {"model": {"class_path": "pkg.Net", "init_args": {"a": 3}}})
    assert compose(*cards, files=[same]).config["model"]["init_args"]["a"] == 3


def test_every_mistyped_name_is_reported_at_once() -> None:
    with pytest.raises(ConfigError, match=r"'unett'.*Did you mean unet.*'nowhere'.*'cpuu'.*cpu") as caught:
        compose("unett", "nowhere", preset="cpuu")
    assert "\n" not in str(caught.value)
    with pytest.raises(UnknownNameError):
        compose("unett", None)


def test_an_unknown_size_in_a_preset_is_reported(tmp_path: Path, cards: tuple[str, str]) -> None:
    preset = write(tmp_path / "p.yaml", {"about": {"size": "huge"}, "config": {"trainer": {"devices": 1}}})
    with pytest.raises(ConfigError, match="Unknown size 'huge'"):
        compose(*cards, preset=str(preset))


def test_dotted_class_needs_no_card() -> None:
    composed = compose("my.pkg.Net", "my.pkg.Set")
    assert composed.config == {"model": {"class_path": "my.pkg.Net"}, "data": {"class_path": "my.pkg.Set"}}
    assert (composed.model, composed.data) == ("Net", "Set")


def test_the_configuration_of_a_run_replaces_the_cards(cards: tuple[str, str]) -> None:
    base = {"model": {"class_path": "pkg.Net", "init_args": {"lr": 9}}, "trainer": {"devices": 4}}
    config = compose(cards[0], cards[1], preset="cpu", base=base).config
    assert config["model"] == base["model"]
    assert config["trainer"]["devices"] == 1
    assert base["trainer"] == {"devices": 4}, "the run's own configuration is not changed in place"


RUN: Config = {
    "seed_everything": 0,
    "model": {"class_path": "pkg.Net", "init_args": {"lr": 0.1, "shape": [1, 2]}},
    "data": {"class_path": "pkg.Set", "init_args": {"root": "/a", "num_workers": 0, "batch_size": 4}},
    "trainer": {"max_epochs": 3, "devices": 1, "callbacks": [{"class_path": "X", "init_args": {"dirpath": "/a"}}]},
}


@pytest.mark.parametrize(
    "layer",
    [
        {"data": {"init_args": {"root": "/b"}}},
        {"data": {"init_args": {"num_workers": 8}}},
        {"trainer": {"devices": 8, "num_nodes": 2, "strategy": {"class_path": "S"}, "accelerator": "gpu"}},
        {"trainer": {"enable_progress_bar": True, "logger": {"class_path": "L"}, "default_root_dir": "/b"}},
        {"trainer": {"callbacks": [{"class_path": "X", "init_args": {"dirpath": "/b"}}]}},
        {"trainer": {"gradient_clip_val": None}},
    ],
)
def test_the_hash_ignores_keys_of_the_machine(layer: Config) -> None:
    assert config_hash(merge(RUN, layer)) == config_hash(RUN)
    assert differing_keys(RUN, merge(RUN, layer)) == []


@pytest.mark.parametrize(
    ("layer", "difference"),
    [
        ({"model": {"init_args": {"lr": 0.2}}}, ("model.init_args.lr", 0.1, 0.2)),
        ({"model": {"init_args": {"shape": [2, 1]}}}, ("model.init_args.shape", [1, 2], [2, 1])),
        ({"seed_everything": 1}, ("seed_everything", 0, 1)),
        ({"trainer": {"precision": "bf16"}}, ("trainer.precision", None, "bf16")),
        ({"data": {"init_args": {"batch_size": 8}}}, ("data.init_args.batch_size", 4, 8)),
    ],
)
def test_the_hash_changes_with_the_run_and_the_differing_keys_are_found(
    layer: Config, difference: tuple[str, Any, Any]
) -> None:
    other = merge(RUN, layer)
    assert config_hash(other) != config_hash(RUN)
    assert differing_keys(RUN, other) == [difference]


def test_the_hash_does_not_depend_on_the_order_of_keys() -> None:
    turned = {key: RUN[key] for key in reversed(RUN)}
    assert config_hash(turned) == config_hash(RUN)
    assert len(config_hash(RUN)) == 64


TREES = st.recursive(
    st.integers() | st.lists(st.integers(), max_size=2),
    lambda children: st.dictionaries(st.sampled_from("abc"), children, max_size=3),
    max_leaves=8,
)
MAPPINGS = st.dictionaries(st.sampled_from("abc"), TREES, max_size=3)


@given(MAPPINGS, MAPPINGS)
def test_merge_is_idempotent_and_keeps_its_inputs(base: dict[str, Any], layer: dict[str, Any]) -> None:
    before = (repr(base), repr(layer))
    merged = merge(base, layer)
    assert merge(merged, layer) == merged
    assert merge(base, {}) == base
    assert (repr(base), repr(layer)) == before
    assert all(key in merged for key in (*base, *layer))


def test_optional_values_of_a_preset_are_left_out_where_a_class_has_no_such_argument(
    cards: tuple[str, str], tmp_path: Path
) -> None:
    composed = compose(*cards, preset="debug")
    assert composed.where_accepted == {"model.init_args.overlap": 0.0, "model.init_args.max_windows": 2}
    accepting = without_refused(composed.config, composed.where_accepted, {"model": {"overlap", "max_windows"}})
    assert accepting == composed.config
    refusing = without_refused(composed.config, composed.where_accepted, {"model": {"lr"}})
    assert not {"overlap", "max_windows"} & refusing["model"]["init_args"].keys()
    mine = write(tmp_path / "mine.yaml", {"model": {"init_args": {"overlap": 0.3}}})
    typed = compose(*cards, preset="debug", files=[mine])
    kept = without_refused(typed.config, typed.where_accepted, {"model": {"lr"}})
    assert kept["model"]["init_args"]["overlap"] == 0.3, "what a user wrote is refused by the parser and not dropped"
