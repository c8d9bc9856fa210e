"""`zoo bench run`: train and test what is not done yet."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.cli.status import states
from benchmarks.plan import Settings, make_plan, store_plan
from zoo.errors import ConfigError

SECTIONS = ("trainer.", "data.", "model.")
OWN = {"data.text": "the benchmark itself tests each text", "data.seed": "--seeds", "trainer.devices": "--devices"}
"""Overrides that the benchmark sets, and what to use instead."""


def add(verbs: Any) -> None:
    """The verb's parser."""
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
        tally = Counter(state for _, state, _ in states(known.out, plan))
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
