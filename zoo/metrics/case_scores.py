"""One score row per case, query and class, and the CSV file of such rows.

`METRIC_VERSION` increases with every change that can change a number in a row or in a mean of rows: the
definition of a border voxel, the end points of distances, the percentile method, the values of a missed,
spurious or absent object, the slack of the tolerance, or the order of the means. A faster computation of
the same numbers, another column or another message keeps the version. A table never mixes two versions.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from itertools import product
from pathlib import Path

from zoo.errors import RunError
from zoo.metrics.definitions import METRIC_KEYS, SURFELS, VOXELS
from zoo.metrics.row_checks import check_values
from zoo.metrics.scorer_fields import CVPR25_FIELDS, REX_FIELDS, SCORER_FLOATS, ScorerFields, check_scorer_fields
from zoo.utils.atomic_files import write_text
from zoo.utils.csv_text import format_csv, parse_csv
from zoo.utils.hashing import hash_bytes, hash_lines

METRIC_VERSION = "1"

UNITS = ("mm", "px")

LEAK = "leak"
"""Mark of a row if the data card declares that the protocol has subjects in two splits."""

COUNTS = ("tp", "fp", "fn")

COLUMNS = ("case_id", "query", "label", *COUNTS, *METRIC_KEYS, "unit", "status", "index", *VOXELS)
"""The columns of every file, in their order."""

_FURTHER = (SURFELS, REX_FIELDS, CVPR25_FIELDS, ("mark",))
"""Groups of columns that a file has behind them, in this order, only where a row has a value."""

_FLOATS = (*METRIC_KEYS, *VOXELS, *SURFELS, *SCORER_FLOATS)

_INSTANCES = tuple(name for name in (*REX_FIELDS, *CVPR25_FIELDS) if name not in SCORER_FLOATS)

_OPTIONAL = ((), ("query",), VOXELS, ("query", *VOXELS))
"""Groups of columns that a file of an older version may lack."""

_HEADS = {
    (*(name for name in COLUMNS if name not in lacking), *(name for group in further for name in group))
    for further in product(*(((), group) for group in _FURTHER))
    for lacking in _OPTIONAL
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseScore(ScorerFields):
    """The scores of one class in one case, on the native grid.

    A missed or spurious object has the worst value of each metric (`zoo.metrics.definitions`): Dice and
    NSD 0, and the diagonal of the image as each distance. An absent object has NaN for each metric.

    Attributes:
        case_id: The case.
        query: The query of the case; empty where a case has one query.
        label: The name of the class.
        tp: Number of voxels in both masks.
        fp: Number of voxels in the prediction only.
        fn: Number of voxels in the label only.
        unit: Unit of the distances: "mm" or "px".
        status: "ok", "missed", "spurious" or "absent" (`status_of`).
        index: Position of the class in the label space, from 1; the rows of a case are sorted by it.
        hd95_voxels: `hd95` computed with voxels of side 1; NaN where it is unknown.
        hd95_pooled_voxels: `hd95_pooled` computed with voxels of side 1; NaN where it is unknown.
        hd95_surfels: HD95 as surface-distance computes it; NaN where it was not asked for.
        nsd_surfels: NSD as surface-distance computes it; NaN where it was not asked for.
        mark: `LEAK`, or empty.

    Raises:
        ValueError: A count is negative, the unit is unknown, the status or the Dice contradicts the counts, or a value
            is infinite, or NaN for an object that is not absent, or a number for an absent object; a ratio is not
            between 0 and 1, a distance is negative, or a missed or spurious object has not the worst
            ratios.

    Example:
        >>> values = {"dice": 0.5, "hd95": 2.0, "hd95_pooled": 2.0, "nsd": 0.5, "assd": 1.0}
        >>> CaseScore(case_id="a", label="liver", tp=1, fp=1, fn=1, unit="mm", status="ok", **values).query
        ''
    """

    case_id: str
    query: str = ""
    label: str
    tp: int
    fp: int
    fn: int
    unit: str
    status: str
    index: int = 0
    hd95_voxels: float = math.nan
    hd95_pooled_voxels: float = math.nan
    hd95_surfels: float = math.nan
    nsd_surfels: float = math.nan
    mark: str = ""

    def __post_init__(self) -> None:
        """Reject a row that would wrongly enter a mean or be left out of it."""
        if min(self.tp, self.fp, self.fn) < 0:
            raise ValueError("a count of tp, fp or fn is below 0")
        if self.status != status_of(self.tp, self.fp, self.fn):
            raise ValueError(
                f"the status '{self.status}' contradicts the counts tp, fp, fn = {self.tp}, {self.fp}, {self.fn}"
            )
        if self.unit not in UNITS:
            raise ValueError(f"the unit '{self.unit}' is unknown; the units are {' and '.join(UNITS)}")
        for name in METRIC_KEYS:
            value = getattr(self, name)
            if math.isinf(value) or math.isnan(value) != (self.status == "absent"):
                raise ValueError(f"{name} is {value} although the object is {self.status}")
        check_values(self)
        check_scorer_fields(self)

    def __eq__(self, other: object) -> bool:
        """Compare all fields; NaN counts as equal to NaN, so two rows of an absent object can be equal."""
        return isinstance(other, CaseScore) and self._facts() == other._facts()

    def __hash__(self) -> int:
        return hash(self._facts())

    @property
    def key(self) -> tuple[str, str]:
        """The case and the query: what is scored once for each class."""
        return self.case_id, self.query

    def _facts(self) -> tuple[str | float | None, ...]:
        values = astuple(self)
        return tuple(None if isinstance(value, float) and math.isnan(value) else value for value in values)


def status_of(tp: int, fp: int, fn: int) -> str:
    """Return the status of an object from its counts.

    "ok": both masks contain the object. "missed": only the label does. "spurious": only the prediction
    does. "absent": neither does.

    Args:
        tp: Number of voxels in both masks.
        fp: Number of voxels in the prediction only.
        fn: Number of voxels in the label only.
    """
    if tp + fn:
        return "ok" if tp + fp else "missed"
    return "spurious" if fp else "absent"


def write_rows(path: Path, rows: Iterable[CaseScore]) -> None:
    """Write rows as CSV, sorted by case, query and class.

    The order of `rows` does not change the file. NaN becomes an empty cell; `read_rows` restores every
    other number exactly. Only a file with marked rows has the column `mark`, and only one with scores by a
    further convention has its columns.

    Args:
        path: The file; the new file replaces it in one step.
        rows: One row per case, query and class.

    Raises:
        RunError: Two rows have the same case, query and class, or the folder cannot be written.

    Example:
        >>> import tempfile
        >>> metrics = {"dice": 0.5, "hd95": 2.0, "hd95_pooled": 2.0, "nsd": 0.5, "assd": 1.0}
        >>> row = CaseScore(case_id="a", label="liver", tp=1, fp=1, fn=1, unit="mm", status="ok", **metrics)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_rows(Path(folder) / "cases.csv", [row])
        ...     read_rows(Path(folder) / "cases.csv") == [row]
        True
    """
    write_text(path, format_rows(rows), durable=True)


def format_rows(rows: Iterable[CaseScore]) -> str:
    """Return the content of the file that `write_rows` writes.

    Raises:
        RunError: Two rows have the same case, query and class.
    """
    ordered = sort_rows(rows)
    used = [group for group in _FURTHER if any(_cell(getattr(row, name)) for row in ordered for name in group)]
    columns = (*COLUMNS, *(name for group in used for name in group))
    lines = ([_cell(getattr(row, name)) for name in columns] for row in ordered)
    return format_csv([columns, *lines])


def read_rows(path: Path, seal: str | None = None, fix: str = "Run `zoo test` again to rewrite it.") -> list[CaseScore]:
    """Read the rows of a file that `write_rows` wrote.

    A file of an older version may lack the columns `query` and `VOXELS`; they get their default values.

    Args:
        path: The file.
        seal: SHA-256 of the file when it was written; None where it is unknown.
        fix: What to do if the file cannot be used, as a sentence.

    Raises:
        RunError: The file cannot be read, is not the file that was written, or one of its lines is not a score row.

    Example:
        >>> import tempfile
        >>> metrics = {"dice": 0.5, "hd95": 2.0, "hd95_pooled": 2.0, "nsd": 0.5, "assd": 1.0}
        >>> row = CaseScore(case_id="a", label="liver", tp=1, fp=1, fn=1, unit="mm", status="ok", **metrics)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_rows(Path(folder) / "cases.csv", [row])
        ...     read_rows(Path(folder) / "cases.csv") == [row]
        True
    """
    try:
        content = path.read_bytes()
        if seal is not None and hash_bytes([content]) != seal:
            raise RunError(f"{path}: the file does not match its seal: it was damaged or edited.", fix)
        lines = parse_csv(content.decode("utf-8"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RunError(f"{path}: the score file cannot be read: {error}.", fix) from error
    if not lines or tuple(lines[0]) not in _HEADS:
        raise RunError(f"{path}: the first line must name the columns {', '.join(COLUMNS)}.", fix)
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        try:
            rows.append(_row(lines[0], line))
        except ValueError as error:
            raise RunError(f"{path}, line {number}: the line is not a score row: {error}.", fix) from error
    return rows


def sort_rows(rows: Iterable[CaseScore]) -> list[CaseScore]:
    """Sort rows by case, then by query, then by class.

    Raises:
        RunError: Two rows have the same case, query and class.
    """
    ordered = sorted(rows, key=lambda row: (*row.key, row.index, row.label))
    seen: set[tuple[str, str, str]] = set()
    for row in ordered:
        if (*row.key, row.label) in seen:
            raise RunError(
                f"{describe_case(*row.key)} has two scores of '{row.label}'.",
                "Score each case once; run `zoo test` again.",
            )
        seen.add((*row.key, row.label))
    return ordered


def cases_hash(rows: Iterable[CaseScore]) -> str:
    """Return the SHA-256 of the ids of the scored cases, in hex; the order of the rows does not change it.

    A row without a query contributes its case id alone, so a data set with one query per case keeps the
    hash that it had before rows had queries.
    """
    return hash_lines(sorted({case_name(row) for row in rows}))


def case_name(row: CaseScore) -> str:
    """Return one string that names the case and the query; the case id where the query is empty."""
    return f"{row.case_id}\t{row.query}" if row.query else row.case_id


def describe_case(case_id: str, query: str = "") -> str:
    """Return the case and the query as an error message names them.

    Example:
        >>> describe_case("a"), describe_case("a", "left lung")
        ("Case 'a'", "Case 'a', query 'left lung',")
    """
    return f"Case '{case_id}', query '{query}'," if query else f"Case '{case_id}'"


def _cell(value: str | float | None) -> str:
    """Return the text of a cell; `repr` gives the shortest digits that restore the same float."""
    if value is None:
        return ""
    if isinstance(value, float):
        return "" if math.isnan(value) else repr(float(value))  # the `repr` of a NumPy float contains its type
    return str(value)


def _row(columns: Sequence[str], line: Sequence[str]) -> CaseScore:
    if len(line) != len(columns):
        raise ValueError(f"it has {len(line)} cells, but the first line names {len(columns)} columns")
    cells = dict(zip(columns, line, strict=True))
    counts = {name: int(cells.pop(name)) for name in (*COUNTS, "index")}
    scores = {name: float(cells.pop(name) or math.nan) for name in _FLOATS if name in cells}
    instances = {name: int(cell) if (cell := cells.pop(name)) else None for name in _INSTANCES if name in cells}
    return CaseScore(**cells, **counts, **scores, **instances)  # type: ignore[arg-type]
