"""The short training that all contract tests of a model and a dimension share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.helpers.model_cases import ModelCase, kept_commands, model_cases
from zoo.cli.main import main
from zoo.engine.lightning_cli import ZooCLI
from zoo.models.base import SegModule
from zoo.types import Batch


@dataclass
class Fitted:
    """A finished run of a small model.

    Attributes:
        case: Model and dimension.
        out: The run folder, with the scores of `zoo test`.
        trained: The model as the training left it.
        module: The model as the test left it: the best checkpoint.
        tested_state: The state of `module` right after the test.
        training: A training batch.
        evaluation: An evaluation batch.
    """

    case: ModelCase
    out: Path
    trained: SegModule
    module: SegModule
    tested_state: dict[str, Any]
    training: Batch
    evaluation: Batch


def seg_module(cli: ZooCLI) -> SegModule:
    """Return the model of a command."""
    assert isinstance(cli.model, SegModule)
    return cli.model


@pytest.fixture(
    scope="session",
    params=[pytest.param(case, id=str(case), marks=pytest.mark.xdist_group(str(case))) for case in model_cases()],
)
def fitted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    """Run `zoo fit` and `zoo test` once for each model in each dimension."""
    case: ModelCase = request.param
    out = tmp_path_factory.mktemp(str(case)) / "run"
    words = [case.small_words(verb, out) for verb in ("fit", "test")]
    with kept_commands() as commands:
        assert [main(command) for command in words] == [0, 0]
    fit, test = commands
    module = seg_module(test)
    state = {name: value.clone() if torch.is_tensor(value) else value for name, value in module.state_dict().items()}
    training = next(iter(fit.datamodule.train_dataloader()))
    evaluation = next(iter(test.datamodule.test_dataloader()))
    return Fitted(case, out, seg_module(fit), module, state, training, evaluation)
