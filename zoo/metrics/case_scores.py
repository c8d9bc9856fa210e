"""One row of scores a case and class, and the CSV file of such rows.

`METRIC_VERSION` goes up with every change that can move a number in a row or in a mean of rows: what
a border voxel is, where distances run from and to, how percentiles are taken, what a missed, spurious
or absent object scores, the slack of the tolerance, or the order in which means are taken. A faster
way to the same numbers, another column or another message does not change it. Results of two versions
do not stand in one table.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from zoo.errors import RunError
from zoo.utils.atomic_files import write_text

METRIC_VERSION = "1"

UNITS = ("mm", "px")

LEAK = "leak"
"""Mark of a row whose protocol has subjects in two parts, as its card declares."""

SCORES = ("dice", "hd95", "hd95_pooled", "nsd", "assd")
"""The fields of a row that are numbers to average; NaN where the object is absent."""

VOXELS = ("hd95_voxels", "hd95_pooled_voxels")
"""Fields that other papers' conventions need and no table of ours shows; files of an older version lack them."""

COUNTS = ("tp", "fp", "fn")


@dataclass(frozen=True, slots=True)
class CaseScore:
    """The scores of one class in one case, on the native grid.

    A missed or spurious object has Dice and `nsd` 0, and the image's diagonal as each distance. An
    absent one has NaN in every score: nothing was there to be found, and nothing was found.

    Attributes:
        case_id: The case.
        label: The name of the class.
        tp: Voxels in both masks.
        fp: Voxels in the prediction alone.
        fn: Voxels in the label alone.
        dice: 2 tp / (2 tp + fp + fn).
        hd95: The larger of the two directed 95th percentiles of the surface distances.
        hd95_pooled: The 95th percentile of both directions together.
        nsd: Normalised surface distance: share of border voxels within the data set's tolerance.
        assd: Mean surface distance of the border voxels of both masks.
        unit: Of the distances: "mm" or "px".
        status: Of the object, from `status_of`.
        index: Place of the class in the label space, from 1; rows of a case are sorted by it.
        hd95_voxels: `hd95` with every voxel of side 1; NaN where it is not known.
        hd95_pooled_voxels: `hd95_pooled`, likewise.
        mark: What speaks against the row: `LEAK`; empty where nothing does.
    """

    case_id: str
    label: str
    tp: int
    fp: int
    fn: int
    dice: float
    hd95: float
    hd95_pooled: float
    nsd: float
    assd: float
    unit: str
    status: str
    index: int = 0
    hd95_voxels: float = math.nan
    hd95_pooled_voxels: float = math.nan
    mark: str = ""

    def __post_init__(self) -> None:
        """Refuse a row that would drop out of a mean, or enter one, without being meant to."""
        if min(self.tp, self.fp, self.fn) < 0:
            raise ValueError("a count is below 0")
        if self.status != status_of(self.tp, self.fp, self.fn):
            raise ValueError(
                f"the status '{self.status}' does not go with tp, fp, fn = {self.tp}, {self.fp}, {self.fn}"
            )
        if self.unit not in UNITS:
            raise ValueError(f"the unit '{self.unit}' is none of {', '.join(UNITS)}")
        for name in SCORES:
            value = getattr(self, name)
            if math.isinf(value) or math.isnan(value) != (self.status == "absent"):
                raise ValueError(f"{name} is {value} where the object is {self.status}")

    def __eq__(self, other: object) -> bool:
        """Rows of an absent object are equal too, though NaN equals nothing, not even itself."""
        return isinstance(other, CaseScore) and self._facts() == other._facts()

    def __hash__(self) -> int:
        return hash(self._facts())

    def _facts(self) -> tuple[str | float | None, ...]:
        values = astuple(self)
        return tuple(None if isinstance(value, float) and math.isnan(value) else value for value in values)


def status_of(tp: int, fp: int, fn: int) -> str:
    """Where an object is: "ok" in both masks, "missed" or "spurious" in one, "absent" in neither.

    Args:
        tp: Voxels in both masks.
        fp: Voxels in the prediction alone.
        fn: Voxels in the label alone.
    """
    if tp + fn:
        return "ok" if tp + fp else "missed"
    return "spurious" if fp else "absent"


COLUMNS = tuple(field.name for field in fields(CaseScore) if field.name != "mark")

MARKED = (*COLUMNS, "mark")
"""The columns of a file whose rows are marked."""

_HEADS = {tuple(name for name in head if name not in left) for head in (COLUMNS, MARKED) for left in ((), VOXELS)}


def write_rows(path: Path, rows: Iterable[CaseScore]) -> None:
    """Write rows as CSV, sorted by case and class, so that the order they come in does not show.

    A number that is not there is an empty cell; every other reads back as exactly the number it was.
    The column `mark` stands only in a file that has marked rows.

    Args:
        path: The file; it is replaced in one step.
        rows: One a case and class.

    Raises:
        RunError: A case and class stands twice, or the folder cannot be written.
    """
    ordered = sort_rows(rows)
    columns = MARKED if any(row.mark for row in ordered) else COLUMNS
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(getattr(row, name)) for name in columns] for row in ordered)
    write_text(path, text.getvalue(), durable=True)


def read_rows(path: Path) -> list[CaseScore]:
    """The rows of a file of `write_rows`.

    Raises:
        RunError: The file cannot be read, or a line of it is not a row.
    """
    fix = "Run `zoo test` again to write it anew."
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RunError(f"{path}: not a readable table of scores: {error}.", fix) from error
    if not lines or tuple(lines[0]) not in _HEADS:
        raise RunError(f"{path}: the first line does not name the columns {', '.join(COLUMNS)}.", fix)
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        try:
            rows.append(_row(lines[0], line))
        except ValueError as error:
            raise RunError(f"{path}, line {number}: not a row of scores: {error}.", fix) from error
    return rows


def sort_rows(rows: Iterable[CaseScore]) -> list[CaseScore]:
    """Rows by case, then by class.

    Raises:
        RunError: A case and class stands twice.
    """
    ordered = sorted(rows, key=lambda row: (row.case_id, row.index, row.label))
    seen: set[tuple[str, str]] = set()
    for row in ordered:
        if (row.case_id, row.label) in seen:
            raise RunError(
                f"Case '{row.case_id}' has two scores of '{row.label}'.", "Score each case once; run `zoo test` again."
            )
        seen.add((row.case_id, row.label))
    return ordered


def cases_hash(rows: Iterable[CaseScore]) -> str:
    """SHA-256 over the ids of the cases that were scored, in hex; their order does not show."""
    return hashlib.sha256("\n".join(sorted({row.case_id for row in rows})).encode()).hexdigest()


def _cell(value: str | float) -> str:
    """`repr` gives the shortest digits that read back as the same float."""
    if isinstance(value, float):
        return "" if math.isnan(value) else repr(float(value))  # NumPy's own floats print their type
    return str(value)


def _row(columns: Sequence[str], line: Sequence[str]) -> CaseScore:
    if len(line) != len(columns):
        raise ValueError(f"{len(line)} cells where {len(columns)} are expected")
    cells = dict(zip(columns, line, strict=True))
    counts = {name: int(cells.pop(name)) for name in (*COUNTS, "index")}
    scores = {name: float(cells.pop(name) or math.nan) for name in (*SCORES, *VOXELS) if name in cells}
    return CaseScore(**cells, **counts, **scores)  # type: ignore[arg-type]
