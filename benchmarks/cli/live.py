"""The output of `zoo bench run`: one line per event, and on a terminal a display of running jobs and time to go."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.live import Live
from rich.table import Table

from benchmarks.plan.job import Plan
from benchmarks.run.progress import Progress, count_states, estimate_time_to_go, format_time_to_go, read_progress
from zoo.errors import ZooError
from zoo.utils.terminal import SafeConsole

EVERY = 2.0
"""Seconds between two reads of the folders."""

_BAR = 24


@contextmanager
def show_progress(
    folder: Path, plan: Plan, at_once: int, console: SafeConsole | None = None
) -> Iterator[Callable[[str], None]]:
    """Yield a function that prints one line of progress. On a terminal the display is below the lines.

    Args:
        folder: The benchmark's folder.
        plan: Its jobs.
        at_once: Number of jobs that run at once, for the time to go.
        console: The output, by default standard output.
    """
    console = console or SafeConsole(soft_wrap=True)

    def say(line: str) -> None:
        console.print(line)

    if not console.is_terminal:
        yield say
        return
    with Live(console=console, refresh_per_second=2, transient=True) as live:
        over = threading.Event()

        def look() -> None:
            while True:
                try:
                    live.update(make_display(read_progress(folder, plan), at_once))
                except (OSError, ZooError) as error:  # a file is being replaced, and the next read will succeed
                    live.update(f"{error}")
                if over.wait(EVERY):
                    return

        looking = threading.Thread(target=look, name="display", daemon=True)
        looking.start()
        try:
            yield say
        finally:
            over.set()
            looking.join()


def make_display(jobs: list[Progress], at_once: int = 1) -> Table:
    """Make a table with one row per running job and a last row for all jobs."""
    table = Table(box=None, pad_edge=False, show_header=False)
    running = [job for job in jobs if job.state == "running"]
    for job in running:
        table.add_row(job.job, draw_bar(job.share), job.line())
    done = sum(job.state == "done" for job in jobs)
    whole = format_time_to_go(estimate_time_to_go(jobs, max(at_once, len(running))))
    table.add_row(
        f"{done} of {len(jobs)}",
        draw_bar(done / len(jobs)),
        ", ".join(filter(None, [count_states(j.state for j in jobs), whole])),
    )
    return table


def draw_bar(share: float | None) -> str:
    """Draw a share as a bar; dots where the share is not known."""
    if share is None:
        return "·" * _BAR
    filled = round(share * _BAR)
    return "━" * filled + "─" * (_BAR - filled)
