"""A running server of two untrained models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.helpers.served_app import serve
from tests.helpers.untrained_runs import write_run
from zoo import load, make_facts
from zoo.app.server import Server
from zoo.app.session import Session
from zoo.models import FiLM
from zoo.preprocessing import PreprocessingSpec

SMALL: Any = {"encoder": "tiny", "vision": "unet", "width": 4, "stages": 2}


@pytest.fixture(scope="session")
def report_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a model of pictures whose mask changes with the report."""
    torch.manual_seed(0)
    model = FiLM({**make_facts(["lesion"], patch=[32, 32]), "track": "report"}, **SMALL)
    for weight in model.films.parameters():
        torch.nn.init.normal_(weight, std=2.0)
    return write_run(tmp_path_factory.mktemp("film") / "film", model, PreprocessingSpec(size=(32, 32)))


@pytest.fixture
def session(report_run: Path, tmp_path: Path) -> Session:
    """A session without a server."""
    folder = tmp_path / "dropped"
    folder.mkdir()
    return Session({"film": load(report_run)}, folder)


@pytest.fixture
def server(session: Session) -> Iterator[Server]:
    """A server in a thread of its own."""
    with serve(session) as running:
        yield running
