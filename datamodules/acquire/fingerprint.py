"""What a file is, by its size and hashes, and whether it is what its publisher gives out."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from datamodules.acquire.sources import File, Source
from zoo.errors import DataError

Tell = Callable[[str, int, int | None], None]
"""Told of progress: what is being done, how many bytes of it are done, how many there are."""

_CHUNK = 1 << 20
log = logging.getLogger(__name__)


class Fingerprint(NamedTuple):
    """Size and hashes of a file."""

    size: int
    sha256: str
    md5: str


def silent(what: str, done: int, total: int | None) -> None:
    """A `Tell` that says nothing."""


def fingerprint(path: Path, tell: Tell = silent) -> Fingerprint:
    """Reads a file once.

    Raises:
        DataError: It cannot be read.
    """
    sha256, md5, done = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    try:
        total = path.stat().st_size
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                sha256.update(chunk)
                md5.update(chunk)
                done += len(chunk)
                tell(f"Checking {path.name}", done, total)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).", "Give another file.") from error
    return Fingerprint(done, sha256.hexdigest(), md5.hexdigest())


def difference(file: File, found: Fingerprint) -> str:
    """The first thing in which a file differs from what is known of it; empty where it does not."""
    due = (("size", file.size, found.size), ("sha256", file.sha256, found.sha256), ("md5", file.md5, found.md5))
    return next((f"{kind} {there}, due {known}" for kind, known, there in due if known and known != there), "")


def checked_by(file: File) -> str:
    """What a file that does not differ was checked by."""
    return "sha256" if file.sha256 else "the publisher's md5 alone"


def recognise(path: Path, found: Fingerprint, source: Source | None) -> str:
    """What a file that the user gives was checked by.

    A file is known by its hash whatever its name is; browsers rename files. One that differs from the published
    file is told and taken: people pack parts of a set anew, and what is in it is checked by `zoo data verify`.

    Returns:
        "sha256", "the publisher's md5 alone", or "nothing: ..." with the reason.
    """
    known = [file for file in (source.files if source else ()) if file.known]
    for file in known:
        if not difference(file, found):
            return checked_by(file)
    unchecked = {file.name for file in source.files if not file.known} | set(source.also) if source else set()
    if not known or path.name in unchecked:
        return "nothing: no checksum of it is known"
    named = next((file for file in known if file.name == path.name), known[0])
    differs = f"not the published {named.name} ({difference(named, found)})"
    log.warning("%s: %s. It is unpacked all the same; look at it with `zoo data verify`.", path, differs)
    return f"nothing: {differs}"
