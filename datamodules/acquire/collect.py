"""Gets the files of a data set from the repositories of hosts: accepted once, then checked by their stored SHA-256."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from datamodules.acquire.archive import check_place
from datamodules.acquire.checksums import Checksums
from datamodules.acquire.disk_space import check_space
from datamodules.acquire.fingerprint import Fingerprint, ProgressCallback, compute_fingerprint, describe_difference
from datamodules.acquire.hosts.host import CACHE, Host, open_host
from datamodules.acquire.repositories import RemoteFile, Repository, choose_cases, is_exact, matches
from datamodules.acquire.sources import File
from zoo.errors import ConfigError, DataError

Choice = Callable[[Callable[[str], Path], int | None], Mapping[str, Sequence[str]]]
"""Called with a function that finds a collected file by its path, and with the number of cases or None for all. Returns
further paths by the name of their repository."""


class CollectedFile(NamedTuple):
    """A file of a repository that is on this machine.

    Attributes:
        place: Path in the repository.
        path: The file: in the folder of the data set already, or among the downloads.
        found: Size and hashes of the file.
        checked: What confirmed the file.
        origin: Repository and revision.
    """

    place: str
    path: Path
    found: Fingerprint
    checked: str
    origin: str


class Collector:
    """Gets the files of a data set.

    Args:
        name: Name of the data set.
        target: Folder of the data set. A file that is in it already is checked and not fetched.
        downloads: Folder for what comes.
        checksums: The stored checksums.
        progress: Called while files are downloaded and checked.
        published: Files of the source; a checksum of one is enforced for the file of its name.
    """

    def __init__(
        self,
        name: str,
        target: Path,
        downloads: Path,
        checksums: Checksums,
        progress: ProgressCallback,
        published: Sequence[File] = (),
    ) -> None:
        self.name, self.target, self.downloads = name, target, downloads
        self.checksums, self.progress = checksums, progress
        self._published = {file.name: file for file in published}
        self._hosts: dict[Repository, Host] = {}

    def collect(
        self,
        repositories: Sequence[Repository],
        accept: bool,
        cases: int | None = None,
        choice: Choice | None = None,
        given: Collection[str] = (),
    ) -> list[CollectedFile]:
        """Get the files.

        Args:
            repositories: The repositories.
            accept: Whether files without a known checksum are accepted.
            cases: How many cases; None for all.
            choice: Names further files, once the first are here.
            given: Names of files that the user has.

        Raises:
            ConfigError: A package or a token is missing, or the files are not accepted yet.
            DataError: A host refuses, a file has changed, or it cannot be fetched or written.
        """
        self._ask(repositories, accept)
        listed = {one: self._list(one, (*one.patterns, *one.cases)) for one in repositories if _has_files(one)}
        first = [(one, file) for one, files in listed.items() for file in choose_cases(files, one, cases)]
        files = self._get_all([(one, file) for one, file in first if PurePosixPath(file.path).name not in given])
        if choice is not None:
            here = {file.place: file.path for file in files}
            further = choice(here.__getitem__, cases)
            chosen = [(one, self._list(one, paths)) for one in repositories if (paths := further.get(one.repository))]
            files += self._get_all([(one, file) for one, some in chosen for file in some])
        return files

    def _ask(self, repositories: Sequence[Repository], accept: bool) -> None:
        """Accept the revisions that are new, or ask for it."""
        new = [one for one in repositories if self.checksums.revision(one) is None]
        for one in new:
            self._host(one)  # first what is missing on this machine
        if new and not accept:
            pages = " and ".join(one.page for one in new)
            raise ConfigError(
                f"'{self.name}': no checksum of the files of {pages} is known.",
                "Add --accept-unverified, once: what the host says of its files is checked. The SHA-256 of what "
                "comes is stored, and enforced from then on.",
            )
        for one in new:
            self.checksums.accept(one, self._host(one).find_revision())

    def _list(self, repository: Repository, patterns: Sequence[str]) -> list[RemoteFile]:
        """The files of some patterns. The host is not asked about files that are stored and in the target."""
        known = self.checksums.files(repository)
        here = [path for path in patterns if is_exact(path) and path in known and (self.target / path).is_file()]
        files = [RemoteFile(path, known[path]["size"], known[path]["tag"]) for path in here]
        asked = [pattern for pattern in patterns if pattern not in set(here)]
        if asked or not patterns:
            listed = self._host(repository).list_files(self._revision(repository), asked)
            for file in listed:
                check_place(repository.label, file.path)
                self.checksums.check_listed(repository, file)
            files += listed
        return files

    def _get_all(self, wanted: Sequence[tuple[Repository, RemoteFile]]) -> list[CollectedFile]:
        needed = 0
        for _, file in wanted:
            if not (self.target / file.path).is_file():
                part = self.downloads / f"{file.path}.part"
                begun = next((one.stat().st_size for one in (self.downloads / file.path, part) if one.is_file()), 0)
                needed += max(0, (file.size or 0) - begun)
        if needed:
            check_space(self.downloads, needed, f"'{self.name}'")
        return [got for repository, file in wanted for got in self._get(repository, file)]

    def _get(self, repository: Repository, file: RemoteFile) -> Iterator[CollectedFile]:
        """Get one entry of a listing: a file, or a folder with several."""
        path, found = self.target / file.path, None
        if not file.path or not path.is_file():
            host, revision = self._host(repository), self._revision(repository)
            path, found, told = host.fetch(file, revision, self.downloads, self.progress)
            if told:
                self.checksums.settle(repository, told)
                file = file._replace(tag=f"version {told}")
        if not path.is_dir():
            yield self._check(repository, file, path, found)
            return
        for inner in sorted(one for one in path.rglob("*") if one.is_file()):
            place = inner.relative_to(path).as_posix()
            if not repository.patterns or matches(place, repository.patterns):
                check_place(repository.label, place)
                yield self._check(repository, file._replace(path=place), inner, None)

    def _check(self, repository: Repository, file: RemoteFile, path: Path, found: Fingerprint | None) -> CollectedFile:
        """Compare a file with the host's checksums and with the stored one, and store its SHA-256."""
        found = found or compute_fingerprint(path, self.progress)
        described = File(path.name, size=file.size or None, sha256=file.sha256, md5=file.md5)
        stored = self.checksums.check_content(repository, file.path, found)
        published = self._published.get(PurePosixPath(file.path).name, described)
        if difference := stored or describe_difference(described, found) or describe_difference(published, found):
            remove_downloads(self.downloads, [path])
            fix = f"Remove {path} if it is there, and run this again. If the error stays, report it to the publisher."
            raise DataError(f"{repository.label}: '{file.path}' differs ({difference}).", fix)
        self.checksums.store(repository, file, found)
        known = {"sha256": file.sha256, "md5": file.md5, "git object": file.git}
        by = next((f"the host's {kind}" for kind, value in known.items() if value), "the version alone")
        checked = "the sha256 of its first download" if path.is_relative_to(self.target) else by
        return CollectedFile(file.path, path, found, checked, f"{repository.label}@{self._revision(repository)}")

    def _host(self, repository: Repository) -> Host:
        if repository not in self._hosts:
            self._hosts[repository] = open_host(repository)
        return self._hosts[repository]

    def _revision(self, repository: Repository) -> str:
        return self.checksums.revision(repository) or repository.revision


def _has_files(repository: Repository) -> bool:
    """Whether a repository has files besides those that a choice names."""
    return bool(repository.patterns or repository.cases) or repository.host in ("kaggle", "synapse")


def remove_downloads(downloads: Path, paths: Iterable[Path]) -> None:
    """Remove files among the downloads. The cache of a library goes as a whole: it takes a file of it as complete."""
    for path in paths:
        if path.is_relative_to(downloads / CACHE):
            shutil.rmtree(downloads / CACHE, ignore_errors=True)
        elif path.is_relative_to(downloads):
            path.unlink(missing_ok=True)
    for folder in sorted((one for one in downloads.rglob("*") if one.is_dir()), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()
