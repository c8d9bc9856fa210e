"""Fetches packages: into a folder of the user (`zoo pull`), or into the cache for one load (`zoo.load("hub:...")`)."""

from __future__ import annotations

import logging
from pathlib import Path

from zoo.errors import RunError
from zoo.hub.names import HubName, is_hub_name
from zoo.hub.package import Package, is_package, read_package
from zoo.hub.places import copy_package, find_hub
from zoo.settings import cache_root, hub_root, offline
from zoo.utils.atomic_files import new_folder

log = logging.getLogger(__name__)


def pull(source: str, target: Path) -> tuple[Package, str]:
    """Fetch a package into a folder, completely and checked, or not at all.

    Args:
        source: `hub:OWNER/NAME`, with `@COMMIT` for a pinned revision; or the folder of a package.
        target: The folder; it must be new or empty, or have these very files.

    Returns:
        The package, and its name with the revision that was fetched (the folder, if `source` is one).

    Raises:
        RunError: There is no such package, a file of it was changed, the hub cannot be reached, or the folder holds
            something else.
        ConfigError: The name is none of a package.
    """
    name = None
    if is_hub_name(source):
        hub, asked = find_hub(), HubName.parse(source)
        name = asked.at(hub.resolve(asked))
    if is_package(target):
        return _keep(source, name, target), str(name or source)
    with new_folder(target) as staging:
        if name is not None:
            hub.fetch(name, staging)
        else:
            copy_package(Path(source).expanduser(), staging)
        read_package(staging).check_files()
    return read_package(target), str(name or source)


def _keep(source: str, name: HubName | None, target: Path) -> Package:
    """Return the package that a folder holds already, if it is the one that is asked for.

    Raises:
        RunError: It is another one.
    """
    present = read_package(target)
    due = read_package(fetch(str(name)) if name else Path(source).expanduser())
    if present.content != due.content:
        raise RunError(f"{target}: another package is there already.", "Name a new folder.")
    present.check_files()
    return present


def fetch(source: str) -> Path:
    """Return the folder of a package in the cache; fetch it if it is not there.

    Args:
        source: `hub:OWNER/NAME`, better with `@COMMIT`: without it, the newest revision is meant, and is logged.

    Raises:
        RunError: As `pull`.
    """
    asked = HubName.parse(source)
    shelf = cache_root() / "hub" / asked.repo.replace("/", "--")
    if asked.pinned and is_package(shelf / asked.revision):
        return shelf / asked.revision
    if offline() and hub_root() is None and not asked.pinned:
        known = ", ".join(sorted(one.name for one in shelf.glob("[!.]*"))) or "none"
        raise RunError(f"{asked}: ZOO_OFFLINE=1 forbids to ask for the newest revision.", f"In the cache: {known}.")
    name = asked.at(find_hub().resolve(asked))
    if not asked.pinned:
        log.warning("%s is not pinned: it is %s now", asked, name)
    if not is_package(shelf / name.revision):
        pull(str(name), shelf / name.revision)
    return shelf / name.revision
