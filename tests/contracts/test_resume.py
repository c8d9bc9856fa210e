"""A run that dies within an epoch ends as an undisturbed run, also with full augmentation and loader threads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.helpers.model_cases import model_cases
from tests.helpers.weights import same_weights, weights
from zoo.cli.main import main
from zoo.models.base import SegModule

FULL = ["--data.augment", "full", "--data.num_workers", "3", "--data.batch_size", "2"]


@pytest.mark.parametrize("dims", [2, 3])
def test_run_that_dies_within_an_epoch_ends_at_the_same_weights(
    dims: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = next(case for case in model_cases() if (case.text, case.dims) == ("none", dims))
    whole, killed = (tmp_path / name for name in ("whole", "killed"))
    assert main(case.small_words("fit", whole, *FULL)) == 0

    def die(self: SegModule, batch: Any, index: int) -> None:
        if (self.current_epoch, index) == (1, 2):
            raise OSError("the power failed")

    with monkeypatch.context() as patch:
        patch.setattr(SegModule, "on_train_batch_start", die)
        with pytest.raises(OSError, match="the power failed"):
            main(case.small_words("fit", killed, *FULL))
    assert not same_weights(weights(whole), weights(killed))
    assert main(case.small_words("fit", killed, *FULL)) == 0
    assert same_weights(weights(whole), weights(killed))
    assert (whole / "metrics.csv").read_text() == (killed / "metrics.csv").read_text()
