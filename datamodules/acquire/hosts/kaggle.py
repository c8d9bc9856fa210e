"""Data sets on Kaggle. `kagglehub` does the transport: it resumes, and compares the MD5 of the store."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from datamodules.acquire.fingerprint import ProgressCallback
from datamodules.acquire.hosts.host import CACHE, NEWEST, Fetched, explained, import_library, refused
from datamodules.acquire.repositories import RemoteFile, Repository, is_exact

_VARIABLE = "KAGGLEHUB_CACHE"


class Kaggle:
    """One version of a data set; see `Host`. Without the paths of single files, all files are fetched at once."""

    def __init__(self, repository: Repository) -> None:
        self._library = import_library("kagglehub", repository)
        self.repository = repository
        if repository.gated and not import_library("kagglehub.config", repository).get_kaggle_credentials():
            raise refused(repository, "its files need an account, and no token was found")

    def find_revision(self) -> str:
        """The number of the version that the source names; the library has no call that tells the newest."""
        return self.repository.revision or NEWEST

    def list_files(self, revision: str, patterns: Sequence[str]) -> list[RemoteFile]:
        """The library lists no files: one entry per exact path, or one for the whole data set."""
        tag = "" if revision == NEWEST else f"version {revision}"
        if patterns and all(is_exact(pattern) for pattern in patterns):
            return [RemoteFile(path, tag=tag, key=path) for path in patterns]
        return [RemoteFile("", tag=tag)]

    def fetch(self, file: RemoteFile, revision: str, folder: Path, progress: ProgressCallback) -> Fetched:
        """Fetch into a cache inside of `folder`: only in its cache, the library continues a file."""
        name = self.repository.repository
        handle = name if revision == NEWEST else f"{name}/versions/{revision}"
        with explained(self.repository), _cache_in(folder / CACHE):
            progress(f"Downloading {handle}", 0, None)
            path = Path(self._library.dataset_download(handle, path=file.key or None))
        number = re.search(r"/versions/(\d+)(/|$)", path.as_posix())
        return Fetched(path, revision=number[1] if number else "")


@contextmanager
def _cache_in(folder: Path) -> Iterator[None]:
    """Let the library use a folder as its cache."""
    before = os.environ.get(_VARIABLE)
    os.environ[_VARIABLE] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[_VARIABLE]
        else:
            os.environ[_VARIABLE] = before
