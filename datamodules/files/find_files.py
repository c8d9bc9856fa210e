"""Finds the file that a table or listing names, also where the name is spelled in another way.

A path of Windows, capitals in a suffix (`A.PNG`) and decomposed characters of macOS mean the same file.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from datamodules.index.case_names import normalise_name

_SUFFIX = re.compile(r"(\.nii)?\.\w+$", re.IGNORECASE)


class FileFinder:
    """Finds files below a folder. Each folder is listed once.

    Args:
        folder: The folder that relative names start from.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._listed: dict[Path, dict[str, list[str]]] = {}

    def find(self, name: str) -> Path:
        """Return the path of a name; where there is no such file, the path that it should have."""
        path = self.folder / _expanded(name)
        if path_exists(path):
            return path
        return self._respell(self.folder / _expanded(name.replace("\\", "/")))

    def _respell(self, path: Path) -> Path:
        """Return the existing path that differs only in the spelling of its names; else the path itself."""
        if path_exists(path) or path.parent == path:
            return path
        parent = self._respell(path.parent)
        spelled = self._names(parent).get(_spelling(path.name), [])
        return parent / spelled[0] if len(spelled) == 1 else path

    def _names(self, folder: Path) -> dict[str, list[str]]:
        """The names in a folder, by their common spelling."""
        if folder not in self._listed:
            names: dict[str, list[str]] = {}
            with suppress(OSError, ValueError):  # no such folder
                for entry in folder.iterdir():
                    names.setdefault(_spelling(entry.name), []).append(entry.name)
            self._listed[folder] = names
        return self._listed[folder]


def find_file(folder: Path, name: str) -> Path:
    """Return the path of one name; see `FileFinder`, which finds many names faster."""
    return FileFinder(folder).find(name)


def path_exists(path: Path) -> bool:
    """Whether a path exists; false for a path that no file can have."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _expanded(name: str) -> Path:
    """The path of a name; a leading `~` is the user's home."""
    try:
        return Path(name).expanduser()
    except RuntimeError:  # `~name` of an unknown user
        return Path(name)


def _spelling(name: str) -> str:
    """The common spelling of a name: composed characters, and a suffix without capitals."""
    return _SUFFIX.sub(lambda found: found[0].lower(), normalise_name(name))
