"""Progress of a run: the bar of a terminal, and lines without one."""

from __future__ import annotations

import logging
import os
import re
from functools import partial
from pathlib import Path

import pytest

from tests.helpers.stub_commands import FIT
from zoo.callbacks.progress import RunProgressBar
from zoo.cli.main import main
from zoo.utils.activity import report_activity

pytestmark = pytest.mark.usefixtures("stub_importable")


def test_the_bar_has_the_loss_and_counts_the_batches_of_the_whole_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    words = ["--trainer.enable_progress_bar", "true", "--trainer.profiler", "simple", "--out", str(tmp_path / "run")]
    assert main([*FIT, *words]) == 0
    drawn = capsys.readouterr().out.replace("\r", "\n").splitlines()
    last = [line for line in drawn if line.startswith("epoch 4/4")][-1]
    assert re.search(r"100%.* 12/12 \[00:\d\d, 00:00 to go, loss=\d\.\d{4}, val/dice=0\.\d{4}\]", last), last
    assert "FIT Profiler Report" in caplog.text
    assert not [line for line in caplog.messages if line.startswith("epoch ")], "the bar replaces the lines"


def test_without_a_terminal_each_epoch_and_each_interval_has_a_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zoo.cli.process.report_activity", partial(report_activity, quiet=0.002))
    assert main([*FIT, "--out", str(tmp_path / "run")]) == 0
    lines = caplog.messages
    epochs = [
        line for line in lines if re.fullmatch(r"epoch \d/4  .*val/dice 0\.\d{4}  \d+\.\d s  0:00:0\d to go", line)
    ]
    assert len(epochs) == 4
    for what in (r"building the model \(0 s\)", r"epoch \d/4  batch \d+/12  loss \d\.\d{4}  0:00:0\d to go \(0 s\)"):
        assert [line for line in lines if re.fullmatch(what, line)], what
    logging.getLogger("zoo").info("the end")
    assert caplog.messages[-1] == "the end", "no line follows the end of the command"


def test_the_bar_has_a_width_on_a_terminal_that_tells_none(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "get_terminal_size", lambda *_: os.terminal_size((0, 0)))
    bar = RunProgressBar().init_train_tqdm()
    bar.reset(10)
    bar.update(5)
    bar.close()
    assert " 50%|" in capfd.readouterr().out
    assert bar.ncols == 100
