"""A text encoder imports the library of its own kind only."""

from __future__ import annotations

import sys

import pytest

from zoo.encoders.text import build_text_encoder


def test_an_encoder_of_another_kind_does_not_import_open_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    """`open_clip` and what it imports take seconds of each start."""
    monkeypatch.delitem(sys.modules, "zoo.encoders.openclip", raising=False)
    monkeypatch.setitem(sys.modules, "open_clip", None)  # an import of it raises
    assert build_text_encoder("tiny").frozen is False
