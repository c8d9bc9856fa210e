"""`pytest --cov` on Python 3.11: the executed lines, from probes in the code of our packages alone.

The tracer of coverage.py makes Python 3.11 look at each instruction of each package, which took a third of the suite's
processor time in Lightning, torch and the parser. SlipCover puts a call before each line of our modules when they are
imported; coverage.py gets the lines and makes the report. Python 3.12 needs no probes, because coverage.py uses
`sys.monitoring` there.

`tests/conftest.py` loads this plug-in before any module of ours is imported. Processes that pytest-xdist or the fork
server starts know from an environment variable that they measure.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from importlib.util import find_spec
from multiprocessing.util import Finalize
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.helpers.paths import REPOSITORY

if TYPE_CHECKING:
    from slipcover import Slipcover

MEASURED = "TESTS_MEASURE_LINES"
PACKAGES = [REPOSITORY / name for name in ("zoo", "datamodules", "benchmarks")]
COMPILED = "*_kernels.py"
"""Files of functions that numba compiles: it cannot compile a probe, and nobody sees the lines of machine code."""

ALWAYS = 2**31 - 1
"""How often a probe is called before SlipCover removes it. Code that a function already runs is never replaced."""


def _start() -> Slipcover | None:
    """Put probes into each module of our packages that is imported from now on, if coverage is measured."""
    coverage = sys.modules.get("coverage")
    measured = coverage is not None and coverage.Coverage.current() is not None
    wanted = sys.version_info < (3, 12) and (measured or os.environ.get(MEASURED))
    if not wanted or find_spec("slipcover") is None:  # without SlipCover, the tracer counts
        return None
    from slipcover import FileMatcher, ImportManager, Slipcover

    os.environ[MEASURED] = "1"
    probes = Slipcover(d_miss_threshold=ALWAYS, exclude_lines=[])  # coverage.py has the excluded lines
    ImportManager(probes, FileMatcher(sources=PACKAGES, omit=[COMPILED])).__enter__()
    return probes


PROBES = _start()


def measure_process() -> None:
    """Replace the tracer in a process of `multiprocessing`, which coverage.py started, and report when it ends."""
    if PROBES is None:
        return
    from coverage import Coverage

    if current := Coverage.current():
        current.stop()
        Finalize(None, _hand_over, args=(current,), exitpriority=0)


def _hand_over(coverage: Any) -> None:
    """Add the executed lines to the data of coverage.py."""
    if PROBES:
        files = PROBES.get_coverage()["files"]
        coverage.get_data().add_lines(
            {str(Path(name).absolute()): found["executed_lines"] for name, found in files.items()}
        )


def _coverage_of(session: pytest.Session) -> Any:
    plugin = session.config.pluginmanager.getplugin("_cov")
    return plugin and plugin.cov_controller and plugin.cov_controller.cov


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Stop the tracer, which pytest-cov starts at the latest now."""
    if PROBES and (coverage := _coverage_of(session)):
        coverage.stop()


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Add the lines after the last test, before pytest-cov saves them."""
    result = yield
    if PROBES and (coverage := _coverage_of(session)):
        _hand_over(coverage)
    return result
