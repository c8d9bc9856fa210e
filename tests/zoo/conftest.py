"""The stub model and the stub data set, importable as by a user."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.helpers.stub_commands import stub_on_path


@pytest.fixture
def stub_importable() -> Iterator[None]:
    """Let `zoo` import the stub model and the stub data set by name."""
    with stub_on_path():
        yield
