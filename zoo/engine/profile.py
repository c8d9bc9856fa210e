"""Measures the costs of a model: parameters, operations, and time and memory of a training step and of a case.

Times depend on the machine and its load; they are in a table of their own and never in a leaderboard.
"""

from __future__ import annotations

import resource
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from lightning.pytorch import LightningDataModule
from torch.utils.flop_counter import FlopCounterMode

from zoo.errors import ConfigError
from zoo.models.base import SegModule, text_of
from zoo.types import Batch

WARM_UP = 2
"""Steps and cases that run before the timed ones, because allocators, cached texts and kernels start slowly."""


@dataclass(frozen=True, slots=True)
class Profile:
    """The costs of one model on one data set.

    Attributes:
        params: Number of parameters, with those of a frozen text encoder.
        params_trainable: Number of parameters that training changes.
        gflops: 1e9 multiplications and additions of a forward pass over one training sample, as
            `torch.utils.flop_counter` counts them: matrix products, convolutions, attention. The text of a frozen
            encoder is encoded before, because the encoder is a cache.
        batch_size: Samples of the timed training step.
        patch: Size of a training sample.
        step_s: Median seconds of a training step: forward, losses, backward, optimiser.
        step_mib: Peak MiB of training: the memory allocated on the GPU; without a GPU, the increase of the peak memory
            of the process during the steps.
        case_id: The predicted case.
        case_shape: Shape of the case on the network grid.
        case_s: Median seconds of the prediction of the case, up to the mask on the native grid.
        case_mib: Peak MiB of prediction; None without a GPU, where training determines the peak of the process.
        repeats: Number of timed steps and predictions.
        device: Name of the device.
        threads: Number of torch threads on the CPU.
        torch: Version of torch.
    """

    params: int
    params_trainable: int
    gflops: float
    batch_size: int
    patch: tuple[int, ...]
    step_s: float
    step_mib: float
    case_id: str
    case_shape: tuple[int, ...]
    case_s: float
    case_mib: float | None
    repeats: int
    device: str
    threads: int
    torch: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain Python, for `--json`."""
        return asdict(self)


def profile(model: SegModule, data: LightningDataModule, device: torch.device, repeats: int = 5) -> Profile:
    """Measure a model with its first training batch and its first test case.

    Args:
        model: The model, built for the data; the timed steps change its weights.
        data: The data module, not set up yet.
        device: The device to run on.
        repeats: Number of timed steps and predictions, after `WARM_UP` others.

    Raises:
        ConfigError: `repeats` is not positive.
    """
    if repeats < 1:
        raise ConfigError(f"--repeats {repeats} measures nothing.", "Give 1 or more.")
    data.setup("fit")
    model.to(device)
    batch = _move_batch(data, next(iter(data.train_dataloader())), device)
    case = _move_batch(data, next(iter(data.test_dataloader())), device)
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-6)
    before = _reset_peak(device)
    model.train()
    step_s = _median_seconds(lambda: _step(model, optimiser, batch), device, repeats)
    step_mib = _peak_mib(device) - before
    optimiser.zero_grad(set_to_none=True)
    model.eval()
    _reset_peak(device)
    with torch.no_grad():
        case_s = _median_seconds(lambda: model.predict_step(case, 0), device, repeats) / len(case["case_id"])
        case_mib = _peak_mib(device) if device.type == "cuda" else None
        gflops = _gflops(model, batch)
    return Profile(
        params=model.params,
        params_trainable=model.params_trainable,
        gflops=gflops,
        batch_size=len(batch["image"]),
        patch=tuple(batch["image"].shape[2:]),
        step_s=step_s,
        step_mib=step_mib,
        case_id=case["case_id"][0],
        case_shape=tuple(case["image"].shape[2:]),
        case_s=case_s,
        case_mib=case_mib,
        repeats=repeats,
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU",
        threads=torch.get_num_threads(),
        torch=torch.__version__,
    )


def _move_batch(data: LightningDataModule, batch: Batch, device: torch.device) -> Batch:
    """Return the batch as the trainer would give it to the model."""
    moved = data.transfer_batch_to_device(batch, device, 0)
    ready: Batch = data.on_after_batch_transfer(moved, 0)
    return ready


def _step(model: SegModule, optimiser: torch.optim.Optimizer, batch: Batch) -> None:
    optimiser.zero_grad(set_to_none=True)
    output = model.forward_features(batch["image"], model.readable(text_of(batch)))
    model.total_loss(model.compute_losses(batch, output)).backward()
    optimiser.step()


def _median_seconds(run: Callable[[], Any], device: torch.device, repeats: int) -> float:
    seconds = []
    for number in range(WARM_UP + repeats):
        wait(device)
        begin = time.perf_counter()
        run()
        wait(device)
        if number >= WARM_UP:
            seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds)


def _gflops(model: SegModule, batch: Batch) -> float:
    """Return the GFLOPs of one sample; the text of a frozen encoder is in its cache after the steps before."""
    text = text_of(batch)
    single = text._replace(reports=None if text.reports is None else text.reports[:1])
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # the counter does not count fused self-attention
    try:
        with FlopCounterMode(display=False) as counter:
            model(batch["image"][:1], single)
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
    return float(counter.get_total_flops()) / 1e9


def wait(device: torch.device) -> None:
    """Wait until the device has finished its work, so that a clock measures it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def process_peak() -> int:
    """Return the peak memory of this process in bytes."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024  # macOS counts bytes, other systems KiB


def _reset_peak(device: torch.device) -> float:
    """Return the part of a later peak that is not due to the model: 0 on a GPU, else the peak of the process so far."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return 0.0
    return _peak_mib(device)


def _peak_mib(device: torch.device) -> float:
    return (torch.cuda.max_memory_allocated(device) if device.type == "cuda" else process_peak()) / 2**20
