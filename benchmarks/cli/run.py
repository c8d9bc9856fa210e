"""`zoo bench run`: train and test the jobs that are not done."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from benchmarks.cli.choice import add_to, choose_plan, parse_count, parse_overrides, split_further
from benchmarks.cli.plan import seconds_per_job, write_costs, write_lines
from benchmarks.plan.folds import describe_parts
from benchmarks.plan.job import Job, Plan
from benchmarks.plan.models import share_import_path
from benchmarks.plan.tuned import describe_untuned
from benchmarks.run.cost_estimate import estimate_costs
from benchmarks.run.preflight import Conditions, check_plan, list_open_jobs
from benchmarks.storage.stored_plan import store_plan, with_stored_folders
from zoo.errors import ConfigError
from zoo.utils.printing import write_error, write_output

if TYPE_CHECKING:
    from benchmarks.run.job_runner import Limits

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def add(verbs: Any, about: str) -> None:
    """Add the parser of the verb."""
    run = add_to(verbs, "run", about)
    run.add_argument("--plan", default="", help="name or YAML file of a plan, instead of the flags")
    run.add_argument("--extend", action="store_true", help="let a plan add jobs to those of --out")
    run.add_argument("--out", required=True, type=Path, help="folder of the benchmark")
    add_runner_flags(run)
    run.set_defaults(action=_run)


def add_runner_flags(run: argparse.ArgumentParser) -> None:
    """Add the flags that say how jobs run."""
    run.add_argument("--jobs-at-once", type=parse_count, help="default: one per GPU or group of GPUs; 1 without a GPU")
    run.add_argument("--retries", type=_whole, default=0, help="further attempts after a crash (default: 0)")
    run.add_argument("--timeout", type=_seconds, help="limit of one attempt of a job: 90s, 30m, 12h, 2d")
    run.add_argument("--skip-failed", action="store_true", help="do not repeat jobs that failed before")
    run.add_argument("--launcher", choices=("local", "slurm"), default="local")
    run.add_argument("--no-wait", action="store_true", help="with --launcher slurm: submit and return")
    run.add_argument("--probe", action="store_true", help="first train a few steps of each method: time and memory")
    run.add_argument("--yes", action="store_true", help="also run a published size without a GPU")
    run.epilog = f"{run.epilog} --slurm.KEY VALUE are options of sbatch: --slurm.partition gpu --slurm.time 12:00:00."


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number")
    return int(text)


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text)
    if not found or not float(found[1]):
        raise argparse.ArgumentTypeError(f"'{text}' is not a time such as 90s, 30m, 12h")
    return float(found[1]) * _UNITS[found[2]]


def _run(known: argparse.Namespace, further: Sequence[str]) -> int:
    options, further = split_slurm(known, further)
    asked = choose_plan(known, known.plan, parse_overrides(further))
    rooted = with_stored_folders(known.out, asked)
    open_jobs = list_open_jobs(known.out, rooted)
    seconds = print_costs(rooted.jobs, True) if known.probe else None
    conditions = Conditions(known.out, known.launcher == "local", known.yes, seconds, known.jobs_at_once)
    check_plan(open_jobs, conditions, write_error)
    plan = store_plan(known.out, asked, extend=known.extend or not known.plan)
    if not known.probe:
        print_costs(open_jobs, False)
    failed, states = run_stored(known, plan, options)
    write_output(f"{states}; `zoo bench table {quote(str(known.out))}`\n")
    return int(failed > 0)


def split_slurm(known: argparse.Namespace, further: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Split the further arguments into options of `sbatch` and the others, and check them before a plan is stored."""
    options, further = split_further(further, "slurm.")
    if options and known.launcher != "slurm":
        raise ConfigError(
            "zoo bench run: --slurm.KEY without --launcher slurm.", "Add the launcher, or remove these options."
        )
    if known.launcher == "slurm":
        from benchmarks.run.slurm import check_submission

        check_submission(known.out, options)
    return options, list(further)


def run_stored(
    known: argparse.Namespace, plan: Plan, options: dict[str, str], without: frozenset[str] = frozenset()
) -> tuple[int, str]:
    """Run the jobs of a stored plan that are not done, with progress.

    Args:
        known: The parsed flags (`add_runner_flags`).
        plan: The plan.
        options: Options of `sbatch`.
        without: Ids of jobs that are not run.

    Returns:
        The number of failed jobs, and the number of jobs per state as text.
    """
    share_import_path(plan.jobs)
    from benchmarks.cli.live import show_progress
    from benchmarks.run.job_runner import Limits
    from benchmarks.run.progress import count_states, read_progress

    before = read_progress(known.out, plan)
    skip = without | {job.job for job in before if job.state == "failed" and known.skip_failed}
    limits = Limits(known.retries, known.timeout)
    with show_progress(known.out, plan, known.jobs_at_once or 1) as say:
        for line in (*plan.notes, *describe_parts(plan.jobs), *describe_untuned(plan.jobs)):
            say(line)
        if known.launcher == "slurm":
            failed = _on_slurm(known, plan, say, options, limits, skip)
        else:
            failed = _here(known, plan, say, limits, skip)
    return failed, count_states(job.state for job in read_progress(known.out, plan))


def print_costs(jobs: Sequence[Job], probe: bool, *, per_method: bool = False) -> dict[str, float]:
    """Print what jobs will cost; return the measured seconds of one job by its cost key, without a probe nothing.

    Args:
        jobs: The jobs.
        probe: Whether to measure some steps of each method first.
        per_method: Whether to print a line per method without a probe, too.
    """
    if not jobs:
        return {}
    plan = Plan(tuple(jobs))
    found = estimate_costs(plan, probe, write_error)
    lines = write_lines(plan, found) if probe else write_costs(found)
    lines = lines if probe or per_method else lines[-1:]
    write_error("\n".join([*lines, *([] if probe else ["--probe measures the time of a step first"])]))
    return seconds_per_job(plan, found)


def _here(
    known: argparse.Namespace, plan: Plan, say: Callable[[str], None], limits: Limits, skip: frozenset[str]
) -> int:
    from benchmarks.run import local as runner
    from benchmarks.run.gpu_pool import Pool, visible_gpus

    pool = Pool(visible_gpus(), known.jobs_at_once)
    pool.plan_for(plan.jobs)
    return runner.run_plan(known.out, plan, say, pool=pool, limits=limits, skip=skip)


def _on_slurm(
    known: argparse.Namespace,
    plan: Plan,
    say: Callable[[str], None],
    options: dict[str, str],
    limits: Limits,
    skip: frozenset[str],
) -> int:
    """Submit the jobs. The array runs without this process, which may end at any time."""
    from benchmarks.run import slurm
    from benchmarks.run.progress import read_progress
    from benchmarks.run.slurm_queue import wait

    tasks = slurm.submit(known.out, plan, say, options, limits=limits, skip=skip)
    if known.no_wait or not tasks:
        return 0
    wait(known.out, plan, list(tasks), say)
    return sum(job.state != "done" and job.job not in skip for job in read_progress(known.out, plan))
