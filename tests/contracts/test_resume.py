"""A run that dies within an epoch, with full augmentation and threads that cut ahead, ends as an undisturbed one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.contracts.test_models import PHANTOMS, run, same_weights, weights, words
from zoo.cli.main import main
from zoo.models.base import SegModule

FULL = ["--data.augment", "full", "--data.num_workers", "3", "--data.batch_size", "2"]


@pytest.mark.parametrize("data", PHANTOMS)
def test_a_run_that_dies_within_an_epoch_ends_at_the_same_weights(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = ("unet", data)
    run("fit", pair, tmp_path / "whole", *FULL)

    def die(self: SegModule, batch: Any, place: int) -> None:
        if (self.current_epoch, place) == (1, 2):
            raise OSError("the power went")

    with monkeypatch.context() as patch:
        patch.setattr(SegModule, "on_train_batch_start", die)
        with pytest.raises(OSError, match="the power went"):
            main(words("fit", pair, tmp_path / "killed", *FULL))
    assert not same_weights(weights(tmp_path / "whole"), weights(tmp_path / "killed"))
    run("fit", pair, tmp_path / "killed", *FULL)
    assert same_weights(weights(tmp_path / "whole"), weights(tmp_path / "killed"))
    assert (tmp_path / "whole" / "metrics.csv").read_text() == (tmp_path / "killed" / "metrics.csv").read_text()
