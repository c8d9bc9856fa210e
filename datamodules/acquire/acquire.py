"""From archives, given or downloaded, to the folder of a data set: checked, unpacked, with a receipt.

The folder gets its name when it is complete, with the receipt `source.json` in it. Before that, all files are in a
hidden folder beside it, which the next call removes. A folder with any content is never written to, with one exception:
a part of a data set that a command got file by file gets further cases.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from filelock import FileLock

from datamodules.acquire import archive
from datamodules.acquire.checksums import Checksums
from datamodules.acquire.collect import Choice, Collector, remove_downloads
from datamodules.acquire.disk_space import check_space
from datamodules.acquire.download import count_missing_bytes, download_file
from datamodules.acquire.fingerprint import (
    ProgressCallback,
    checksum_name,
    compute_fingerprint,
    identify_file,
    ignore_progress,
)
from datamodules.acquire.receipt import RECEIPT, CheckedFile, make_receipt, read_receipt
from datamodules.acquire.sources import File, Source, format_steps, load_source
from datamodules.index.card import DataCard
from zoo.errors import ConfigError, DataError
from zoo.settings import data_root
from zoo.utils.atomic_files import write_atomically, write_text

TABLES = (".csv", ".xlsx")
"""Suffixes of caption tables. They are single files and are copied beside the content of the archives."""


def target_folder(card: DataCard, root: str | None) -> Path | None:
    """Return the folder for a data set: `root`, or else its folder in `ZOO_DATA`; None where neither is given."""
    base = data_root()
    if root is not None:
        return Path(root).expanduser()
    return base / card.folder_name if base else None


def has_content(folder: Path) -> bool:
    """Return whether a path is a file or a folder with content."""
    return (folder.is_dir() and any(folder.iterdir())) or folder.is_file()


def acquire_data_set(
    card: DataCard,
    given: Sequence[Path],
    download: bool,
    root: str | None,
    progress: ProgressCallback = ignore_progress,
    *,
    accept: bool = False,
    cases: int | None = None,
    choice: Choice | None = None,
) -> dict[str, Any]:
    """Unpack the files of a data set into its folder.

    Args:
        card: Card of the data set.
        given: Archives and tables that the user has.
        download: Whether to download the files that may be downloaded and are not given.
        root: The folder; default: its folder in `ZOO_DATA`.
        progress: Called while files are checked, downloaded and unpacked.
        accept: Whether to accept files of hosts, of which no checksum is known.
        cases: How many cases to download; None for all.
        choice: Names the files of the cases, if the listing of the data set says them.

    Returns:
        The content of the receipt.

    Raises:
        ConfigError: There is no folder to unpack to, or no file may be downloaded.
        DataError: The folder has content, a file is missing or wrong, or the disk is full.
    """
    name, target, source = card.name, target_folder(card, root), load_source(card)
    if target is None:
        raise ConfigError(
            f"No folder is known for '{name}'.", "Set ZOO_DATA=DIR for all data sets, or give --root DIR for this one."
        )
    if cases is not None and not is_divisible(source, choice):
        raise ConfigError(
            f"'{name}' comes as a whole: no command can download {cases} cases of it.", format_steps(card)
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_name(f".{target.name}.lock")):
        receipt = read_receipt(target, card) if download and is_divisible(source, choice) else None
        if has_content(target) and receipt is None:
            raise DataError(
                f"{target}: has content already, and nothing is overwritten.",
                f"Run `zoo data prepare {name}` to prepare this content, or remove it first.",
            )
        missing = _files_to_download(card, source, given) if download else []
        downloads = target.parent / "downloads"
        if missing:  # the unpacked files need at least the size of the archive; the exact size is known later
            needed = sum(count_missing_bytes(file, downloads) + (file.size or 0) for file in missing)
            check_space(downloads, needed, f"'{name}'")
        checksums = Checksums(target.parent / "checksums" / f"{card.folder_name}.json")
        known = checksums.add_to(source) if source else None
        files = [_check_given(path, known, progress) for path in given]
        for file in missing:
            path, found = download_file(file, downloads, progress)
            files.append(CheckedFile(path, found, checksum_name(file), file.url))
        own = downloads / card.folder_name
        if download and source is not None and source.repositories:
            collector = Collector(name, target, own, checksums, progress, source.files)
            names = {path.name for path in given}
            for one in collector.collect(source.repositories, accept, cases, choice, names):
                files.append(CheckedFile(one.path, one.found, one.checked, one.origin, one.place))
        made = make_receipt(card, source, files)
        if receipt is None:
            _build_folder(target, files, made, progress)
        else:
            made = _extend_folder(target, files, receipt, made)
        remove_downloads(own, [file.path for file in files if file.is_loose])
    return made


def is_divisible(source: Source | None, choice: Choice | None) -> bool:
    """Return whether a command can download some cases of a data set."""
    repositories = source.repositories if source else ()
    return bool(repositories) and (choice is not None or any(one.cases for one in repositories))


def _files_to_download(card: DataCard, source: Source | None, given: Sequence[Path]) -> list[File]:
    """The files that must be downloaded; all other files must be given."""
    if source is None or not (source.downloads or source.repositories):
        raise ConfigError(f"'{card.name}' cannot be downloaded by a command.", format_steps(card))
    names = {path.name for path in given}
    lacking = [file.name for file in source.by_hand if file.name not in names]
    if lacking and not source.repositories:
        problem = f"'{card.name}' needs {' and '.join(lacking)} too, which no command can download."
        raise DataError(problem, format_steps(card))
    return [file for file in source.downloads if file.name not in names]


def _check_given(path: Path, source: Source | None, progress: ProgressCallback) -> CheckedFile:
    if not path.is_file():
        raise DataError(f"{path}: no such file.", "Give archives and tables, or one folder, with --from.")
    found = compute_fingerprint(path, progress)
    known = {file.name for file in source.files if file.has_checksum} if source else set()
    if path.suffix.lower() in TABLES and path.name not in known:
        return CheckedFile(path, found, "nothing: a table")
    return CheckedFile(path, found, identify_file(path, found, source))


def _build_folder(
    target: Path, files: Sequence[CheckedFile], receipt: dict[str, Any], progress: ProgressCallback
) -> None:
    """Unpack all files under a hidden name, then rename the folder. After an error, nothing is left."""
    building = target.with_name(f".{target.name}.part")
    try:
        shutil.rmtree(building, ignore_errors=True)  # left by a killed process: this process holds the lock
        with ExitStack() as stack:
            loose = [file for file in files if file.is_loose]
            tables = [file.path for file in files if file.path.suffix.lower() in TABLES and file not in loose]
            archives = [file.path for file in files if file.path not in tables and file not in loose]
            listed = [(path, stack.enter_context(archive.open_archive(path))) for path in archives]
            size = sum(entry.size for _, entries in listed for entry in entries)
            check_space(building, size + sum(path.stat().st_size for path in tables), f"unpacking {target.name}")
            building.mkdir()
            for path, entries in listed:
                archive.unpack_entries(path, entries, building, progress)
            for path in tables:
                _copy_table(path, building)
            for file in loose:
                _link_file(file, building)
        inner = building if loose else _only_folder(building)  # a file keeps its path: further files come beside it
        if (inner / RECEIPT).exists():
            raise DataError(f"{archives[0]}: contains its own {RECEIPT}.", "Unpack it and give the folder with --from.")
        (inner / RECEIPT).write_text(json.dumps(receipt, indent=2) + "\n", encoding="utf-8")
        if target.is_dir():
            target.rmdir()  # the folder is empty
        inner.rename(target)
    except OSError as error:
        raise DataError(
            f"{target}: cannot be made ({error.strerror}).", "Check the folder and run this again."
        ) from error
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _extend_folder(
    target: Path, files: Sequence[CheckedFile], before: dict[str, Any], after: dict[str, Any]
) -> dict[str, Any]:
    """Add files to a folder that a command made, and to its receipt. A file appears complete or not at all."""
    try:
        for file in files:
            if file.is_loose and not file.path.is_relative_to(target):
                _link_file(file, target)
    except OSError as error:
        raise DataError(
            f"{target}: cannot be extended ({error.strerror}).", "Free some space. Run it again."
        ) from error
    entries = {entry["name"]: entry for entry in (*after["files"], *before["files"])}
    receipt = {**after, "files": [entries[name] for name in sorted(entries)]}
    write_text(target / RECEIPT, json.dumps(receipt, indent=2) + "\n")
    return receipt


def _link_file(file: CheckedFile, folder: Path) -> None:
    """Give a file a second name in a folder, or copy it where the disk has no such names."""
    place = folder / file.place
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists():
        raise DataError(f"{file.url}: '{file.place}' is in an archive too.", "Report this.")
    try:
        place.hardlink_to(file.path)
    except OSError:
        fix = "Free some space and run this again."
        write_atomically(place, lambda temporary: shutil.copyfile(file.path, temporary), fix=fix)


def _copy_table(path: Path, building: Path) -> None:
    copied = building / path.name
    if copied.exists():
        raise DataError(f"{path}: '{path.name}' is in an archive too.", "Give only one of them.")
    shutil.copyfile(path, copied)


def _only_folder(building: Path) -> Path:
    """The folder with all files: a single top folder of an archive becomes the folder of the data set."""
    inside = list(building.iterdir())
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else building
