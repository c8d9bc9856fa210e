"""Runs a plan on a SLURM cluster: one job array, an element a job, requeued and resumed by itself.

submitit (the extra `slurm`) writes the batch script, and when SLURM warns that the time is up or the job is
pre-empted it requeues the element, which then does what is missing, from the last checkpoint. What was cancelled or
lost is requeued by the same command (`benchmarks.slurm_queue`). Each element claims its folder as any runner does, so
that a second submission does nothing twice. A job on several devices or nodes is as many tasks of one element, which
Lightning joins by what SLURM says of them.
"""

from __future__ import annotations

import logging
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from filelock import FileLock

from benchmarks import store
from benchmarks.devices import devices_of
from benchmarks.plan import Plan, load_plan
from benchmarks.planning import leaf, resolved
from benchmarks.process import GRACE, Stop, run_group
from benchmarks.slurm_queue import elements, record, state_of
from benchmarks.work import (
    CONTROLS,
    NO_LIMITS,
    NOT_APPLICABLE,
    ZOO,
    Limits,
    Outcome,
    Place,
    Say,
    Task,
    run_task,
    tasks_of,
)
from zoo.errors import ConfigError, RunError

log = logging.getLogger(__name__)

DAY = 24 * 60
"""Minutes that an element asks for where `--slurm.time` says nothing."""

MAX_TIMEOUTS = 1000
"""How often an element is requeued after its time was up: a training may need many times the longest slot."""

WAIT_FOR_KILL = 600.0
"""Seconds for which a terminated element waits for what SLURM does next: one that ended would not be requeued."""

_POLL = 1.0


@dataclass(frozen=True)
class Work:
    """What an element of the array does when SLURM runs it: what is missing of one task.

    Attributes:
        folder: The benchmark's folder, on a file system that the nodes share.
        name: The task's name.
        command: The `zoo` command.
        controls: The command of the controls.
        limits: Retries and time.
    """

    folder: Path
    name: str
    command: Sequence[str]
    controls: Sequence[str] | None
    limits: Limits

    def __call__(self) -> str:
        """How it came out, which submitit keeps.

        Raises:
            RunError: It is not done; SLURM then counts the element as failed, and ends the other tasks of it.
        """
        logging.basicConfig(level=logging.INFO, format="%(message)s")
        tasks = tasks_of(self.folder, load_plan(self.folder), self.command, self.controls)
        task = next(task for task in tasks if task.name == self.name)
        stop = Stop()

        def terminated(_number: int, _frame: FrameType | None) -> None:
            stop.ask()

        signal.signal(signal.SIGTERM, terminated)
        ranks, rank = int(os.environ.get("SLURM_NTASKS", "1")), int(os.environ.get("SLURM_PROCID", "0"))
        if rank:
            outcome = _follow(task, stop)
        else:
            limits = self.limits if ranks == 1 else Limits(0, self.limits.timeout)
            outcome = run_task(task, log.info, _place(ranks), limits, stop)
        if outcome is Outcome.STOPPED:
            _wait_for_slurm()
        if outcome is not Outcome.DONE:
            raise RunError(f"{self.name}: {outcome.value}.")
        return outcome.value

    def checkpoint(self) -> Any:
        """What submitit submits again before the time is up: the same, which goes on from the last checkpoint."""
        import submitit

        return submitit.helpers.DelayedSubmission(self)


def _follow(task: Task, stop: Stop) -> Outcome:
    """What the ranks after the first do: the same steps, without a word to the status."""
    commands = dict(task.steps)
    for step in task.missing:
        ended = run_group(commands[step], sys.stderr.fileno(), environment=_place(2).environment, stop=stop)
        if stop.asked:
            return Outcome.STOPPED
        if ended.code and not (ended.code == NOT_APPLICABLE and step.startswith("test-")):
            log.info("rank %s of %s ended with %d", os.environ["SLURM_PROCID"], step, ended.code)
            until = time.monotonic() + GRACE
            while store.locked(task.target) and time.monotonic() < until:
                time.sleep(_POLL)  # the first rank notices that this one is gone, and says why
            return Outcome.FAILED
    return Outcome.DONE


def _wait_for_slurm() -> None:
    """Waits until SLURM has decided what becomes of an element that it told to end.

    One that ended before would count as ended by itself, and what pre-empts it would not requeue it.
    """
    until = time.monotonic() + WAIT_FOR_KILL
    while time.monotonic() < until and state_of(_number()) == "RUNNING":
        time.sleep(_POLL)


def _number() -> str:
    """The number of the element that this process is of."""
    array, element = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{element}" if array else os.environ.get("SLURM_JOB_ID", "")


def _place(ranks: int) -> Place:
    """Of one task Lightning must not think that SLURM started all ranks; "interactive" is its word for that."""
    environment = {"SLURM_JOB_NAME": "interactive"} if ranks == 1 else {}
    restarts = int(os.environ.get("SLURM_RESTART_COUNT", "0"))
    return Place("slurm", environment, {"slurm_job": _number(), "slurm_restarts": restarts})


def submit(
    folder: Path,
    plan: Plan,
    say: Say,
    options: Mapping[str, str],
    *,
    command: Sequence[str] = ZOO,
    controls: Sequence[str] | None = CONTROLS,
    limits: Limits = NO_LIMITS,
    skip: frozenset[str] = frozenset(),
) -> dict[str, str]:
    """Brings what is neither done nor queued into the queue.

    What SLURM ended, and still remembers, is requeued under its number where it would be submitted as it was; the
    rest is submitted as one array for each number of nodes and tasks.

    Args:
        folder: The benchmark's folder.
        plan: The jobs.
        say: Takes one line of progress.
        options: Options of `sbatch`, by name.
        command: The `zoo` command.
        controls: The command of the controls, None to leave them out.
        limits: Retries and time.
        skip: Ids of jobs that are left alone.

    Returns:
        Name of each task that is in the queue to its number there.

    Raises:
        RunError: There is no SLURM or no submitit here, or SLURM refuses the options.
    """
    home = (folder / "slurm").resolve()
    home.mkdir(parents=True, exist_ok=True)
    order = _order(options, command, controls, limits)
    with FileLock(home / ".lock"):
        known = elements(folder)
        waiting = {name: element.number for name, element in known.items() if element.queued}
        groups: dict[tuple[int, int], list[Task]] = {}
        for task in tasks_of(folder.resolve(), plan, command, controls):
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
            works = [Work(folder.resolve(), task.name, command, controls, limits) for task in tasks]
            numbers = _submit(home, works, nodes, ranks, options)
            submitted = dict(zip((task.name for task in tasks), numbers, strict=True))
            record(folder, submitted, order | {"size": [nodes, ranks]})
            waiting |= submitted
            say(f"submitted {len(tasks)} to SLURM as {numbers[0].partition('_')[0]}")
    return waiting


def _order(
    options: Mapping[str, str], command: Sequence[str], controls: Sequence[str] | None, limits: Limits
) -> dict[str, Any]:
    """All that an element keeps from its submission on, beside its size."""
    settings = {key: value for key, value in os.environ.items() if key.startswith("ZOO_")}
    commands = {"command": list(command), "controls": list(controls) if controls else None}
    return {"options": dict(options), **commands, **asdict(limits), "settings": settings}


def _submit(home: Path, works: Sequence[Work], nodes: int, ranks: int, options: Mapping[str, str]) -> list[str]:
    try:
        import submitit
    except ImportError as error:
        raise RunError("The SLURM launcher needs submitit.", "pip install 'textseg-zoo[slurm]'.") from error
    known = submitit.SlurmExecutor._valid_parameters()
    typed = {key.replace("-", "_"): value for key, value in options.items()}
    further = {key.replace("_", "-"): value for key, value in typed.items() if key not in known}
    own: dict[str, Any] = {key: _value(value) for key, value in typed.items() if key in known}
    own |= {"time": minutes(typed.get("time", str(DAY))), "nodes": nodes, "ntasks_per_node": ranks}
    own.setdefault("job_name", "zoo-bench")
    try:
        executor = submitit.SlurmExecutor(
            home / "%j", max_num_timeout=MAX_TIMEOUTS, python=f"{shlex.quote(sys.executable)} -P"
        )
        executor.update_parameters(
            **own, srun_args=["--kill-on-bad-exit=1"], additional_parameters={"requeue": True, **further}
        )
        with executor.batch():
            jobs = [executor.submit(work) for work in works]
    except (RuntimeError, ValueError, subprocess.CalledProcessError, submitit.core.utils.FailedJobError) as error:
        said = " ".join(str(error).split())[-300:]
        raise RunError(f"SLURM did not take the jobs: {said}.", "See --slurm.KEY and `sinfo`.") from error
    return [str(job.job_id) for job in jobs]


def _size(task: Task) -> tuple[int, int]:
    """(nodes, tasks a node) of a task: one process a device."""
    if task.job is None:
        return 1, 1
    config = resolved(task.job)
    devices = task.job.settings.devices or devices_of(task.job)
    nodes = leaf(config, "trainer.num_nodes") or 1
    ranks = devices if isinstance(devices, int) and devices > 0 else 1  # "auto": Lightning starts what it finds
    if nodes > 1 and not isinstance(devices, int):
        raise ConfigError(f"{task.name}: {nodes} nodes, and how many devices each is not said.", "Give --devices.")
    return int(nodes), ranks


def _value(text: str) -> str | int:
    return int(text) if text.isdecimal() else text


def minutes(text: str) -> int:
    """Minutes of a time as SLURM writes it: `90`, `90:00`, `1:30:00`, `2-0`, `2-12:00`, `2-12:00:00`.

    Raises:
        ConfigError: It is none.
    """
    found = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", text)
    if not found:
        raise ConfigError(f"--slurm.time {text}: no time as SLURM writes it.", "Write 1-00:00:00 for a day.")
    days, first, second, third = (int(part or 0) for part in found.groups())
    if found[1] or found[4]:
        return max(1, days * DAY + first * 60 + second + (third > 0))
    return max(1, first + (second > 0))
