"""Download one file over https. A download resumes where it stopped and is checked before the file gets its name.

`<name>.part` contains the bytes that were received so far; `<name>.part.json` contains their version and the full size.
A file with its full name was checked. A killed process leaves only `.part`, from which the next call continues.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx2

from datamodules.acquire.disk_space import check_space
from datamodules.acquire.fingerprint import (
    Fingerprint,
    ProgressCallback,
    compute_fingerprint,
    describe_difference,
    ignore_progress,
)
from datamodules.acquire.sources import File
from zoo.errors import ConfigError, DataError
from zoo.settings import offline
from zoo.utils.format import format_bytes

AGAIN = "Run the same command again: it continues where it stopped."


def download_file(
    file: File,
    folder: Path,
    progress: ProgressCallback = ignore_progress,
    *,
    headers: Mapping[str, str] | None = None,
    login: str = "",
) -> tuple[Path, Fingerprint]:
    """Download a file into a folder and check it. A file that is there already is only checked.

    Args:
        file: The published file, with a url, and with a checksum unless the caller checks the content.
        folder: The folder to write to; it is made if needed.
        progress: Called after each received chunk.
        headers: Headers of the request, such as a token. A redirect to another server gets no token.
        login: What to do if the server asks for an account.

    Returns:
        The path of the file and its fingerprint.

    Raises:
        ConfigError: `ZOO_OFFLINE` is set.
        DataError: The download fails, the disk is full, or the file differs from the published one.
    """
    complete, part = folder / file.name, folder / f"{file.name}.part"
    if complete.exists():
        found = compute_fingerprint(complete, progress)
        if problem := describe_difference(file, found):
            raise DataError(
                f"{complete}: differs from the published file ({problem}).", "Remove it and run this again."
            )
        return complete, found
    if offline():
        raise ConfigError(
            f"{file.url} is not downloaded: ZOO_OFFLINE is set.", "Unset it, or download the file and give --from."
        )
    if not part.exists() or part.stat().st_size != (file.size or _read_note(part).get("size")):
        _receive(file, part, progress, headers or {}, login)  # otherwise only the check is missing
    found = compute_fingerprint(part, progress)
    if problem := describe_difference(file, found):
        _remove_part(part)
        raise DataError(
            f"{file.url}: the received file differs from the published one ({problem}); it was removed.",
            "Run this again; if the error stays, the publisher has changed the file: report it.",
        )
    part.replace(complete)
    _remove_part(part)
    return complete, found


def count_missing_bytes(file: File, folder: Path) -> int:
    """Return how many bytes of a file must still be downloaded; 0 where its size is not known."""
    complete, part = folder / file.name, folder / f"{file.name}.part"
    existing = next((path.stat().st_size for path in (complete, part) if path.exists()), 0)
    return max(0, (file.size or 0) - existing)


def _receive(file: File, part: Path, progress: ProgressCallback, extra: Mapping[str, str], login: str) -> None:
    """Append the missing bytes to `part`."""
    begun, headers = _resume_headers(file, part)
    client = httpx2.Client(
        follow_redirects=True, max_redirects=10, timeout=60.0, event_hooks={"request": [_only_https]}
    )
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        with client, client.stream("GET", file.url, headers={**extra, **headers}) as response:
            if response.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN) and login:
                raise DataError(f"{file.url}: refused to this account ({response.status_code}).", login)
            if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and begun:
                _remove_part(part)
                raise DataError(
                    f"{file.url}: has changed since {begun} bytes were received.",
                    "Run this again: it starts from the beginning.",
                )
            _append(file, part, response, begun, progress)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        size = format_bytes(part.stat().st_size if part.exists() else 0)
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        raise DataError(f"{file.url}: the connection failed ({reason}) after {size}.", AGAIN) from error
    except OSError as error:
        raise DataError(f"{part}: cannot be written ({error.strerror}).", f"Free some space. {AGAIN}") from error


def _append(file: File, part: Path, response: httpx2.Response, begun: int, progress: ProgressCallback) -> None:
    """Write the body of a response to `part`, after the existing bytes if the response is the rest of the file."""
    if response.status_code not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
        raise DataError(
            f"{file.url}: answered {response.status_code}.", "Try later, or see `zoo data prepare --steps`."
        )
    rest = response.status_code == HTTPStatus.PARTIAL_CONTENT
    if rest and not response.headers.get("content-range", "").startswith(f"bytes {begun}-"):
        _remove_part(part)
        raise DataError(
            f"{file.url}: sent another range than the requested one.", "Run this again: it starts from the beginning."
        )
    done = begun if rest else 0
    total = _announced_size(response) or file.size
    if file.size and total != file.size:
        raise DataError(
            f"{file.url}: has {total} bytes instead of {file.size}.", "The publisher has changed the file: report it."
        )
    check_space(part.parent, (total or 0) - done, f"the rest of {file.name}")
    note = {"url": file.url, "version": _version(response), "size": total}
    _note_path(part).write_text(json.dumps(note), encoding="utf-8")
    with part.open("ab" if rest else "wb") as out:
        for chunk in response.iter_raw():  # as received: a buffer would be lost when the connection is cut
            done += len(chunk)
            if total and done > total:
                _remove_part(part)
                raise DataError(f"{file.url}: sends more than the announced {total} bytes.", "Report this.")
            out.write(chunk)
            progress(f"Downloading {file.name}", done, total)
    if total and done < total:  # a shorter range than requested, or a cut without an announced length
        raise DataError(f"{file.url}: the response ended after {done} of {total} bytes.", AGAIN)


def _announced_size(response: httpx2.Response) -> int | None:
    """The size of the complete file in the headers of a response; None where they do not contain it."""
    if response.status_code == HTTPStatus.PARTIAL_CONTENT:
        size = response.headers.get("content-range", "").rpartition("/")[2]
    else:
        size = response.headers.get("content-length", "")
    return int(size) if size.isdecimal() else None


def _resume_headers(file: File, part: Path) -> tuple[int, dict[str, str]]:
    """The number of existing bytes, and the request headers for the rest of the same version.

    If the server gives no version, only the checksum can show that both parts belong together.
    """
    headers = {"Accept-Encoding": "identity"}  # the checksum belongs to the file, not to a compressed stream
    note, begun = _read_note(part), part.stat().st_size if part.exists() else 0
    if not begun or note.get("url") != file.url:
        return 0, headers
    headers["Range"] = f"bytes={begun}-"
    if note.get("version"):
        headers["If-Range"] = str(note["version"])
    return begun, headers


def _version(response: httpx2.Response) -> str:
    """The value for `If-Range`: a strong ETag, or else the date of the last change."""
    tag = response.headers.get("etag", "")
    return tag if tag and not tag.startswith("W/") else response.headers.get("last-modified", "")


def _only_https(request: httpx2.Request) -> None:
    """Refuse a request without https. This is called before every request, also after a redirect."""
    if request.url.scheme != "https":
        raise DataError(f"{request.url}: not https, therefore refused.", "Download the file by hand and give --from.")


def _note_path(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _read_note(part: Path) -> dict[str, Any]:
    """The note beside a partial file; empty where it cannot be read."""
    try:
        note = json.loads(_note_path(part).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def _remove_part(part: Path) -> None:
    part.unlink(missing_ok=True)
    _note_path(part).unlink(missing_ok=True)
