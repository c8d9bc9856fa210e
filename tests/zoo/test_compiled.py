"""Compiled loops on a machine without numba, and where no folder can be written."""

from __future__ import annotations

import builtins
import logging
import re
import tomllib
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

from tests.helpers.line_probes import COMPILED
from tests.helpers.paths import REPOSITORY
from zoo.compiled import compile_function, has_numba
from zoo.metrics.comparison import compare_masks
from zoo.types import LabelSpace

ONE = LabelSpace(("organ",), ((1,),))


@pytest.mark.parametrize("broken", ["no module", "compiler off"])
def test_a_machine_without_numba_scores_with_scipy_and_says_so_once(
    broken: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = builtins.__import__

    def refuse(name: str, *rest: Any) -> Any:
        if name == "numba":
            raise ImportError("numba needs another NumPy")
        return real(name, *rest)

    if broken == "no module":
        monkeypatch.setattr(builtins, "__import__", refuse)
    else:
        monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    has_numba.cache_clear()
    mask = np.ones((4, 4), np.uint8)
    with caplog.at_level(logging.WARNING):
        found = [compare_masks(mask, mask, ONE, (1.0, 1.0), 1.0) for _ in range(2)]
    monkeypatch.undo()
    has_numba.cache_clear()
    assert found[0] == found[1] == compare_masks(mask, mask, ONE, (1.0, 1.0), 1.0)
    [line] = caplog.messages
    assert line.endswith("slower code computes the same results.")


@pytest.mark.parametrize("folder", ["can be written", "cannot be written"])
def test_a_package_that_cannot_be_written_keeps_its_kernels_elsewhere(
    folder: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    real = numba.njit

    def find_no_folder(*functions: Any, **options: Any) -> Any:
        if options.get("cache") and (folder == "cannot be written" or not numba.config.CACHE_DIR):
            raise RuntimeError("cannot cache function: no locator available")
        return real(*functions, **(options | {"cache": False}))

    before = numba.config.CACHE_DIR
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    monkeypatch.setattr(numba, "njit", find_no_folder)
    with caplog.at_level(logging.INFO):
        double = compile_function(lambda number: 2 * number)
    assert double(4) == 8
    assert before == numba.config.CACHE_DIR
    assert bool(caplog.messages) == (folder == "cannot be written")


def test_compiled_functions_are_in_the_files_that_coverage_leaves_out() -> None:
    """numba cannot compile the probes that `tests.helpers.line_probes` puts into other files."""
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    assert COMPILED in settings["tool"]["coverage"]["run"]["omit"]
    assert COMPILED == "*_kernels.py"
    found = 0
    for path in (REPOSITORY / "zoo").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        decorated = [path.stem] * len(re.findall(r"^@compile_(?:function|part)$", text, re.MULTILINE))
        passed = re.findall(r"(?:compile_function|compile_part|register_jitable)\((\w+)\.", text)
        assert [name for name in (*decorated, *passed) if not name.endswith("_kernels")] == [], path
        found += len(decorated) + len(passed)
    assert found >= 10
