"""The command line prints the number of predictions of all ranks."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch.distributed as dist

from tests.helpers.ranks import RankPool
from zoo.callbacks.predictions import Predictions


def counted_on_rank() -> int:
    """Return the count at the end. Rank 0 wrote three predictions and rank 1 wrote four."""
    if not dist.is_initialized():
        dist.init_process_group("gloo")
    predictions = Predictions(Path("predictions"))
    predictions.written = 3 + dist.get_rank()
    trainer: Any = SimpleNamespace(world_size=dist.get_world_size())
    predictions.on_predict_epoch_end(trainer, trainer)
    return predictions.written


def test_predictions_of_all_ranks_are_counted(ranks: RankPool) -> None:
    assert ranks.run(counted_on_rank) == [7, 7]
