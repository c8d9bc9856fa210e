"""One global batch trains to the same loss on one rank and on two, and seven cases give the same rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch import Callback, LightningModule, Trainer

from tests.helpers.ranks import RankPool
from zoo.cli.main import main
from zoo.metrics.case_scores import read_rows

VOLUMES = ["--data.counts", "[4,1,7]", "--data.shape", "[24,16,16]", "--data.patch", "[16,16,16]"]
SMALL = ["--model.channels", "[8,8,8,8,8,8]", *VOLUMES]
NAMED = ["--model", "unet", "--data", "phantom_abdomen", "--size", "tiny", "--trainer", "cpu", *SMALL]
SHORT = ["--data.batch_size", "4", "--data.epoch_samples", "16", "--trainer.max_epochs", "2"]
TWO = ["--trainer", "ddp", "--trainer.devices", "2", "--trainer.accelerator", "cpu"]


class Losses(Callback):
    """Records the loss of each step."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.seen.append(float(outputs["loss"]))


def losses_of(words: list[str]) -> list[float]:
    """Return the loss of each step on this rank."""
    from zoo.config import compose
    from zoo.engine.arguments import parse
    from zoo.engine.lightning_cli import ZooCLI

    request = parse("fit", words)
    composed = compose(request.model, request.data, size=request.size, preset=request.preset)
    cli, losses = ZooCLI(composed.config, request.flags), Losses()
    cli.build(callbacks=[losses], enable_checkpointing=False)
    cli.trainer.fit(cli.model, datamodule=cli.datamodule)
    return losses.seen


def test_the_same_global_batch_trains_to_the_same_loss(ranks: RankPool) -> None:
    alone = losses_of([*NAMED, *SHORT])
    both = ranks.run(losses_of, [*NAMED, *SHORT, *TWO])
    together = [sum(pair) / 2 for pair in zip(*both, strict=True)]
    assert len(alone) == 8
    assert alone[-1] < alone[0]
    assert both[0] != both[1]  # each rank has samples of its own
    assert together[0] == pytest.approx(alone[0], rel=1e-6)
    assert together == pytest.approx(alone, rel=1e-4)


def test_seven_cases_give_the_same_rows_on_one_rank_and_on_two(tmp_path: Path, ranks: RankPool) -> None:
    out = tmp_path / "run"
    assert main(["fit", *NAMED, *SHORT, "--out", str(out)]) == 0
    assert main(["test", "--out", str(out)]) == 0
    path = out / "test" / "cases.csv"
    alone, written = read_rows(path), path.read_bytes()
    path.unlink()
    assert ranks.run(main, ["test", "--out", str(out), *TWO]) == [0, 0]
    assert len({row.case_id for row in alone}) == 7
    assert path.read_bytes() == written
