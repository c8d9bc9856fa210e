"""What all tests share: a private cache, the real data where it is, the pool of ranks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.ranks import RankPool

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session", autouse=True)
def _private_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test reads or writes the user's cache, asks a hub or takes over the user's settings."""
    os.environ["ZOO_CACHE"] = str(tmp_path_factory.mktemp("zoo-cache"))
    os.environ["ZOO_OFFLINE"] = "1"
    os.environ.pop("ZOO_DATA", None)


@pytest.fixture(scope="session")
def ranks() -> Iterator[RankPool]:
    """Two ranks of one gloo group."""
    pool = RankPool()
    yield pool
    pool.close()


@pytest.fixture
def real_data() -> Path:
    """The folder of real data sets; skips where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the real data sets are not beside this checkout")
    return SHARED_DATA
