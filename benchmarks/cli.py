"""`zoo bench run|status|table`: one command turns a matrix of models, data sets and seeds into a leaderboard."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from benchmarks import store
from benchmarks.plan import Plan, Settings, load_plan, make_plan, store_plan
from zoo.cli.main import exit_code
from zoo.errors import ConfigError

SECTIONS = ("trainer.", "data.", "model.")
OWN = {"data.text": "the benchmark itself tests each text", "data.seed": "--seeds", "trainer.devices": "--devices"}
"""Overrides that the benchmark sets, and what to use instead."""


class _Parser(argparse.ArgumentParser):
    """Mistakes become a `ConfigError`: one line, exit code 2."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{self.prog}: {message}.", f"See `{self.prog} --help`.")


def main(argv: list[str] | None = None) -> int:
    """Runs `zoo bench`.

    Args:
        argv: Arguments after `bench`; None for those of the process.

    Returns:
        0; 1 where a job failed; 2 where the command is wrong (one line on standard error); 130 after Ctrl-C.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    return exit_code(lambda: _dispatch(arguments))


def _dispatch(arguments: Sequence[str]) -> int:
    known, further = _parser().parse_known_args(arguments)
    return int(known.action(known, further))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="zoo bench", description=__doc__, allow_abbrev=False)
    verbs = parser.add_subparsers(required=True, metavar="run|status|table")
    run = verbs.add_parser("run", help="train and test what is not done yet", allow_abbrev=False)
    run.add_argument("--models", required=True, type=_names, help="names of `zoo list models`, by comma")
    run.add_argument("--data", required=True, type=_names, help="names of `zoo list data`, by comma")
    run.add_argument("--data.root", dest="root", default="", help="folder of the data set that is not embedded")
    run.add_argument("--seeds", type=_seeds, default=[0], help="the seeds, by comma (default: 0)")
    run.add_argument("--size", choices=("tiny", "published"), default="", help="default: what the trainer stands for")
    run.add_argument("--model.encoder", dest="encoder", default="", help="text encoder of the models that read text")
    run.add_argument("--ladder", action="store_true", help="beside each model every rung of its ablation ladder")
    run.add_argument(
        "--rungs", type=_rungs, help="only these rungs of the ladders, by comma (with or without --ladder)"
    )
    run.add_argument("--trainer", default="", help="trainer preset of every job: cpu, gpu, ddp, debug")
    run.add_argument("--devices", type=_count, help="processes a job")
    run.add_argument("--out", required=True, type=Path, help="folder of the benchmark")
    run.epilog = "Further --trainer.KEY, --data.KEY and --model.KEY VALUE go to every job."
    run.set_defaults(action=_run)
    status = verbs.add_parser("status", help="one line a job", allow_abbrev=False)
    status.add_argument("folder", type=Path)
    status.set_defaults(action=_status)
    table = verbs.add_parser("table", help="write the leaderboard to standard output", allow_abbrev=False)
    table.add_argument("folder", type=Path)
    table.add_argument("--format", choices=("md", "csv", "latex", "json"), default="md")
    table.set_defaults(action=_table)
    return parser


def _names(text: str) -> list[str]:
    return list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def _rungs(text: str) -> list[str]:
    names = _names(text)
    if not names:
        raise argparse.ArgumentTypeError(f"'{text}' names no rung")
    return names


def _seeds(text: str) -> list[int]:
    if not text.replace(",", "").isdigit():
        raise argparse.ArgumentTypeError(f"'{text}' is no list of whole numbers such as 0,1,2")
    return list(dict.fromkeys(int(number) for number in text.split(",") if number))


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of devices")
    return int(text)


def overrides_from(arguments: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """`--section.key value` and `--section.key=value` as sorted pairs.

    Raises:
        ConfigError: Something else stands there, a value is missing, or the benchmark itself sets the key.
    """
    pairs: dict[str, str] = {}
    rest = list(arguments)
    while rest:
        flag, equals, value = rest.pop(0).partition("=")
        key = flag.removeprefix("--")
        if not flag.startswith("--") or not key.startswith(SECTIONS):
            raise ConfigError(f"zoo bench run: unknown argument '{flag}'.", "See `zoo bench run --help`.")
        if key in OWN:
            raise ConfigError(f"zoo bench run: --{key} is not to be set here.", f"Instead: {OWN[key]}.")
        if not equals:
            if not rest or rest[0].startswith("--"):
                raise ConfigError(f"zoo bench run: {flag} has no value.", f"Write {flag} VALUE.")
            value = rest.pop(0)
        pairs[key] = value
    return tuple(sorted(pairs.items()))


def _run(known: argparse.Namespace, further: Sequence[str]) -> int:
    settings = Settings(known.size, known.trainer, known.devices, overrides_from(further))
    plan = make_plan(
        known.models,
        known.data,
        known.seeds,
        settings=settings,
        root=known.root,
        encoder=known.encoder,
        rungs=known.rungs or ([] if known.ladder else None),
    )
    store_plan(known.out, plan)
    from benchmarks.runner import run_plan

    with _progress() as say:
        failed = run_plan(known.out, plan, say)
        tally = Counter(state for _, state, _ in _states(known.out, plan))
        say(f"{', '.join(f'{n} {state}' for state, n in sorted(tally.items()))}; `zoo bench table {known.out}`")
    return int(failed > 0)


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Lines of progress; on a terminal the last one also ticks at the bottom with its time."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(highlight=False, soft_wrap=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as live:
        task = live.add_task("", total=None)

        def say(line: str) -> None:
            console.print(line, markup=False)
            live.reset(task, description=line)

        yield say


def _status(known: argparse.Namespace, further: Sequence[str]) -> int:
    _nothing_further(further)
    for job_id, state, note in _states(known.folder, load_plan(known.folder)):
        sys.stdout.write(f"{state:<11}{job_id}  {note}".rstrip() + "\n")
    return 0


def _states(folder: Path, plan: Plan) -> list[tuple[str, str, str]]:
    """(id, state, note) of each job."""
    return [(job.id, *store.job_state(store.job_folder(folder, job.id), job.steps)) for job in plan.jobs]


def _table(known: argparse.Namespace, further: Sequence[str]) -> int:
    _nothing_further(further)
    from benchmarks.formats import FORMATS
    from benchmarks.table import read_table

    sys.stdout.write(FORMATS[known.format](read_table(known.folder)))
    return 0


def _nothing_further(further: Sequence[str]) -> None:
    if further:
        raise ConfigError(f"zoo bench: unknown argument '{further[0]}'.", "See `zoo bench --help`.")
