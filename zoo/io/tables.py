"""Read tables of text, CSV or xlsx, strictly: a row with more cells than the header is refused and never cut."""

from __future__ import annotations

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

from zoo.errors import DataError
from zoo.utils.extras import advise_extra
from zoo.utils.limits import get_limit, raise_limit
from zoo.utils.open_files import lacks_open_files
from zoo.utils.text_files import read_text

MISSING_WORDS = frozenset(
    [
        *("nan", "none", "null", "nil", "n/a", "#n/a", "na", "<na>", "#na", "-", "--", "\u2013", "\u2014", "?"),
        *("#null!", "#ref!", "#value!", "#name?", "#div/0!", "#num!"),
    ]
)
"""Words for a missing value, in lower case. A cell with one of them is read as empty."""

_UNREADABLE = (OSError, EOFError, ValueError, csv.Error, zipfile.BadZipFile, zlib.error, KeyError, SyntaxError)


def read_table(path: Path, needed: str = "its columns") -> tuple[list[str], list[list[str]]]:
    """Read a table of text.

    Args:
        path: See `read_numbered_rows`.
        needed: The needed columns, for the error message of an empty table.

    Returns:
        The column names in lower case, and the rows of `read_numbered_rows` without their numbers.

    Raises:
        DataError: See `read_numbered_rows`.
    """
    header, rows = read_numbered_rows(path, needed)
    return [name.lower() for name in header], [row for _, row in rows]


def read_numbered_rows(path: Path, needed: str = "its columns") -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Read a table of text with the numbers of its rows.

    Args:
        path: `.csv` (UTF-8 or UTF-16; comma, semicolon or tab) or `.xlsx` (first sheet).
        needed: The needed columns, for the error message of an empty table.

    Returns:
        The column names, and the rows with their numbers, each as long as the header, in file order without
        empty rows. Cells are stripped. A cell that holds one of `MISSING_WORDS` becomes "".

    Raises:
        DataError: The table cannot be read or is empty; two columns have one name; a row has more cells
            than the header; a quote is never closed; or openpyxl is missing.
    """
    try:
        numbered = _xlsx(path) if path.suffix.lower() == ".xlsx" else _csv(path)
    except _UNREADABLE as error:
        if lacks_open_files(error):
            raise
        problem = " ".join(str(error).split())
        raise _table_error(
            path, f"not a readable table ({problem})", "Download it again, or save it as UTF-8."
        ) from error
    rows = [(number, [_text(cell) for cell in row]) for number, row in numbered]
    rows = [(number, row) for number, row in rows if any(row)]
    if not rows:
        raise _table_error(path, f"the table is empty: columns [] lack {needed}", "Download it again.")
    first, header = rows[0][0], list(rows[0][1])
    while header and not header[-1]:
        header.pop()
    lower = [name.lower() for name in header]
    double = next((name for name in lower if name and lower.count(name) > 1), None)
    if double is not None:
        raise _table_error(path, f"the column '{double}' comes twice", "Keep one of them.")
    return header, [(number, _fit(path, number, row, len(header))) for number, row in rows if number != first]


def _fit(path: Path, number: int, row: list[str], columns: int) -> list[str]:
    """Fit a row to the length of the header. Some programs leave out empty cells at the end of a row.

    Raises:
        DataError: A filled cell is beyond the last column of the header.
    """
    if any(row[columns:]):
        cells = max(place for place, cell in enumerate(row, 1) if cell)
        fix = "Put quotes around a text that holds the separator."
        raise _table_error(path, f"row {number} has {cells} cells, the header has {columns}", fix)
    return [*row, *[""] * (columns - len(row))][:columns]


def _text(cell: object) -> str:
    text = str(cell if cell is not None else "").strip()
    return "" if text.lower() in MISSING_WORDS else text


def _table_error(path: Path, problem: str, fix: str) -> DataError:
    return DataError(f"{path}: {problem}.", fix, "caption_table")


def _csv(path: Path) -> list[tuple[int, Sequence[object]]]:
    """The rows of a CSV file, each with the number of its first line.

    Raises:
        csv.Error: A quote is not closed, or text follows a closing quote.
        DataError: A cell contains further rows of the table, because a quote is closed some rows later.
    """
    file = io.StringIO(read_text(path), newline="")
    first = file.readline()
    file.seek(0)
    # spreadsheets write semicolons where the comma is the decimal sign: copies of MosMedData+'s tables have them
    separator = max(",;\t", key=first.count)
    reader = csv.reader(file, delimiter=separator, strict=True)
    rows: list[tuple[int, Sequence[object]]] = []
    start = 1
    try:
        for row in reader:
            if _holds_rows(row, separator):
                fix = "Close the quote, or remove it."
                raise _table_error(path, f"row {start} opens a quote that swallows the rows after it", fix)
            rows.append((start, row))
            start = reader.line_num + 1
    except csv.Error as error:
        raise csv.Error(f"row {start}: {error}") from error
    return rows


def _holds_rows(row: list[str], separator: str) -> bool:
    """Whether a cell with several lines contains another row: a line names a file with the same ending as the row."""
    own = {ending for cell in row if "\n" not in cell and (ending := _file_ending(cell))}
    lines = [line for cell in row for line in cell.splitlines()[1:]]
    return any(_file_ending(cell) in own for line in lines for cell in line.split(separator))


def _file_ending(cell: str) -> str:
    ending = Path(cell.strip(' "')).suffix.lower()
    return ending if re.fullmatch(r"\.[a-z][a-z0-9]{1,4}", ending) else ""


def _xlsx(path: Path) -> list[tuple[int, Sequence[object]]]:
    """The rows of a workbook's first sheet, each with its number."""
    try:
        import openpyxl
    except ImportError as error:
        raise DataError(f"{path}: reading xlsx needs openpyxl.", advise_extra("xlsx"), "caption_table") from error
    _check_unpacked_size(path)
    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    try:
        sheet = book.worksheets[0]
        sheet.reset_dimensions()  # the size in the header may be too small, and rows beyond it would be lost
        rows = list(sheet.iter_rows(values_only=True))
    finally:
        book.close()
    return list(enumerate(rows, 1))


def _check_unpacked_size(path: Path) -> None:
    """Check the size of a workbook, which is a zip archive, before it is unpacked. `zipfile` reads no more than that.

    Raises:
        DataError: The workbook unpacks to more than the limit.
    """
    with zipfile.ZipFile(path) as archive:
        megabytes = sum(info.file_size for info in archive.infolist()) // 1_000_000
    if megabytes > get_limit("text_mb"):
        problem = f"{path}: unpacks to {megabytes} MB."
        raise DataError(problem, raise_limit("text_mb", megabytes + 1), "caption_table")
