"""What every host does, and what their errors have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from datamodules.acquire.download import AGAIN
from datamodules.acquire.fingerprint import Fingerprint, ProgressCallback
from datamodules.acquire.repositories import RemoteFile, Repository
from zoo.errors import ConfigError, DataError, ZooError, first_line
from zoo.settings import offline
from zoo.utils.extras import advise_extra

CACHE = ".cache"
"""Folder for the cache of a library, below the downloads of a data set."""

NEWEST = "newest"
"""Revision of a repository whose host tells the version of a file only with the file."""


class Fetched(NamedTuple):
    """What a host brought.

    Attributes:
        path: The file, or the folder of a whole repository.
        found: Size and hashes of the file, where they were computed on the way.
        revision: The revision, where the host tells it only now; else empty.
    """

    path: Path
    found: Fingerprint | None = None
    revision: str = ""


class Host(Protocol):
    """A repository on its host. Making one asks nothing of the network.

    Raises:
        ConfigError: A package or a token is missing.
    """

    repository: Repository

    def find_revision(self) -> str:
        """Return the revision that stands for the same files for ever: a commit, or the number of a version.

        It is `NEWEST` where the host tells the version of a file only with the file.
        """

    def list_files(self, revision: str, patterns: Sequence[str]) -> list[RemoteFile]:
        """List the files that match some patterns.

        Raises:
            DataError: The host refuses, or has no file of a pattern.
        """

    def fetch(self, file: RemoteFile, revision: str, folder: Path, progress: ProgressCallback) -> Fetched:
        """Bring a file to `folder / file.path`, or a whole repository to a folder.

        Raises:
            DataError: The host refuses, the connection is cut, the disk is full, or the content has another checksum.
        """


def open_host(repository: Repository) -> Host:
    """Return the host of a repository.

    Raises:
        ConfigError: `ZOO_OFFLINE` is set, or a package or a token is missing.
    """
    if offline():
        raise ConfigError(
            f"{repository.label} is not downloaded: ZOO_OFFLINE is set.",
            "Unset it, or download the files and give --from.",
        )
    names = {"huggingface": "HuggingFace", "kaggle": "Kaggle", "synapse": "Synapse", "zenodo": "Zenodo"}
    module = import_module(f"datamodules.acquire.hosts.{repository.host}")
    host: Host = getattr(module, names[repository.host])(repository)
    return host


def import_library(name: str, repository: Repository) -> Any:
    """Import the library of a host, which is in an extra of the same name as the host.

    Raises:
        ConfigError: It is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        problem = f"{repository.label}: the package {name} is not installed."
        raise ConfigError(problem, advise_extra(repository.host)) from error


def refused(repository: Repository, what: str) -> DataError:
    """Return the error of a request that the host refused to this account."""
    return DataError(f"{repository.label}: {what}.", repository.login)


@contextmanager
def explained(repository: Repository) -> Iterator[None]:
    """Turn what the library of a host raises into one line.

    Raises:
        DataError: Always, if something is raised.
    """
    try:
        yield
    except ZooError:
        raise
    except OSError as error:
        _explain_status(repository, error)
        raise DataError(f"{repository.label}: {_reason(error)}.", f"Check network and disk. {AGAIN}") from error
    except Exception as error:
        # The libraries have many classes of errors. Those about the account have "auth" or "gated" in their name.
        _explain_status(repository, error)
        if any(word in type(error).__name__.lower() for word in ("auth", "gated")):
            raise refused(repository, f"the host refused the request ({_reason(error)})") from error
        raise DataError(f"{repository.label}: {_reason(error)}.", AGAIN) from error


def _explain_status(repository: Repository, error: BaseException) -> None:
    """Raise what the status of an answer means, if a library has an answer that it did not expect."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise refused(repository, f"the host refused the request ({status:d})") from error
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        raise DataError(
            f"{repository.label}: not found ({_reason(error)}).",
            f"See {repository.page}. If the accepted revision is gone, remove the file of the data set in `checksums`, "
            "and run this again with --accept-unverified.",
        ) from error


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {first_line(error)[:200]}".rstrip(".")
