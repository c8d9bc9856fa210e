"""Caption tables: tables of text with a column `Image` and one of `Description`, `text` or `caption`."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from datamodules.index.case_names import normalise_name
from zoo.errors import DataError
from zoo.io.tables import read_table

COLUMNS = ("description", "text", "caption")

_collected: ContextVar[list[DataError] | None] = ContextVar("_collected", default=None)

log = logging.getLogger(__name__)


@contextmanager
def caption_faults() -> Iterator[list[DataError]]:
    """Collect the faults of caption tables instead of raising the first one, for `zoo data verify`.

    Inside of this context, a table that cannot be read has no rows, and of two rows for one file the first is used.
    """
    faults: list[DataError] = []
    token = _collected.set(faults)
    try:
        yield faults
    finally:
        _collected.reset(token)


def text_column(header: list[str], path: Path) -> str | None:
    """Return the name of the column with the captions; None where there is no such column.

    Raises:
        DataError: Several columns may contain the captions.
    """
    found = [name for name in COLUMNS if name in header]
    if len(found) > 1:
        problem = f"{path}: which of the columns {' and '.join(found)} are the captions?"
        raise DataError(problem, "Rename the other columns.", "caption_table")
    return found[0] if found else None


def read_captions(path: Path, keep_first: bool = False) -> list[tuple[str, str]]:
    """Read a caption table.

    Args:
        path: As in `read_table`.
        keep_first: Use the first of two rows for one file, with a warning, because the published table has such rows.

    Returns:
        (file name, caption) in the order of the file. An empty caption is "".

    Raises:
        DataError: As `read_table`, or the table lacks a column or names a file twice. Inside of `caption_faults`,
            faults are collected and not raised.
    """
    try:
        captions = _rows(path)
    except DataError as error:
        collect_or_raise(error)
        return []
    first: dict[str, str] = {}
    for name, text in captions:
        if name in first:
            doubled = DataError(f"{path}: '{name}' comes twice.", "Keep one of the rows.", "caption_doubled")
            (collect_or_warn if keep_first else collect_or_raise)(doubled)
        first.setdefault(name, text)
    return list(first.items())


def collect_or_raise(error: DataError) -> None:
    """Keep a fault of captions inside of `caption_faults`; else raise it.

    Raises:
        DataError: No `caption_faults` collects.
    """
    faults = _collected.get()
    if faults is None:
        raise error
    faults.append(error)


def collect_or_warn(error: DataError) -> None:
    """Keep a fault that training can continue with inside of `caption_faults`; else warn of it."""
    faults = _collected.get()
    if faults is None:
        log.warning("%s", error)
    else:
        faults.append(error)


def collects_faults() -> bool:
    """Whether faults are kept, so that a reader can look for those that only `zoo data verify` reports."""
    return _collected.get() is not None


def _rows(path: Path) -> list[tuple[str, str]]:
    """The file name and the caption of each row."""
    needed = f"Image and one of {', '.join(COLUMNS)}"
    header, rows = read_table(path, needed)
    column = text_column(header, path)
    if "image" not in header or column is None:
        raise DataError(f"{path}: columns {header} lack {needed}.", "Rename the columns.", "caption_table")
    image, caption = header.index("image"), header.index(column)
    return [(normalise_name(row[image]), row[caption]) for row in rows]
