"""Commands on the stub model and the stub data set, and what they print."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helpers.paths import REPOSITORY
from zoo.cli.main import main

HERE = REPOSITORY / "tests" / "helpers"
STUB = ["--model", "stub_model.StubModel", "--data", "stub_model.StubData", "--trainer", "cpu"]
FIT = ["fit", *STUB, "--trainer.max_epochs", "4"]


@contextmanager
def stub_on_path() -> Iterator[None]:
    """Put the folder of the stub model on the path; `zoo` sets PYTHONSAFEPATH for its children, which ends here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(HERE))
        patch.setenv("PYTHONSAFEPATH", "0")
        yield


def train_stub(words: Sequence[str], out: Path) -> None:
    """Run a command of `zoo fit`, which must succeed."""
    with stub_on_path():
        assert main([*words, "--out", str(out)]) == 0


def error_line(argv: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(argv) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("zoo: error")]
    assert len(lines) == 1
    return lines[0]


def resolved(argv: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    assert main([*argv, "--print_config"]) == 0
    config: dict[str, Any] = yaml.safe_load(capsys.readouterr().out)
    return config
