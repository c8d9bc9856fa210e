"""The machine: GPUs and their driver, disk and shared memory. No torch here."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from benchmarks.doctor.finding import Finding
from zoo.settings import cache_root, data_root
from zoo.utils.format import format_bytes
from zoo.utils.machine import Gpu, count_cores, list_gpus, memory_bytes

OLDEST_DRIVER = {11: 450, 12: 525, 13: 580}
"""The oldest major version of the driver for each major version of CUDA. An older one runs none of its programs.

Source: https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html, table 1.
"""

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - the place of the system, not a file of ours
_LEAST_SHARED = 512 << 20
"""Bytes. Containers have 64 MB by default, which one batch of volumes fills."""

_LEAST_DISK = 5 << 30
"""Bytes: a prepared data set and some checkpoints."""


def check_machine() -> Iterator[Finding]:
    """Check GPUs, disk and shared memory."""
    yield Finding("processor", f"{count_cores()} cores, {format_bytes(memory_bytes())} of memory")
    yield from check_gpus(list_gpus(), find_cuda_version(), shutil.which("nvidia-smi") is not None)
    yield from check_disks()
    if SHARED_MEMORY.is_dir():
        yield check_shared_memory(shutil.disk_usage(SHARED_MEMORY).total)


def check_gpus(gpus: list[Gpu], cuda: str, has_tool: bool) -> Iterator[Finding]:
    """Compare the driver with the CUDA of the installed torch.

    Args:
        gpus: The GPUs that the driver reports.
        cuda: The version of CUDA that torch was built with; empty for a build without.
        has_tool: Whether `nvidia-smi` is installed.
    """
    if not gpus:
        if has_tool:
            fix = "Run `nvidia-smi`, and install the driver again or restart; in a container, start it with --gpus all."
            yield Finding("GPU", "nvidia-smi is installed, but reports no GPU", fix)
        else:
            yield Finding("GPU", "none: trainings run on the processor")
    for number, gpu in enumerate(gpus):
        about = f"{gpu.name}, {format_bytes(gpu.memory)}, driver {gpu.driver}"
        oldest = OLDEST_DRIVER.get(int(cuda.partition(".")[0] or 0), 0)
        driver = re.match(r"\d+", gpu.driver)
        if not cuda:
            fix = "Install the build of torch with CUDA, see https://pytorch.org/get-started/locally."
            yield Finding(f"GPU {number}", f"{about}, but torch was built without CUDA", fix)
        elif driver and int(driver[0]) < oldest:
            fix = f"Install a driver of version {oldest} or newer, or a torch for an older CUDA."
            yield Finding(f"GPU {number}", f"{about}: too old for the CUDA {cuda} of torch", fix)
        else:
            yield Finding(f"GPU {number}", f"{about}, torch for CUDA {cuda}")
    if gpus and os.environ.get("CUDA_VISIBLE_DEVICES") == "":
        yield Finding("GPU", "CUDA_VISIBLE_DEVICES is empty and hides every GPU", "Unset CUDA_VISIBLE_DEVICES.")


def find_cuda_version() -> str:
    """Read the version of CUDA that torch was built with, without an import of torch; empty for a build without."""
    spec = find_spec("torch")
    file = Path(spec.origin or "").with_name("version.py") if spec else Path()
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    found = re.search(r"^cuda\b[^=]*=\s*'([\d.]+)'", text, re.MULTILINE)
    return found[1] if found else ""


def check_disks() -> Iterator[Finding]:
    """Check the folders that the zoo writes to, and that of the data sets."""
    places = {"cache": ("ZOO_CACHE", cache_root()), "temporary files": ("TMPDIR", Path(tempfile.gettempdir()))}
    for what, (variable, folder) in places.items():
        existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
        free = shutil.disk_usage(existing).free
        if not os.access(existing, os.W_OK):
            fix = f"Name another folder with {variable}, or change its rights."
            yield Finding(what, f"{folder} cannot be written", fix)
        elif free < _LEAST_DISK:
            fix = f"Free some space, or name another folder with {variable}."
            yield Finding(what, f"{folder} has {format_bytes(free)} free", fix)
        else:
            yield Finding(what, f"{folder}, {format_bytes(free)} free")
    root = data_root()
    if root is None:
        yield Finding("data sets", "ZOO_DATA is not set: --data.root names the folder of each data set")
    elif not root.is_dir():
        yield Finding("data sets", f"ZOO_DATA={root}: no such folder", "Make the folder, or correct ZOO_DATA.")


def check_shared_memory(size: int) -> Finding:
    """Check the size in bytes of the shared memory, through which processes of torch and NCCL exchange tensors.

    Example:
        >>> check_shared_memory(64 << 20).wrong, check_shared_memory(8 << 30).wrong
        (True, False)
    """
    if size >= _LEAST_SHARED:
        return Finding("shared memory", format_bytes(size))
    fix = "Start the container with --shm-size 8g or --ipc host; on a machine, enlarge /dev/shm."
    return Finding("shared memory", f"{format_bytes(size)}: too little for several ranks", fix)
