"""Run a plan on this machine: parallel jobs, each with its own devices and its own process group.

A finished job is not run again. A failed job stores its reason and does not stop other jobs.
`benchmarks.run.job_runner` runs one job; `benchmarks.run.slurm` is the other launcher.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from queue import Empty, Queue

from benchmarks.plan.job import Plan
from benchmarks.run.gpu_pool import Pool
from benchmarks.run.job_runner import (
    CONTROLS,
    NO_LIMITS,
    ZOO,
    ExecutionContext,
    Limits,
    Outcome,
    ProgressCallback,
    Task,
    list_tasks,
    run_task,
)
from benchmarks.run.process_group import Stop
from zoo.utils.termination import EXIT_CODE, Terminated, heed_sigterm, set_patience

_PATIENCE = 9.5  # seconds, in which the jobs end first

_LOOK = 0.2  # seconds, within which a signal is handled


def run_plan(
    folder: Path,
    plan: Plan,
    say: ProgressCallback,
    *,
    command: Sequence[str] = ZOO,
    controls: Sequence[str] | None = CONTROLS,
    pool: Pool | None = None,
    limits: Limits = NO_LIMITS,
    skip: frozenset[str] = frozenset(),
) -> int:
    """Run the jobs that are not done, and return the number of failed jobs.

    Args:
        folder: The benchmark's folder.
        plan: The jobs to run.
        say: Called with one line of progress, from any thread.
        command: The `zoo` command.
        controls: The command of the controls, None for no controls.
        pool: The devices of the machine; by default none, with one job at a time.
        limits: Retries and time limit.
        skip: Ids of jobs that are not run.
    """
    tasks = [task for task in list_tasks(folder, plan, command, controls) if task.name not in skip]
    workers = _WorkerPool(tasks, pool or Pool([]), say, limits, {job.id: n for n, job in enumerate(plan.jobs, start=1)})
    with heed_sigterm():
        set_patience(_PATIENCE)
        try:
            return workers.run()
        except Terminated as error:  # also for a program that calls this function
            raise SystemExit(EXIT_CODE) from error


class _WorkerPool:
    """The tasks of a runner, and threads that each run one task at a time."""

    def __init__(
        self, tasks: Sequence[Task], pool: Pool, say: ProgressCallback, limits: Limits, numbers: dict[str, int]
    ) -> None:
        self._queue: Queue[Task] = Queue()
        for task in tasks:
            self._queue.put(task)
        self._pool, self._say, self._limits, self._numbers = pool, say, limits, numbers
        self._stop = Stop()
        self._failed = 0
        self._broken: list[BaseException] = []
        self._count = threading.Lock()

    def run(self) -> int:
        """Run all tasks and return the number of failures. A signal or an error of the runner ends running tasks."""
        threads = [threading.Thread(target=self._take, name=f"jobs-{n}") for n in range(self._pool.at_once)]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                while thread.is_alive():
                    thread.join(_LOOK)
        finally:
            self._stop.ask()
            for thread in threads:
                thread.join()
        if self._broken:
            raise self._broken[0]
        return self._failed

    def _take(self) -> None:
        """Run tasks until none is left or the runner must stop."""
        while not self._stop.asked:
            try:
                task = self._queue.get_nowait()
            except Empty:
                return
            number = self._numbers.get(task.name)
            prefix = task.name if number is None else f"[{number}/{len(self._numbers)}] {task.name}"
            try:
                self._run(task, partial(_say_after, self._say, prefix))
            except BaseException as error:  # noqa: BLE001 - raised again by the main thread
                self._broken.append(error)
                self._stop.ask()

    def _run(self, task: Task, say: ProgressCallback) -> None:
        if not task.missing:
            say("done already")
            return
        with self._pool.lease(task.job, self._stop) as devices:
            if self._stop.asked:
                return
            outcome = run_task(task, say, _build_context(devices, self._pool.at_once), self._limits, self._stop)
        with self._count:
            self._failed += outcome is Outcome.FAILED


def _build_context(devices: list[str] | None, at_once: int) -> ExecutionContext:
    """Build the context of a job: its devices and its share of the cores."""
    environment: dict[str, str] = {}
    if devices is not None:
        environment["CUDA_VISIBLE_DEVICES"] = ",".join(devices)
    if at_once > 1 and "OMP_NUM_THREADS" not in os.environ:
        environment["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // at_once))
    return ExecutionContext("local", environment, {} if devices is None else {"devices": devices})


def _say_after(say: ProgressCallback, prefix: str, line: str) -> None:
    say(f"{prefix}: {line}")
