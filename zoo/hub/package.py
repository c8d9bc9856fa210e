"""A package: a folder with the files of a trained model, and `zoo.json` with the SHA-256 of each and a seal of its own.

Only files that `zoo.json` lists are read, and only kinds of files that run no code.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from zoo.errors import RunError
from zoo.utils.atomic_files import write_text
from zoo.utils.json_objects import read_object
from zoo.utils.seals import FILES, add_seal, hash_file, hash_file_once, is_intact

RECORD = "zoo.json"
"""The file that makes a folder a package."""

WEIGHTS = "model.safetensors"
"""The file of the weights. A package whose data allow no weights has none."""

RUN = "run.json"
"""The file of the manifest of the run, without what says where it was."""

FORMAT = 1
"""Version of `zoo.json`."""

_SUFFIXES = (".safetensors", ".json", ".yaml", ".csv", ".md")
_NAMES = ("LICENSE",)
_MOST_BYTES = 4_000_000  # of zoo.json, which lists some files
_FIX = "Pull it again, from somebody you trust."


@dataclass(frozen=True, slots=True)
class Package:
    """A package whose record is intact.

    Attributes:
        folder: Its folder.
        content: The content of `zoo.json`.
    """

    folder: Path
    content: Mapping[str, Any]

    @property
    def files(self) -> Mapping[str, str]:
        """The path of each file in the package -> its SHA-256."""
        files: Mapping[str, str] = self.content[FILES]
        return files

    @property
    def left_out(self) -> tuple[str, ...]:
        """What the terms of the data do not allow to publish, one sentence each."""
        return tuple(str(line) for line in self.content.get("left_out") or ())

    def check_files(self) -> None:
        """Compare each file with its SHA-256.

        Raises:
            RunError: A file is missing, is a link, or was changed.
        """
        for name, digest in self.files.items():
            file = self.folder / name
            if file.is_symlink() or not file.is_file():
                raise RunError(f"{file}: the file is missing.", _FIX)
            if hash_file_once(file) != digest:
                raise RunError(f"{file}: the file was changed after it was packed (its SHA-256 differs).", _FIX)

    def find_weights(self) -> Path:
        """Check the files, and return that of the weights.

        Raises:
            RunError: A file is missing or was changed, or the package has no weights.
        """
        self.check_files()
        if WEIGHTS not in self.files:
            reason = " ".join(self.left_out) or "It has none."
            raise RunError(
                f"{self.folder}: a package without weights. {reason}", "Train the model: its config.yaml is in it."
            )
        return self.folder / WEIGHTS


def is_package(folder: Path) -> bool:
    """Return whether a folder is a package."""
    return (folder / RECORD).is_file()


def read_package(folder: Path) -> Package:
    """Read the record of a package; `Package.check_files` compares the files.

    Raises:
        RunError: The folder is no package, or `zoo.json` was changed or names files that a package cannot have.
    """
    record = folder / RECORD
    if not record.is_file() or record.is_symlink():
        raise RunError(f"{folder}: no package is here (no {RECORD}).", "Make one: `zoo push RUN DIR`.")
    if record.stat().st_size > _MOST_BYTES:
        raise RunError(f"{record}: too large for a list of files.", _FIX)
    content = read_object(record, _FIX)
    if not is_intact(content) or not isinstance(content.get(FILES), Mapping):
        raise RunError(f"{record}: the content does not match its seal: it was damaged or edited.", _FIX)
    if content.get("format") != FORMAT:
        raise RunError(
            f"{record}: a package of another version ({content.get('format')}, of zoo {content.get('zoo')}).",
            "Install that version of textseg-zoo.",
        )
    for name in content[FILES]:
        check_name(name, record)
    return Package(folder, content)


def check_name(name: Any, where: Path) -> None:
    """Check the path of a file in a package: inside of it, and of a kind that runs no code.

    Raises:
        RunError: It is another one.
    """
    path = PurePosixPath(str(name))
    inside = not path.is_absolute() and ".." not in path.parts and "\\" not in str(name) and str(path) == name
    if not inside or path.name.startswith(".") or not (path.suffix in _SUFFIXES or str(name) in _NAMES):
        raise RunError(f"{where}: it names the file '{name}', which no package may have.", _FIX)


def seal_package(folder: Path, about: Mapping[str, Any]) -> Package:
    """Write `zoo.json` for the files of a folder.

    Args:
        folder: The folder.
        about: What the package is. The same files and content give the same record, and so the same revision.

    Raises:
        RunError: The folder has a file that no package may have, or cannot be written.
    """
    names = sorted(file.relative_to(folder).as_posix() for file in _list_files(folder) if file.name != RECORD)
    for name in names:
        check_name(name, folder)
    content = add_seal({"format": FORMAT, **about, FILES: {name: hash_file(folder / name) for name in names}})
    write_text(folder / RECORD, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    return Package(folder, content)


def find_revision(folder: Path) -> str:
    """Return the revision of a package on a hub that is a folder: 40 digits of the hash of its record."""
    return hash_file(folder / RECORD)[:40]


def _list_files(folder: Path) -> Iterable[Path]:
    return (path for path in folder.rglob("*") if not path.is_dir())
