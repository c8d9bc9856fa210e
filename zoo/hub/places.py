"""Where packages are: a hub that is a folder, or the Hugging Face hub. `ZOO_HUB` chooses."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Protocol

from zoo.errors import RunError
from zoo.hub.names import HubName
from zoo.hub.package import RECORD, find_revision, is_package, read_package
from zoo.settings import hub_root
from zoo.utils.atomic_files import new_folder, write_text

_NEWEST = "newest"


class Hub(Protocol):
    """A place of packages."""

    def resolve(self, name: HubName) -> str:
        """Return the commit that a name stands for now.

        Raises:
            RunError: There is no such package or revision, or the hub cannot be reached.
        """

    def fetch(self, name: HubName, folder: Path) -> None:
        """Copy the files of a package with a commit into an empty folder; nothing is checked yet."""

    def publish(self, folder: Path, name: HubName, public: bool) -> str:
        """Add a package under a name, and return its commit. Earlier commits stay."""


class FolderHub:
    """A hub that is a folder: `ROOT/OWNER/NAME/COMMIT/`, and `newest` beside them with the newest commit."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def resolve(self, name: HubName) -> str:
        """See `Hub.resolve`."""
        place = self.root / name.repo
        newest = place / _NEWEST
        revision = name.revision or (newest.read_text(encoding="utf-8").strip() if newest.is_file() else "")
        if not revision or not is_package(place / revision):
            known = ", ".join(sorted(one.parent.name for one in place.glob(f"*/{RECORD}"))) or "none"
            raise RunError(f"{name}: no such package in {self.root}.", f"Its revisions there: {known}.")
        return revision

    def fetch(self, name: HubName, folder: Path) -> None:
        """See `Hub.fetch`."""
        source = self.root / name.repo / name.revision
        copy_package(source, folder)
        if name.pinned and find_revision(folder) != name.revision:
            raise RunError(f"{source}: its {RECORD} is not that of this revision: it was edited.", "Push it again.")

    def publish(self, folder: Path, name: HubName, public: bool) -> str:
        """See `Hub.publish`; who may read the folder, its owner decides."""
        revision = find_revision(folder)
        target = self.root / name.repo / revision
        if not is_package(target):
            with new_folder(target) as staging:
                copy_package(folder, staging)
        write_text(self.root / name.repo / _NEWEST, f"{revision}\n")
        return revision


def find_hub() -> Hub:
    """Return the hub of this machine: the folder `ZOO_HUB`, else the Hugging Face hub."""
    root = hub_root()
    if root is not None:
        return FolderHub(root)
    from zoo.hub.remote import RemoteHub

    return RemoteHub()


def copy_package(source: Path, folder: Path) -> None:
    """Copy the files that a package lists, and its record, into an empty folder.

    Raises:
        RunError: A file is missing or a link, or the folder cannot be written.
    """
    package = read_package(source)
    for name in (RECORD, *package.files):
        file = source / name
        if file.is_symlink() or not file.is_file():
            raise RunError(f"{file}: the file is missing.", "Pull it again, from somebody you trust.")
        try:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, folder / name)
        except OSError as error:
            raise RunError(f"{folder}: cannot be written: {error.strerror}.", "Name another folder.") from error
