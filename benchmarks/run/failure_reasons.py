"""Why a step failed, in one line, and what to do where that is known."""

from __future__ import annotations

import re
import signal
from pathlib import Path

_ERROR = re.compile(r"(?i)(\[rank\d+\]: )?(zoo: )?(error\b|([a-z_]\w*\.)*[A-Z]\w*(Error|Exception|Exit)\b)")
_CUDA_OUT = re.compile(
    r"CUDA out of memory|CUDA error: out of memory|torch\.(cuda\.)?OutOfMemoryError|CUBLAS_STATUS_ALLOC"
)
_HOST_OUT = re.compile(
    r"(?m)^\s*([\w.]+\.)?(MemoryError\b|\w*Error:.*("
    r"DefaultCPUAllocator: (can't allocate|not enough) memory|Cannot allocate memory))"
)

SMALLER = (
    "lower --data.batch_size, or halve it with --trainer.accumulate_grad_batches 2, "
    "use --trainer.precision bf16-mixed, or a smaller --data.patch"
)
CUDA_OUT = f"The GPU's memory was not enough: {SMALLER}."
HOST_OUT = f"The machine's memory was not enough: {SMALLER}; fewer --data.num_workers or --jobs-at-once help, too."
KILLED = "Nobody but the system kills so: if you did not, memory may have run out (see `dmesg`)."


def find_reason(output: str, code: int) -> str:
    """Why a step failed, in one line: the error's own line, else the last one that it wrote.

    Args:
        output: What the step wrote.
        code: Its exit code; 128 + n or -n where signal n ended it.
    """
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line.removeprefix("zoo: error: ") for line in lines if _ERROR.match(line)]
    if find_signal(code):  # where a rank fails, Lightning kills the first one: the error is the other's
        ended = f"ended by {_signal_name(find_signal(code))}"
        return f"{errors[-1]} ({ended})" if errors else ended
    return (errors or lines or [f"exit code {code} without a word"])[-1]


def find_signal(code: int) -> int:
    """The signal that ended a step, 0 where none did."""
    return code - 128 if code > 128 else max(-code, 0)


def find_advice(output: str, code: int, system_killed: bool = False) -> str:
    """What to do about a failure, in one line; empty where the reason says it.

    Args:
        output: What the step wrote.
        code: Its exit code.
        system_killed: Whether the system killed for memory meanwhile.
    """
    if _CUDA_OUT.search(output):
        return CUDA_OUT
    if system_killed or _HOST_OUT.search(output):
        return HOST_OUT
    alone = find_reason(output, code) == f"ended by {_signal_name(signal.SIGKILL)}"
    return KILLED if alone else ""


def add_advice(reason: str, advice: str) -> str:
    """A reason with the advice after it, in one line."""
    return f"{reason.rstrip('.')}. {advice}" if advice else reason


def count_memory_kills() -> int:
    """How many processes of this control group the system has killed for memory; 0 where it does not say."""
    try:
        group = Path("/proc/self/cgroup").read_text(encoding="utf-8").split("::", 1)[1].splitlines()[0]
        events = Path(f"/sys/fs/cgroup{group}/memory.events").read_text(encoding="utf-8")
    except (OSError, IndexError):  # not Linux, or control groups of the first version
        return 0
    return next((int(line.split()[1]) for line in events.splitlines() if line.startswith("oom_kill ")), 0)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
