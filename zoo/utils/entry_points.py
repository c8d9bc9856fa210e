"""Lists the entry points that installed packages declare.

`importlib.metadata` does the same, but its import takes longer than all else that `zoo --help` does. So the file
`entry_points.txt` of each distribution in a folder of `sys.path` is read here. `importlib.metadata` is asked only where
a distribution may lie elsewhere, such as in an archive.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from configparser import ConfigParser, Error
from contextlib import suppress
from importlib.machinery import PathFinder
from pathlib import Path
from typing import NamedTuple

_FOLDERS = (".dist-info", ".egg-info")
_FILE = "entry_points.txt"


class EntryPoint(NamedTuple):
    """What a package declares under a name.

    Attributes:
        name: The name.
        value: What the name stands for: "mypackage:cards/mynet.yaml".
        origin: The name of the distribution.
    """

    name: str
    value: str
    origin: str


def list_points(group: str) -> tuple[list[EntryPoint], dict[str, str]]:
    """List the entry points of a group.

    Args:
        group: The group: "zoo.models".

    Returns:
        The entry points, and the reason for each installed distribution whose entry points cannot be read.
    """
    if _may_lie_elsewhere():
        return _ask_metadata(group)
    points: list[EntryPoint] = []
    broken: dict[str, str] = {}
    for name, content in _find_in_folders(f"[{group}]".encode()):
        parser = ConfigParser(delimiters="=", interpolation=None, strict=False)
        parser.optionxform = str  # type: ignore[method-assign, assignment]  # a name keeps its capital letters
        try:
            parser.read_string(content.decode())
        except (UnicodeDecodeError, Error) as error:
            broken[name] = f"{type(error).__name__}: {error}"
            continue
        points += [EntryPoint(key, value, name) for key, value in parser[group].items()]
    return points, broken


def _may_lie_elsewhere() -> bool:
    """Whether a distribution may lie in an archive, or where the import system of another package finds it."""
    others = (one for one in sys.meta_path if one is not PathFinder)
    return any(hasattr(one, "find_distributions") for one in others) or any(
        path.endswith(".egg") or Path(path).is_file() for path in sys.path
    )


def _find_in_folders(mark: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the entry points of each distribution whose entry points have the mark."""
    for folder in _list_distributions():
        with suppress(OSError):  # most distributions have no such file
            content = Path(folder, _FILE).read_bytes()
            if mark in content:
                yield _read_name(folder), content


def _list_distributions() -> Iterable[str]:
    """List the folder of each distribution. An earlier folder of `sys.path` hides the distribution in a later one."""
    found: dict[str, str] = {}
    for path in sys.path:
        with suppress(OSError), os.scandir(path or os.curdir) as entries:  # a folder of the path need not exist
            for folder in sorted(entry.path for entry in entries if entry.name.endswith(_FOLDERS)):
                found.setdefault(_name_of_folder(folder).lower(), folder)
    return found.values()


def _name_of_folder(folder: str) -> str:
    """Return "textseg_zoo" of "textseg_zoo-0.1.0.dist-info" and of "textseg_zoo.egg-info"."""
    return Path(folder).stem.partition("-")[0].replace(".", "_")


def _read_name(folder: str) -> str:
    """Return the name that a distribution gives itself, else that of its folder."""
    for file in ("METADATA", "PKG-INFO"):
        with suppress(OSError):
            for line in Path(folder, file).read_text(encoding="utf-8", errors="replace").splitlines():
                if line.startswith("Name:"):
                    return line[len("Name:") :].strip()
    return _name_of_folder(folder)


def _ask_metadata(group: str) -> tuple[list[EntryPoint], dict[str, str]]:
    """Do what `list_points` does for all distributions that `importlib.metadata` finds."""
    from importlib.metadata import distributions

    points: dict[tuple[str, str], EntryPoint] = {}
    broken: dict[str, str] = {}
    for place, one in enumerate(distributions()):
        try:
            name = str(one.name)
            found = [(point.name, point.value) for point in one.entry_points if point.group == group]
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the distribution is the reason
            name = Path(str(getattr(one, "_path", f"distribution-{place}"))).name
            broken[name] = f"{type(error).__name__}: {error}"
            continue
        for key, value in found:  # an earlier folder of the path hides a later one
            points.setdefault((name, key), EntryPoint(key, value, name))
    return list(points.values()), broken
