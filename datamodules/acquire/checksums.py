"""The checksums of files whose publisher gives none: stored when the files come, and enforced from then on.

`checksums/NAME.json` beside the folder of the data set has, per repository, the accepted revision, and per file its
size, what the host said of it, and its SHA-256.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from datamodules.acquire.fingerprint import Fingerprint
from datamodules.acquire.repositories import RemoteFile, Repository, is_archive
from datamodules.acquire.sources import File, Source
from zoo.errors import DataError
from zoo.utils.atomic_files import write_text


class Checksums:
    """The stored checksums of a data set.

    Args:
        path: The file; it need not exist.

    Raises:
        DataError: The file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._content: dict[str, Any] = {}
        if path.exists():
            try:
                self._content = json.loads(path.read_text(encoding="utf-8"))
                for entry in self._content.values():
                    dict(entry["files"]), str(entry["revision"])
            except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
                raise DataError(f"{path}: not readable checksums.", self._forget) from error

    @property
    def _forget(self) -> str:
        return f"To accept what the host has now, remove {self.path} and run this again with --accept-unverified."

    def revision(self, repository: Repository) -> str | None:
        """Return the accepted revision of a repository; None if it, or the revision of the source, is new."""
        entry = self._content.get(repository.label)
        return None if entry is None or entry["named"] != repository.revision else str(entry["revision"])

    def accept(self, repository: Repository, revision: str) -> None:
        """Accept a revision. Checksums of another one are forgotten."""
        date = datetime.now(UTC).isoformat(timespec="seconds")
        self._content[repository.label] = {
            **{"named": repository.revision, "revision": revision, "accepted": date},
            "files": {},
        }
        self._write()

    def settle(self, repository: Repository, revision: str) -> None:
        """Keep the revision that came, where the host told it only with the files."""
        if self._content[repository.label]["revision"] != revision:
            self._content[repository.label]["revision"] = revision
            self._write()

    def files(self, repository: Repository) -> Mapping[str, Mapping[str, Any]]:
        """Return the stored files of a repository: path -> size, tag and SHA-256."""
        entry = self._content.get(repository.label)
        return entry["files"] if entry else {}

    def add_to(self, source: Source) -> Source:
        """Return a source whose archives have their stored SHA-256, so that a given archive is compared with it."""
        files = {file.name: file for file in source.files}
        for entry in self._content.values():
            for path, known in entry["files"].items():
                name = PurePosixPath(path).name
                if is_archive(name) and not (name in files and files[name].has_checksum):
                    files[name] = File(name, sha256=known["sha256"])
        also = tuple(name for name in source.also if name not in files)
        return replace(source, files=tuple(files.values()), also=also)

    def check_listed(self, repository: Repository, file: RemoteFile) -> None:
        """Compare what the host says of a file with what it said when the file came.

        Raises:
            DataError: Size or tag differ.
        """
        known = self.files(repository).get(file.path)
        for kind, here in (("size", file.size), ("tag", file.tag)):
            if known is not None and known[kind] != here:
                shown = "" if kind == "tag" else "size "
                problem = (
                    f"{repository.label}: '{file.path}' has changed: {shown}{here}, but {shown}{known[kind]} came."
                )
                raise DataError(problem, self._forget)

    def check_content(self, repository: Repository, path: str, found: Fingerprint) -> str:
        """Return how a file differs from its stored SHA-256; empty where it does not, or none is stored."""
        known = self.files(repository).get(path)
        differs = known is not None and known["sha256"] != found.sha256
        return f"sha256 {found.sha256}, but {known['sha256']} came first" if known and differs else ""

    def store(self, repository: Repository, file: RemoteFile, found: Fingerprint) -> None:
        """Store the SHA-256 of a file."""
        entry = {"size": file.size, "tag": file.tag, "sha256": found.sha256}
        files = self._content[repository.label]["files"]
        if files.get(file.path) != entry:
            files[file.path] = entry
            self._write()

    def _write(self) -> None:
        write_text(self.path, json.dumps(self._content, indent=1) + "\n", durable=True)
