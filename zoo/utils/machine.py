"""Facts of this machine and this installation: GPUs, cores, memory, optional packages. No torch here."""

from __future__ import annotations

import csv
import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.requirements import Requirement

DISTRIBUTION = "textseg-zoo"

_FOR_DEVELOPERS = "test"
_FIELDS = ("name", "driver_version", "memory.total")


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU.

    Attributes:
        name: Name of the product.
        driver: Version of the driver.
        memory: Its memory in bytes.
    """

    name: str
    driver: str
    memory: int


def list_gpus() -> list[Gpu]:
    """List the GPUs that the driver of NVIDIA reports; empty without one."""
    return parse_gpus(run_nvidia_smi(f"--query-gpu={','.join(_FIELDS)}", "--format=csv,noheader,nounits"))


def run_nvidia_smi(*options: str) -> str:
    """Return what `nvidia-smi` prints; empty where the tool or the driver is not installed."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ""
    try:
        return subprocess.run([tool, *options], capture_output=True, text=True, check=True, timeout=60).stdout  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return ""


def parse_gpus(listed: str) -> list[Gpu]:
    """Read what `nvidia-smi` prints for `list_gpus`.

    Example:
        >>> parse_gpus("NVIDIA A100, 550.54, 40960")
        [Gpu(name='NVIDIA A100', driver='550.54', memory=42949672960)]
    """
    rows = [[cell.strip() for cell in row] for row in csv.reader(listed.splitlines())]
    return [
        Gpu(row[0], row[1], int(row[2]) << 20 if row[2].isdecimal() else 0) for row in rows if len(row) == len(_FIELDS)
    ]


def name_processor() -> str:
    """Return the name of the processor, or of its architecture where the system does not say more."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(filter(None, names), platform.processor() or platform.machine())


def count_cores() -> int:
    """Return the number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_bytes() -> int:
    """Return the memory that this process may use: that of the machine, or the limit of its container."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
    except OSError:  # not Linux, or control groups of version 1
        return whole
    return min(whole, int(limit)) if limit.isdecimal() else whole


def list_extras() -> dict[str, list[str]]:
    """List the extras of this installation, each with the packages that are missing; empty where none is missing."""
    from importlib.metadata import PackageNotFoundError, requires  # these two take as long as a listing

    from packaging.requirements import Requirement

    try:
        wanted = [Requirement(line) for line in requires(DISTRIBUTION) or []]
    except PackageNotFoundError:  # a folder on the path, which is not installed
        return {}
    found: dict[str, list[str]] = {}
    for one in wanted:
        extra = str(one.marker).partition("extra == ")[2].strip("\"'") if one.marker else ""
        if extra and extra != _FOR_DEVELOPERS:
            missing = found.setdefault(extra, [])
            missing += [] if _fits(one) else [one.name]
    return found


def _fits(wanted: Requirement) -> bool:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return wanted.specifier.contains(version(wanted.name), prereleases=True)
    except PackageNotFoundError:
        return False
