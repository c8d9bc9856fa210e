"""Data sets on the Hugging Face hub. `huggingface_hub` has the token and the lists of files.

The transport is our own, because it resumes: since version 2, the library receives a file again from its beginning.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datamodules.acquire.fingerprint import ProgressCallback
from datamodules.acquire.hosts.host import Fetched, explained, import_library, refused
from datamodules.acquire.hosts.https import fetch_https
from datamodules.acquire.repositories import RemoteFile, Repository, find_missing, is_exact, matches
from zoo.errors import DataError

_KIND = "dataset"
_AT_ONCE = 100  # paths of one request


class HuggingFace:
    """A data set on the hub, or on the server that `HF_ENDPOINT` names; see `Host`."""

    def __init__(self, repository: Repository) -> None:
        library = import_library("huggingface_hub", repository)
        self.repository = repository
        self._token: str | None = library.get_token()
        if repository.gated and not self._token:
            raise refused(repository, "its files need an account, and no token was found")
        self._endpoint = os.environ.get("HF_ENDPOINT") or None
        self._api: Any = library.HfApi(endpoint=self._endpoint)
        self._address: Any = library.hf_hub_url

    def find_revision(self) -> str:
        """The commit."""
        repo, revision = self.repository.repository, self.repository.revision or None
        with explained(self.repository):
            return str(self._api.repo_info(repo, revision=revision, repo_type=_KIND).sha)

    def list_files(self, revision: str, patterns: Sequence[str]) -> list[RemoteFile]:
        """Exact paths are asked for, and only the folders of the other patterns are listed: some have 100,000 files."""
        repo, found = self.repository.repository, {}
        exact = [pattern for pattern in patterns if is_exact(pattern)]
        rest = [pattern for pattern in patterns if not is_exact(pattern)]
        with explained(self.repository):
            for start in range(0, len(exact), _AT_ONCE):
                some = exact[start : start + _AT_ONCE]
                entries = self._api.get_paths_info(repo, some, revision=revision, repo_type=_KIND)
                found.update(self._files(entries, revision))
            for folder in {_folder_of(pattern) for pattern in rest}:
                entries = self._api.list_repo_tree(
                    repo, folder or None, recursive=True, revision=revision, repo_type=_KIND
                )
                found.update(
                    {path: file for path, file in self._files(entries, revision).items() if matches(path, rest)}
                )
        if missing := find_missing(patterns, found):
            raise DataError(
                f"{self.repository.label}: has no file '{missing}' at revision {revision[:12]}.",
                f"Compare the names at {self.repository.page}, and report this.",
            )
        return list(found.values())

    def fetch(self, file: RemoteFile, revision: str, folder: Path, progress: ProgressCallback) -> Fetched:
        """See `Host.fetch`."""
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        return fetch_https(self.repository, file, folder, progress, headers)

    def _files(self, entries: Any, revision: str) -> dict[str, RemoteFile]:
        """The files among some entries. A large file has a SHA-256, any other one the SHA-1 of git."""
        files: dict[str, RemoteFile] = {}
        for entry in entries:
            if (size := getattr(entry, "size", None)) is None:  # a folder
                continue
            lfs = getattr(entry, "lfs", None)
            url = self._address(
                self.repository.repository,
                entry.path,
                repo_type=_KIND,
                revision=revision,
                endpoint=self._endpoint,
            )
            sha256, git = (str(lfs.sha256), "") if lfs else ("", str(entry.blob_id))
            tag = f"sha256 {sha256}" if sha256 else f"git {git}"
            files[entry.path] = RemoteFile(entry.path, size, tag, url, sha256=sha256, git=git)
        return files


def _folder_of(pattern: str) -> str:
    """The folder that has every file of a pattern.

    Example:
        >>> _folder_of("3D_val_npz/*.npz"), _folder_of("*.json")
        ('3D_val_npz', '')
    """
    return re.split(r"[*?\[]", pattern, maxsplit=1)[0].rpartition("/")[0]
