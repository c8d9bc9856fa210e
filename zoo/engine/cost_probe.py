"""Times a few training steps of one job: `python -m zoo.engine.cost_probe --model NAME --data NAME ...`.

The last line on standard output is JSON: seconds per step (the median after the first steps), peak memory, and the
number of steps of the whole training. Only the cache of the data set is written, and only with the cases of the steps.

With `ZOO_PROBE_SECONDS`, the probe ends after this time even within a step. `at_least` is then true: a step takes
`step_seconds` or longer.
"""

from __future__ import annotations

import json
import math
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from statistics import median
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from zoo.engine.arguments import compose_request, parse
from zoo.engine.cost_estimate import SECONDS
from zoo.engine.lightning_cli import ZooCLI
from zoo.engine.profile import WARM_UP, process_peak, wait
from zoo.utils.exit_codes import run_command

STEPS = 8
"""Number of steps, with those of the warm-up."""


class Watch(Callback):
    """Times the steps, and ends the training after `STEPS` steps."""

    def __init__(self, epochs: int | None = None, steps: int = -1, say: Callable[[Watch], None] | None = None) -> None:
        self.ends: list[float] = []
        self.taken = 0
        self.planned: int | None = None
        self.begun = time.perf_counter()
        self.at_least = False
        self._epochs, self._steps, self._say = epochs, steps, say

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Store the number of steps of the whole training, and start the clock that ends the probe."""
        self.planned = self._count(trainer)
        self.begun = time.perf_counter()
        limit = os.environ.get(SECONDS)
        if limit and self._say is not None:
            timer = threading.Timer(float(limit), self._give_up)
            timer.daemon = True
            timer.start()

    def _count(self, trainer: Trainer) -> int | None:
        """Return the steps of the training without the limit of this probe; None where it has no end."""
        batches = trainer.num_training_batches
        known = [] if self._steps < 0 else [self._steps]
        if self._epochs is not None and self._epochs >= 0 and math.isfinite(batches):
            known.append(self._epochs * -(-int(batches) // trainer.accumulate_grad_batches))
        return min(known, default=None)

    def _give_up(self) -> None:
        """Report what is known in the middle of a step, and end this process."""
        if self.step_seconds is None:
            self.at_least = True
        if self._say is not None:
            self._say(self)
        sys.stdout.flush()
        os._exit(0)

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
        """The median time of the steps after the warm-up; of a probe that was ended, the time of its last step."""
        ends = self.ends[WARM_UP - 1 :]
        if len(ends) > 1:
            return median(b - a for a, b in pairwise(ends))
        if self.at_least:
            now = time.perf_counter()
            return max([now - (self.ends[-1] if self.ends else self.begun), *(b - a for a, b in pairwise(self.ends))])
        return None


def main(argv: list[str] | None = None) -> int:
    """Probe one job; return 0, or 2 and one line for an error that the user can fix."""
    return run_command(lambda: _probe(sys.argv[1:] if argv is None else argv))


def _probe(argv: list[str]) -> None:
    request = parse("fit", argv)
    composed = compose_request(request)
    no_validation = [(f"trainer.{key}", "0") for key in ("limit_val_batches", "limit_test_batches")]
    no_validation.append(("trainer.num_sanity_val_steps", "0"))
    asked = ZooCLI.from_request(request, composed).resolved()["trainer"]
    epochs, steps = asked.get("max_epochs"), asked.get("max_steps")
    steps = -1 if steps is None else int(steps)
    limit = ("trainer.max_steps", str(STEPS if steps < 0 else min(STEPS, steps)))
    cli = ZooCLI.from_request(request, composed, [*no_validation, limit])

    def report(watch: Watch) -> None:
        on_gpu = cli.trainer.strategy.root_device.type == "cuda"
        measured = {
            "step_seconds": watch.step_seconds,
            "peak_bytes": torch.cuda.max_memory_reserved() if on_gpu else process_peak(),
            "device": torch.cuda.get_device_name() if on_gpu else "processor",
            "steps_planned": watch.planned,
            "at_least": watch.at_least,
        }
        sys.stdout.write(json.dumps(measured) + "\n")

    watch = Watch(epochs, steps, report)
    with tempfile.TemporaryDirectory() as folder:
        cli.build(callbacks=[watch], default_root_dir=folder, enable_checkpointing=False, enable_progress_bar=False)
        _allow_early_end(cli.trainer)
        cli.trainer.fit(cli.model, datamodule=cli.datamodule)
    if cli.trainer.is_global_zero:
        report(watch)


def _allow_early_end(trainer: Trainer) -> None:
    """Remove the minimum of steps and epochs, which would keep the training from ending early."""
    trainer.fit_loop.min_epochs = 0
    trainer.fit_loop.epoch_loop.min_steps = 0


if __name__ == "__main__":
    sys.exit(main())
