"""The scores of methods outside the zoo, which `zoo score` stores in the folder of a benchmark.

    DIR/scored/<data>[-f<fold>]-<name>-<digest>/    cases.csv, and about.json with the seals of both

A folder appears under its final name when both files are complete, and none is ever written again.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.storage.stored_plan import plan_path
from zoo.errors import RunError
from zoo.metrics.case_scores import CaseScore
from zoo.metrics.score_files import about_path, read_scores, write_scores
from zoo.utils.atomic_files import UNFINISHED
from zoo.utils.hashing import hash_json
from zoo.utils.json_objects import read_object
from zoo.utils.safe_text import to_file_name

STATED = "stated"
"""Recipe, status and mark of the row of a method outside the zoo: what is known of its training is what it states."""

SCORED = "scored"
"""Key of `about.json` for what belongs to the method and not to the test."""

_AGAIN = "Remove its folder and run the same `zoo score` again."


@dataclass(frozen=True, slots=True)
class ScoredPart:
    """The scores of a method outside the zoo on the test cases of one split.

    Attributes:
        rows: One row per case, query and class; empty where they cannot be used.
        about: Content of `about.json`; `SCORED` has the name, the data set and what is stated.
        folder: The folder of the part; of no meaning before it is written.
        refusal: Why the rows cannot be used; empty if they can.
    """

    rows: tuple[CaseScore, ...]
    about: Mapping[str, Any]
    folder: Path = Path()
    refusal: str = ""

    @property
    def told(self) -> Mapping[str, Any]:
        """What belongs to the method: its name, the data set, the files, and what is stated."""
        told: Mapping[str, Any] = self.about[SCORED]
        return told

    @property
    def name(self) -> str:
        """The name of the method."""
        return str(self.told["name"])

    @property
    def fold(self) -> int | None:
        """The fold whose test split was scored; None for the splits of the protocol."""
        fold = self.about.get("fold")
        return None if fold is None else int(fold)

    @property
    def key(self) -> tuple[object, ...]:
        """What is scored once: a name on a data set and a split."""
        return (self.name, self.told["data"], self.told["title"], self.about["split_hash"], self.fold)


def scored_folder(folder: Path) -> Path:
    """Return the folder of the methods outside the zoo."""
    return folder / "scored"


def is_benchmark(folder: Path) -> bool:
    """Return whether a folder is that of a benchmark: it has a plan, or scores of methods outside the zoo."""
    return plan_path(folder).is_file() or scored_folder(folder).is_dir()


def part_folder(folder: Path, part: ScoredPart) -> Path:
    """Return the folder of a part: readable, and different for each name, data set and split."""
    digest = hash_json([str(value) for value in part.key])[:8]
    fold = "" if part.fold is None else f"-f{part.fold}"
    return scored_folder(folder) / f"{part.told['data']}{fold}-{to_file_name(part.name)}-{digest}"


def check_target(folder: Path) -> None:
    """Check that scores can be added to a folder: it is that of a benchmark, or it is empty or missing.

    Raises:
        RunError: The folder holds something else.
    """
    if not folder.exists() or is_benchmark(folder):
        return
    if not folder.is_dir() or any(folder.iterdir()):
        raise RunError(f"{folder}: not the folder of a benchmark.", "Give one of `zoo bench run`, or a new --out.")


def write_parts(folder: Path, parts: Sequence[ScoredPart]) -> list[Path]:
    """Store the scores of a method, one folder per part.

    Args:
        folder: The folder of a benchmark, or a new one.
        parts: The scores; several for the folds of a data set.

    Raises:
        RunError: A part is stored already, or the folder cannot be written.
    """
    check_target(folder)
    targets = [part_folder(folder, part) for part in parts]
    for target in targets:
        refuse_stored(target)
    written = []
    try:
        for target, part in zip(targets, parts, strict=True):
            temporary = target.with_name(f"{UNFINISHED}{os.getpid()}-{target.name}")
            written.append(temporary)
            write_scores(temporary / "cases.csv", part.rows, part.about)
        for target, temporary in zip(targets, written, strict=True):
            refuse_stored(target)
            temporary.rename(target)
    except OSError as error:
        raise RunError(f"{folder}: cannot be written: {error.strerror}.", "Choose another --out.") from error
    finally:
        for temporary in written:
            shutil.rmtree(temporary, ignore_errors=True)
    return targets


def refuse_stored(target: Path) -> None:
    """Refuse to replace the scores of a part.

    Raises:
        RunError: The part is stored already.
    """
    if target.exists():
        raise RunError(f"{target}: this name is scored already on these cases.", "Give another --name or --out.")


def read_scored(folder: Path) -> tuple[tuple[ScoredPart, ...], tuple[str, ...]]:
    """Read the scores of all methods outside the zoo in the folder of a benchmark.

    Args:
        folder: The folder of the benchmark.

    Returns:
        The parts, sorted by folder, and one note for each folder that does not even tell the name of its method.
    """
    parts, notes = [], []
    base = scored_folder(folder)
    for inner in sorted(base.iterdir()) if base.is_dir() else []:
        if inner.is_dir() and not inner.name.startswith("."):
            try:
                parts.append(_read_part(inner))
            except RunError as error:
                notes.append(f"Left out: {error}")
    return tuple(parts), tuple(notes)


def _read_part(inner: Path) -> ScoredPart:
    path = inner / "cases.csv"
    about = read_object(about_path(path), _AGAIN)
    part = ScoredPart((), about, inner)
    try:
        _ = part.key
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{about_path(path)}: not written by `zoo score`.", _AGAIN) from error
    try:
        rows, about = read_scores(path, _AGAIN)
    except RunError as error:
        return replace(part, refusal=str(error))
    return replace(part, rows=tuple(rows), about=about)


def refuse_twice(parts: Iterable[ScoredPart]) -> tuple[ScoredPart, ...]:
    """Return the parts of several folders, each once.

    Raises:
        RunError: Two folders have scores of the same name, data set and split.
    """
    found: dict[tuple[object, ...], ScoredPart] = {}
    for part in parts:
        other = found.setdefault(part.key, part)
        if other.folder.resolve() != part.folder.resolve():
            raise RunError(
                f"{other.folder} and {part.folder} have scores of one name on the same cases.", "Give only one of them."
            )
    return tuple(found.values())
