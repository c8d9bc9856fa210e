"""Tuned recipes: a `-c` file with the trials behind its values, which a changed file cannot claim."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from benchmarks.plan.tuned import find_tuned
from tests.helpers.stub_commands import FIT, train_stub
from tests.helpers.tuned_recipes import write_tuned
from zoo.config import compose
from zoo.errors import ConfigError
from zoo.recipes import read_tuned


def test_a_recipe_is_a_layer_and_its_trials_are_no_part_of_the_configuration(tmp_path: Path) -> None:
    path = write_tuned(tmp_path, lr=0.0123, loss={"dice_per": "image"})
    composed = compose("unet", "phantom_chest", size="tiny", files=[path])
    assert "about" not in composed.config
    assert composed.config["model"]["init_args"]["lr"] == 0.0123
    assert composed.tuned is not None
    assert composed.tuned.pairs == (("model.lr", "0.0123"), ("model.loss.dice_per", "image"))
    assert composed.tuned.lr == 0.0123
    assert compose("unet", "phantom_chest", size="tiny").tuned is None


def test_a_run_with_other_values_than_its_recipe_makes_no_claim(tmp_path: Path) -> None:
    recipe = read_tuned(write_tuned(tmp_path, lr=0.0123))
    assert recipe is not None
    config = {"model": {"class_path": "zoo.models.UNet", "init_args": {"lr": 0.0123, "warmup": 0.05}}}
    assert recipe.claim(config) == {"trials": 8, "search": recipe.search_hash, "seal": recipe.tuned.seal}
    assert recipe.claim({"model": {"init_args": {"lr": 0.5}}}) is None
    other = read_tuned(write_tuned(tmp_path, trials=9))
    assert other is not None
    assert other.search_hash != recipe.search_hash


@pytest.mark.parametrize(("text", "by"), [("lr: 0.0123", "lr: 0.5"), ("trials: 8", "trials: 99"), ("0.5", "0.9")])
def test_a_changed_recipe_is_refused_and_is_configuration_without_its_claim(tmp_path: Path, text: str, by: str) -> None:
    path = write_tuned(tmp_path)
    path.write_text(path.read_text(encoding="utf-8").replace(text, by), encoding="utf-8")
    with pytest.raises(ConfigError, match="was changed after the trials"):
        compose("unet", "phantom_chest", size="tiny", files=[path])
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    del content["about"]
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    assert compose("unet", "phantom_chest", size="tiny", files=[path]).tuned is None


@pytest.mark.parametrize(
    "names",
    [("film", "phantom_chest", "tiny"), ("unet", "hippocampus", "tiny"), ("unet", "phantom_chest", "published")],
)
def test_the_recipe_of_another_model_data_set_or_size_is_refused(tmp_path: Path, names: tuple[str, str, str]) -> None:
    path = write_tuned(tmp_path)
    with pytest.raises(ConfigError, match="the recipe was tuned for"):
        compose(names[0], names[1], size=names[2], files=[path])


def test_a_folder_of_recipes_has_those_of_some_models(tmp_path: Path) -> None:
    write_tuned(tmp_path)
    found = find_tuned(str(tmp_path), "unet", "phantom_chest", "tiny")
    assert found is not None
    assert (found.lr, found.trials) == (0.0123, 8)
    assert find_tuned(str(tmp_path), "film", "phantom_chest", "tiny") is None
    with pytest.raises(ConfigError, match="no such folder of recipes"):
        find_tuned(str(tmp_path / "no"), "unet", "phantom_chest", "tiny")
    (tmp_path / "film-phantom_chest-tiny.yaml").write_text("model: {init_args: {lr: 1}}\n")
    with pytest.raises(ConfigError, match="no recipe of `zoo bench tune`"):
        find_tuned(str(tmp_path), "film", "phantom_chest", "tiny")


def test_the_manifest_of_a_run_has_its_recipe_unless_a_flag_changes_a_value(tmp_path: Path) -> None:
    path = write_tuned(tmp_path, "StubModel", "StubData", lr=0.05)
    for name, flags, trials in (("tuned", [], 8), ("changed", ["--model.lr", "0.2"], None)):
        train_stub([*FIT[:-1], "1", "-c", str(path), *flags], tmp_path / name)
        manifest = json.loads((tmp_path / name / "manifest.json").read_text(encoding="utf-8"))
        assert (manifest["tuned"] or {}).get("trials") == trials
