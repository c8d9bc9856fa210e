"""`zoo bench tune`: give every model of a plan the same number of trials, and write the best as recipes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.cli.choice import add_to, choose_plan, parse_count, parse_overrides, parse_seeds
from benchmarks.cli.run import add_runner_flags, print_costs, run_stored, split_slurm
from benchmarks.plan.job import Job, Plan
from benchmarks.plan.search_space import DEFAULT, MOST_TRIALS, read_space
from benchmarks.plan.trials import Search, check_equal, make_trials
from benchmarks.run.preflight import Conditions, check_plan, list_open_jobs
from benchmarks.storage.stored_plan import load_plan, plan_path, store_plan, with_stored_folders
from zoo.config import check_seed
from zoo.errors import ConfigError
from zoo.utils.printing import write_error, write_output


def add(verbs: Any, about: str) -> None:
    """Add the parser of the verb."""
    tune = add_to(verbs, "tune", about)
    tune.usage = "zoo bench tune [PLAN] --trials N --out OUT [options]; without a plan, --models and --data"
    tune.add_argument("--plan", default="", help=argparse.SUPPRESS)  # the first argument, which has no flag
    tune.add_argument("--trials", required=True, type=parse_count, help="trials per model, for example 8 or 16")
    tune.add_argument("--out", required=True, type=Path, help="folder of the trials; OUT/recipes has the recipes")
    tune.add_argument("--space", type=Path, default=DEFAULT, help="YAML file of another space (docs/tuning.md)")
    tune.add_argument("--points-seed", default="0", help="seed of the points of the space (default: 0)")
    tune.add_argument(
        "--trial-seeds", type=parse_seeds, help="seeds of the trainings of each trial (default: the plan's first seed)"
    )
    add_runner_flags(tune)
    tune.set_defaults(action=_tune)


def _tune(known: argparse.Namespace, further: Sequence[str]) -> int:
    if known.trials > MOST_TRIALS:
        raise ConfigError(f"zoo bench tune: --trials {known.trials}.", f"Give at most {MOST_TRIALS}.")
    options, further = split_slurm(known, further)
    compared = choose_plan(known, known.plan, parse_overrides(further))
    seeds = tuple(known.trial_seeds or (compared.jobs[0].seed,))
    search = Search(
        read_space(known.space.expanduser()), known.trials, check_seed(known.points_seed, "--points-seed"), seeds
    )
    asked = make_trials(compared, search)
    check_equal(_with_stored(known.out, asked), search.trials)
    rooted = with_stored_folders(known.out, asked)
    open_jobs = list_open_jobs(known.out, rooted)
    trials = [replace(job, trial=0) for job in open_jobs]  # the values of a trial change no cost
    seconds = print_costs(trials, known.probe, per_method=True)
    conditions = Conditions(known.out, known.launcher == "local", known.yes, seconds, known.jobs_at_once)
    check_plan(open_jobs, conditions, write_error)
    plan = store_plan(known.out, asked)
    from benchmarks.run.recipes import describe, find_diverged, write_recipes

    _, states = run_stored(known, plan, options, find_diverged(known.out, plan))
    found = write_recipes(known.out, plan, search)
    write_output("".join(f"{line}\n" for line in (states, *describe(found))))
    return int(any(one.missing for one in found) and not known.no_wait)


def _with_stored(out: Path, asked: Plan) -> list[Job]:
    """Return the trials of the command and those that are stored, each name once."""
    stored = load_plan(out).jobs if plan_path(out).is_file() else ()
    return list(({job.name: job for job in stored if job.trial} | {job.name: job for job in asked.jobs}).values())
