"""`zoo fit --find-lr`: a rate, the command that trains with it, and no run."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.stub_commands import FIT, resolved
from zoo.cli.main import main
from zoo.engine.learning_rate import suggest
from zoo.engine.lightning_cli import import_class
from zoo.errors import RunError

pytestmark = pytest.mark.usefixtures("stub_importable")


def test_the_found_rate_is_printed_with_its_command_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*FIT, "--find_lr", "--out", "a run"]) == 0
    command = capsys.readouterr().out.splitlines()[-1]
    program, *words = shlex.split(command)
    assert program == "zoo"
    rate = float(words[words.index("--model.lr") + 1])
    assert 1e-6 < rate < 1
    assert words == [*FIT, "--out", "a run", "--model.lr", f"{rate:g}"]
    assert not any(tmp_path.iterdir())
    assert resolved(words, capsys)["model"]["init_args"]["lr"] == rate


def test_the_range_test_ends_where_the_loss_is_not_finite(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stub: Any = import_class("model", "stub_model.StubModel")
    whole = stub.training_step

    def fail(self: Any, batch: Any, batch_idx: int) -> Any:
        if self.global_step >= 60:
            raise RunError("The loss is not finite.")
        return whole(self, batch, batch_idx)

    monkeypatch.setattr(stub, "training_step", fail)
    assert main([*FIT, "--find-lr"]) == 0
    assert "--model.lr" in capsys.readouterr().out


def test_a_loss_that_falls_nowhere_has_no_rate() -> None:
    for losses in ([1.0] * 40, [1.0 + step for step in range(40)], [1.0, 0.5]):
        with pytest.raises(RunError, match="the loss falls at no learning rate"):
            suggest({"lr": [10**-5 * (step + 1) for step in range(len(losses))], "loss": losses})
