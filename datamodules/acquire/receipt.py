"""The receipt of a folder: which files are in it, where they came from, and what confirmed them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from datamodules.acquire.fingerprint import Fingerprint
from datamodules.acquire.repositories import is_archive
from datamodules.acquire.sources import Source
from datamodules.index.card import DataCard
from zoo import __version__
from zoo.utils.format import format_bytes

RECEIPT = "source.json"


class CheckedFile(NamedTuple):
    """A file for a data set.

    Attributes:
        path: The file.
        found: Size and hashes of the file.
        checked: The checksum that confirmed the file, or "nothing: ..." with the reason.
        url: Address or repository that the file was downloaded from; empty for a file of the user.
        place: Path in the repository; empty for a file from elsewhere.
    """

    path: Path
    found: Fingerprint
    checked: str
    url: str = ""
    place: str = ""

    @property
    def is_loose(self) -> bool:
        """Whether the file has a place in the folder as it is, and is no archive."""
        return bool(self.place) and not is_archive(self.place)


def make_receipt(card: DataCard, source: Source | None, files: Sequence[CheckedFile]) -> dict[str, Any]:
    """Return the receipt of a folder: its files, their licence and the date."""
    entries = []
    for file in files:
        entry = {"name": file.place or file.path.name, **file.found._asdict(), "checked": file.checked}
        entries.append({**entry, "url": file.url} if file.url else entry)
    return {
        "data": card.folder_name,
        "files": entries,
        "licence": source.licence if source else card.licence or "not known",
        "homepage": source.homepage if source else card.homepage,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "zoo": __version__,
    }


def read_receipt(target: Path, card: DataCard) -> dict[str, Any] | None:
    """Read the receipt of a folder that a command made; None for any other folder."""
    try:
        receipt = json.loads((target / RECEIPT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    known = isinstance(receipt, dict) and receipt.get("data") == card.folder_name
    return receipt if known and isinstance(receipt.get("files"), list) else None


def describe_files(receipt: dict[str, Any]) -> dict[str, str]:
    """Describe each file of a receipt: size, check and SHA-256, by which an unchecked file can be checked later.

    Many files of one origin are one line.
    """
    described: dict[str, str] = {}
    origins: dict[str, list[dict[str, Any]]] = {}
    for file in receipt["files"]:
        origins.setdefault(str(file.get("url", "")), []).append(file)
    for origin, files in origins.items():
        size = format_bytes(sum(file["size"] for file in files))
        if origin and len(files) > 1:
            checks = " or ".join(dict.fromkeys(file["checked"] for file in files))
            described[origin] = f"{len(files)} files, {size}, checked by {checks}"
            continue
        for file in files:
            size = format_bytes(file["size"])
            described[file["name"]] = f"{size}, checked by {file['checked']}; its sha256: {file['sha256']}"
    return described
