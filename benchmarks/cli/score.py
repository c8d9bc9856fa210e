"""`zoo score`: score the label images of any program on the test cases of a data set, as a row of a benchmark."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import ConfigError
from zoo.metrics.conventions import CONVENTIONS
from zoo.registry import DATA
from zoo.sizes import card_size
from zoo.utils.config_values import section_keys
from zoo.utils.exit_codes import run_command
from zoo.utils.flags import Parser, parse_options
from zoo.utils.format import list_some
from zoo.utils.printing import write_error, write_output
from zoo.utils.safe_text import is_printable

if TYPE_CHECKING:
    from benchmarks.plan.job import Job
    from benchmarks.scoring.score import Method, Scored
    from datamodules.bases.base import SegDataModule

ALL = "all"
"""Value of `--fold` for all folds, whose label images are in one folder."""

_LONGEST = 100  # letters of a name, which stands in the first column of tables


def main(argv: list[str]) -> int:
    """Run `zoo score`.

    Args:
        argv: The words after `zoo score`.

    Returns:
        0; 2 after a mistake of the user, with one line on standard error; 130 after Ctrl-C.
    """
    return run_command(lambda: _score(argv))


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command; `zoo completion` reads it too."""
    about = "Score the label images of any program on the test cases of a data set, as a row of a benchmark."
    parser = Parser(prog="zoo score", description=about, allow_abbrev=False)
    parser.sections = ("data.",)
    parser.add_argument(
        "predictions",
        metavar="PREDICTIONS",
        type=Path,
        help="folder of the label images, named by their cases; output folders of nnU-Net and MONAI as they are",
    )
    parser.add_argument("--data", required=True, metavar="NAME", help="data set, see `zoo list data`")
    parser.add_argument("--name", required=True, metavar="TEXT", help="name of the method in tables")
    parser.add_argument(
        "--out", required=True, type=Path, metavar="DIR", help="folder of a benchmark, which gets the row, or a new one"
    )
    parser.add_argument(
        "--data.root", dest="root", metavar="DIR", help="folder of the data set (default: $ZOO_DATA/NAME)"
    )
    parser.add_argument(
        "--fold",
        metavar="F",
        help=f"score the test cases of fold F, from 0; `{ALL}`: of all folds, whose files are in one folder",
    )
    parser.add_argument(
        "--values",
        default="",
        metavar="TEXT",
        help="what the values of the files mean: `card` (those of the data card), `numbers` (the number of the class, "
        "from 1), or 1=CLASS,2=CLASS (default: found out)",
    )
    parser.add_argument(
        "--missing-as-empty", action="store_true", help="count a case without a file as a prediction without any object"
    )
    parser.add_argument(
        "--stated",
        type=Path,
        metavar="FILE.yaml",
        help="what you state: budget, training_data, pre_training, paper, url",
    )
    parser.add_argument(
        "--convention",
        action="append",
        default=[],
        choices=CONVENTIONS,
        help="also score by the convention of surface-distance (DeepMind) or of the scorer of a challenge; repeatable",
    )
    parser.add_argument(
        "--workers",
        metavar="N",
        type=int,
        default=1,
        help="processes that read and score cases (default: 1); each takes seconds to start and memory for a case",
    )
    parser.add_argument(
        "--size", metavar="NAME", help="size of the data card (default: that of the benchmark, or published)"
    )
    parser.epilog = "Further --data.KEY VALUE are options of the data set, as in `zoo fit`."
    return parser


def _score(argv: Sequence[str]) -> int:
    words, dotted = _split_dotted(argv)
    known, further = make_parser().parse_known_args(words)
    if further:
        hint = "See `zoo score --help`." if further[0].startswith("-") else "Write a path with blanks in quotes."
        raise ConfigError(f"zoo score: unknown argument '{further[0]}'.", hint)
    options = parse_options(dotted, "data", "zoo score") | ({"root": known.root} if known.root else {})
    if known.workers < 1:
        raise ConfigError(f"--workers {known.workers} is too few.", "Give 1 or more.")
    name = _check_name(known.name)
    DATA.get(known.data)  # an unknown name is refused before torch is loaded
    from benchmarks.scoring.score import Method
    from benchmarks.storage.scored import check_target
    from benchmarks.storage.stated import read_stated

    check_target(known.out)
    stated = read_stated(known.stated) if known.stated else {}
    method = Method(
        name, known.predictions, known.values, known.missing_as_empty, stated, known.convention, known.workers
    )
    size, defaults, folds = _read_benchmark_options(known.out, DATA.get(known.data).name)
    options = _with_fold({**defaults, **options}, known.fold, folds, known.out)
    return _score_and_store(known, method, known.size or size, options)


def _score_and_store(known: argparse.Namespace, method: Method, size: str, options: Mapping[str, Any]) -> int:
    from benchmarks.scoring.score import identify_part, score_label_images
    from benchmarks.storage.scored import part_folder, refuse_stored, write_parts
    from datamodules.build import build_datamodule
    from datamodules.cli.common import progress
    from zoo.cli.score_table import print_scores

    every = options.get("fold") == ALL
    first = build_datamodule(known.data, size, **{**options, **({"fold": "0"} if every else {})})
    parts = [first]
    if every:
        parts += [build_datamodule(known.data, size, **{**options, "fold": str(n)}) for n in range(1, first.folds)]
    for data in parts:  # before anything is read
        refuse_stored(part_folder(known.out, identify_part(data, method.name)))
    found = [score_label_images(data, method, progress) for data in parts]
    for line in _notes(method, found, first):
        write_error(line)
    for line in _find_other_splits(known.out, found):
        write_error(line)
    for folder in write_parts(known.out, [one.part for one in found]):
        print_scores(folder / "cases.csv")
    write_output(f"`zoo bench table {known.out}` shows the row {method.name}.\n")
    return 0


def _split_dotted(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split words into those of the parser and the options `--data.KEY VALUE`, wherever they stand."""
    own: list[str] = []
    dotted: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--data."):
            own.append(word)
            continue
        dotted.append(word)
        if "=" not in word and rest:
            dotted.append(rest.pop(0))
    return own, dotted


def _check_name(name: str) -> str:
    name = name.strip()
    if not name or len(name) > _LONGEST or not is_printable(name) or name.startswith("control:"):
        raise ConfigError(
            f"zoo score: --name {name[:_LONGEST]!r} is unusable.",
            f"Give 1 to {_LONGEST} printable letters that do not begin with `control:`.",
        )
    return name


def _read_benchmark_options(out: Path, name: str) -> tuple[str, dict[str, str], set[int | None]]:
    """Return what the jobs of a benchmark say of a data set, so that the same cases are scored.

    Args:
        out: The folder of the benchmark, which need not exist.
        name: The data set.

    Returns:
        The size, the options of the data set, and the folds of the jobs.
    """
    from benchmarks.storage.stored_plan import load_plan, plan_path

    jobs = [job for job in load_plan(out).jobs if job.data == name] if plan_path(out).is_file() else []
    if not jobs:
        return "published", {}, set()
    return card_size(jobs[0].settings.size) or "published", _data_options(jobs[0]), {job.fold for job in jobs}


def _data_options(job: Job) -> dict[str, str]:
    """Return the options of the data set that a job has; those of a training change no case."""
    given = section_keys((*job.settings.overrides, *job.overrides), "data")
    own = {"root": job.root} if job.root else {}
    return {**given, **own, **({} if job.folds is None else {"folds": str(job.folds)})}


def _with_fold(options: Mapping[str, str], fold: str | None, planned: set[int | None], out: Path) -> dict[str, str]:
    """Return the options with the fold.

    Raises:
        ConfigError: The value is no fold, or the benchmark compares folds and the command names none.
    """
    chosen = fold if fold is not None else options.get("fold")
    if chosen is not None and chosen != ALL and not chosen.isdecimal():
        raise ConfigError(f"zoo score: --fold {chosen} is no fold.", f"Give a number from 0, or `{ALL}`.")
    if chosen is None and planned and None not in planned:
        raise ConfigError(
            f"{out}: its jobs are folds of this data set.", f"Give --fold {ALL}, or --fold F for one of them."
        )
    rest = {key: value for key, value in options.items() if key != "fold" and (chosen is not None or key != "folds")}
    return rest if chosen is None else {**rest, "fold": chosen}


def _notes(method: Method, found: Sequence[Scored], data: SegDataModule) -> list[str]:
    """Return what a user should know of the files, one line each."""
    lines = [note for one in found for note in one.notes]
    extra = sorted(frozenset.intersection(*(one.extra for one in found)))
    if extra:
        names = list_some([str(path.relative_to(method.folder)) for path in extra])
        lines.append(f"Not scored, because no test case of {data.name} has this name: {names}.")
    missing = [name for one in found for name in one.part.told["missing_as_empty"]]
    if missing:
        lines.append(f"Counted as empty, because there is no file: {list_some(missing)}.")
    return list(dict.fromkeys(lines))


def _find_other_splits(out: Path, found: Sequence[Scored]) -> list[str]:
    """Return a line where the finished jobs of the benchmark have other splits of the same data set."""
    from benchmarks.storage.layout import job_folder, read_manifest
    from benchmarks.storage.stored_plan import load_plan, plan_path

    jobs = load_plan(out).jobs if plan_path(out).is_file() else ()
    told = found[0].part.told
    manifests = [read_manifest(job_folder(out, job.id)) or {} for job in jobs if job.data == told["data"]]
    splits = {one["split_hash"] for one in manifests if one.get("split_hash")}
    mine = {one.part.about["split_hash"] for one in found}
    if splits and not splits & mine:
        return [
            f"The jobs of {out} have another split of {told['data']}: tables give no paired tests. "
            "Give the --data options of the benchmark."
        ]
    return []
