"""The reason of a failed step in one line, and advice for known reasons."""

from __future__ import annotations

import re
import signal
from pathlib import Path

_ERROR = re.compile(r"(?i)(\[rank\d+\]: )?(zoo: )?(error\b|([a-z_]\w*\.)*[A-Z]\w*(Error|Exception|Exit)\b)")
_CUDA_OUT = re.compile(
    r"CUDA out of memory|CUDA error: out of memory|torch\.(cuda\.)?OutOfMemoryError|CUBLAS_STATUS_ALLOC"
)
_HOST_OUT = re.compile(
    r"(?m)^\s*(zoo: error: .*: memory ran out:|([\w.]+\.)?(MemoryError\b|\w*Error:.*("
    r"DefaultCPUAllocator: (can't allocate|not enough) memory|Cannot allocate memory)))"
)

_DIVERGED = re.compile(r"(loss|gradient of .*|logits of the model)( are| is)? not finite|no step has finite gradients")

SMALLER = (
    "lower --data.batch_size, or halve it with --trainer.accumulate_grad_batches 2, "
    "use --trainer.precision bf16-mixed, or use a smaller --data.patch"
)
CUDA_OUT = f"The memory of the GPU was too small: {SMALLER}."
HOST_OUT = f"The memory of the machine was too small: {SMALLER}; fewer --data.num_workers or --jobs-at-once also help."
KILLED = "The system may have killed the job because memory ran out (see `dmesg`), unless you killed it."


def find_reason(output: str, code: int) -> str:
    """Find the reason of a failed step: the line of the error, else the last line of the output.

    Args:
        output: Output of the step.
        code: Exit code; 128 + n or -n if signal n ended the step.
    """
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line.removeprefix("zoo: error: ") for line in lines if _ERROR.match(line)]
    if find_signal(
        code
    ):  # when another rank fails, Lightning kills the first rank, and the error is in the output of the other
        ended = f"ended by {_signal_name(find_signal(code))}"
        return f"{errors[-1]} ({ended})" if errors else ended
    return (errors or lines or [f"exit code {code} without output"])[-1]


def find_signal(code: int) -> int:
    """Return the number of the signal that ended a step, 0 without one."""
    return code - 128 if code > 128 else max(-code, 0)


def has_diverged(reason: str) -> bool:
    """Return whether a training failed because its values were not finite (`zoo.models.finite_values`)."""
    return bool(_DIVERGED.search(reason))


def find_advice(output: str, code: int, system_killed: bool = False) -> str:
    """Find advice for a failure, in one line; empty where the reason is enough.

    Args:
        output: Output of the step.
        code: Exit code of the step.
        system_killed: Whether the system has killed a process during the step because memory ran out.
    """
    if _CUDA_OUT.search(output):
        return CUDA_OUT
    if system_killed or _HOST_OUT.search(output):
        return HOST_OUT
    alone = find_reason(output, code) == f"ended by {_signal_name(signal.SIGKILL)}"
    return KILLED if alone else ""


def add_advice(reason: str, advice: str) -> str:
    """Append the advice to a reason, in one line."""
    return f"{reason.rstrip('.')}. {advice}" if advice else reason


def count_memory_kills() -> int:
    """Count the processes of this control group that the system has killed for memory; 0 where this is unknown."""
    try:
        group = Path("/proc/self/cgroup").read_text(encoding="utf-8").split("::", 1)[1].splitlines()[0]
        events = Path(f"/sys/fs/cgroup{group}/memory.events").read_text(encoding="utf-8")
    except (OSError, IndexError):  # not Linux, or control groups of version 1
        return 0
    return next((int(line.split()[1]) for line in events.splitlines() if line.startswith("oom_kill ")), 0)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
