"""JSON files of a data set, whose faults are one line each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo.errors import DataError
from zoo.utils.text_files import read_json


def load_json(path: Path, missing: str, broken: str) -> Any:
    """Read a JSON file.

    Args:
        path: The file.
        missing: What to do where it does not exist.
        broken: What to do where it cannot be read.

    Raises:
        DataError: There is no such file, or it is no JSON.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file.", missing, "missing_file")
    try:
        return read_json(path)
    except ValueError as error:
        raise DataError(f"{path}: {error}.", broken, "unreadable") from error
