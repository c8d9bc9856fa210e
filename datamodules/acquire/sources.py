"""Sources of the data sets: licence, archives, checksums and the steps to get them. Read from `configs/sources`.

`zoo data prepare --download` downloads a file only if its publisher offers it to everybody over https and a checksum
is known, or, after `--accept-unverified`, from a repository of a host. For all other files, the source lists steps that
a person follows. This module does not load torch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from datamodules.acquire.repositories import LOGINS, Repository, parse_repository
from datamodules.index.card import DataCard
from zoo.data_folders import SOURCES, find_data_folder
from zoo.errors import ConfigError
from zoo.registry import read_yaml
from zoo.utils.format import format_bytes

ACCESS = ("download", "registration", "by hand")
"""Ways to get a data set: by one command, after a registration, or by downloading files by hand."""

_HEX = {"sha256": 64, "md5": 32}


@dataclass(frozen=True, slots=True)
class File:
    """A published file of a data set: an archive or a table.

    Attributes:
        name: The file name, also of a file that a person has downloaded.
        url: Address from which everybody may download the file. Empty: a person must download it.
        size: Size in bytes; None where it is not known.
        sha256: SHA-256 in hex; empty where it is not known.
        md5: MD5 of the publisher in hex; empty where there is none.

    Example:
        >>> File("a.zip", sha256="0" * 64).has_checksum
        True
    """

    name: str
    url: str = ""
    size: int | None = None
    sha256: str = ""
    md5: str = ""

    def __post_init__(self) -> None:
        """Check every attribute.

        Raises:
            ValueError: An attribute has a wrong form.
        """
        if not isinstance(self.name, str) or PurePath(self.name).name != self.name:
            raise ValueError(f"name: {self.name!r} is not a plain file name")
        if self.url and not str(self.url).startswith("https://"):
            raise ValueError(f"{self.name}: url is not https")
        if self.size is not None and (not isinstance(self.size, int) or self.size <= 0):
            raise ValueError(f"{self.name}: size {self.size!r} is not a number of bytes")
        for kind, length in _HEX.items():
            value = getattr(self, kind)
            if value and not re.fullmatch(f"[0-9a-f]{{{length}}}", str(value)):
                raise ValueError(f"{self.name}: {kind} is not {length} hex digits")

    @property
    def has_checksum(self) -> bool:
        """Whether a checksum of the file is known."""
        return bool(self.sha256 or self.md5)


@dataclass(frozen=True, slots=True)
class Source:
    """The source of a data set.

    Attributes:
        licence: Licence of the data set.
        homepage: Web page of its authors.
        citation: The publication to cite, in short form.
        access: One of `ACCESS`.
        layout: Content of the folder once the data set is complete.
        files: Archives and tables of the documented way.
        also: Names of other archives with the same data set, whose checksums are not known.
        steps: Steps for a person; "{name}" is replaced by the name of the data set.
        source: Where this information was read.
        cite: Keys of `configs/citations.yaml`, or whole BibTeX entries; `zoo bench cite` writes them.
        repositories: Repositories of hosts that have the data set. `--download` takes all of them, and asks for no file
            of `files` that a person must download.
    """

    licence: str
    homepage: str
    citation: str
    access: str
    layout: str
    files: tuple[File, ...]
    source: tuple[str, ...]
    also: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    cite: tuple[str, ...] = ()
    repositories: tuple[Repository, ...] = ()

    def __post_init__(self) -> None:
        """Check that the attributes are complete and consistent.

        Raises:
            ValueError: A text is missing, or `access` does not fit `files` and `steps`.
        """
        for key in ("licence", "homepage", "citation", "layout"):
            if not isinstance(getattr(self, key), str) or not getattr(self, key):
                raise ValueError(f"{key} is missing")
        for key in ("also", "steps", "source", "cite"):
            if not all(isinstance(entry, str) and entry for entry in getattr(self, key)):
                raise ValueError(f"{key}: texts are expected")
        if self.access not in ACCESS:
            raise ValueError(f"access '{self.access}' is not one of {', '.join(ACCESS)}")
        if not self.source:
            raise ValueError("source is missing: name where this information was read")
        if unchecked := [file.name for file in self.downloads if not file.has_checksum]:
            raise ValueError(f"{unchecked[0]}: a url needs a sha256 or the publisher's md5")
        if self.access == "download" and not (self.repositories or (self.files and not self.by_hand)):
            raise ValueError("access is download, but a file has no url")
        if self.access != "download" and not self.steps:
            raise ValueError("steps are missing")

    @property
    def by_hand(self) -> tuple[File, ...]:
        """Files that a person must download, unless a repository has them."""
        return tuple(file for file in self.files if not file.url)

    @property
    def downloads(self) -> tuple[File, ...]:
        """Files that `--download` downloads."""
        return tuple(file for file in self.files if file.url)


def parse_source(content: Mapping[str, Any], where: str) -> Source:
    """Make a source from the content of a YAML file.

    Raises:
        ConfigError: The content is not valid; the message begins with `where`.
    """
    rest = dict(content)
    try:
        files = tuple(File(**entry) for entry in rest.pop("files", []))
        repositories = tuple(parse_repository(entry) for entry in rest.pop("repositories", []))
        lists: dict[str, Any] = {
            key: tuple(rest.pop(key)) for key in ("also", "steps", "source", "cite") if key in rest
        }
        return Source(files=files, repositories=repositories, **lists, **rest)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"{where}: {error}.", "See datamodules/acquire/sources.py for the keys of a source."
        ) from error


def find_folder(card: DataCard, root: str | None) -> Path:
    """Find the folder of a data set: `root`, or else its folder in `ZOO_DATA`.

    Raises:
        DataError: There is no such folder.
    """
    return find_data_folder(card.name, card.folder_name, root, card.source)


def load_source(card: DataCard) -> Source | None:
    """Read the source of a data set from the card's `about.source`, or else from `configs/sources`, if any."""
    if card.source is not None:
        return parse_source(card.source, f"the card of {card.name}")
    path = SOURCES / f"{card.folder_name}.yaml"
    return parse_source(read_yaml(path), str(path)) if path.is_file() else None


def access_kind(card: DataCard) -> str:
    """Return how to get a data set: "embedded", one of `ACCESS`, or "own" for data that the user provides."""
    if card.embedded:
        return "embedded"
    source = load_source(card)
    return source.access if source else "own"


def list_steps(card: DataCard) -> list[str]:
    """List the steps to get a data set; the last step is a command."""
    name = card.name
    if card.embedded:
        return [f"Nothing: {name} is generated."]
    source = load_source(card)
    if source is None:
        return [
            f"See {card.homepage or 'the author of the card'}.",
            f"Run `zoo data prepare {name} --from FOLDER`, or --from ARCHIVE.",
        ]
    steps = [step.replace("{name}", name) for step in source.steps]
    told = any("--download" in step for step in steps)
    if source.repositories and not told:
        labels = " and ".join(repository.label for repository in source.repositories)
        logins = dict.fromkeys(LOGINS[repository.host] for repository in source.repositories if repository.gated)
        steps += [*logins, f"Run `zoo data prepare {name} --download --accept-unverified`: it downloads from {labels}."]
    elif source.access == "download" and not told:
        files = " and ".join(f"{file.name} ({format_bytes(file.size)})" for file in source.files)
        steps += [f"Run `zoo data prepare {name} --download`: it downloads and checks {files}."]
    return steps


def format_steps(card: DataCard) -> str:
    """Return the steps to get a data set in one line, for messages."""
    steps = list_steps(card)
    return steps[0] if len(steps) == 1 else " ".join(f"{number}. {step}" for number, step in enumerate(steps, start=1))
