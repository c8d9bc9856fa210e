"""From what a person has, or what may be fetched, to the folder of a set: checked, unpacked, with a receipt.

The folder appears whole, under its name, with `source.json` in it; until then everything lies in a hidden folder
beside it, which the next call removes. A folder that holds anything is never written to.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock

from datamodules.acquire import archive
from datamodules.acquire.disk_space import need_space
from datamodules.acquire.download import fetch, still_to_come
from datamodules.acquire.fingerprint import Fingerprint, Tell, checked_by, fingerprint, recognise, silent
from datamodules.acquire.sources import File, Source, amount, source_of, told
from datamodules.index.card import DataCard
from zoo import __version__
from zoo.errors import ConfigError, DataError
from zoo.settings import data_root

RECEIPT = "source.json"
TABLES = (".csv", ".xlsx")
"""Captions come as single files: they are copied beside what the archives hold."""


class Piece(NamedTuple):
    """A file that goes into a set: where it is, what it is, what it was checked by, where it came from."""

    path: Path
    found: Fingerprint
    checked: str
    url: str = ""


def target_of(card: DataCard, root: str | None) -> Path | None:
    """The folder of a set: `root`, else that in `ZOO_DATA`; None where neither is given."""
    base = data_root()
    if root is not None:
        return Path(root).expanduser()
    return base / card.folder_name if base else None


def filled(folder: Path) -> bool:
    """Whether there is anything at a path."""
    return (folder.is_dir() and any(folder.iterdir())) or folder.is_file()


def obtain(
    card: DataCard, given: Sequence[Path], download: bool, root: str | None, tell: Tell = silent
) -> dict[str, Any]:
    """Unpacks the files of a set into its folder.

    Args:
        card: The set's.
        given: Archives and tables at hand.
        download: Whether to fetch the files that may be fetched and are not given.
        root: The folder; default `$ZOO_DATA/<folder name>`.
        tell: Told of progress.

    Returns:
        The receipt, as it is written.

    Raises:
        ConfigError: There is no folder to unpack to, or nothing may be fetched.
        DataError: The folder is not empty, files are missing or not what they should be, or there is no room.
    """
    name, target, source = card.name, target_of(card, root), source_of(card)
    if target is None:
        raise ConfigError(
            f"Where is '{name}' to lie?", "Set ZOO_DATA=DIR for all sets, or give --root DIR for this one."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_name(f".{target.name}.lock")):
        if filled(target):
            raise DataError(
                f"{target}: holds something already, and nothing is written over.",
                f"Run `zoo data prepare {name}` to prepare what is there, or remove it first.",
            )
        missing = _to_fetch(card, source, given) if download else []
        downloads = target.parent / "downloads"
        if missing:  # what is unpacked takes as much again at least; how much is known when the archive is there
            needed = sum(still_to_come(file, downloads) + (file.size or 0) for file in missing)
            need_space(downloads, needed, f"'{name}'")
        pieces = [_given(path, source, tell) for path in given]
        for file in missing:
            path, found = fetch(file, downloads, tell)
            pieces.append(Piece(path, found, checked_by(file), file.url))
        receipt = _receipt(card, source, pieces)
        _build(target, pieces, receipt, tell)
    return receipt


def _to_fetch(card: DataCard, source: Source | None, given: Sequence[Path]) -> list[File]:
    """The files that are to be fetched, all others being given."""
    if source is None or not source.downloads:
        raise ConfigError(f"'{card.name}' cannot be fetched by a command.", told(card))
    at_hand = {path.name for path in given}
    lacking = [file.name for file in source.by_hand if file.name not in at_hand]
    if lacking:
        raise DataError(f"'{card.name}' needs {' and '.join(lacking)} too, which no command can fetch.", told(card))
    return [file for file in source.downloads if file.name not in at_hand]


def _given(path: Path, source: Source | None, tell: Tell) -> Piece:
    if not path.is_file():
        raise DataError(f"{path}: no such file.", "Give archives and tables, or one folder, with --from.")
    found = fingerprint(path, tell)
    known = {file.name for file in source.files if file.known} if source else set()
    if path.suffix.lower() in TABLES and path.name not in known:
        return Piece(path, found, "nothing: a table")
    return Piece(path, found, recognise(path, found, source))


def _receipt(card: DataCard, source: Source | None, pieces: Sequence[Piece]) -> dict[str, Any]:
    """What the folder was made of, when, and under which licence."""
    files = []
    for piece in pieces:
        facts = {"name": piece.path.name, **piece.found._asdict(), "checked": piece.checked}
        files.append({**facts, "url": piece.url} if piece.url else facts)
    return {
        "set": card.folder_name,
        "files": files,
        "licence": source.licence if source else card.licence or "not known",
        "homepage": source.homepage if source else card.homepage,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "zoo": __version__,
    }


def _build(target: Path, pieces: Sequence[Piece], receipt: dict[str, Any], tell: Tell) -> None:
    """Unpacks everything under a hidden name and renames; whatever goes wrong, nothing is left."""
    building = target.with_name(f".{target.name}.part")
    try:
        shutil.rmtree(building, ignore_errors=True)  # of a killed process: the lock is ours
        with ExitStack() as stack:
            tables = [piece.path for piece in pieces if piece.path.suffix.lower() in TABLES]
            archives = [piece.path for piece in pieces if piece.path not in tables]
            listed = [(path, stack.enter_context(archive.entries(path))) for path in archives]
            size = sum(entry.size for _, found in listed for entry in found) + sum(p.stat().st_size for p in tables)
            need_space(building, size, f"what {target.name} unpacks to")
            building.mkdir()
            for path, found in listed:
                archive.unpack(path, found, building, tell)
            for path in tables:
                _copy_table(path, building)
        inner = _only_folder(building)
        if (inner / RECEIPT).exists():
            raise DataError(f"{archives[0]}: has a {RECEIPT} of its own.", "Unpack it and give the folder with --from.")
        (inner / RECEIPT).write_text(json.dumps(receipt, indent=2) + "\n", encoding="utf-8")
        if target.is_dir():
            target.rmdir()  # it is empty
        inner.rename(target)
    except OSError as error:
        raise DataError(
            f"{target}: cannot be made ({error.strerror}).", "See to the folder and run this again."
        ) from error
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _copy_table(path: Path, building: Path) -> None:
    copied = building / path.name
    if copied.exists():
        raise DataError(f"{path}: '{path.name}' is in an archive too.", "Give one of them.")
    shutil.copyfile(path, copied)


def _only_folder(building: Path) -> Path:
    """The folder that holds everything: an archive's single top folder becomes the set's own."""
    inside = list(building.iterdir())
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else building


def unpacked(receipt: dict[str, Any]) -> dict[str, str]:
    """The files of a receipt and what each was checked by, to show; what was not checked can be, by its sha256."""
    return {
        file["name"]: f"{amount(file['size'])}, checked by {file['checked']}; its sha256: {file['sha256']}"
        for file in receipt["files"]
    }
