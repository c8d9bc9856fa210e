"""Fetches a file of a host over https, with the checks that the host allows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from datamodules.acquire.download import download_file
from datamodules.acquire.fingerprint import ProgressCallback
from datamodules.acquire.hosts.host import Fetched
from datamodules.acquire.repositories import RemoteFile, Repository
from datamodules.acquire.sources import File
from zoo.errors import DataError

_CHUNK = 1 << 20


def fetch_https(
    repository: Repository,
    file: RemoteFile,
    folder: Path,
    progress: ProgressCallback,
    headers: Mapping[str, str] | None = None,
) -> Fetched:
    """Download a file to `folder / file.path`; it resumes, and gets its name when its checks succeed.

    Raises:
        DataError: See `download_file`; or the file is not the git object that the host listed.
    """
    place = folder / file.path
    described = File(place.name, file.url, file.size or None, file.sha256, file.md5)
    path, computed = download_file(described, place.parent, progress, headers=headers, login=repository.login)
    if file.git and (found := hash_as_git(path)) != file.git:
        path.unlink()
        raise DataError(
            f"{file.url}: the received file is git object {found}, but the host listed {file.git}; it was removed.",
            "Run this again; if the error stays, report it to the publisher.",
        )
    return Fetched(path, computed)


def hash_as_git(path: Path) -> str:
    """Compute the SHA-1 by which git names the content of a file."""
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
