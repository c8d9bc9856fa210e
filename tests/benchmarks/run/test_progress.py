"""The facts of the live display and of `status`, the display itself, and what a probe measures."""

from __future__ import annotations

import io
import json
import locale
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from benchmarks.cli.live import draw_bar, make_display, show_progress
from benchmarks.cli.plan import write_lines
from benchmarks.plan.job import Job, Plan, Settings
from benchmarks.run import cost_estimate as estimate
from benchmarks.run.progress import Progress, count_states, estimate_time_to_go, format_time_to_go, read_progress
from benchmarks.storage import layout
from benchmarks.storage.locks import claim
from benchmarks.storage.stored_plan import store_plan
from tests.helpers.sample_benchmark import plan_of
from zoo.engine import cost_probe
from zoo.engine.cost_estimate import count_training_steps
from zoo.engine.cost_probe import STEPS, Watch
from zoo.utils.terminal import SafeConsole

CPU = Settings("tiny", "cpu")
HISTORY = "epoch,step,train/loss\n0,9,0.5\n1,19,0.4\n1,1"


@pytest.fixture
def running(tmp_path: Path) -> tuple[Path, Plan]:
    """One job that is half through its training, which it resumed at step 10 a minute ago."""
    plan = store_plan(tmp_path, Plan((Job("unet", "hippocampus", 0, settings=CPU),)))
    run = layout.job_folder(tmp_path, plan.jobs[0].id)
    minute = (datetime.now(UTC) - timedelta(seconds=60)).isoformat()
    layout.write_status(run, {"step_started": minute, "steps_before": 10, "attempt": 2, "host": "node7"})
    layout.write_json(run / "manifest.json", {"budget": {"samples": 160, "batch_size": 4}, "epochs": 4})
    (run / "metrics.csv").write_text(HISTORY)  # its last row is being written
    return tmp_path, plan


def test_a_running_job_has_its_epoch_and_its_time_to_go(running: tuple[Path, Plan]) -> None:
    folder, plan = running
    with claim(layout.job_folder(folder, plan.jobs[0].id), lambda: None):
        (job,) = read_progress(folder, plan)
    assert (job.state, job.step, job.epoch, job.epochs, job.share) == ("running", "fit", 2, 4, 0.5)
    assert job.to_go == pytest.approx(120, rel=0.05)  # 10 steps took a minute, 20 are left
    assert job.line().startswith("fit, epoch 2/4, 50%, attempt 2, on node7, 0:02:0")
    (job,) = read_progress(folder, plan)
    assert (job.state, job.note) == ("unfinished", "next: fit")


def test_the_time_to_go_is_that_of_jobs_alike() -> None:
    done = [Progress(f"a-s{n}-h", "done", seconds={"fit": 50.0, "test": 10.0 * n}) for n in (1, 2)]
    ahead = [Progress("a-s3-h", "waiting"), Progress("b-s0-h", "running", share=0.5), Progress("b-s1-h", "failed")]
    assert estimate_time_to_go(ahead) is None
    assert estimate_time_to_go([*done, *ahead]) == pytest.approx(65 + 65 / 2)
    assert estimate_time_to_go([*done, *ahead], 2) == pytest.approx((65 + 65 / 2) / 2)
    assert estimate_time_to_go(done) == 0


def test_words_and_bars() -> None:
    assert format_time_to_go(None) == ""
    assert format_time_to_go(3725.4) == "1:02:05 to go"
    assert count_states(["done", "waiting", "done"]) == "2 done, 1 waiting"
    assert (draw_bar(0).count("━"), draw_bar(0.5).count("━"), draw_bar(1).count("━")) == (0, 12, 24)


def test_a_terminal_gets_a_display_and_a_file_only_lines(running: tuple[Path, Plan]) -> None:
    folder, plan = running
    for terminal in (True, False):
        console = SafeConsole(file=io.StringIO(), force_terminal=terminal, width=120)
        with (
            claim(layout.job_folder(folder, plan.jobs[0].id), lambda: None),
            show_progress(folder, plan, 1, console) as say,
        ):
            say("a line [of] progress")
            table = make_display(read_progress(folder, plan))
        written = console.file.getvalue()  # type: ignore[attr-defined]
        assert "a line [of] progress" in written
        assert ("0 of 1" in written) == terminal
    shown_to = SafeConsole(file=io.StringIO(), width=150)
    shown_to.print(table)
    text = shown_to.file.getvalue()  # type: ignore[attr-defined]
    assert "hippocampus-unet-tiny-s0" in text
    assert "epoch 2/4" in text


def test_the_steps_of_a_training_follow_from_its_configuration() -> None:
    def steps(**trainer: object) -> int | None:
        return count_training_steps({"trainer": trainer, "data": {"init_args": {"epoch_samples": 30, "batch_size": 4}}})

    assert steps(max_epochs=3) == 21
    assert steps(max_epochs=3, max_steps=5) == 5
    assert steps(max_epochs=3, accumulate_grad_batches=2) == 12
    assert steps(max_epochs=3, limit_train_batches=2) == 6
    assert steps(max_epochs=3, limit_train_batches=0.5) == 9
    assert steps() is None


@pytest.fixture
def probe_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the command of a probe in this process, which has paid for the imports."""

    def run_here(command: list[str], **_: object) -> SimpleNamespace:
        out, errors = io.StringIO(), io.StringIO()
        assert command[:4] == [sys.executable, "-P", "-m", "zoo.engine.cost_probe"]
        with redirect_stdout(out), redirect_stderr(errors):
            code = cost_probe.main(command[4:])
        return SimpleNamespace(returncode=code, stdout=out.getvalue(), stderr=errors.getvalue())

    monkeypatch.setattr("benchmarks.run.cost_estimate.subprocess.run", run_here)


@pytest.mark.usefixtures("probe_here")
def test_a_probe_measures_the_real_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings("tiny", "cpu", None, (("data.epoch_samples", "32"), ("data.counts", "[6,2,2]")))
    plan = plan_of(["unet"], ["phantom_chest"], [0, 1], settings=settings)
    said: list[str] = []
    (found,) = estimate.estimate_costs(plan, True, said.append)
    assert not found.note
    assert found.steps == 20  # 4 batches of 8, five epochs
    assert found.step_seconds is not None
    assert found.step_seconds > 0
    assert found.peak_bytes is not None
    assert found.peak_bytes > 2**26
    assert found.seconds == pytest.approx(2 * 20 * found.step_seconds)
    assert said == ["probing phantom_chest-unet-tiny"]
    assert "on processor, validation and tests on top" in write_lines(plan, [found])[-1]
    assert not list(tmp_path.iterdir())


def test_each_recipe_has_a_probe_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    equal = Job("unet", "hippocampus", 0, settings=CPU, fold=0, digest="a")
    own = replace(equal, settings=replace(CPU, recipe="published"))
    seen = {"equal": 1.0, "published": 2.0}  # its batch is another, and so are its steps

    def probe(job: Job) -> dict[str, object]:
        recipe = job.settings.recipe
        return {"step_seconds": seen.pop(recipe), "steps_planned": 10 if recipe == "equal" else 20}

    monkeypatch.setattr(estimate, "run_probe", probe)
    found = estimate.estimate_costs(Plan((equal, own, replace(equal, fold=1), replace(own, fold=1))), True)
    assert [(one.steps, one.step_seconds) for one in found] == [(10, 1.0), (20, 2.0), (10, 1.0), (20, 2.0)]


def test_a_probe_counts_optimiser_steps_where_gradients_add_up() -> None:
    watch, clock = Watch(), iter(range(100))
    trainer: Any = SimpleNamespace(global_step=0, should_stop=False)
    module: Any = SimpleNamespace(device=torch.device("cpu"))
    batches = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zoo.engine.cost_probe.time.perf_counter", lambda: float(next(clock)))
        while not trainer.should_stop:
            batches += 1
            trainer.global_step = batches // 4
            watch.on_train_batch_end(trainer, module, None, None, batches - 1)
    assert (batches, len(watch.ends)) == (4 * STEPS, STEPS)


def test_a_probe_is_read_whatever_the_locale_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tips = tmp_path / "python"  # Lightning's tips begin with a light bulb
    tips.write_text("#!/bin/sh\nprintf '\\360\\237\\222\\241 a tip\\n' >&2; echo '{\"note\": \"seen\"}'\n")
    tips.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tips))
    before = locale.setlocale(locale.LC_CTYPE)
    locale.setlocale(locale.LC_CTYPE, "C")
    try:
        assert estimate.run_probe(Job("unet", "phantom_chest", 0, settings=CPU)) == {"note": "seen"}
    finally:
        locale.setlocale(locale.LC_CTYPE, before)


@pytest.mark.usefixtures("probe_here")
def test_a_probe_that_fails_leaves_its_reason(tmp_path: Path) -> None:
    settings = Settings("tiny", "cpu")
    plan = plan_of(["unet"], ["hippocampus"], [0], settings=settings, root=str(tmp_path / "nowhere"))
    (found,) = estimate.estimate_costs(plan, True)
    assert found.note.startswith(f"no probe: {tmp_path / 'nowhere'}: no such folder")
    assert json.dumps(found.steps) == "1728"
    assert found.seconds is None
