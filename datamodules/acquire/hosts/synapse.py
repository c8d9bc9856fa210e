"""Files and folders of Synapse. `synapseclient` does the transport: it resumes, and compares the host's MD5."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from datamodules.acquire.fingerprint import ProgressCallback
from datamodules.acquire.hosts.host import NEWEST, Fetched, explained, import_library, refused
from datamodules.acquire.repositories import RemoteFile, Repository, find_missing, matches
from zoo.errors import DataError


class Synapse:
    """A file, or a folder with files; see `Host`."""

    def __init__(self, repository: Repository) -> None:
        self._library = import_library("synapseclient", repository)
        self.repository = repository
        self._logged_in: Any = None

    def find_revision(self) -> str:
        """The version that the source names, else "newest": the version of each file is in its tag."""
        return self.repository.revision or NEWEST

    def list_files(self, revision: str, patterns: Sequence[str]) -> list[RemoteFile]:
        """The file itself, or the files of the folder, whose paths begin below it."""
        with explained(self.repository):
            top = self._describe(self.repository.repository, revision)
            files = [top] if top.size is not None else list(self._walk(self.repository.repository, "", revision))
        found = [file for file in files if not patterns or matches(file.path, patterns)]
        if missing := find_missing(patterns, [file.path for file in found]):
            problem = f"{self.repository.label}: has no file '{missing}' that this account sees."
            raise DataError(problem, f"Compare the names at {self.repository.page}. {self.repository.login}")
        return found

    def fetch(self, file: RemoteFile, revision: str, folder: Path, progress: ProgressCallback) -> Fetched:
        """See `Host.fetch`."""
        place = (folder / file.path).parent
        place.mkdir(parents=True, exist_ok=True)
        entity, _, version = file.key.partition(".")
        with explained(self.repository):
            progress(f"Downloading {file.path}", 0, file.size)
            got = self._client().get(
                entity, version=int(version), downloadLocation=str(place), ifcollision="overwrite.local"
            )
            path = Path(str(got.path))
        return Fetched(path)

    def _client(self) -> Any:
        """The client after its login, which asks for no password.

        Raises:
            DataError: There is no token, or the host refuses it.
        """
        if self._logged_in is None:
            client = self._library.Synapse(skip_checks=True, silent=True)
            try:
                client.login(silent=True)
            except Exception as error:
                # No token, a token of the past and an unreachable host: the class has the reason in its name.
                if "Credentials" in type(error).__name__ or "Authentication" in type(error).__name__:
                    raise refused(self.repository, "its files need an account, and no valid token was found") from error
                raise
            self._logged_in = client
        return self._logged_in

    def _describe(self, entity: str, revision: str, parent: str = "") -> RemoteFile:
        """A file with the size and MD5 of its content; without a size, the entity is a folder."""
        version = int(revision) if revision.isdecimal() and not parent else None
        found = self._client().get(entity, version=version, downloadFile=False)
        handle = getattr(found, "_file_handle", None) or {}
        name = str(handle.get("fileName") or getattr(found, "name", entity))
        size, md5, number = (
            handle.get("contentSize"),
            str(handle.get("contentMd5") or ""),
            found.get("versionNumber", 1),
        )
        return RemoteFile(f"{parent}{name}", size, f"version {number}, md5 {md5}", md5=md5, key=f"{entity}.{number}")

    def _walk(self, folder: str, parent: str, revision: str) -> Iterator[RemoteFile]:
        for child in self._client().getChildren(folder, includeTypes=["file", "folder"]):
            if str(child.get("type", "")).endswith("Folder"):
                yield from self._walk(child["id"], f"{parent}{child['name']}/", revision)
            else:
                yield self._describe(child["id"], NEWEST, parent)
