"""The fixtures of all tests, and the distribution of the tests over the workers of pytest-xdist."""

from __future__ import annotations

import gc
import inspect
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.helpers.ranks import RankPool
from tests.helpers.worker_groups import write_groups

pytest_plugins = ["tests.helpers.line_probes", "tests.helpers.processor_time"]

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


ONE_WORKER = ("slurm", "browser")
RANK_VARIABLES = ("LOCAL_RANK", "NODE_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep tests together that share something expensive: the ranks, the machine, or the fixtures of their module.

    A module with an expensive fixture that has many parameters puts the mark `xdist_group` on the parameters.
    """
    for item in items:
        if "ranks" in getattr(item, "fixturenames", ()):
            group = "ranks"
        elif any(item.get_closest_marker(name) for name in ONE_WORKER):
            group = "machine"
        elif item.get_closest_marker("xdist_group") is None:
            group = item.nodeid.partition("::")[0]
        else:
            continue
        item.add_marker(pytest.mark.xdist_group(group))
    if config.getoption("loadgroup", False):  # in a worker of pytest-xdist
        write_groups(items)


@pytest.fixture(scope="session", autouse=True)
def _private_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep each test from the user's cache, from hubs and from the user's settings."""
    os.environ["ZOO_CACHE"] = str(tmp_path_factory.mktemp("zoo-cache"))
    os.environ["ZOO_OFFLINE"] = "1"
    os.environ.pop("ZOO_DATA", None)


@pytest.fixture(autouse=True)
def _own_rank() -> Iterator[None]:
    """Remove what Lightning writes into the environment for further ranks, which would change the next test."""
    before = {name: os.environ.get(name) for name in RANK_VARIABLES}
    yield
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)


@pytest.fixture(scope="session", autouse=True)
def _frozen_imports() -> Iterator[None]:
    """Keep the collector of garbage from the million objects of the imported packages, which it would visit again."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()  # at its end, the process must release them


@pytest.fixture(scope="session", autouse=True)
def _stacks_without_sources() -> Iterator[None]:
    """Leave the source lines out of `inspect.stack()`; Lightning reads the names of the files, at each checkpoint."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inspect, "stack", partial(inspect.stack, 0))
        yield


@pytest.fixture(scope="session")
def ranks() -> Iterator[RankPool]:
    """Start two ranks of one gloo group."""
    pool = RankPool()
    yield pool
    pool.close()


@pytest.fixture
def real_data() -> Path:
    """Return the folder of real data sets; skip without it."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the real data sets are not beside this checkout")
    return SHARED_DATA
