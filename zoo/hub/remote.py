"""The Hugging Face hub as a place of packages. `huggingface_hub` does the transport, with the user's own login."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zoo.errors import RunError, ZooError, first_line
from zoo.hub.names import HubName
from zoo.hub.package import RECORD, read_package
from zoo.settings import offline


class RemoteHub:
    """Models of the Hugging Face hub, or of the server that `HF_ENDPOINT` names."""

    def resolve(self, name: HubName) -> str:
        """See `zoo.hub.places.Hub.resolve`."""
        if name.pinned:
            return name.revision
        with _explained(name):
            return str(_api().model_info(name.repo, revision=name.revision or None).sha)

    def fetch(self, name: HubName, folder: Path) -> None:
        """See `zoo.hub.places.Hub.fetch`: first the record, then the files that it lists, and no other."""
        with _explained(name):
            api = _api()
            api.hf_hub_download(name.repo, RECORD, revision=name.revision, local_dir=folder)
            for file in read_package(folder).files:
                api.hf_hub_download(name.repo, file, revision=name.revision, local_dir=folder)
        shutil.rmtree(folder / ".cache", ignore_errors=True)  # the notes of the library

    def publish(self, folder: Path, name: HubName, public: bool) -> str:
        """See `zoo.hub.places.Hub.publish`.

        Raises:
            RunError: The repository holds something else, or the hub refuses.
        """
        if "/" not in name.repo:
            raise RunError(f"{name}: the Hugging Face hub needs an owner.", "Write hub:OWNER/NAME.")
        with _explained(name):
            api = _api()
            api.create_repo(name.repo, private=not public, exist_ok=True)
            present = set(api.list_repo_files(name.repo)) - {".gitattributes"}
            if present and RECORD not in present:
                raise RunError(f"{name}: the repository holds other files.", "Name a new repository.")
            listed = [RECORD, *read_package(folder).files]
            found: Any = api.upload_folder(
                repo_id=name.repo,
                folder_path=folder,
                commit_message="Push a model of textseg-zoo",
                allow_patterns=listed,
                delete_patterns=sorted(present - set(listed)),  # a commit has the files of its package alone
            )
            return str(found.oid)


def _api() -> Any:
    if offline():
        raise RunError("ZOO_OFFLINE=1 forbids the hub.", "Unset it, or set ZOO_HUB to a folder.")
    from huggingface_hub import HfApi

    return HfApi()


@contextmanager
def _explained(name: HubName) -> Iterator[None]:
    """Turn what the library raises into one line.

    Raises:
        RunError: Always, if something is raised.
    """
    try:
        yield
    except ZooError:
        raise
    except Exception as error:
        # The library and its client have many classes of errors; their first line says what the server answered.
        reason = f"{type(error).__name__}: {first_line(error)[:200]}" if str(error).strip() else type(error).__name__
        raise RunError(
            f"{name}: the hub does not answer as expected ({reason}).",
            "Check the name, the network and `hf auth whoami`; or set ZOO_HUB to a folder.",
        ) from error
