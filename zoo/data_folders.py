"""The folder of a data set on this machine. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.errors import DataError
from zoo.registry import CONFIGS, read_yaml
from zoo.settings import data_root

SOURCES = CONFIGS / "sources"
"""The folder of the sources of the data sets: one file per folder of `ZOO_DATA`."""


def find_data_folder(name: str, folder_name: str, root: str | None, source: Mapping[str, Any] | None = None) -> Path:
    """Find the folder of a data set: `root`, or else its folder in `ZOO_DATA`.

    Args:
        name: The registered name of the data set.
        folder_name: Name of its folder in `ZOO_DATA`.
        root: The folder that the user gives; None or empty for none.
        source: Where the data set is available, as its card says it; None where `SOURCES` says it.

    Raises:
        DataError: There is no such folder; the message has the command that gets the data.
    """
    base = data_root()
    folder = Path(root).expanduser() if root else base / folder_name if base else None
    if folder is None or not folder.is_dir():
        missing = f"{folder}: no such folder for '{name}'" if folder else f"no folder is known for '{name}'"
        way = "--download" if _is_download(folder_name, source) else "--steps"
        raise DataError(f"{missing}.", f"Run `zoo data prepare {name} {way}`, or give --data.root DIR.")
    return folder.resolve()


def _is_download(folder_name: str, source: Mapping[str, Any] | None) -> bool:
    """Whether `zoo data prepare --download` gets the data set."""
    file = SOURCES / f"{folder_name}.yaml"
    known = read_yaml(file) if source is None and file.is_file() else source or {}
    return known.get("access") == "download"
