"""Freed memory is kept with glibc, and nothing happens without it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from zoo.engine import cpu_allocator as memory


def test_glibc_is_asked_to_keep_large_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("ctypes.CDLL", lambda _: SimpleNamespace(mallopt=lambda *pair: asked.append(pair)))
    memory.keep_freed_memory()
    assert asked == [(-4, 0), (-1, -1)]


@pytest.mark.parametrize(("platform", "library"), [("linux", SimpleNamespace()), ("darwin", None)])
def test_nothing_happens_without_glibc(monkeypatch: pytest.MonkeyPatch, platform: str, library: Any) -> None:
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setattr("ctypes.CDLL", lambda _: library)
    memory.keep_freed_memory()
