"""Safe unpacking: harmful archives are refused, other archives are unpacked."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

from datamodules.acquire import archive
from zoo.errors import DataError

Member = tuple[str, bytes]


def make_tar(path: Path, members: list[Member | tarfile.TarInfo], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as out:  # type: ignore[call-overload]
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                out.addfile(member)
                continue
            info = tarfile.TarInfo(member[0])
            info.size = len(member[1])
            out.addfile(info, io.BytesIO(member[1]))
    return path


def make_zip(path: Path, members: list[Member | zipfile.ZipInfo]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for member in members:
            if isinstance(member, zipfile.ZipInfo):
                out.writestr(member, "target")
            else:
                out.writestr(*member)
    return path


def odd(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def zip_link() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("s/link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def unpack(path: Path, folder: Path) -> list[str]:
    with archive.open_archive(path) as entries:
        folder.mkdir(exist_ok=True)
        archive.unpack_entries(path, entries, folder)
    return sorted(str(found.relative_to(folder)) for found in folder.rglob("*") if found.is_file())


GOOD: list[Member] = [
    ("./s/a.txt", b"a"),
    ("s/b/c.txt", b"cc"),
    ("s/._a.txt", b"macOS"),
    ("__MACOSX/s/a.txt", b"macOS"),
]


@pytest.mark.parametrize("make", [make_tar, lambda p, m: make_tar(p, m, "w:gz"), make_zip])
def test_a_good_archive_is_unpacked_without_the_extra_files_of_macos(
    make: Callable[[Path, list[Member]], Path], tmp_path: Path
) -> None:
    assert unpack(make(tmp_path / "good", GOOD), tmp_path / "out") == ["s/a.txt", "s/b/c.txt"]
    assert (tmp_path / "out" / "s" / "b" / "c.txt").read_bytes() == b"cc"


def test_file_modes_of_an_archive_are_ignored(tmp_path: Path) -> None:
    info = tarfile.TarInfo("run")
    info.mode = 0o6777
    unpack(make_tar(tmp_path / "a.tar", [info]), tmp_path / "out")
    assert stat.S_IMODE((tmp_path / "out" / "run").stat().st_mode) & 0o6111 == 0


ATTACKS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "tar-slip": (lambda p: make_tar(p, [("a", b"1"), ("../out.txt", b"1")]), "leads out"),
    "tar-deep-slip": (lambda p: make_tar(p, [("a/../../out.txt", b"1")]), "leads out"),
    "tar-absolute": (lambda p: make_tar(p, [("/tmp/out.txt", b"1")]), "absolute"),
    "tar-symlink-out": (
        lambda p: make_tar(p, [odd("l", tarfile.SYMTYPE, "/etc"), ("l/x", b"1")]),
        "a link or a device",
    ),
    "tar-hardlink": (lambda p: make_tar(p, [odd("l", tarfile.LNKTYPE, "../../x")]), "a link or a device"),
    "tar-device": (lambda p: make_tar(p, [odd("d", tarfile.CHRTYPE)]), "a link or a device"),
    "tar-fifo": (lambda p: make_tar(p, [odd("d", tarfile.FIFOTYPE)]), "a link or a device"),
    "tar-twice": (lambda p: make_tar(p, [("a", b"1"), ("./a", b"2")]), "twice"),
    "tar-file-as-folder": (lambda p: make_tar(p, [("a", b"1"), ("a/b", b"2")]), "a path that is a file"),
    "zip-slip": (lambda p: make_zip(p, [("../out.txt", b"1")]), "leads out"),
    "zip-backslash": (lambda p: make_zip(p, [("..\\out.txt", b"1")]), "leads out"),
    "zip-absolute": (lambda p: make_zip(p, [("/tmp/out.txt", b"1")]), "absolute"),
    "zip-drive": (lambda p: make_zip(p, [("C:\\out.txt", b"1")]), "absolute"),
    "zip-symlink": (lambda p: make_zip(p, [zip_link()]), "a link or a device"),
    "zip-control": (lambda p: make_zip(p, [("a\x1b[2Jb", b"1")]), "not a file name"),
    "empty": (lambda p: make_zip(p, []), "no files"),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_refused_with_one_line_and_nothing_is_written(name: str, tmp_path: Path) -> None:
    make, says = ATTACKS[name]
    path = make(tmp_path / "bad")
    with pytest.raises(DataError, match=says) as caught:
        unpack(path, tmp_path / "out")
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
    assert [found.name for found in tmp_path.iterdir()] == ["bad"]


def test_zip_with_a_name_twice_is_refused(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = make_zip(tmp_path / "a.zip", [("a", b"1"), ("a", b"2")])
    with pytest.raises(DataError, match="twice"):
        unpack(path, tmp_path / "out")


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_bomb_is_refused_before_it_is_unpacked(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "ANY_RATIO_UP_TO", 100_000)
    zeros = bytes(4_000_000)
    path = tmp_path / "bomb"
    if kind == "zip":
        make_zip(path, [("a", zeros)])
    else:
        make_tar(path, [("a", zeros)], "w:gz")
    with pytest.raises(DataError, match="plausible"):
        unpack(path, tmp_path / "out")
    monkeypatch.setattr(archive, "ANY_RATIO_UP_TO", 10_000_000)
    monkeypatch.setenv("ZOO_LIMITS", "archive_files=1")
    make = make_zip if kind == "zip" else make_tar
    with pytest.raises(DataError, match=r"more than 1 files\. .*ZOO_LIMITS=archive_files="):
        unpack(make(tmp_path / "two", [("a", b""), ("b", b"")]), tmp_path / "out")


def packed_headers(kind: bytes, parts: int) -> bytes:
    """Return headers of a tar archive whose content is never there, as if they were packed."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = kind, 3 << 30 if parts == 1 else 512
    block = info.tobuf(tarfile.GNU_FORMAT)
    return block if parts == 1 else (block + b"1 a=b\n".ljust(512, b"\0")) * parts


@pytest.mark.parametrize("opener", [gzip.open, bz2.open, lzma.open, open])
@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK])
def test_a_header_that_claims_gigabytes_is_refused_before_it_is_unpacked(
    kind: bytes, opener: Callable[..., IO[bytes]], tmp_path: Path
) -> None:
    for first in ([], [("a", b"1")]):
        start = make_tar(tmp_path / "start", first).read_bytes()[: 1024 * len(first)]  # type: ignore[arg-type]
        with opener(tmp_path / "a.tar", "wb") as file:
            file.write(start + packed_headers(kind, 1))
        with pytest.raises(DataError, match=r"a\.tar: a header of \d{10} bytes\. .*ZOO_LIMITS=archive_header_kb=\d+"):
            unpack(tmp_path / "a.tar", tmp_path / "out")


def test_many_small_headers_of_one_file_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_LIMITS", "archive_header_kb=20")
    path = tmp_path / "a.tar"
    path.write_bytes(packed_headers(tarfile.XHDTYPE, 30))
    with pytest.raises(DataError, match="a header of"):
        unpack(path, tmp_path / "out")


def test_a_long_name_of_a_file_is_unpacked(tmp_path: Path) -> None:
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        path, name = tmp_path / f"{form}.tar", "/".join(["n" * 90] * 5)
        with tarfile.open(path, "w:gz", format=form) as out:
            out.addfile(odd(name, tarfile.REGTYPE))
        assert unpack(path, tmp_path / f"out{form}") == [name]


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", [("a", b"1")])
    raw = bytearray(path.read_bytes())
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(magic) + offset] |= 1
    path.write_bytes(raw)
    with pytest.raises(DataError, match="encrypted"):
        unpack(path, tmp_path / "out")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"7z\xbc\xaf\x27\x1c" + bytes(50), "7z archives are not supported"),
        (b"Rar!\x1a\x07" + bytes(50), "rar archives are not supported"),
        (b"hello" * 200, "neither zip nor tar"),
        (b"", "neither zip nor tar"),
        (b"PK\x03\x04" + bytes(50), "cannot be read as zip"),
    ],
)
def test_other_files_are_refused(content: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(DataError, match=says):
        unpack(path, tmp_path / "out")


@pytest.mark.parametrize("mode", ["w", "w:gz", "zip"])
def test_a_damaged_archive_is_refused(mode: str, tmp_path: Path) -> None:
    content = os.urandom(200_000)
    path = tmp_path / "a"
    if mode == "zip":
        make_zip(path, [("a", content)])
        raw = bytearray(path.read_bytes())
        raw[100_000] ^= 255
        path.write_bytes(raw)
    else:
        make_tar(path, [("a", content)], mode)
        path.write_bytes(path.read_bytes()[:120_000])
    with pytest.raises(DataError, match="Download it again") as caught:
        unpack(path, tmp_path / "out")
    assert str(path) in str(caught.value)
