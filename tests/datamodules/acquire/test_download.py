"""Downloads against a local https server: whole and checked, or not there under their name."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from datamodules.acquire.download import fetch
from datamodules.acquire.sources import File
from tests.helpers.https_server import Shelf, https_shelf
from zoo.errors import ConfigError, DataError

CONTENT = random.Random(0).randbytes(3_000_000)  # noqa: S311  (no secret)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Shelf, Path]]:
    with https_shelf(tmp_path_factory.mktemp("authority")) as shelf_and_authority:
        yield shelf_and_authority


@pytest.fixture
def shelf(running: tuple[Shelf, Path], monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """The server as new, trusted by the client."""
    found, authority = running
    found.__init__(base=found.base, files={"/a.zip": CONTENT})  # type: ignore[misc]
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    monkeypatch.delenv("ZOO_OFFLINE", raising=False)
    return found


def known(shelf: Shelf, path: str = "/a.zip", content: bytes = CONTENT, **other: Any) -> File:
    facts: dict[str, Any] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return File(name="a.zip", url=shelf.base + path, **{**facts, **other})


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_a_file_comes_whole_and_is_not_fetched_twice(shelf: Shelf, tmp_path: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    path, found = fetch(known(shelf), tmp_path / "d", lambda *facts: told.append(facts))
    assert path.read_bytes() == CONTENT
    assert found.size == len(CONTENT)
    assert left(tmp_path / "d") == ["a.zip"]
    assert told[-1][1:] == (len(CONTENT), len(CONTENT))
    fetch(known(shelf), tmp_path / "d")
    assert len(shelf.asked) == 1


@pytest.mark.parametrize("etag", ['"one"', ""])
def test_a_cut_download_goes_on_where_it_stopped(shelf: Shelf, tmp_path: Path, etag: str) -> None:
    shelf.cut_after, shelf.etag = 2_000_000, etag
    with pytest.raises(DataError, match="goes on where it stopped"):
        fetch(known(shelf), tmp_path)
    assert left(tmp_path) == ["a.zip.part", "a.zip.part.json"]
    begun = (tmp_path / "a.zip.part").stat().st_size
    assert 0 < begun <= 2_000_000
    path, _ = fetch(known(shelf), tmp_path)
    assert shelf.asked[-1] == ("/a.zip", f"bytes={begun}-", etag or None)
    assert path.read_bytes() == CONTENT
    assert left(tmp_path) == ["a.zip"]


@pytest.mark.parametrize("change", [{"ranges": False}, {"etag": '"two"'}])
def test_it_starts_anew_where_the_rest_is_not_to_be_had(shelf: Shelf, tmp_path: Path, change: dict[str, Any]) -> None:
    shelf.cut_after = 2_000_000
    with pytest.raises(DataError):
        fetch(known(shelf), tmp_path)
    for key, value in change.items():
        setattr(shelf, key, value)
    path, _ = fetch(known(shelf), tmp_path)
    assert shelf.asked[-1][1]
    assert path.read_bytes() == CONTENT


def test_another_file_under_the_address_is_refused_and_removed(shelf: Shelf, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"sha256 .* removed"):
        fetch(known(shelf, sha256="0" * 64), tmp_path)
    assert left(tmp_path) == []
    with pytest.raises(DataError, match="md5"):
        fetch(known(shelf, sha256="", md5="0" * 32), tmp_path)
    assert left(tmp_path) == []


def test_another_size_is_refused_before_anything_is_written(shelf: Shelf, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has 3000000 bytes, 7 are due"):
        fetch(known(shelf, size=7), tmp_path)
    assert left(tmp_path) == []


def test_a_file_that_lies_there_damaged_is_told(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"short")
    with pytest.raises(DataError, match=r"differs from what is known.*Remove it"):
        fetch(known(shelf), tmp_path)
    assert not shelf.asked


def test_only_https_also_after_redirects(shelf: Shelf, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not https"):
        File(name="a.zip", url="http://localhost/a.zip", sha256="0" * 64)
    shelf.redirects = {"/moved": "/a.zip", "/down": f"http://localhost{shelf.base[-6:]}/a.zip"}
    with pytest.raises(DataError, match="not https"):
        fetch(known(shelf, "/down"), tmp_path)
    assert left(tmp_path) == []
    assert [path for path, *_ in shelf.asked] == ["/down"]
    fetch(known(shelf, "/moved"), tmp_path)
    assert left(tmp_path) == ["a.zip"]


def test_an_unknown_authority_is_refused(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(DataError, match=r"connection failed.*CERTIFICATE_VERIFY_FAILED"):
        fetch(known(shelf), tmp_path)
    assert not shelf.asked


def test_what_the_server_says_is_told(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="answered 404"):
        fetch(known(shelf, "/lost.zip"), tmp_path)
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    with pytest.raises(ConfigError, match="ZOO_OFFLINE"):
        fetch(known(shelf), tmp_path)
    assert left(tmp_path) == []


class _Usage(NamedTuple):
    total: int
    used: int
    free: int


def test_a_full_disk_is_told_before_anything_is_written(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda place: _Usage(10, 10, 0))
    with pytest.raises(DataError, match=r"the rest of a\.zip needs 3\.0 MB, but 0 B are free"):
        fetch(known(shelf), tmp_path)
    assert left(tmp_path) == []


def test_a_disk_that_fills_up_leaves_a_part(shelf: Shelf, tmp_path: Path) -> None:
    def full(what: str, done: int, total: int | None) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(DataError, match="No space left on device"):
        fetch(known(shelf), tmp_path, full)
    assert left(tmp_path) == ["a.zip.part", "a.zip.part.json"]
    fetch(known(shelf), tmp_path)
    assert left(tmp_path) == ["a.zip"]


def test_a_killed_download_leaves_no_whole_file_and_goes_on(shelf: Shelf, tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from datamodules.acquire.download import fetch; "
        "from datamodules.acquire.sources import File; "
        "wait = lambda *facts: (time.sleep(0.05), print(facts, flush=True)); "
        "fetch(File('a.zip', sys.argv[1], int(sys.argv[2]), sys.argv[3]), Path(sys.argv[4]), wait)"
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
    path, _ = fetch(file, tmp_path)
    assert path.read_bytes() == CONTENT
    assert left(tmp_path) == ["a.zip"]


def said(status: str, body: bytes, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode() + body


def begin(shelf: Shelf, folder: Path, size: int = 2_000_000) -> None:
    """Leaves the first bytes of the file in a folder."""
    shelf.cut_after = size
    with pytest.raises(DataError, match="goes on where it stopped"):
        fetch(known(shelf), folder)
    assert (folder / "a.zip.part").stat().st_size == size


END = len(CONTENT) - 1


@pytest.mark.parametrize(
    ("answer", "message", "kept"),
    [
        (said("416 No", b"", "Content-Length: 0"), "has changed since 2000000 bytes came.*starts anew", None),
        (said("206 Part", b"", f"Content-Range: bytes 7-{END}/{END + 1}"), "another part.*starts anew", None),
        (said("206 Part", b"", "Content-Length: 5"), "another part.*starts anew", None),
        (said("206 Part", b"", "Content-Range: bytes 2000000-8/9"), "has 9 bytes, 3000000 are due", 2_000_000),
        (
            said("206 Part", CONTENT[2_000_000:2_500_000], f"Content-Range: bytes 2000000-2499999/{END + 1}"),
            "ended after 2500000 of 3000000 bytes.*goes on where it stopped",
            2_500_000,
        ),
        (said("503 Busy", b"later", "Content-Length: 5"), "answered 503. Try later", 2_000_000),
        (said("200 OK", CONTENT[:9]), "ended after 9 of 3000000 bytes.*goes on where it stopped", 9),
        (said("200 OK", CONTENT + b"more"), "sends more than the 3000000 bytes", None),
        (said("200 OK", CONTENT[:9], "Content-Length: 3000000"), "connection failed .*goes on where it stopped", 9),
        (said("200 OK", CONTENT[:9], "Content-Length: -3"), "connection failed .*2.0 MB came", 2_000_000),
        (b"no http at all", "connection failed .*2.0 MB came", 2_000_000),
    ],
)
def test_a_server_that_answers_wrongly_costs_one_line_and_the_next_call_ends_it(
    shelf: Shelf, tmp_path: Path, answer: bytes, message: str, kept: int | None
) -> None:
    begin(shelf, tmp_path)
    shelf.said = [answer]
    with pytest.raises(DataError, match=message) as caught:
        fetch(known(shelf), tmp_path)
    assert "\n" not in str(caught.value)
    assert left(tmp_path) == ([] if kept is None else ["a.zip.part", "a.zip.part.json"])
    assert kept is None or (tmp_path / "a.zip.part").stat().st_size == kept
    path, _ = fetch(known(shelf), tmp_path)
    assert shelf.asked[-1][1] == (f"bytes={kept}-" if kept else None)
    assert path.read_bytes() == CONTENT
    assert left(tmp_path) == ["a.zip"]


@pytest.mark.parametrize("size", [len(CONTENT), None])
def test_what_came_whole_is_checked_and_not_asked_for_again(shelf: Shelf, tmp_path: Path, size: int | None) -> None:
    file = known(shelf, size=size)
    with pytest.raises(KeyboardInterrupt):
        fetch(file, tmp_path, interrupt_check)
    assert left(tmp_path) == ["a.zip.part", "a.zip.part.json"]
    path, _ = fetch(file, tmp_path)
    assert len(shelf.asked) == 1
    assert path.read_bytes() == CONTENT


def interrupt_check(what: str, done: int, total: int | None) -> None:
    """Stops between the last byte and the checksum."""
    if not what.startswith("Fetching"):
        raise KeyboardInterrupt


@pytest.mark.parametrize("note", ["", "[]", "{}", '{"url": "https://elsewhere/a.zip", "version": "", "size": 9}'])
def test_a_part_of_another_file_is_not_gone_on_with(shelf: Shelf, tmp_path: Path, note: str) -> None:
    (tmp_path / "a.zip.part").write_bytes(b"of another file")
    (tmp_path / "a.zip.part.json").write_text(note)
    path, _ = fetch(known(shelf), tmp_path)
    assert shelf.asked[-1][1] is None
    assert path.read_bytes() == CONTENT
