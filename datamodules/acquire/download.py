"""One file over https: resumed where it stopped, checked before it has its name.

`<name>.part` holds what has come so far and `<name>.part.json` of which version that is and how large the whole is.
A file that has its full name was checked; a killed process leaves only `.part`, from which the next call goes on.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx2

from datamodules.acquire.disk_space import need_space
from datamodules.acquire.fingerprint import Fingerprint, Tell, difference, fingerprint, silent
from datamodules.acquire.sources import File, amount
from zoo.errors import ConfigError, DataError
from zoo.settings import offline

_AGAIN = "Run the same command again: it goes on where it stopped."


def fetch(file: File, folder: Path, tell: Tell = silent) -> tuple[Path, Fingerprint]:
    """The file in a folder: what is there already is checked, else it is downloaded and then checked.

    Args:
        file: With a url and a checksum.
        folder: Where it is to lie; made if need be.
        tell: Told of progress.

    Raises:
        ConfigError: `ZOO_OFFLINE` is set.
        DataError: It cannot be had, there is no room for it, or it is not the file that is known.
    """
    whole, part = folder / file.name, folder / f"{file.name}.part"
    if whole.exists():
        found = fingerprint(whole, tell)
        if problem := difference(file, found):
            raise DataError(f"{whole}: differs from what is known of it ({problem}).", "Remove it and run this again.")
        return whole, found
    if offline():
        raise ConfigError(f"{file.url} is not fetched: ZOO_OFFLINE is set.", "Unset it, or fetch the file and --from.")
    if not part.exists() or part.stat().st_size != (file.size or _noted(part).get("size")):
        _receive(file, part, tell)  # else only the check is missing
    found = fingerprint(part, tell)
    if problem := difference(file, found):
        _forget(part)
        raise DataError(
            f"{file.url}: what came is not the file that is known ({problem}); it was removed.",
            "Run this again; if it stays so, the publisher has changed the file: report it.",
        )
    part.replace(whole)
    _forget(part)
    return whole, found


def still_to_come(file: File, folder: Path) -> int:
    """How many bytes of a file are not there yet, 0 where its size is not known."""
    whole, part = folder / file.name, folder / f"{file.name}.part"
    there = next((path.stat().st_size for path in (whole, part) if path.exists()), 0)
    return max(0, (file.size or 0) - there)


def _receive(file: File, part: Path, tell: Tell) -> None:
    """Streams what is missing into `part`."""
    part.parent.mkdir(parents=True, exist_ok=True)
    begun, headers = _begun(file, part)
    client = httpx2.Client(
        follow_redirects=True, max_redirects=10, timeout=60.0, event_hooks={"request": [_only_https]}
    )
    try:
        with client, client.stream("GET", file.url, headers=headers) as response:
            if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and begun:
                _forget(part)
                raise DataError(f"{file.url}: has changed since {begun} bytes came.", "Run this again: it starts anew.")
            _append(file, part, response, begun, tell)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        came = amount(part.stat().st_size) if part.exists() else "nothing"
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        raise DataError(f"{file.url}: the connection failed ({reason}); {came} came.", _AGAIN) from error
    except OSError as error:
        raise DataError(f"{part}: cannot be written ({error.strerror}).", f"Make room. {_AGAIN}") from error


def _append(file: File, part: Path, response: httpx2.Response, begun: int, tell: Tell) -> None:
    """Writes the body of a response, after what is there if it is the rest of it."""
    if response.status_code not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
        raise DataError(
            f"{file.url}: answered {response.status_code}.", "Try later, or see `zoo data prepare --steps`."
        )
    rest = response.status_code == HTTPStatus.PARTIAL_CONTENT
    if rest and not response.headers.get("content-range", "").startswith(f"bytes {begun}-"):
        _forget(part)
        raise DataError(f"{file.url}: sent another part than the one asked for.", "Run this again: it starts anew.")
    done = begun if rest else 0
    total = _stated(response) or file.size
    if file.size and total != file.size:
        raise DataError(
            f"{file.url}: has {total} bytes, {file.size} are due.", "The publisher has changed it: report it."
        )
    need_space(part.parent, (total or 0) - done, f"the rest of {file.name}")
    note = {"url": file.url, "version": _version(response), "size": total}
    _note(part).write_text(json.dumps(note), encoding="utf-8")
    with part.open("ab" if rest else "wb") as out:
        for chunk in response.iter_raw():  # as it comes: what is gathered first is lost in a cut
            done += len(chunk)
            if total and done > total:
                _forget(part)
                raise DataError(f"{file.url}: sends more than the {total} bytes that are due.", "Report it.")
            out.write(chunk)
            tell(f"Fetching {file.name}", done, total)
    if total and done < total:  # a shorter part than was asked for, or a cut where no length was stated
        raise DataError(f"{file.url}: the answer ended after {done} of {total} bytes.", _AGAIN)


def _stated(response: httpx2.Response) -> int | None:
    """The size of the whole file as an answer states it; None where it does not."""
    if response.status_code == HTTPStatus.PARTIAL_CONTENT:
        size = response.headers.get("content-range", "").rpartition("/")[2]
    else:
        size = response.headers.get("content-length", "")
    return int(size) if size.isdecimal() else None


def _begun(file: File, part: Path) -> tuple[int, dict[str, str]]:
    """How many bytes are there to go on from, and the headers that ask for the rest of the same version.

    Where the server names no version the checksum alone tells whether the parts fit.
    """
    headers = {"Accept-Encoding": "identity"}  # the checksum is of the file, not of a packed stream
    note, begun = _noted(part), part.stat().st_size if part.exists() else 0
    if not begun or note.get("url") != file.url:
        return 0, headers
    headers["Range"] = f"bytes={begun}-"
    if note.get("version"):
        headers["If-Range"] = str(note["version"])
    return begun, headers


def _version(response: httpx2.Response) -> str:
    """The validator that `If-Range` may carry: a strong ETag, else the date of the last change."""
    tag = response.headers.get("etag", "")
    return tag if tag and not tag.startswith("W/") else response.headers.get("last-modified", "")


def _only_https(request: httpx2.Request) -> None:
    """Called before every request, those after a redirect too."""
    if request.url.scheme != "https":
        raise DataError(
            f"{request.url}: not https, therefore not followed.", "Fetch the file yourself and give --from."
        )


def _note(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _noted(part: Path) -> dict[str, Any]:
    """What was noted of the file that a part is of; empty where that cannot be read."""
    try:
        note = json.loads(_note(part).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)
