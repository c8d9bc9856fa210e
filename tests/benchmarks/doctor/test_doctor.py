"""`zoo doctor`: what would stop a command is found, each finding with its mend, and exit code 2."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from benchmarks.cli import doctor
from benchmarks.doctor import data_sets, hub, machine, models, packages
from benchmarks.doctor.finding import Finding
from datamodules.index.card import DataCard
from tests.helpers.data_sets import make_hippocampus
from tests.helpers.paths import REPOSITORY
from zoo.errors import UnknownNameError
from zoo.registry import DATA
from zoo.utils.machine import Gpu

Check = Callable[..., Any]


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture
def healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without faults, whatever the machine of the test is."""
    monkeypatch.setattr(machine, "list_gpus", list)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1 << 40, 0, 1 << 40))
    monkeypatch.setattr(hub, "ask_hub", lambda _: "")
    monkeypatch.setenv("ZOO_OFFLINE", "0")


@pytest.mark.usefixtures("healthy")
def test_a_healthy_machine_ends_with_0_and_a_sick_one_with_2_and_the_mend(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert doctor.main([]) == 0
    shown = capsys.readouterr().out
    assert shown.endswith("nothing to mend\n")
    assert "!!" not in shown
    monkeypatch.setattr(hub, "ask_hub", lambda _: "the hub cannot be asked (ConnectError)")
    assert doctor.main([]) == 2
    shown = capsys.readouterr().out
    assert shown.endswith("1 finding to mend\n")
    assert "-> Set ZOO_OFFLINE=1" in shown
    assert doctor.main(["--json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert [one["subject"] for one in found if one["wrong"]] == ["hub"]
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    assert doctor.main([]) == 0
    assert "not asked, because ZOO_OFFLINE=1. 8 encoders not on this machine" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("gpus", "cuda", "has_tool", "what"),
    [
        ([], "13.2", False, ""),
        ([], "13.2", True, "reports no GPU"),
        ([Gpu("NVIDIA A100", "550.54.14", 40 << 30)], "12.4", True, ""),
        ([Gpu("NVIDIA A100", "550.54.14", 40 << 30)], "13.2", True, "driver 550.54.14: too old for the CUDA 13.2"),
        ([Gpu("NVIDIA A100", "580.65.06", 40 << 30)], "13.2", True, ""),
        ([Gpu("NVIDIA A100", "580.65.06", 40 << 30)], "", True, "torch was built without CUDA"),
        ([Gpu("NVIDIA A100", "[N/A]", 0)], "14.0", True, ""),
    ],
)
def test_a_driver_that_is_too_old_for_torch_is_found(gpus: list[Gpu], cuda: str, has_tool: bool, what: str) -> None:
    wrong = [found for found in machine.check_gpus(gpus, cuda, has_tool) if found.wrong]
    assert len(wrong) == bool(what)
    assert all(what in found.what for found in wrong)


def test_hidden_gpus_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    *_, last = machine.check_gpus([Gpu("NVIDIA A100", "580.1", 1 << 30)], "13.0", True)
    assert last.fix == "Unset CUDA_VISIBLE_DEVICES."


def test_the_cuda_of_torch_is_read_without_torch() -> None:
    assert machine.find_cuda_version() == (torch.version.cuda or "")


def test_full_read_only_and_missing_folders_are_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ZOO_DATA", str(tmp_path / "none"))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1 << 40, 0, 3 << 20))
    found = {one.subject: one for one in machine.check_disks()}
    assert "has 3.1 MB free" in found["cache"].what
    assert "ZOO_CACHE" in found["cache"].fix
    assert found["data sets"].what.endswith("none: no such folder")
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "cannot be written" in next(iter(machine.check_disks())).what


def test_packages_that_do_not_fit_each_other_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    known = version
    monkeypatch.setattr(packages, "version", lambda name: "0.1" if name == "torch" else known(name))
    wrong = [one for one in packages.check_packages() if one.wrong]
    assert {one.subject for one in wrong} == {"torch"}
    assert {one.what.partition(" needs")[0] for one in wrong} >= {f"0.1, but {name}" for name in ("lightning", "monai")}
    assert any(one.fix.startswith("Run `pip install 'torch>=") for one in wrong)


def test_the_data_sets_at_hand_are_checked_and_on_request_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    assert data_sets.list_data_at_hand() == []
    task = make_hippocampus(tmp_path / "made", n=10)
    (tmp_path / "data").mkdir()
    names = {card.name for card in DATA}
    folder = DataCard.of(DATA.get("hippocampus")).folder_name
    shutil.move(task, tmp_path / "data" / folder)
    monkeypatch.setenv("ZOO_DATA", str(tmp_path / "data"))
    at_hand = data_sets.list_data_at_hand()
    assert "hippocampus" in at_hand
    assert set(at_hand) < names
    (listed,) = data_sets.check_data(["hippocampus"], every_file=False)
    assert (listed.wrong, listed.what.startswith("10 cases, split ")) == (False, True)
    image = next((tmp_path / "data" / folder / "imagesTr").glob("hippo*"))
    image.write_bytes(b"broken")
    (read,) = data_sets.check_data(["hippocampus"], every_file=True)
    assert read.fix == "Run `zoo data verify hippocampus`, which names each."
    image.unlink()
    (listed,) = data_sets.check_data(["hippocampus"], every_file=False)
    assert image.name in listed.what
    assert listed.wrong


def test_a_model_is_trained_tested_and_used_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (found,) = models.try_models(["film"])
    assert found.what.startswith("2D: fit, test, export, segment in "), found
    assert capsys.readouterr().out == ""
    assert list(tmp_path.glob("zoo-doctor-*")) == []  # torch leaves a cache of its own


def test_a_model_that_fails_is_named_with_the_command_that_shows_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoo.cli.main.main", lambda words: 2)
    (found,) = models.try_models(["unet"])
    assert found.what == "`zoo fit` failed: exit code 2"
    assert found.fix.startswith("Run `zoo fit --model unet --data phantom_chest --data.counts '[4,2,2]' ")

    def crash(words: list[str]) -> int:
        raise MemoryError("no\nmemory")

    monkeypatch.setattr("zoo.cli.main.main", crash)
    (found,) = models.try_models(["unet"])
    assert found.what == "`zoo fit` failed: MemoryError: no memory"


def test_a_wrong_name_is_refused_before_anything_is_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main(["--models", "unett"]) == 2
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
    with pytest.raises(UnknownNameError):
        models.list_models(["unett"])
    assert len(models.list_models([])) > 20


def test_the_command_is_declared_and_a_finding_is_wrong_by_its_mend() -> None:
    assert 'doctor = "benchmarks.cli.doctor:main"' in (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    assert not Finding("a", "b").wrong
