"""Unpack archives from the web safely: every name and size is checked before a byte is written.

Zip and tar (plain, gz, bz2, xz) are supported. One bad entry is enough to refuse an archive. Bad entries are: an
absolute path, a path with `..`, a link (no data set has links, and archives use them to write elsewhere), a device, a
name that occurs twice, an encrypted entry, and more content than is plausible for the size of the archive.
"""

from __future__ import annotations

import bz2
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

from datamodules.acquire.fingerprint import ProgressCallback, ignore_progress
from zoo.errors import DataError
from zoo.utils.limits import get_limit, raise_limit

ANY_RATIO_UP_TO = 2 << 30
"""Unpacked size in bytes up to which any ratio of unpacked to packed size is accepted."""

_PACKED = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
_FOREIGN = {b"7z\xbc\xaf\x27\x1c": "7z", b"Rar!\x1a\x07": "rar"}
_CHUNK = 1 << 20
_UNPACK = "If you trust the archive, unpack it by hand and give the folder with --from."
_BROKEN = (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, lzma.LZMAError, zlib.error, EOFError, RuntimeError)


class Entry(NamedTuple):
    """A regular file in an archive.

    Attributes:
        place: Path below the folder, as its components.
        size: Size in bytes.
        open: Opens the content.
    """

    place: tuple[str, ...]
    size: int
    open: Callable[[], IO[bytes]]


@contextmanager
def open_archive(archive: Path) -> Iterator[list[Entry]]:
    """List the checked entries of an archive, without the extra files of macOS. They can be read inside of the `with`.

    Raises:
        DataError: The format is not supported, the archive is damaged, or it contains a bad entry.
    """
    kind = _kind(archive)
    with ExitStack() as stack:
        try:
            found = _zip(archive, stack) if kind == "zip" else _tar(archive, stack)
            listed = _checked(archive, found)
        except (*_BROKEN, OSError) as error:
            raise DataError(f"{archive}: cannot be read as {kind} ({error}).", "Download it again.") from error
        yield listed


def unpack_entries(
    archive: Path, entries: Iterable[Entry], folder: Path, progress: ProgressCallback = ignore_progress
) -> None:
    """Write the entries of an archive into a folder, which no other process uses.

    Raises:
        DataError: Content is damaged or longer than announced, a file exists already, or the disk is full.
    """
    listed = list(entries)
    total, done = sum(entry.size for entry in listed), 0
    for entry in listed:
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
                    progress(f"Unpacking {archive.name}", done, total)
        except FileExistsError as error:
            raise DataError(f"{archive}: '{'/'.join(entry.place)}' is in another archive too.", _UNPACK) from error
        except _BROKEN as error:
            raise DataError(
                f"{archive}: '{'/'.join(entry.place)}' is damaged ({error}).", "Download it again."
            ) from error
        except OSError as error:
            raise DataError(
                f"{path}: cannot be written ({error.strerror}).", "Free some space and run this again."
            ) from error
        if left:
            raise DataError(f"{archive}: '{'/'.join(entry.place)}' has a wrong size.", "Download it again.")


def _kind(archive: Path) -> str:
    """The format of an archive, by its content and not by its suffix."""
    try:
        with archive.open("rb") as file:
            start = file.read(8)
        for magic, name in _FOREIGN.items():
            if start.startswith(magic):
                raise DataError(
                    f"{archive}: {name} archives are not supported.", "Unpack it and give the folder with --from."
                )
        if start.startswith(b"PK"):
            return "zip"
        with ExitStack() as stack:
            next(iter(_open_tar(archive, stack)[0]), None)
            return "tar"
    except _BROKEN:
        pass  # it has another format
    except OSError as error:
        raise DataError(
            f"{archive}: cannot be read ({error.strerror or error}).", "Give an archive or a folder."
        ) from error
    raise DataError(f"{archive}: neither zip nor tar.", "Give the archive, or the folder with its content.")


def _zip(archive: Path, stack: ExitStack) -> Iterator[tuple[str, Entry]]:
    """Yield name and entry of each file. `zipfile` reads at most the announced size and checks the CRC."""
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
    """Yield name and entry of each file, after `tarfile`'s own filter for data."""
    opened, headers = _open_tar(archive, stack)
    for member in opened:
        headers.read_bytes = 0
        if not (member.isreg() or member.isdir()):
            raise DataError(f"{archive}: '{member.name}' is a link or a device.", _UNPACK)
        check_place(archive, member.name)  # before the filter, which would drop a leading slash silently
        tarfile.data_filter(member, str(archive.parent))
        if member.isreg():
            yield member.name, Entry((), member.size, partial(_open_member, opened, member))
    headers.most = None


def _open_tar(archive: Path, stack: ExitStack) -> tuple[tarfile.TarFile, _HeaderReader]:
    """Open a tar archive and the stream that it is read from, unpacked as its first bytes say."""
    with archive.open("rb") as file:
        start = file.read(6)
    opener = next((opener for magic, opener in _PACKED.items() if start.startswith(magic)), open)
    stream = stack.enter_context(opener(archive, "rb"))  # type: ignore[operator]
    headers = _HeaderReader(archive, stream, get_limit("archive_header_kb") * 1000)
    return stack.enter_context(tarfile.open(fileobj=headers, mode="r:")), headers  # type: ignore[call-overload]


class _HeaderReader:
    """The stream of a tar archive, which refuses a long header before it is unpacked.

    The headers of one file may have several parts, each with its own size. `tarfile` reads each part as a whole.

    Args:
        archive: The archive.
        stream: The unpacked content.
        most: The most bytes of the headers of one file.
    """

    def __init__(self, archive: Path, stream: IO[bytes], most: int) -> None:
        self.archive, self.stream = archive, stream
        self.most: int | None = most  # None once all headers are read
        self.read_bytes = 0
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int) -> bytes:
        """Read some bytes.

        Raises:
            DataError: The header is longer than the limit.
        """
        self.read_bytes += size
        if self.most is not None and self.read_bytes > self.most:
            fix = raise_limit("archive_header_kb", self.read_bytes // 1000 + 1)
            raise DataError(f"{self.archive}: a header of {self.read_bytes} bytes.", fix)
        return self.stream.read(size)


def _open_member(opened: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    content = opened.extractfile(member)
    if content is None:
        raise tarfile.ReadError("no content")
    return content


def _checked(archive: Path, found: Iterable[tuple[str, Entry]]) -> list[Entry]:
    """The entries to write, each with its path; the first bad entry is an error."""
    size = archive.stat().st_size
    most = max(ANY_RATIO_UP_TO, get_limit("archive_ratio") * size)
    files: dict[tuple[str, ...], Entry] = {}
    total = count = 0
    for name, entry in found:
        place = check_place(archive, name)
        total, count = total + entry.size, count + 1
        if total > most:
            fix = raise_limit("archive_ratio", total // max(size, 1) + 1)
            raise DataError(f"{archive}: would unpack to more than is plausible for the size of the archive.", fix)
        if count > get_limit("archive_files"):
            raise DataError(f"{archive}: has more than {count - 1} files.", raise_limit("archive_files", 2 * count))
        if place in files:
            raise DataError(f"{archive}: contains '{name}' twice.", _UNPACK)
        if place and "__MACOSX" not in place and not place[-1].startswith("._"):
            files[place] = entry._replace(place=place)
    if not files:
        raise DataError(f"{archive}: contains no files.", "Download it again.")
    for place in files:
        if any(place[:depth] in files for depth in range(1, len(place))):
            raise DataError(f"{archive}: '{'/'.join(place)}' is below a path that is a file.", _UNPACK)
    return list(files.values())


def check_place(archive: Path | str, name: str) -> tuple[str, ...]:
    """Return the components of a path below a folder, as an archive or a host names it.

    Raises:
        DataError: The path leads out of the folder or has unprintable characters.
    """
    plain = name.replace("\\", "/")
    parts = tuple(part for part in plain.split("/") if part not in ("", "."))
    if plain.startswith("/") or PureWindowsPath(name).drive:
        raise DataError(f"{archive}: '{name}' is an absolute path.", _UNPACK)
    if ".." in parts:
        raise DataError(f"{archive}: '{name}' leads out of the folder.", _UNPACK)
    if not name.isprintable():
        raise DataError(f"{archive}: {name!r} is not a file name.", _UNPACK)
    return parts
