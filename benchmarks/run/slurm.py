"""Run a plan on a SLURM cluster: one job array with one element per job, which is requeued and resumed automatically.

submitit (the extra `slurm`) writes the batch script. When SLURM warns that the time is over or that the job is
pre-empted, submitit requeues the element, which continues from the last checkpoint. The same command requeues
cancelled and lost elements (`benchmarks.run.slurm_queue`). Each element claims its folder as every runner does, so
that a second submission repeats nothing. A job on several devices or nodes is one element with several tasks, which
Lightning connects through the variables of SLURM.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filelock import FileLock

from benchmarks.plan.job import Plan
from benchmarks.plan.job_config import resolve_config
from benchmarks.run.gpu_pool import count_devices
from benchmarks.run.job_runner import (
    CONTROLS,
    NO_LIMITS,
    ZOO,
    Limits,
    ProgressCallback,
    Task,
    list_tasks,
)
from benchmarks.run.slurm_queue import record, wait_until_settled
from benchmarks.run.slurm_worker import SlurmWorker
from zoo.errors import ConfigError, RunError
from zoo.utils.config_values import find_value
from zoo.utils.extras import advise_extra
from zoo.utils.safe_text import is_printable

DAY = 24 * 60
"""Time limit of an element in minutes without `--slurm.time`."""

DELAY = 90
"""Seconds between the warning of an element and the end of its time without `--slurm.signal_delay_s`."""

_EXPORTED = "Load modules before the command: sbatch passes the environment on."
_SET_HERE = "Leave it out: the launcher sets it."

NOT_OF_SBATCH = {
    **dict.fromkeys(("setup", "teardown"), _EXPORTED),
    **dict.fromkeys(("additional_parameters", "srun_args", "use_srun", "stderr_to_stdout", "folder"), _SET_HERE),
    **dict.fromkeys(("nodes", "ntasks_per_node", "array", "requeue", "signal", "output", "error", "wrap"), _SET_HERE),
}
"""Parameters of submitit that are no options of `sbatch`, and options that the launcher sets -> what to do."""

WHOLE_NUMBERS = frozenset(("array_parallelism", "cpus_per_task", "cpus_per_gpu", "num_gpus", "signal_delay_s"))

MAX_TIMEOUTS = 1000
"""How often an element is requeued after its time. A training may take many times the longest time limit."""


def submit(
    folder: Path,
    plan: Plan,
    say: ProgressCallback,
    options: Mapping[str, str],
    *,
    command: Sequence[str] = ZOO,
    controls: Sequence[str] | None = CONTROLS,
    limits: Limits = NO_LIMITS,
    skip: frozenset[str] = frozenset(),
) -> dict[str, str]:
    """Submit or requeue the tasks that are neither done nor in the queue.

    An element that SLURM ended and still knows is requeued under its number if its options are the same. The other
    tasks are submitted as one array for each number of nodes and tasks.

    Args:
        folder: The benchmark's folder.
        plan: The jobs.
        say: Called with one line of progress.
        options: Options of `sbatch`, by name.
        command: The `zoo` command.
        controls: The command of the controls, None for no controls.
        limits: Retries and time limit.
        skip: Ids of jobs that are not run.

    Returns:
        Name of each task in the queue -> its number.

    Raises:
        ConfigError: An option is none of `sbatch`, or the batch script cannot hold its value or the folder.
        RunError: SLURM or submitit is missing, or SLURM refuses the options.
    """
    slurm_folder = (folder / "slurm").resolve()
    typed = check_submission(folder, options)
    slurm_folder.mkdir(parents=True, exist_ok=True)
    slot, delay = parse_minutes(typed.get("time", str(DAY))), _seconds(typed.get("signal_delay_s", str(DELAY)))
    order = _order(typed, command, controls, limits)
    with FileLock(slurm_folder / ".lock"):
        known = wait_until_settled(folder)
        waiting = {name: element.number for name, element in known.items() if element.queued}
        groups: dict[tuple[int, int], list[Task]] = {}
        for task in list_tasks(folder.resolve(), plan, command, controls):
            if not task.missing or task.name in waiting or task.name in skip:
                continue
            element, size = known.get(task.name), _size(task)
            alike = element is not None and element.order == order | {"size": list(size)}
            if element and alike and element.ended_by_slurm and element.requeue():
                waiting[task.name] = element.number
                say(f"{task.name}: SLURM {element.number} {element.state.lower()}, requeued")
            else:
                groups.setdefault(size, []).append(task)
        for (nodes, ranks), tasks in groups.items():
            workers = [
                SlurmWorker(folder.resolve(), task.name, command, controls, limits, slot, delay) for task in tasks
            ]
            numbers = _submit(slurm_folder, workers, nodes, ranks, typed)
            submitted = dict(zip((task.name for task in tasks), numbers, strict=True))
            record(folder, submitted, order | {"size": [nodes, ranks]})
            waiting |= submitted
            say(f"submitted {len(tasks)} to SLURM as {numbers[0].partition('_')[0]}")
    return waiting


def check_submission(folder: Path, options: Mapping[str, str]) -> dict[str, str]:
    """Return options of `sbatch` with underscores in their names, if the batch script can hold them and the folder.

    Each option is one line `#SBATCH --key=value` of the script. After a line end, the rest of a value would run as a
    command.

    Args:
        folder: The benchmark's folder. The script has the path of its logs; SLURM replaces a `%` in it.
        options: Options of `sbatch`, by name.

    Raises:
        ConfigError: A name is no option of `sbatch`, the launcher itself sets it, or a value has a line end or
            another control character, or is not a whole number where one is needed. Or the folder has such a path.
    """
    path = str(folder.resolve())
    if not is_printable(path) or "%" in path:
        raise ConfigError(f"--out {path!r}: SLURM cannot write logs there.", "Use a path without % in one line.")
    typed = {}
    for key, value in options.items():
        name = key.replace("-", "_")
        shown = f"--slurm.{key}"
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise ConfigError(f"{shown!r}: not an option of sbatch.", "See `man sbatch` for the names.")
        if name in NOT_OF_SBATCH:
            raise ConfigError(f"{shown}: not an option of sbatch.", NOT_OF_SBATCH[name])
        if not value.strip() or not is_printable(value):
            raise ConfigError(f"{shown} {value!r}: no value of one printable line.", "Write the value in one line.")
        if name in WHOLE_NUMBERS and not value.isdecimal():
            raise ConfigError(f"{shown} {value}: not a whole number.", f"Write {shown} 4.")
        typed[name] = value
    return typed


def _order(
    options: Mapping[str, str], command: Sequence[str], controls: Sequence[str] | None, limits: Limits
) -> dict[str, Any]:
    """Return the settings of a submission, without the size of the element."""
    settings = {key: value for key, value in os.environ.items() if key.startswith("ZOO_")}
    commands = {"command": list(command), "controls": list(controls) if controls else None}
    return {"options": dict(options), **commands, **asdict(limits), "settings": settings}


def _submit(
    slurm_folder: Path, workers: Sequence[SlurmWorker], nodes: int, ranks: int, typed: Mapping[str, str]
) -> list[str]:
    try:
        import submitit
    except ImportError as error:
        raise RunError("The SLURM launcher needs submitit.", advise_extra("slurm")) from error
    known = submitit.SlurmExecutor._valid_parameters()
    further = {key.replace("_", "-"): value for key, value in typed.items() if key not in known}
    own: dict[str, Any] = {key: _value(value) for key, value in typed.items() if key in known}
    own |= {"time": workers[0].minutes, "signal_delay_s": workers[0].delay, "nodes": nodes, "ntasks_per_node": ranks}
    own.setdefault("job_name", "zoo-bench")
    try:
        executor = submitit.SlurmExecutor(
            slurm_folder / "%j", max_num_timeout=MAX_TIMEOUTS, python=f"{shlex.quote(sys.executable)} -P"
        )
        executor.update_parameters(
            **own, srun_args=["--kill-on-bad-exit=1"], additional_parameters={"requeue": True, **further}
        )
        with executor.batch():
            jobs = [executor.submit(worker) for worker in workers]
    except (RuntimeError, ValueError, subprocess.CalledProcessError, submitit.core.utils.FailedJobError) as error:
        message = " ".join(str(error).split())[-300:]
        raise RunError(f"SLURM refused the jobs: {message}.", "Check --slurm.KEY and `sinfo`.") from error
    return [str(job.job_id) for job in jobs]


def _size(task: Task) -> tuple[int, int]:
    """Return (nodes, tasks per node) of a task, with one process per device."""
    if task.job is None:
        return 1, 1
    config = resolve_config(task.job)
    devices = task.job.settings.devices or count_devices(task.job)
    nodes = find_value(config, "trainer.num_nodes") or 1
    ranks = (
        devices if isinstance(devices, int) and devices > 0 else 1
    )  # "auto": Lightning starts one process per device that it finds
    if nodes > 1 and not isinstance(devices, int):
        raise ConfigError(f"{task.name}: {nodes} nodes without a number of devices per node.", "Give --devices.")
    return int(nodes), ranks


def _seconds(text: str) -> int:
    if not text.isdecimal():
        raise ConfigError(
            f"--slurm.signal_delay_s {text}: not a whole number of seconds.", "Write 120 for two minutes."
        )
    return int(text)


def _value(text: str) -> str | int:
    return int(text) if text.isdecimal() else text


def parse_minutes(text: str) -> int:
    """Convert a time of SLURM to minutes: `90`, `90:00`, `1:30:00`, `2-0`, `2-12:00`, `2-12:00:00`.

    Raises:
        ConfigError: The text is not such a time.
    """
    found = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", text)
    if not found:
        raise ConfigError(f"--slurm.time {text}: not a time of SLURM.", "Write 1-00:00:00 for a day.")
    days, first, second, third = (int(part or 0) for part in found.groups())
    if found[1] or found[4]:
        return max(1, days * DAY + first * 60 + second + (third > 0))
    return max(1, first + (second > 0))
