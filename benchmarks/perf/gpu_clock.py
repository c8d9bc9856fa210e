"""How the parts of `benchmarks.perf.gpu` are measured: the clock of training steps, repeats, peak of memory, bars."""

from __future__ import annotations

import contextlib
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer

from zoo.models import SegModule


@dataclass(frozen=True)
class Setting:
    """How the parts are measured.

    Attributes:
        device: "cuda" or "cpu".
        patch: Patch of a training step and window of a volume, in voxels per axis.
        volume: Shape of the volume of the sliding window.
        chunks: Number of measured times per way.
        steps: Training steps per measured time.
        warm: Training steps before the first measured time.
        channels: Channels of the U-Net.
    """

    device: str
    patch: tuple[int, int, int] = (96, 96, 96)
    volume: tuple[int, int, int] = (300, 256, 256)
    chunks: int = 5
    steps: int = 10
    warm: int = 10
    channels: tuple[int, ...] = (32, 32, 64, 128, 256, 32)

    def wait(self) -> None:
        """Wait until the GPU has done its work."""
        if self.device == "cuda":
            torch.cuda.synchronize()


SMALL: dict[str, Any] = {"patch": (16, 16, 16), "volume": (24, 20, 16), "chunks": 1, "steps": 1, "warm": 1}
SMALL |= {"channels": (4, 4, 8, 8, 8, 4)}


@dataclass
class Clock(Callback):
    """Measures chunks of training steps, and how long each step waits for its batch.

    Attributes:
        setting: How it is measured.
        seconds: Seconds per step, one value per chunk.
        waited: Seconds of waiting for the loader per step, one value per chunk.
    """

    setting: Setting
    seconds: list[float] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    _done: int = 0
    _start: float = 0.0
    _ended: float = 0.0
    _wait: float = 0.0

    def on_train_batch_start(self, trainer: Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Add the time since the last step, in which the loader was asked for a batch."""
        self._wait += time.perf_counter() - self._ended if self._ended else 0.0

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Count the step; wait for the GPU only where a chunk begins or ends."""
        self._done += 1
        measured = self._done - self.setting.warm
        if measured >= 0 and measured % self.setting.steps == 0:
            self.setting.wait()
            now = time.perf_counter()
            if measured:
                self.seconds.append((now - self._start) / self.setting.steps)
                self.waited.append(self._wait / self.setting.steps)
            self._start, self._wait = now, 0.0
        self._ended = time.perf_counter()


def fit(setting: Setting, model: SegModule, loader: Any, *callbacks: Callback, **options: Any) -> tuple[Clock, float]:
    """Train some steps; return the clock and the peak of memory in GiB."""
    clock = Clock(setting)
    quiet: dict[str, Any] = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    quiet |= {"enable_model_summary": False, "num_sanity_val_steps": 0, "limit_val_batches": 0}
    steps = setting.warm + setting.chunks * setting.steps
    trainer = Trainer(
        accelerator="gpu" if setting.device == "cuda" else "cpu",
        devices=1,
        max_steps=steps,
        max_epochs=steps,
        callbacks=[*callbacks, clock],
        **(quiet | options),
    )
    with peak(setting) as used:
        given = {"datamodule": loader} if hasattr(loader, "setup") else {"train_dataloaders": loader}
        trainer.fit(model, **given)
    return clock, used[0]


@contextlib.contextmanager
def peak(setting: Setting) -> Iterator[list[float]]:
    """Measure the peak of the memory of the GPU; 0 without one."""
    used = [0.0]
    if setting.device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    yield used
    if setting.device == "cuda":
        used[0] = torch.cuda.max_memory_allocated() / 2**30


def repeat(setting: Setting, run: Callable[[], None]) -> list[float]:
    """Return the seconds of each call."""
    seconds = []
    for _ in range(setting.chunks):
        setting.wait()
        start = time.perf_counter()
        run()
        setting.wait()
        seconds.append(time.perf_counter() - start)
    return seconds


def show(name: str, seconds: Sequence[float], used: float | None = None) -> None:
    """Print minimum, median and maximum in milliseconds, and the peak of memory."""
    shown = "/".join(f"{1000 * one:.4g}" for one in (min(seconds), statistics.median(seconds), max(seconds)))
    memory = "" if used is None else f", peak {used:.2f} GiB of the GPU"
    sys.stdout.write(f"  {name}: {shown} ms{memory}\n")


def judge(name: str, value: float, bar: float, *, at_least: bool = False) -> bool:
    """Print a value beside its bar, and return whether the bar is reached."""
    met = value >= bar if at_least else value <= bar
    sys.stdout.write(f"  {name} {value:.4g} (bar {bar:g}, {'at least' if at_least else 'at most'})\n")
    return met
