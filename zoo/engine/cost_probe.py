"""Times a few training steps of one job: `python -m zoo.engine.cost_probe --model NAME --data NAME ...`.

The last line on standard output is JSON: seconds per step (the median after the first steps), peak memory, and the
number of steps of the whole training. Only the cache of the data set is written.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
import time
from itertools import pairwise
from statistics import median
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from zoo.engine.arguments import compose_request, parse
from zoo.engine.lightning_cli import ZooCLI
from zoo.engine.profile import WARM_UP, process_peak, wait
from zoo.utils.exit_codes import run_command

STEPS = 8
"""Number of steps, with those of the warm-up."""


class Watch(Callback):
    """Times the steps, and ends the training after `STEPS` steps."""

    def __init__(self) -> None:
        self.ends: list[float] = []
        self.taken = 0
        self.planned: int | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Store the number of steps of the whole training."""
        steps = trainer.estimated_stepping_batches
        self.planned = int(steps) if math.isfinite(steps) else None

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Store the end of a step after the device has finished it; a step may have several batches."""
        if trainer.global_step == self.taken:
            return
        self.taken = trainer.global_step
        wait(pl_module.device)
        self.ends.append(time.perf_counter())
        trainer.should_stop = trainer.should_stop or len(self.ends) >= STEPS

    @property
    def step_seconds(self) -> float | None:
        """The median time of the steps after the warm-up."""
        ends = self.ends[WARM_UP - 1 :]
        return median(b - a for a, b in pairwise(ends)) if len(ends) > 1 else None


def main(argv: list[str] | None = None) -> int:
    """Probe one job; return 0, or 2 and one line for an error that the user can fix."""
    return run_command(lambda: _probe(sys.argv[1:] if argv is None else argv))


def _probe(argv: list[str]) -> None:
    request = parse("fit", argv)
    no_validation = [("trainer.limit_val_batches", "0"), ("trainer.num_sanity_val_steps", "0")]
    cli = ZooCLI.from_request(request, compose_request(request), no_validation)
    watch = Watch()
    with tempfile.TemporaryDirectory() as folder:
        cli.build(callbacks=[watch], default_root_dir=folder, enable_checkpointing=False, enable_progress_bar=False)
        _allow_early_end(cli.trainer)
        cli.trainer.fit(cli.model, datamodule=cli.datamodule)
    if not cli.trainer.is_global_zero:
        return
    on_gpu = cli.trainer.strategy.root_device.type == "cuda"
    peak = torch.cuda.max_memory_reserved() if on_gpu else process_peak()
    measured = {
        "step_seconds": watch.step_seconds,
        "peak_bytes": peak,
        "device": torch.cuda.get_device_name() if on_gpu else "processor",
        "steps_planned": watch.planned,
    }
    sys.stdout.write(json.dumps(measured) + "\n")


def _allow_early_end(trainer: Trainer) -> None:
    """Remove the minimum of steps and epochs, which would keep the training from ending early."""
    trainer.fit_loop.min_epochs = 0
    trainer.fit_loop.epoch_loop.min_steps = 0


if __name__ == "__main__":
    sys.exit(main())
