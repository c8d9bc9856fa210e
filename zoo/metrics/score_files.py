"""The two files of a test: `cases.csv` with its rows, and `about.json` with what was tested and the seals.

`about.json` is written first, with the SHA-256 of the rows that follow; older rows are removed before. Therefore rows
that exist have their seal, and a process that is killed in between leaves a test without rows, which is not done.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from zoo.errors import RunError
from zoo.metrics.case_scores import CaseScore, describe_case, format_rows, read_rows
from zoo.metrics.definitions import METRICS, SURFELS, VOXELS
from zoo.utils.atomic_files import write_text
from zoo.utils.hashing import hash_text
from zoo.utils.seals import FILES, SEAL, add_seal, is_intact
from zoo.utils.text_files import read_json

_ROUNDING = 1e-9
"""Relative margin of a distance over the diagonal."""


def about_path(path: Path) -> Path:
    """Return the path of `about.json` beside a file of rows."""
    return path.with_name("about.json")


def write_scores(path: Path, rows: Iterable[CaseScore], about: Mapping[str, Any]) -> None:
    """Write the rows of a test and `about.json`, with the seals of both.

    Args:
        path: The file of the rows, `<out>/test/cases.csv`.
        rows: One row per case, query and class.
        about: What was tested. `FILES` has the hashes of the files that made the rows.

    Raises:
        RunError: Two rows have the same case, query and class, or the folder cannot be written.
    """
    text = format_rows(rows)
    files = {path.name: hash_text(text), **about.get(FILES, {})}
    path.unlink(missing_ok=True)
    write_text(about_path(path), json.dumps(add_seal({**about, FILES: files}), indent=2) + "\n", durable=True)
    write_text(path, text, durable=True)


def read_scores(path: Path, fix: str, sealed: bool = True) -> tuple[list[CaseScore], dict[str, Any]]:
    """Read the rows of a test and `about.json`, and check both.

    Args:
        path: The file of the rows.
        fix: What to do if a file cannot be used, as a sentence with the command that makes it anew.
        sealed: Whether the test must have seals. A run of an older version has none, and may lack `about.json`.

    Returns:
        The rows, and the content of `about.json`.

    Raises:
        RunError: A file is missing, is not the file that was written, or contradicts the other one.
    """
    about = _read_about(about_path(path), fix, sealed)
    rows = read_rows(path, about.get(FILES, {}).get(path.name, "" if sealed else None), fix)
    problem = next(filter(None, (_find_impossible_distance(row, about) for row in rows)), None)
    if problem:
        raise RunError(f"{path}: {problem}.", fix)
    return rows, about


def _read_about(path: Path, fix: str, sealed: bool) -> dict[str, Any]:
    if not path.is_file():
        if sealed:
            raise RunError(f"{path}: the file is missing.", fix)
        return {}
    try:
        content = read_json(path)
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: the file is not readable JSON: {error}.", fix) from error
    if not isinstance(content, dict) or not content:
        raise RunError(f"{path}: the file does not describe a test.", fix)
    if sealed and not {SEAL, FILES} <= content.keys():
        raise RunError(f"{path}: the file has no seals.", fix)
    if SEAL in content and not is_intact(content):
        raise RunError(f"{path}: the content does not match its seal: it was damaged or edited.", fix)
    return content


def _find_impossible_distance(row: CaseScore, about: Mapping[str, Any]) -> str:
    """Return what is wrong with the distances of a row; empty if nothing is, or if the size of the image is unknown."""
    shape, spacing = (about.get(key, {}).get(row.case_id) for key in ("shape", "spacing"))
    if not shape or not spacing or row.status == "absent":
        return ""
    from zoo.metrics.surface import diagonal  # with numpy, which a reader of rows without sizes does not need

    limits = {metric.key: diagonal(shape, spacing) for metric in METRICS if metric.unit == "distance"}
    limits |= dict.fromkeys(VOXELS, diagonal(shape, [1.0] * len(shape)))
    limits[SURFELS[0]] = diagonal([size + 1 for size in shape], spacing)  # between the outer corners of the image
    for name, longest in limits.items():
        value = getattr(row, name)
        equal = math.isclose(value, longest, rel_tol=_ROUNDING)
        wrong = not equal if row.status != "ok" else value > longest and not equal
        if wrong and not math.isnan(value):
            where = f"{describe_case(*row.key)} class '{row.label}'"
            return f"{where}: {name} is {value}, but the diagonal of the image is {longest}"
    return ""
