"""An installed package is complete: it holds cards, plans, splits and templates, and finds them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

USE = """
from benchmarks.plan.plan_file import PLANS
from benchmarks.report.page import TEMPLATES
from zoo.registry import CONFIGS
import zoo
print(zoo.__file__, CONFIGS, PLANS, TEMPLATES, sep="\\n")
"""


def tree(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_built_package_holds_configs_and_templates_and_finds_them(tmp_path: Path) -> None:
    pytest.importorskip("setuptools")
    lib = tmp_path / "lib"
    build = ["setup.py", "-q", "egg_info", "--egg-base", str(tmp_path), "build_py", "--build-lib", str(lib)]
    subprocess.run([sys.executable, *build], cwd=ROOT, check=True, capture_output=True)
    assert tree(lib / "zoo" / "configs") == tree(ROOT / "configs")
    templates = Path("benchmarks/report/templates")
    assert tree(lib / templates) == tree(ROOT / templates)
    assert not (lib / "benchmarks" / "perf").exists(), "scripts of the repository"
    there = os.environ | {"PYTHONPATH": str(lib)}
    done = subprocess.run(
        [sys.executable, "-c", USE], cwd=tmp_path, env=there, check=True, capture_output=True, text=True
    )
    for path in map(Path, done.stdout.split()):
        assert path.is_relative_to(lib)
        assert path.exists()
