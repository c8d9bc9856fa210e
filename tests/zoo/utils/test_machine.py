"""Facts of the machine and the installation."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.utils.machine import Gpu, count_cores, list_extras, list_gpus, memory_bytes, parse_gpus


def fake_smi(folder: Path, body: str) -> None:
    tool = folder / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{body}\n")
    tool.chmod(0o755)


def test_gpus_are_read_from_the_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    fake_smi(tmp_path, "printf 'NVIDIA H200, 570.1, 143771\\nNVIDIA A2, 570.1, [N/A]\\n'")
    assert list_gpus() == [Gpu("NVIDIA H200", "570.1", 143771 << 20), Gpu("NVIDIA A2", "570.1", 0)]
    fake_smi(tmp_path, "echo 'no driver' >&2; exit 9")
    assert list_gpus() == []
    assert parse_gpus("No devices were found\n") == []


def test_without_the_tool_there_is_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert list_gpus() == []


def test_cores_and_memory_are_known() -> None:
    assert count_cores() >= 1
    assert memory_bytes() > 1 << 28


def test_extras_name_what_they_lack(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        "torch>=2.11",
        'numpy>=2.1; extra == "here"',
        'numpy>=999; extra == "old"',
        "no-such-package; extra == 'gone'",
        'pytest; extra == "test"',
    ]
    monkeypatch.setattr("importlib.metadata.requires", lambda _: lines)
    assert list_extras() == {"here": [], "old": ["numpy"], "gone": ["no-such-package"]}
