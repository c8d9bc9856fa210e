"""Scores the label images of an entry again, and compares every row with the submitted one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from benchmarks.plan.job import Job
from benchmarks.scoring.score import Method, score_label_images
from benchmarks.storage.layout import TRUE_TEXT_STEP, job_folder
from benchmarks.storage.results import JobResult, read_benchmark
from benchmarks.submissions.folder import IMAGES, Submission
from datamodules.bases.base import SegDataModule
from datamodules.build import build_datamodule
from zoo.engine.run_folder import RunFolder
from zoo.errors import RunError
from zoo.metrics.case_scores import CaseScore, describe_case
from zoo.metrics.definitions import SURFELS, VOXELS
from zoo.metrics.scorer_fields import CVPR25_FIELDS, REX_FIELDS
from zoo.sizes import card_size

RELATIVE = 1e-6
"""Largest relative difference of two scores that are called equal: files have rounded digits."""

_OPTIONAL = frozenset({*VOXELS, *SURFELS, *REX_FIELDS, *CVPR25_FIELDS})
"""The columns that a test may leave out."""

OF_TEST = ("protocol", "fold", "folds", "pixels", "shape", "counts")
"""Options of a data set that say which cases are tested. No other value of an entry reaches the code."""


@dataclass(frozen=True, slots=True)
class Rescoring:
    """The outcome for one entry.

    Attributes:
        rows: Number of rows that were compared.
        note: Why nothing could be scored; empty where everything was.
    """

    rows: int = 0
    note: str = ""


def score_again(entry: Submission, root: str = "") -> Rescoring:
    """Score the label images of an entry, and compare every row.

    Args:
        entry: The entry; its files are those that were submitted.
        root: Folder of the data set; empty for an embedded one, or one under `ZOO_DATA`.

    Raises:
        RunError: A row differs; the message names the first one.
        DataError: A label image or the data cannot be read.
    """
    if not entry.has_rows:
        return Rescoring(note="it has no rows")
    if entry.content[IMAGES].get("place") != IMAGES:
        place = entry.content[IMAGES].get("place")
        return Rescoring(note=f"its label images lie at {place}" if place else "it has no label images")
    count = 0
    for result in read_benchmark(entry.folder).results:
        data = build_data(result, root)
        folder = entry.folder / IMAGES / result.job.id
        found = score_label_images(data, Method(entry.name, folder)).part.rows
        problem = find_difference(result.tests[TRUE_TEXT_STEP].rows, found)
        if problem:
            raise RunError(f"{entry.folder}: {result.job.id}: {problem}", "The rows are not those of the label images.")
        count += len(found)
    return Rescoring(count)


def build_data(result: JobResult, root: str) -> SegDataModule:
    """Build the registered data set of a job; of its configuration only what says which cases are tested."""
    job: Job = result.job
    config: Mapping[str, Any] = RunFolder(job_folder(result.folder.parents[1], job.id)).read_config()
    given = (config.get("data") or {}).get("init_args") or {}
    chosen = {key: given[key] for key in OF_TEST if given.get(key) is not None}
    if root:
        chosen["root"] = root
    return build_datamodule(job.data, card_size(job.settings.size) or "tiny", **chosen)


def find_difference(submitted: Iterable[CaseScore], found: Iterable[CaseScore]) -> str:
    """Describe the first difference between two lists of rows; empty where they are equal."""
    mine, theirs = ({(row.key, row.label): row for row in rows} for rows in (submitted, found))
    for key in sorted(mine.keys() ^ theirs.keys()):
        where = "only among the submitted rows" if key in mine else "not among the submitted rows"
        return f"{describe_case(*key[0])}, {key[1]}: {where}"
    for key, row in mine.items():
        for field in fields(row):
            one, other = getattr(row, field.name), getattr(theirs[key], field.name)
            optional = field.name in _OPTIONAL
            if field.name not in ("mark", "index") and not _are_equal(one, other, optional):
                return f"{describe_case(*key[0])}, {key[1]}: {field.name} is {one} and was scored again as {other}"
    return ""


def _are_equal(one: object, other: object, optional: bool) -> bool:
    if optional and (one is None or other is None):
        return True
    if not (isinstance(one, float) and isinstance(other, float)):
        return one == other
    if math.isnan(one) or math.isnan(other):
        return optional or (math.isnan(one) and math.isnan(other))
    return math.isclose(one, other, rel_tol=RELATIVE, abs_tol=RELATIVE)
