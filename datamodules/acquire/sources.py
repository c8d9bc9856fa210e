"""Where a set comes from: licence, archives, checksums and the steps to get it. Read from `configs/sources`; no torch.

A file may be fetched by `zoo data prepare --download` only where its publisher gives it to everybody over https
and a checksum of it is known. For everything else there are steps that a person follows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from datamodules.index.card import DataCard
from zoo.errors import ConfigError, DataError
from zoo.registry import CONFIGS, read_yaml
from zoo.settings import data_root

SOURCES = CONFIGS / "sources"
ACCESS = ("download", "registration", "by hand")
"""How a set is got: by one command, after a registration, or by fetching files oneself."""

_HEX = {"sha256": 64, "md5": 32}


@dataclass(frozen=True, slots=True)
class File:
    """One file that a set is given out in.

    Attributes:
        name: Its name; also that of a file that a person has fetched.
        url: Where it is given to everybody; empty where a person has to fetch it.
        size: In bytes, None where it was not found.
        sha256: In hex, empty where it was not found.
        md5: The publisher's, in hex, empty where there is none.
    """

    name: str
    url: str = ""
    size: int | None = None
    sha256: str = ""
    md5: str = ""

    def __post_init__(self) -> None:
        """Checks every fact.

        Raises:
            ValueError: One is not what it should be.
        """
        if not isinstance(self.name, str) or PurePath(self.name).name != self.name:
            raise ValueError(f"name: {self.name!r} is no plain file name")
        if self.url and not str(self.url).startswith("https://"):
            raise ValueError(f"{self.name}: url is not https")
        if self.size is not None and (not isinstance(self.size, int) or self.size <= 0):
            raise ValueError(f"{self.name}: size {self.size!r} is no number of bytes")
        for kind, length in _HEX.items():
            value = getattr(self, kind)
            if value and not re.fullmatch(f"[0-9a-f]{{{length}}}", str(value)):
                raise ValueError(f"{self.name}: {kind} is not {length} hex digits")
        if self.url and not self.known:
            raise ValueError(f"{self.name}: a url needs a sha256 or the publisher's md5")

    @property
    def known(self) -> bool:
        """Whether there is a checksum of it."""
        return bool(self.sha256 or self.md5)


@dataclass(frozen=True, slots=True)
class Source:
    """What is known of where a set comes from.

    Attributes:
        licence: Under which it is given out.
        homepage: Of its authors.
        citation: What to cite, in short.
        access: One of `ACCESS`.
        layout: What the folder holds when it is right.
        files: The archives and tables of the documented way.
        also: Names of further archives that hold the set, of which no checksum is known.
        steps: What a person does; "{name}" stands for the set's name.
        source: Where these facts were read.
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

    def __post_init__(self) -> None:
        """Checks what belongs together.

        Raises:
            ValueError: A text is missing, or the access and the files do not fit.
        """
        for key in ("licence", "homepage", "citation", "layout"):
            if not isinstance(getattr(self, key), str) or not getattr(self, key):
                raise ValueError(f"{key} is missing")
        for key in ("also", "steps", "source"):
            if not all(isinstance(entry, str) and entry for entry in getattr(self, key)):
                raise ValueError(f"{key}: texts are expected")
        if self.access not in ACCESS:
            raise ValueError(f"access '{self.access}' is none of {', '.join(ACCESS)}")
        if not self.source:
            raise ValueError("source is missing: say where the facts were read")
        if self.access == "download" and not (self.files and all(file.url for file in self.files)):
            raise ValueError("access is download, but a file has no url")
        if self.access != "download" and not self.steps:
            raise ValueError("steps are missing")

    @property
    def by_hand(self) -> tuple[File, ...]:
        """The files that a person has to fetch."""
        return tuple(file for file in self.files if not file.url)

    @property
    def downloads(self) -> tuple[File, ...]:
        """The files that `--download` fetches."""
        return tuple(file for file in self.files if file.url)


def parse(content: Mapping[str, Any], where: str) -> Source:
    """A source from plain content.

    Raises:
        ConfigError: It does not fit; the message begins with `where`.
    """
    facts = dict(content)
    try:
        files = tuple(File(**entry) for entry in facts.pop("files", []))
        lists: dict[str, Any] = {key: tuple(facts.pop(key)) for key in ("also", "steps", "source") if key in facts}
        return Source(files=files, **lists, **facts)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where}: {error}.", "See datamodules/acquire/sources.py for what a source has.") from error


def folder_of(card: DataCard, root: str | None) -> Path:
    """The folder that a set lies in: `root`, else that in `ZOO_DATA`.

    Raises:
        DataError: There is none.
    """
    base = data_root()
    folder = Path(root).expanduser() if root else base / card.folder_name if base else None
    if folder is None or not folder.is_dir():
        missing = f"{folder}: no such folder for '{card.name}'" if folder else f"no folder is known for '{card.name}'"
        way = "--download" if access_of(card) == "download" else "--steps"
        raise DataError(f"{missing}.", f"Run `zoo data prepare {card.name} {way}`, or give --data.root DIR.")
    return folder.resolve()


def source_of(card: DataCard) -> Source | None:
    """Where a set comes from: the card's `about.source`, else `configs/sources`; None where neither says it."""
    if card.source is not None:
        return parse(card.source, f"the card of {card.name}")
    path = SOURCES / f"{card.folder_name}.yaml"
    return parse(read_yaml(path), str(path)) if path.is_file() else None


def access_of(card: DataCard) -> str:
    """How a set is got: "embedded", one of `ACCESS`, or "own" for what the user brings."""
    if card.embedded:
        return "embedded"
    source = source_of(card)
    return source.access if source else "own"


def steps_to(card: DataCard) -> list[str]:
    """What to do to have a set, in order; the last step is a command."""
    name = card.name
    if card.embedded:
        return [f"Nothing: {name} is generated."]
    source = source_of(card)
    if source is None:
        return [
            f"See {card.homepage or 'who brought the card'}.",
            f"Run `zoo data prepare {name} --from FOLDER`, or ARCHIVE in its place.",
        ]
    steps = [step.replace("{name}", name) for step in source.steps]
    if source.access == "download":
        files = " and ".join(f"{file.name} ({amount(file.size)})" for file in source.files)
        steps += [f"Run `zoo data prepare {name} --download`: it fetches and checks {files}."]
    return steps


def told(card: DataCard) -> str:
    """The steps to a set in one line, for messages."""
    steps = steps_to(card)
    return steps[0] if len(steps) == 1 else " ".join(f"{number}. {step}" for number, step in enumerate(steps, start=1))


def amount(size: int | None) -> str:
    """A number of bytes, to read."""
    if size is None:
        return "size not known"
    value, unit = float(size), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
