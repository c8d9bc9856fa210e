"""Scores label images on the test cases of a data set, with the functions and the conditions of `zoo test`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.scoring.cases import CaseScorer, score_cases
from benchmarks.scoring.files import FoundFiles, find_files, stem_of
from benchmarks.scoring.masks import MaskReader
from benchmarks.scoring.values import ClassValues, choose_values
from benchmarks.storage.scored import SCORED, ScoredPart
from datamodules.bases.base import SegDataModule
from zoo import __version__
from zoo.callbacks.manifest import git_commit
from zoo.callbacks.scores import check_once, describe
from zoo.errors import RunError
from zoo.metrics.case_scores import LEAK
from zoo.types import Case
from zoo.utils.format import list_some
from zoo.utils.hashing import hash_json
from zoo.utils.seals import hash_file

Progress = Callable[[Iterable[Case]], Iterable[Case]]


@dataclass(frozen=True, slots=True)
class Method:
    """The method whose label images are scored.

    Attributes:
        name: Its name in tables.
        folder: The folder of its label images.
        values: `--values`; empty to find it out.
        missing_as_empty: Whether a case without a file counts as a prediction without any object.
        stated: What its authors state: key -> text.
        conventions: Further conventions to score by, of `zoo.metrics.conventions.CONVENTIONS`.
        processes: Number of processes that read and score cases.
    """

    name: str
    folder: Path
    values: str = ""
    missing_as_empty: bool = False
    stated: Mapping[str, str] = field(default_factory=dict)
    conventions: Collection[str] = ()
    processes: int = 1


@dataclass(frozen=True, slots=True)
class Scored:
    """The scores of a part, and what a user should know of the files.

    Attributes:
        part: The scores.
        extra: Label images of no test case of this part.
        notes: One line each.
    """

    part: ScoredPart
    extra: frozenset[Path]
    notes: tuple[str, ...] = ()


def score_label_images(data: SegDataModule, method: Method, progress: Progress = iter) -> Scored:
    """Score the label images of a method on the test cases of a data set.

    Args:
        data: The data set, with its protocol and fold.
        method: The method.
        progress: Passes the cases on, and shows how many are done.

    Raises:
        RunError: A case has no file or two files, or the folder has no file of any case.
        DataError: Files cannot be read, have another grid than their images, or have values of no class.
        ConfigError: `Method.values` does not fit the classes.
    """
    facts, cases = data.facts, data.index.cases_of("test")
    values = choose_values(method.values, method.folder, data.labels, data.dropped_values)
    wanted = {case.key for case in cases}
    found = find_files(method.folder, data.cases.values(), wanted, data.labels)
    missing = [case for case in cases if case.key not in found.of_case]
    _check_missing(method, missing, found, len(cases))
    reader = MaskReader(data.labels, values, data.reader)
    conventions = tuple(dict.fromkeys((*method.conventions, *data.card.conventions)))
    scorer = CaseScorer(data, found, reader, float(facts["tolerance"]), conventions)
    rows, images = score_cases(scorer, progress(cases), min(method.processes, len(cases)))
    if data.leak_declared:
        rows = [replace(row, mark=LEAK) for row in rows]
    check_once(rows, len(cases))
    files = {str(case.key): [hash_file(path) for path in found.files(case)] for case in cases}
    about = {
        **describe(data, rows),
        **{key: {case: image[key] for case, image in sorted(images.items())} for key in ("spacing", "shape")},
        **{"text": None, "prompt_hash": None, "patch": None, "leak_declared": data.leak_declared},
        **{"zoo": __version__, "git_commit": git_commit(), "finished": datetime.now(UTC).isoformat(timespec="seconds")},
        SCORED: {
            **identify_part(data, method.name).told,
            "protocol": data.split.protocol,
            "folder": str(method.folder.resolve()),
            "label_images": hash_json(files),
            "values": _describe_values(values),
            "missing_as_empty": [str(case.key) for case in missing],
            "stated": dict(method.stated),
        },
    }
    notes = (values.note,) if values.note else ()
    return Scored(ScoredPart(tuple(rows), about), frozenset(found.extra), notes)


def identify_part(data: SegDataModule, name: str) -> ScoredPart:
    """Return a part without scores, which tells where its scores will be stored."""
    told = {"name": name, "data": data.name, "title": str(getattr(data, "title", "") or "")}
    return ScoredPart((), {"split_hash": data.split_hash, "fold": data.fold, SCORED: told})


def _check_missing(method: Method, missing: list[Case], found: FoundFiles, count: int) -> None:
    """Check that each case has a file.

    Raises:
        RunError: Cases have none, and they do not count as empty; or no case has one.
    """
    if not missing or (method.missing_as_empty and len(missing) < count):
        return
    others = [path.name for path in found.extra]
    strange = [path.name for path in found.unreadable.values()]
    named = list_some([str(case.key) for case in missing])
    if strange:
        fix = f"Save NIfTI or pictures: {list_some(strange)} is not read."
    elif len(missing) == count and others:
        fix = f"Name each file by its case: {stem_of(Path(others[0]))} is none."
    elif len(missing) == count:
        fix = "Give the folder with the label images of your program."
    else:
        fix = "Add the files, or count these cases as empty: --missing-as-empty."
    raise RunError(f"{method.folder}: no file of {len(missing)} of {count} test cases: {named}.", fix)


def _describe_values(values: ClassValues) -> dict[str, Any]:
    return {"from": values.kind, **{n: list(v) for n, v in zip(values.labels.names, values.labels.values, strict=True)}}
