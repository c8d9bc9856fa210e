"""Records of Zenodo, over https. The publisher's MD5 of each file is in the record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx2

from datamodules.acquire.download import AGAIN
from datamodules.acquire.fingerprint import ProgressCallback
from datamodules.acquire.hosts.host import Fetched, explained, refused
from datamodules.acquire.hosts.https import fetch_https
from datamodules.acquire.repositories import RemoteFile, Repository, find_missing, matches
from zoo.errors import DataError

SERVER = "https://zenodo.org"


class Zenodo:
    """A record; see `Host`. A record never changes: a new version of a data set has another number."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository

    def find_revision(self) -> str:
        """The number of the record."""
        return self.repository.repository

    def list_files(self, revision: str, patterns: Sequence[str]) -> list[RemoteFile]:
        """See `Host.list_files`."""
        listed = self._read_record(revision).get("files")
        files = [_read_file(entry) for entry in listed] if isinstance(listed, list) else []
        found = [file for file in files if file is not None and matches(file.path, patterns)]
        if missing := find_missing(patterns, [file.path for file in found]):
            problem = f"{self.repository.label}: the record has no file '{missing}'."
            raise DataError(problem, f"Compare the names at {self.repository.page}, and report this.")
        return found

    def fetch(self, file: RemoteFile, revision: str, folder: Path, progress: ProgressCallback) -> Fetched:
        """See `Host.fetch`."""
        return fetch_https(self.repository, file, folder, progress)

    def _read_record(self, revision: str) -> Mapping[str, Any]:
        address = f"{SERVER}/api/records/{revision}"
        with explained(self.repository):
            answer = httpx2.get(address, timeout=60.0, follow_redirects=True)
            if answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
                raise refused(self.repository, f"the host refused the request ({answer.status_code})")
            if answer.status_code != HTTPStatus.OK:
                raise DataError(f"{address}: answered {answer.status_code}.", f"Try later. {AGAIN}")
            content = answer.json()
        if not isinstance(content, dict) or str(content.get("id")) != revision:
            problem = f"{address}: the answer describes another record."
            raise DataError(problem, "A source names the number of one version, not that of all versions: report this.")
        return content


def _read_file(entry: Any) -> RemoteFile | None:
    """A file of a record; None where the entry has no name or no address."""
    given = entry if isinstance(entry, Mapping) else {}
    links, checksum, size = given.get("links"), str(given.get("checksum", "")), given.get("size")
    url = links.get("self", "") if isinstance(links, Mapping) else ""
    if not isinstance(given.get("key"), str) or not isinstance(url, str) or not url:
        return None
    md5 = checksum.removeprefix("md5:") if checksum.startswith("md5:") else ""
    return RemoteFile(given["key"], size if isinstance(size, int) else None, checksum, url, md5=md5)
