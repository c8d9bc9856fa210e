"""Archives of strangers, unpacked with care: every name and size is looked at before a byte is written.

Zip and tar (plain, gz, bz2, xz) are read. An archive is refused as a whole for one bad entry: an absolute name or one
with `..`, a link of any kind (no set has them, and they are how archives reach out), a device, a name
twice, an encrypted entry, or more than is plausible for its size.
"""

from __future__ import annotations

import gzip
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path, PureWindowsPath
from typing import IO, NamedTuple

from datamodules.acquire.fingerprint import Tell, silent
from zoo.errors import DataError

MOST_ENTRIES = 2_000_000
MOST_RATIO, ANY_RATIO_UP_TO = 200, 2 << 30
"""What is unpacked may be so many times the archive; below the second number of bytes the ratio is not looked at."""

_FOREIGN = {b"7z\xbc\xaf\x27\x1c": "7z", b"Rar!\x1a\x07": "rar"}
_CHUNK = 1 << 20
_UNPACK = "If you trust it, unpack it yourself and give the folder with --from."
_BROKEN = (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, lzma.LZMAError, zlib.error, EOFError, RuntimeError)


class Entry(NamedTuple):
    """A regular file in an archive: where it goes, its size in bytes, and how its content is opened."""

    place: tuple[str, ...]
    size: int
    open: Callable[[], IO[bytes]]


@contextmanager
def entries(archive: Path) -> Iterator[list[Entry]]:
    """What an archive holds, checked; the traces of macOS are left out.

    Raises:
        DataError: It is no archive that is read here, is damaged, or holds what it must not.
    """
    kind = _kind(archive)
    with ExitStack() as stack:
        try:
            found = _zip(archive, stack) if kind == "zip" else _tar(archive, stack)
            listed = _checked(archive, found)
        except (*_BROKEN, OSError) as error:
            raise DataError(f"{archive}: cannot be read as {kind} ({error}).", "Fetch it again.") from error
        yield listed


def unpack(archive: Path, listed: Iterable[Entry], folder: Path, tell: Tell = silent) -> None:
    """Writes the entries of an archive into a folder, which nobody else uses yet.

    Raises:
        DataError: Content is damaged or longer than announced, a file is there already, or the disk is full.
    """
    wanted = list(listed)
    total, done = sum(entry.size for entry in wanted), 0
    for entry in wanted:
        path = folder.joinpath(*entry.place)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with entry.open() as source, path.open("xb") as out:
                left = entry.size
                while chunk := source.read(_CHUNK):
                    left -= len(chunk)
                    if left < 0:
                        break
                    out.write(chunk)
                    done += len(chunk)
                    tell(f"Unpacking {archive.name}", done, total)
        except FileExistsError as error:
            raise DataError(f"{archive}: '{'/'.join(entry.place)}' is in another archive too.", _UNPACK) from error
        except _BROKEN as error:
            raise DataError(f"{archive}: '{'/'.join(entry.place)}' is damaged ({error}).", "Fetch it again.") from error
        except OSError as error:
            raise DataError(
                f"{path}: cannot be written ({error.strerror}).", "Make room and run this again."
            ) from error
        if left:
            raise DataError(f"{archive}: '{'/'.join(entry.place)}' has not the size it should.", "Fetch it again.")


def _kind(archive: Path) -> str:
    """By content, not by suffix."""
    try:
        with archive.open("rb") as file:
            start = file.read(8)
        for magic, name in _FOREIGN.items():
            if start.startswith(magic):
                raise DataError(f"{archive}: {name} is not read here.", "Unpack it and give the folder with --from.")
        if start.startswith(b"PK"):
            return "zip"
        if tarfile.is_tarfile(archive):
            return "tar"
    except OSError as error:
        raise DataError(f"{archive}: cannot be read ({error.strerror}).", "Give an archive or a folder.") from error
    raise DataError(f"{archive}: neither zip nor tar.", "Give the archive, or the folder that it was unpacked to.")


def _zip(archive: Path, stack: ExitStack) -> Iterator[tuple[str, Entry]]:
    """Name and entry of each file. `zipfile` never reads more than the announced size and checks the CRC."""
    opened = stack.enter_context(zipfile.ZipFile(archive))
    for info in opened.infolist():
        mode = info.external_attr >> 16
        if info.flag_bits & 1:
            raise DataError(f"{archive}: '{info.filename}' is encrypted.", "Unpack it and give the folder with --from.")
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise DataError(f"{archive}: '{info.filename}' is a link or a device.", _UNPACK)
        if not info.is_dir():
            yield info.filename, Entry((), info.file_size, partial(opened.open, info))


def _tar(archive: Path, stack: ExitStack) -> Iterator[tuple[str, Entry]]:
    """Name and entry of each file, after `tarfile`'s own filter for data."""
    opened = stack.enter_context(tarfile.open(archive, "r:*"))  # noqa: SIM115  (the stack closes it)
    for member in opened:
        if not (member.isreg() or member.isdir()):
            raise DataError(f"{archive}: '{member.name}' is a link or a device.", _UNPACK)
        _place(archive, member.name)  # before the filter, which would take a leading slash off in silence
        tarfile.data_filter(member, str(archive.parent))
        if member.isreg():
            yield member.name, Entry((), member.size, partial(_open_member, opened, member))


def _open_member(opened: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    content = opened.extractfile(member)
    if content is None:
        raise tarfile.ReadError("no content")
    return content


def _checked(archive: Path, found: Iterable[tuple[str, Entry]]) -> list[Entry]:
    """The entries that are to be written, each with its place; stops at the first thing that must not be."""
    most = max(ANY_RATIO_UP_TO, MOST_RATIO * archive.stat().st_size)
    files: dict[tuple[str, ...], Entry] = {}
    total = count = 0
    for name, entry in found:
        place = _place(archive, name)
        total, count = total + entry.size, count + 1
        if total > most or count > MOST_ENTRIES:
            raise DataError(f"{archive}: would unpack to more than is plausible for its size.", _UNPACK)
        if place in files:
            raise DataError(f"{archive}: '{name}' is in it twice.", _UNPACK)
        if place and "__MACOSX" not in place and not place[-1].startswith("._"):
            files[place] = entry._replace(place=place)
    if not files:
        raise DataError(f"{archive}: there are no files in it.", "Fetch it again.")
    for place in files:
        if any(place[:depth] in files for depth in range(1, len(place))):
            raise DataError(f"{archive}: '{'/'.join(place)}' lies in what is a file too.", _UNPACK)
    return list(files.values())


def _place(archive: Path, name: str) -> tuple[str, ...]:
    """The parts of a name below the folder.

    Raises:
        DataError: It leads out of the folder or is no name.
    """
    plain = name.replace("\\", "/")
    parts = tuple(part for part in plain.split("/") if part not in ("", "."))
    if plain.startswith("/") or PureWindowsPath(name).drive:
        raise DataError(f"{archive}: '{name}' is an absolute name.", _UNPACK)
    if ".." in parts:
        raise DataError(f"{archive}: '{name}' leads out of the folder.", _UNPACK)
    if not name.isprintable():
        raise DataError(f"{archive}: {name!r} is no file name.", _UNPACK)
    return parts
