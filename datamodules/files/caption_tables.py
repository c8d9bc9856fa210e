"""Tables: CSV or xlsx; a caption table has an `Image` column and one of `Description`, `text` or `caption`."""

from __future__ import annotations

import csv
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from zoo.errors import DataError

COLUMNS = ("description", "text", "caption")

_UNREADABLE = (OSError, EOFError, ValueError, csv.Error, zipfile.BadZipFile, zlib.error, KeyError, SyntaxError)
_collected: ContextVar[list[DataError] | None] = ContextVar("_collected", default=None)


@contextmanager
def caption_faults() -> Iterator[list[DataError]]:
    """Collect what is wrong with caption tables instead of ending with the first of it, for `zoo data verify`.

    Within, a table that cannot be read has no rows, and of a file that is named twice the first row counts.
    """
    faults: list[DataError] = []
    token = _collected.set(faults)
    try:
        yield faults
    finally:
        _collected.reset(token)


def read_table(path: Path, due: str = "its columns") -> tuple[list[str], list[list[str]]]:
    """A table of text.

    Args:
        path: `.csv` (UTF-8, with or without a byte order mark; comma, semicolon or tab) or `.xlsx` (first sheet).
        due: The columns that the caller needs, for what is said of an empty table.

    Returns:
        The column names in lower case, and the rows, each as long as the header, in file order without
        empty ones; cells are stripped, and "" where nothing stands in them.

    Raises:
        DataError: The table cannot be read or is empty, or two columns have one name; or openpyxl is missing.
    """
    try:
        rows = _xlsx(path) if path.suffix.lower() == ".xlsx" else _csv(path)
    except _UNREADABLE as error:
        problem = " ".join(str(error).split())
        raise DataError(
            f"{path}: not a readable table ({problem}).", "Fetch it again, or save it as UTF-8.", "caption_table"
        ) from error
    cells = [[str(cell if cell is not None else "").strip() for cell in row] for row in rows]
    cells = [row for row in cells if any(row)]
    if not cells:
        raise DataError(f"{path}: the table is empty: columns [] lack {due}.", "Fetch it again.", "caption_table")
    header = [name.lower() for name in cells[0]]
    double = next((name for name in header if name and header.count(name) > 1), None)
    if double is not None:
        raise DataError(f"{path}: the column '{double}' comes twice.", "Keep one of them.", "caption_table")
    return header, [[*row, *[""] * (len(header) - len(row))][: len(header)] for row in cells[1:]]


def text_column(header: list[str], path: Path) -> str | None:
    """The name of the column with the captions; None where there is none.

    Raises:
        DataError: Several columns may be it.
    """
    found = [name for name in COLUMNS if name in header]
    if len(found) > 1:
        problem = f"{path}: which of the columns {' and '.join(found)} are the captions?"
        raise DataError(problem, "Rename the other.", "caption_table")
    return found[0] if found else None


def read_captions(path: Path) -> list[tuple[str, str]]:
    """The rows of a caption table.

    Args:
        path: As `read_table`.

    Returns:
        (file name, caption) in file order; an empty caption stays "".

    Raises:
        DataError: As `read_table`, or the table lacks a column or names a file twice; none within
            `caption_faults`.
    """
    faults = _collected.get()
    try:
        captions = _rows(path)
    except DataError as error:
        if faults is None:
            raise
        faults.append(error)
        return []
    first: dict[str, str] = {}
    for name, text in captions:
        if name in first:
            doubled = DataError(f"{path}: '{name}' comes twice.", "Keep one of its rows.", "caption_doubled")
            if faults is None:
                raise doubled
            faults.append(doubled)
        first.setdefault(name, text)
    return list(first.items())


def _rows(path: Path) -> list[tuple[str, str]]:
    """File name and caption of each row."""
    due = f"Image and one of {', '.join(COLUMNS)}"
    header, rows = read_table(path, due)
    column = text_column(header, path)
    if "image" not in header or column is None:
        raise DataError(f"{path}: columns {header} lack {due}.", "Rename the columns.", "caption_table")
    here, there = header.index("image"), header.index(column)
    return [(row[here], row[there]) for row in rows]


def _csv(path: Path) -> Iterable[Iterable[object]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        first = file.readline()
        file.seek(0)
        # spreadsheets write semicolons where the comma is the decimal sign: copies of MosMedData+'s tables have them
        return list(csv.reader(file, delimiter=max(",;\t", key=first.count)))


def _xlsx(path: Path) -> Iterable[Iterable[object]]:
    try:
        import openpyxl
    except ImportError as error:
        raise DataError(
            f"{path}: reading xlsx needs openpyxl.", "Run `pip install 'textseg-zoo[xlsx]'`.", "caption_table"
        ) from error
    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    try:
        return list(book.worksheets[0].iter_rows(values_only=True))
    finally:
        book.close()
