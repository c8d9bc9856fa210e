"""Public paths: where users import classes from, and what hashes and run folders depend on."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from tests.helpers.public_packages import PACKAGES
from zoo.cli.main import main
from zoo.config import compose, config_hash
from zoo.engine.arguments import parse
from zoo.engine.lightning_cli import ZooCLI
from zoo.engine.run_folder import RunFolder
from zoo.models import UNet
from zoo.registry import DATA, MODELS, Registry


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_can_be_imported(package: str) -> None:
    module = import_module(package)
    assert module.__all__
    for name in module.__all__:
        assert getattr(getattr(module, name), "__name__", name) == name
    assert set(module.__all__) <= set(dir(module))
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        module.Nothing  # noqa: B018


def test_importing_the_packages_loads_no_torch() -> None:
    code = f"import sys, {', '.join(PACKAGES)}; sys.exit('torch' in sys.modules or 'lightning' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(("registry", "package"), [(MODELS, "zoo.models"), (DATA, "datamodules.sets")])
def test_cards_use_public_paths(registry: Registry, package: str) -> None:
    section = "model" if registry is MODELS else "data"
    for card in registry:
        module, _, name = card.config[section]["class_path"].rpartition(".")
        assert module == package
        assert name in import_module(package).__all__


def _hash(model: str) -> str:
    request = parse("fit", ["--model", model, "--data", "phantom_chest", "--size", "tiny", "--trainer", "cpu"])
    composed = compose(request.model, request.data, size=request.size, preset=request.preset)
    config = ZooCLI(composed.config, request.flags).resolved()
    assert config["model"]["class_path"] == "zoo.models.UNet"
    return config_hash(config)


def test_a_class_that_moves_behind_its_public_path_keeps_the_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    before = _hash("zoo.models.UNet")
    assert _hash(f"{UNet.__module__}.UNet") == before, "the inner path is the same class"
    moved = ModuleType("zoo.models.elsewhere")
    moved.UNet = UNet  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, moved.__name__, moved)
    monkeypatch.setattr(UNet, "__module__", moved.__name__)
    assert _hash("zoo.models.UNet") == before
    assert _hash("zoo.models.elsewhere.UNet") == before


@pytest.mark.parametrize("verb", ["fit", "test"])
def test_a_run_folder_of_the_former_layout_is_refused(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    out.mkdir()
    old = {
        "model": {"class_path": "zoo.models.unet.UNet", "init_args": {}},
        "data": {"class_path": "datamodules.phantom_chest.PhantomChest", "init_args": {}},
    }
    (out / "config.yaml").write_text(yaml.safe_dump(old), encoding="utf-8")
    (out / "manifest.json").write_text("{}", encoding="utf-8")
    named = ["--model", "unet", "--data", "phantom_chest", "--size", "tiny", "--trainer", "cpu"]
    assert main([verb, *(named if verb == "fit" else []), "--out", str(out)]) == 2
    said = capsys.readouterr().err.strip()
    assert len(said.splitlines()) == 1
    assert "9890fda" in said


def test_a_class_that_no_package_exports_is_not_taken_for_an_old_one(tmp_path: Path) -> None:
    config = {"model": {"class_path": "zoo.models.mynet.MyNet"}, "data": {"class_path": "datamodules.mine.Mine"}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    assert RunFolder(tmp_path).read_config() == config
