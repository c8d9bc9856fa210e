"""The steps that follow a training in its process, as the trainer preset asks for them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from zoo.cli import fit
from zoo.engine.arguments import Request, compose_request, parse
from zoo.engine.run_folder import RunFolder
from zoo.errors import NotApplicableError


@dataclass
class FakeCLI:
    """A parsed command, of which the text control is known."""

    text: str

    @classmethod
    def from_request(cls, request: Request, _: object) -> FakeCLI:
        return cls(dict(request.flags).get("data.text", "true"))

    def resolved(self) -> dict[str, Any]:
        return {"data": {"init_args": {"text": self.text}}}


@pytest.fixture
def tested(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Return the list of what is evaluated: verb and text control. The shuffled text does not apply."""
    done: list[tuple[str, str]] = []

    def evaluate(cli: FakeCLI, _composed: object, request: Any, _folder: RunFolder) -> None:
        done.append((request.verb, cli.text))
        if cli.text == "shuffled":
            raise NotApplicableError("All reports are the same.", "Use blank.")

    monkeypatch.setattr(fit, "load_lightning", lambda: FakeCLI)
    monkeypatch.setattr(fit, "evaluate", evaluate)
    return done


def next_steps(model: str, folder: Path) -> None:
    request = parse("fit", ["--model", model, "--data", "phantom_chest", "--trainer", "demo"])
    fit._run_next_steps(compose_request(request), request, RunFolder(folder))


def test_each_test_of_the_preset_runs_and_one_that_does_not_apply_stops_nothing(
    tested: list[tuple[str, str]], tmp_path: Path
) -> None:
    next_steps("bipvl", tmp_path)
    assert tested == [("test", "true"), ("test", "shuffled"), ("test", "blank"), ("test", "names")]


def test_a_model_that_reads_no_text_is_tested_once(tested: list[tuple[str, str]], tmp_path: Path) -> None:
    next_steps("unet", tmp_path)
    assert tested == [("test", "true")]


def test_a_step_that_has_its_scores_is_not_run_again(tested: list[tuple[str, str]], tmp_path: Path) -> None:
    scores = RunFolder(tmp_path).scores("true")
    scores.parent.mkdir()
    scores.touch()
    next_steps("bipvl", tmp_path)
    assert tested == [("test", "shuffled"), ("test", "blank"), ("test", "names")]
