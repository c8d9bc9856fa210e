"""`zoo bench`: its arguments in any order, its mistakes in one line, its three verbs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.cli import main
from benchmarks.cli.choice import parse_overrides
from benchmarks.plan.plan_file import SECTIONS
from benchmarks.run import local as runner
from benchmarks.storage import layout
from benchmarks.storage.stored_plan import load_plan
from tests.helpers.made_up_benchmark import benchmark
from tests.helpers.sample_benchmark import job
from zoo.errors import ConfigError

RUN = ["run", "--models", "unet,bipvl", "--data", "hippocampus", "--seeds", "0,1", "--trainer", "cpu"]


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """`run` plans and runs nothing; there is a folder for the data."""
    monkeypatch.setattr("benchmarks.run.preflight.check_index", lambda job: None)  # the folders are empty
    (tmp_path_factory.getbasetemp() / "sets" / "hippocampus").mkdir(parents=True, exist_ok=True)
    monkeypatch.setenv("ZOO_DATA", str(tmp_path_factory.getbasetemp() / "sets"))
    monkeypatch.setattr(runner, "run_plan", lambda *_, **__: 0)


@pytest.mark.usefixtures("planned")
def test_the_order_of_flags_does_not_matter(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    further = ["--trainer.max_steps", "5", "--data.patch=[8,8,8]"]
    first, second = tmp_path / "a", tmp_path / "b"
    assert main([*RUN, "--out", str(first), *further]) == 0
    assert main(["run", *reversed(further[2:]), "--out", str(second), *further[:2], *RUN[1:]]) == 0
    assert load_plan(first) == load_plan(second)
    assert load_plan(first).jobs[0].settings.overrides == (("data.patch", "[8,8,8]"), ("trainer.max_steps", "5"))
    assert "4 waiting" in capsys.readouterr().out


@pytest.mark.usefixtures("planned")
def test_status_has_one_line_a_job_and_the_table_a_row_with_its_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([*RUN, "--out", str(tmp_path)])
    ids = [job.id for job in load_plan(tmp_path).jobs]
    run = layout.job_folder(tmp_path, ids[1])
    layout.write_status(run, {"state": "failed", "step": "fit", "reason": "no such file", "advice": "Look."})
    capsys.readouterr()
    assert main(["status", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"waiting    {ids[0]}",
        f"failed     {ids[1]}  fit: no such file. Look.",
        f"waiting    {ids[2]}",
        f"waiting    {ids[3]}",
        "1 failed, 3 waiting",
    ]
    assert main(["status", str(tmp_path), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert [job["state"] for job in facts["jobs"]] == ["waiting", "failed", "waiting", "waiting"]
    assert facts["jobs"][1]["advice"] == "Look."
    assert main(["table", str(tmp_path), "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert rows[1]["reason"] == "0 of 2 seeds: seed 0 waiting; seed 1 failed (fit: no such file)"
    assert main(["table", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("### hippocampus, text track: class")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--models", "bipvll", "--data", "hippocampuss", "--out", "x"], "bipvll"),
        ([*RUN, "--out", "x", "--trainner.max_steps", "5"], "unknown argument '--trainner.max_steps'"),
        ([*RUN, "--out", "x", "--trainer.max_steps"], "has no value"),
        ([*RUN, "--out", "x", "--data.text", "blank"], "--data.text cannot be set here"),
        ([*RUN, "--out", "x", "--seeds", "a"], "not a list of whole numbers"),
        ([*RUN, "--out", "x", "--devices", "0"], "is not a number from 1"),
        ([*RUN, "--out", "x", "--trainer", "cpuu"], "cpuu"),
        (RUN, "--out"),
        ([], "plan|run|status|table"),
        (["table", "nowhere"], "no benchmark here"),
        (["status", "nowhere", "more"], "unknown argument 'more'. Write a path with blanks in quotes."),
        ([*RUN, "--out", "x"], "no folder is known for 'hippocampus'. Run `zoo data prepare hippocampus"),
        ([*RUN, "--out", "x", "--data.root", "nowhere"], "nowhere: no such folder for 'hippocampus'"),
        ([*RUN[:3], "--data", "phantom_chest", *RUN[7:], "--out", "/dev/null"], "/dev/null: cannot be written"),
        ([*RUN, "--out", "x", "--epochs", "3"], "unknown argument '--epochs'. Did you mean --trainer.max_epochs?"),
        ([*RUN, "--out", "x", "--preset", "cpu"], "unknown argument '--preset'. Did you mean --trainer?"),
        (["table", "x", "--epochs", "3"], "unknown argument '--epochs'. See `zoo bench table --help`."),
        ([*RUN, "--out", "x", "--seed", "1"], "unknown argument '--seed'. Did you mean --seeds"),
        (["run", "--models", "unet", "bipvl", "--out", "x", "--data", "phantom_chest"], "unexpected word 'bipvl'"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZOO_DATA", raising=False)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("zoo: error: ")
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())  # nothing half-written


@pytest.mark.usefixtures("planned")
def test_failures_and_interrupts_show_in_the_exit_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "run_plan", lambda *_, **__: 1)
    assert main([*RUN, "--out", str(tmp_path)]) == 1

    def interrupted(*_: object, **__: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "run_plan", interrupted)
    assert main([*RUN, "--out", str(tmp_path)]) == 130


@pytest.mark.usefixtures("planned")
def test_a_wrong_data_folder_can_be_corrected(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, wrong, right = tmp_path / "out", tmp_path / "wrong", tmp_path / "right"
    for folder in (wrong, right):
        folder.mkdir()
    assert main([*RUN, "--out", str(out), "--data.root", str(wrong)]) == 0
    assert main([*RUN, "--out", str(out), "--data.root", str(right)]) == 0
    assert {job.root for job in load_plan(out).jobs} == {str(right)}
    layout.write_json(layout.job_folder(out, load_plan(out).jobs[0].id) / "manifest.json", {"model": "unet"})
    assert main([*RUN, "--out", str(out)]) == 0  # none named: the stored one is meant
    assert main([*RUN, "--out", str(out), "--data.root", str(wrong)]) == 2  # from which nothing was trained
    assert f'data.root of hippocampus: "{right}", not "{wrong}"' in capsys.readouterr().err
    right.rmdir()
    assert main([*RUN, "--out", str(out), "--data.root", str(wrong)]) == 0  # the data have moved
    assert {job.root for job in load_plan(out).jobs} == {str(wrong)}


def test_an_override_without_a_value_does_not_swallow_the_next_flag() -> None:
    assert parse_overrides(["--model.lr=1", "--data.seedling", "-1"]) == (("data.seedling", "-1"), ("model.lr", "1"))
    with pytest.raises(ConfigError, match="has no value"):
        parse_overrides(["--model.lr", "--model.width", "3"])


def test_help_and_tables_need_no_torch_and_no_statistics(tmp_path: Path) -> None:
    folder = benchmark(tmp_path / "b", [job("unet"), job("unet", 1)], ["x"], cases=8)
    code = (
        "import sys, contextlib\nfrom benchmarks.cli import main\n"
        "with contextlib.suppress(SystemExit):\n    main(['run', '--help'])\n"
        "code = main(['table', sys.argv[1]])\n"
        "heavy = {'torch', 'scipy.stats', 'pandas', 'statsmodels'} & set(sys.modules)\n"
        "sys.exit(code or ', '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--model.encoder" in done.stdout
    assert "| unet (tiny) |" in done.stdout
    assert SECTIONS == ("trainer.", "data.", "model.")
