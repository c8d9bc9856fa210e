"""Downloads from a local https server: a file gets its name only when it is complete and checked."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from datamodules.acquire.download import download_file
from datamodules.acquire.sources import File
from tests.helpers.https_server import Shelf
from zoo.errors import ConfigError, DataError

CONTENT = random.Random(0).randbytes(3_000_000)  # noqa: S311  (no secret)


@pytest.fixture
def shelf(running: tuple[Shelf, Path], monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """The server in its first state, trusted by the client."""
    found, authority = running
    found.__init__(base=found.base, files={"/a.zip": CONTENT})  # type: ignore[misc]
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    monkeypatch.delenv("ZOO_OFFLINE", raising=False)
    return found


def known(shelf: Shelf, path: str = "/a.zip", content: bytes = CONTENT, **other: Any) -> File:
    expected: dict[str, Any] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return File(name="a.zip", url=shelf.base + path, **{**expected, **other})


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_a_file_is_complete_and_is_downloaded_once(shelf: Shelf, tmp_path: Path) -> None:
    calls: list[tuple[str, int, int | None]] = []
    path, found = download_file(known(shelf), tmp_path / "d", lambda *call: calls.append(call))
    assert path.read_bytes() == CONTENT
    assert found.size == len(CONTENT)
    assert left(tmp_path / "d") == ["a.zip"]
    assert calls[-1][1:] == (len(CONTENT), len(CONTENT))
    download_file(known(shelf), tmp_path / "d")
    assert len(shelf.asked) == 1


@pytest.mark.parametrize("etag", ['"one"', ""])
def test_an_interrupted_download_continues_where_it_stopped(shelf: Shelf, tmp_path: Path, etag: str) -> None:
    shelf.cut_after, shelf.etag = 2_000_000, etag
    with pytest.raises(DataError, match="continues where it stopped"):
        download_file(known(shelf), tmp_path)
    assert left(tmp_path) == ["a.zip.part", "a.zip.part.json"]
    begun = (tmp_path / "a.zip.part").stat().st_size
    assert 0 < begun <= 2_000_000
    path, _ = download_file(known(shelf), tmp_path)
    assert shelf.asked[-1] == ("/a.zip", f"bytes={begun}-", etag or None)
    assert path.read_bytes() == CONTENT
    assert left(tmp_path) == ["a.zip"]


@pytest.mark.parametrize("change", [{"ranges": False}, {"etag": '"two"'}])
def test_a_download_starts_again_if_the_rest_is_not_available(
    shelf: Shelf, tmp_path: Path, change: dict[str, Any]
) -> None:
    shelf.cut_after = 2_000_000
    with pytest.raises(DataError):
        download_file(known(shelf), tmp_path)
    for key, value in change.items():
        setattr(shelf, key, value)
    path, _ = download_file(known(shelf), tmp_path)
    assert shelf.asked[-1][1]
    assert path.read_bytes() == CONTENT


def test_a_file_with_another_hash_is_refused_and_removed(shelf: Shelf, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"sha256 .* removed"):
        download_file(known(shelf, sha256="0" * 64), tmp_path)
    assert left(tmp_path) == []
    with pytest.raises(DataError, match="md5"):
        download_file(known(shelf, sha256="", md5="0" * 32), tmp_path)
    assert left(tmp_path) == []


def test_another_size_is_refused_before_anything_is_written(shelf: Shelf, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has 3000000 bytes instead of 7"):
        download_file(known(shelf, size=7), tmp_path)
    assert left(tmp_path) == []


def test_an_existing_damaged_file_is_refused(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"short")
    with pytest.raises(DataError, match=r"differs from the published file.*Remove it"):
        download_file(known(shelf), tmp_path)
    assert not shelf.asked


def test_only_https_is_used_also_after_redirects(shelf: Shelf, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not https"):
        File(name="a.zip", url="http://localhost/a.zip", sha256="0" * 64)
    shelf.redirects = {"/moved": "/a.zip", "/down": f"http://localhost{shelf.base[-6:]}/a.zip"}
    with pytest.raises(DataError, match="not https"):
        download_file(known(shelf, "/down"), tmp_path)
    assert left(tmp_path) == []
    assert [path for path, *_ in shelf.asked] == ["/down"]
    download_file(known(shelf, "/moved"), tmp_path)
    assert left(tmp_path) == ["a.zip"]


def test_an_unknown_authority_is_refused(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(DataError, match=r"connection failed.*CERTIFICATE_VERIFY_FAILED"):
        download_file(known(shelf), tmp_path)
    assert not shelf.asked


def test_an_error_of_the_server_is_reported(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="answered 404"):
        download_file(known(shelf, "/lost.zip"), tmp_path)
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    with pytest.raises(ConfigError, match="ZOO_OFFLINE"):
        download_file(known(shelf), tmp_path)
    assert left(tmp_path) == []


class _Usage(NamedTuple):
    total: int
    used: int
    free: int


def test_a_full_disk_is_reported_before_anything_is_written(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda place: _Usage(10, 10, 0))
    with pytest.raises(DataError, match=r"the rest of a\.zip needs 3\.0 MB, but 0 B are free"):
        download_file(known(shelf), tmp_path)
    assert left(tmp_path) == []


def test_a_disk_that_fills_up_leaves_a_partial_file(shelf: Shelf, tmp_path: Path) -> None:
    def full(what: str, done: int, total: int | None) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(DataError, match="No space left on device"):
        download_file(known(shelf), tmp_path, full)
    assert left(tmp_path) == ["a.zip.part", "a.zip.part.json"]
    download_file(known(shelf), tmp_path)
    assert left(tmp_path) == ["a.zip"]


def test_a_killed_download_leaves_a_partial_file_and_continues(shelf: Shelf, tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from datamodules.acquire.download import download_file; "
        "from datamodules.acquire.sources import File; "
        "wait = lambda *call: (time.sleep(0.05), print(call, flush=True)); "
        "download_file(File('a.zip', sys.argv[1], int(sys.argv[2]), sys.argv[3]), Path(sys.argv[4]), wait)"
    )
    file = known(shelf)
    words = [sys.executable, "-c", code, file.url, str(file.size), file.sha256, str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, env=os.environ.copy()) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert left(tmp_path) == ["a.zip.part", "a.zip.part.json"]
    time.sleep(0.05)
    path, _ = download_file(file, tmp_path)
    assert path.read_bytes() == CONTENT
    assert left(tmp_path) == ["a.zip"]


def response(status: str, body: bytes, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode() + body


def begin(shelf: Shelf, folder: Path, size: int = 2_000_000) -> None:
    """Leave the first bytes of the file in a folder."""
    shelf.cut_after = size
    with pytest.raises(DataError, match="continues where it stopped"):
        download_file(known(shelf), folder)
    assert (folder / "a.zip.part").stat().st_size == size


END = len(CONTENT) - 1


@pytest.mark.parametrize(
    ("answer", "message", "kept"),
    [
        (
            response("416 No", b"", "Content-Length: 0"),
            "has changed since 2000000 bytes were received.*starts from the beginning",
            None,
        ),
        (
            response("206 Part", b"", f"Content-Range: bytes 7-{END}/{END + 1}"),
            "another range.*starts from the beginning",
            None,
        ),
        (response("206 Part", b"", "Content-Length: 5"), "another range.*starts from the beginning", None),
        (response("206 Part", b"", "Content-Range: bytes 2000000-8/9"), "has 9 bytes instead of 3000000", 2_000_000),
        (
            response("206 Part", CONTENT[2_000_000:2_500_000], f"Content-Range: bytes 2000000-2499999/{END + 1}"),
            "ended after 2500000 of 3000000 bytes.*continues where it stopped",
            2_500_000,
        ),
        (response("503 Busy", b"later", "Content-Length: 5"), "answered 503. Try later", 2_000_000),
        (response("200 OK", CONTENT[:9]), "ended after 9 of 3000000 bytes.*continues where it stopped", 9),
        (response("200 OK", CONTENT + b"more"), "sends more than the announced 3000000 bytes", None),
        (
            response("200 OK", CONTENT[:9], "Content-Length: 3000000"),
            "connection failed .*continues where it stopped",
            9,
        ),
        (response("200 OK", CONTENT[:9], "Content-Length: -3"), "connection failed .*after 2.0 MB", 2_000_000),
        (b"no http at all", "connection failed .*after 2.0 MB", 2_000_000),
    ],
)
def test_a_wrong_response_is_one_error_line_and_the_next_call_completes_the_file(
    shelf: Shelf, tmp_path: Path, answer: bytes, message: str, kept: int | None
) -> None:
    begin(shelf, tmp_path)
    shelf.said = [answer]
    with pytest.raises(DataError, match=message) as caught:
        download_file(known(shelf), tmp_path)
    assert "\n" not in str(caught.value)
    assert left(tmp_path) == ([] if kept is None else ["a.zip.part", "a.zip.part.json"])
    assert kept is None or (tmp_path / "a.zip.part").stat().st_size == kept
    path, _ = download_file(known(shelf), tmp_path)
    assert shelf.asked[-1][1] == (f"bytes={kept}-" if kept else None)
    assert path.read_bytes() == CONTENT
    assert left(tmp_path) == ["a.zip"]


@pytest.mark.parametrize("size", [len(CONTENT), None])
def test_a_complete_partial_file_is_checked_and_not_requested_again(
    shelf: Shelf, tmp_path: Path, size: int | None
) -> None:
    file = known(shelf, size=size)
    with pytest.raises(KeyboardInterrupt):
        download_file(file, tmp_path, interrupt_check)
    assert left(tmp_path) == ["a.zip.part", "a.zip.part.json"]
    path, _ = download_file(file, tmp_path)
    assert len(shelf.asked) == 1
    assert path.read_bytes() == CONTENT


def interrupt_check(what: str, done: int, total: int | None) -> None:
    """Interrupt between the last byte and the checksum."""
    if not what.startswith("Downloading"):
        raise KeyboardInterrupt


@pytest.mark.parametrize("note", ["", "[]", "{}", '{"url": "https://elsewhere/a.zip", "version": "", "size": 9}'])
def test_a_partial_file_of_another_version_is_not_continued(shelf: Shelf, tmp_path: Path, note: str) -> None:
    (tmp_path / "a.zip.part").write_bytes(b"of another file")
    (tmp_path / "a.zip.part.json").write_text(note)
    path, _ = download_file(known(shelf), tmp_path)
    assert shelf.asked[-1][1] is None
    assert path.read_bytes() == CONTENT
