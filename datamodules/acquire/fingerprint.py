"""Identify a file by its size and hashes, and compare it with the published file."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from datamodules.acquire.sources import File, Source
from zoo.errors import DataError

ProgressCallback = Callable[[str, int, int | None], None]
"""Called with the name of the work, the number of bytes that are done, and the total number of bytes or None."""

_CHUNK = 1 << 20
log = logging.getLogger(__name__)


class Fingerprint(NamedTuple):
    """Size and hashes of a file."""

    size: int
    sha256: str
    md5: str


def ignore_progress(what: str, done: int, total: int | None) -> None:
    """A `ProgressCallback` that does nothing."""


def compute_fingerprint(path: Path, progress: ProgressCallback = ignore_progress) -> Fingerprint:
    """Compute size and hashes of a file; the file is read once.

    Raises:
        DataError: The file cannot be read.
    """
    sha256, md5, done = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    try:
        total = path.stat().st_size
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                sha256.update(chunk)
                md5.update(chunk)
                done += len(chunk)
                progress(f"Checking {path.name}", done, total)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).", "Give another file.") from error
    return Fingerprint(done, sha256.hexdigest(), md5.hexdigest())


def describe_difference(file: File, found: Fingerprint) -> str:
    """Describe the first difference between a file and the published file; empty where there is none."""
    pairs = (("size", file.size, found.size), ("sha256", file.sha256, found.sha256), ("md5", file.md5, found.md5))
    return next((f"{kind} {here}, published {known}" for kind, known, here in pairs if known and known != here), "")


def checksum_name(file: File) -> str:
    """Return the name of the checksum by which a file is checked."""
    return "sha256" if file.sha256 else "the publisher's md5 alone"


def identify_file(path: Path, found: Fingerprint, source: Source | None) -> str:
    """Find the checksum that confirms a file of the user.

    A file is identified by its hash and not by its name, because browsers rename files. A file that differs from the
    published one is accepted with a warning: people pack parts of a data set again, and `zoo data verify` checks the
    content.

    Returns:
        "sha256", "the publisher's md5 alone", or "nothing: ..." with the reason.
    """
    known = [file for file in (source.files if source else ()) if file.has_checksum]
    for file in known:
        if not describe_difference(file, found):
            return checksum_name(file)
    unchecked = {file.name for file in source.files if not file.has_checksum} | set(source.also) if source else set()
    if not known or path.name in unchecked:
        return "nothing: no checksum is known"
    named = next((file for file in known if file.name == path.name), known[0])
    differs = f"not the published {named.name} ({describe_difference(named, found)})"
    log.warning("%s: %s. The file is used anyway; check its content with `zoo data verify`.", path, differs)
    return f"nothing: {differs}"
