"""Leases of GPUs: each job has its own devices, and two runners of one user never lease the same device.

A lease is a lock in a folder of the machine. The kernel frees the lock when the process ends. The lock has the UUID of
the device, because the number of a device depends on the process. Without a GPU, a lease only counts running jobs.
"""

from __future__ import annotations

import os
import re
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from benchmarks.plan.job import Job
from benchmarks.plan.job_config import resolve_config
from benchmarks.run.process_group import Stop
from zoo.errors import ConfigError
from zoo.utils.config_values import find_value
from zoo.utils.machine import run_nvidia_smi

_UUID = re.compile(r"UUID: ([\w-]+)")
_POLL = 0.5


def visible_gpus() -> list[str]:
    """List the UUIDs of the GPUs (or MIG parts of a GPU) that this process may use, in the order of their numbers."""
    return filter_visible(run_nvidia_smi("-L"), os.environ.get("CUDA_VISIBLE_DEVICES"))


def filter_visible(listed: str, visible: str | None) -> list[str]:
    """Return the UUIDs of `nvidia-smi -L` that `CUDA_VISIBLE_DEVICES` makes visible.

    Args:
        listed: Output of `nvidia-smi -L`.
        visible: Value of the variable, None where it is not set.
    """
    gpus: list[str] = []
    parts: dict[str, list[str]] = {}
    for line in listed.splitlines():
        found = _UUID.search(line)
        if found and line.startswith("GPU"):
            gpus.append(found[1])
        elif found and gpus:
            parts.setdefault(gpus[-1], []).append(found[1])
    if visible is None:
        return [uuid for gpu in gpus for uuid in parts.get(gpu, [gpu])]
    known = [*gpus, *(uuid for some in parts.values() for uuid in some)]
    devices: list[str] = []
    for word in filter(None, (word.strip() for word in visible.split(","))):
        number = int(word) if word.isdecimal() else None
        match = gpus[number : number + 1] if number is not None else [uuid for uuid in known if uuid.startswith(word)]
        if len(match) != 1:
            break  # CUDA ignores all devices after an unknown one
        devices += match
    return devices


def count_devices(job: Job) -> int | str:
    """Count the devices of a job: a number, "auto" for all available devices, 0 for a job on the CPU."""
    config = resolve_config(job)
    if find_value(config, "trainer.accelerator") == "cpu":
        return 0
    if job.settings.devices is not None:
        return job.settings.devices
    asked = find_value(config, "trainer.devices")
    if isinstance(asked, list):
        return len(asked)
    return asked if isinstance(asked, int) and asked > 0 else "auto"


class Pool:
    """The devices of a machine, which the jobs of one runner lease.

    Args:
        gpus: UUIDs of the GPUs; empty for a machine without a GPU.
        at_once: Number of jobs that may run at once. None: as many as the devices allow, or one without a GPU.
        folder: Folder of the locks; by default a folder of the user in the machine's temporary folder.
    """

    def __init__(self, gpus: Sequence[str], at_once: int | None = None, folder: Path | None = None) -> None:
        self.gpus = list(gpus)
        self.at_once = at_once or 1
        self._given = at_once
        self._folder = folder or Path(tempfile.gettempdir()) / f"textseg-zoo-devices-{os.getuid()}"
        self._taking = threading.Lock()

    def plan_for(self, jobs: Sequence[Job]) -> None:
        """Choose how many jobs run at once, if the user has not: as many as the devices allow.

        Raises:
            ConfigError: A job needs more devices than are visible.
        """
        asked = [count_devices(job) for job in jobs] if self.gpus else []
        numbers = [self._count(one) for one in asked]
        if any(number > len(self.gpus) for number in numbers):
            raise ConfigError(
                f"A job needs {max(numbers)} devices, and {len(self.gpus)} are visible.",
                "Lower --devices, or change CUDA_VISIBLE_DEVICES.",
            )
        if self._given is None and any(numbers):
            self.at_once = max(1, len(self.gpus) // max(numbers))

    def _count(self, asked: int | str) -> int:
        """Return a number unchanged; "auto" shares the devices among the jobs that run at once."""
        if isinstance(asked, int):
            return asked
        return max(1, len(self.gpus) // (self._given or 1))

    @contextmanager
    def lease(self, job: Job | None, stop: Stop) -> Iterator[list[str] | None]:
        """Wait for the devices of a job and lease them; None on a machine without a GPU, empty for a CPU job.

        Args:
            job: The job; None for work on the CPU.
            stop: Ends the wait.
        """
        if not self.gpus:
            yield None
            return
        count = 0 if job is None else self._count(count_devices(job))
        with ExitStack() as held:
            taken: list[str] = []
            while count and not taken and not stop.asked:
                taken = self._take(count, held)
                if not taken:
                    threading.Event().wait(_POLL)
            yield taken

    def _take(self, count: int, held: ExitStack) -> list[str]:
        """Lease this number of free devices or none, because two runners that hold a part could wait forever."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._taking, FileLock(self._folder / "all.lock"), ExitStack() as trying:
            taken = []
            for uuid in self.gpus:
                try:
                    trying.enter_context(FileLock(self._folder / f"{uuid}.lock", thread_local=False).acquire(timeout=0))
                except Timeout:
                    continue
                taken.append(uuid)
                if len(taken) == count:
                    held.push(trying.pop_all())
                    return taken
        return []
