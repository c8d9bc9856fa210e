"""Commands on the stub model and the stub data set, and what they print."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.helpers.paths import REPOSITORY
from zoo.cli.main import main

HERE = REPOSITORY / "tests" / "helpers"
STUB = ["--model", "stub_model.StubModel", "--data", "stub_model.StubData", "--trainer", "cpu"]
FIT = ["fit", *STUB, "--trainer.max_epochs", "4"]


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
