"""Stand-ins for the hosts of data sets: what the Hugging Face hub and Zenodo answer, from files in memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from tests.helpers.https_server import Shelf

COMMIT = "c" * 40
"""The commit of every repository of the stand-in."""

SMALL = (".json", ".csv", ".txt")
"""Suffixes of files that have the SHA-1 of git, and no SHA-256."""


def put_repository(shelf: Shelf, repository: str, files: Mapping[str, bytes]) -> None:
    """Offer a data set as the hub does."""
    entries = {path: _entry(path, content) for path, content in files.items()}
    api = f"/api/datasets/{repository}"
    shelf.files[f"{api}/revision/main"] = json.dumps({"id": repository, "sha": COMMIT}).encode()
    shelf.files[api] = shelf.files[f"{api}/revision/main"]
    folders = {"", *(path[:at] for path in files for at, letter in enumerate(path) if letter == "/")}
    for folder in folders:
        inside = [entry for path, entry in entries.items() if path.startswith(f"{folder}/" if folder else "")]
        shelf.files[f"{api}/tree/{COMMIT}{'/' + folder if folder else ''}"] = json.dumps(inside).encode()
    shelf.posts[f"{api}/paths-info/{COMMIT}"] = lambda form: [
        entries[path] for path in form.get("paths", []) if path in entries
    ]
    for path, content in files.items():
        shelf.files[f"/datasets/{repository}/resolve/{COMMIT}/{path}"] = content


def _entry(path: str, content: bytes) -> dict[str, Any]:
    """A file as the hub lists it: large ones have the SHA-256 of their content, small ones the object of git."""
    git = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    entry: dict[str, Any] = {"type": "file", "path": path, "size": len(content), "oid": git}
    if not path.endswith(SMALL):
        digest = hashlib.sha256(content).hexdigest()
        entry["lfs"] = {"oid": digest, "size": len(content), "pointerSize": 130}
    return entry


def put_record(shelf: Shelf, record: str, files: Mapping[str, bytes]) -> None:
    """Offer a record as Zenodo does."""
    listed = []
    for name, content in files.items():
        address = f"/api/records/{record}/files/{name}/content"
        shelf.files[address] = content
        digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
        listed.append(
            {"key": name, "size": len(content), "checksum": f"md5:{digest}", "links": {"self": shelf.base + address}}
        )
    shelf.files[f"/api/records/{record}"] = json.dumps({"id": int(record), "files": listed}).encode()
