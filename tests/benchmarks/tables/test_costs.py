"""Costs are measured once per model and stored, and they have a table of their own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.cli import main
from benchmarks.plan.job import Plan, Settings
from benchmarks.storage.layout import read_costs
from benchmarks.storage.stored_plan import store_plan
from benchmarks.tables.costs import distinct_jobs, measure_costs
from tests.helpers.sample_benchmark import job, variant
from zoo.errors import RunError

RECIPES = ("equal", "published")
FAKE = """
import json, os, sys
words = sys.argv[1:]
with open(os.environ["FAKE_CALLS"], "a") as calls:
    calls.write(" ".join(words) + "\\n")
if "tevia" in words:
    sys.stderr.write("zoo: error: No text. Mend it.\\n")
    sys.exit(2)
cost = dict(params=2_500_000, params_trainable=1_000_000, gflops=1.25, step_s=0.5, step_mib=700.4, case_s=0.25)
cost |= dict(case_mib=None, batch_size=2, patch=[8, 8], device="CPU", threads=1)
sys.stdout.write("a line of a library\\n" + json.dumps(cost) + "\\n")
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FAKE_CALLS", str(tmp_path / "calls"))
    return tmp_path / "calls"


def measured(folder: Path) -> list[str]:
    lines: list[str] = []
    measure_costs(folder, lines.append, 3, (sys.executable, "-c", FAKE))
    return lines


def test_each_model_is_measured_once_whatever_its_seed(
    tmp_path: Path, calls: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = (job("unet", 0), job("unet", 1), job("bipvl", 0, "class"), variant("no_text"))
    store_plan(tmp_path, Plan(jobs))
    assert len(measured(tmp_path)) == 3
    assert list(read_costs(tmp_path)) == sorted(read_costs(tmp_path))
    lines = calls.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 3
    assert all(line.startswith("profile --model ") and line.endswith("--repeats 3 --json") for line in lines)
    assert any("--model.use_text=false" in line for line in lines)
    assert measured(tmp_path) == []
    store_plan(tmp_path, Plan((*jobs, job("tmca", 0, "class"))))
    assert len(measured(tmp_path)) == 1
    capsys.readouterr()
    assert main(["table", str(tmp_path), "--costs"]) == 0
    line = "| hippocampus-unet-tiny | 2.50 | 1.00 | 1.25 | 0.5000 | 700 | 0.2500 |  | 2 x 8x8 | CPU, 1 thread |"
    assert line in capsys.readouterr().out


def test_a_published_recipe_has_costs_of_its_own_because_of_its_batch() -> None:
    equal, published = (
        job("unet", seed, settings=Settings("tiny", recipe=recipe)) for seed, recipe in enumerate(RECIPES)
    )
    assert list(distinct_jobs(Plan((equal, published)))) == ["hippocampus-unet-tiny", "hippocampus-unet-tiny@published"]


def test_the_error_names_a_model_that_cannot_be_measured_and_the_other_costs_are_stored(
    tmp_path: Path, calls: Path
) -> None:
    store_plan(tmp_path, Plan((job("bipvl", 0, "class"), job("tevia", 0, "class"), job("unet", 0))))
    with pytest.raises(RunError, match=r"hippocampus-tevia-tiny-minilm: No text\. Mend it\. Correct the cause"):
        measured(tmp_path)
    assert list(read_costs(tmp_path)) == ["hippocampus-bipvl-tiny-minilm", "hippocampus-unet-tiny"]


def test_costs_are_a_table_of_their_own_in_every_format(
    tmp_path: Path, calls: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store_plan(tmp_path, Plan((job("unet", 0),)))
    assert main(["table", str(tmp_path), "--costs"]) == 2
    assert "Run `zoo bench costs DIR` first." in capsys.readouterr().err
    assert main(["table", str(tmp_path), "--costs", "--stats"]) == 2
    measured(tmp_path)
    capsys.readouterr()
    for form, words in {"csv": "hippocampus-unet-tiny,2,,0.25,", "json": '"gflops": 1.25', "latex": "toprule"}.items():
        assert main(["table", str(tmp_path), "--costs", "--format", form]) == 0
        assert words in capsys.readouterr().out
