"""Files that the libraries of Kaggle and Synapse get."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.helpers.acquired_folders import left
from tests.helpers.host_cards import card_of, get, refuse, stored
from zoo.errors import DataError


@pytest.fixture(autouse=True)
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZOO_OFFLINE", raising=False)


class _Kaggle(ModuleType):
    """The one call of `kagglehub` that we make, with the cache of the library and its mark of completeness."""

    def __init__(self, files: dict[str, bytes], fail: Callable[[], None] = lambda: None) -> None:
        super().__init__("kagglehub")
        self.files, self.fail = files, fail
        self.asked: list[str] = []

    def dataset_download(self, handle: str, path: str | None = None) -> str:
        whole = handle if "/versions/" in handle else f"{handle}/versions/4"
        folder = Path(os.environ["KAGGLEHUB_CACHE"]) / "datasets" / whole
        done = folder.with_name("done")
        if not done.exists():
            self.asked.append(handle)
            for name, content in self.files.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)
                self.fail()
            done.touch()
        return str(folder / path if path else folder)


KAGGLE = {"host": "kaggle", "repository": "lab/set", "revision": 3, "patterns": ["*.png"]}


def test_a_version_of_kaggle_comes_as_a_folder_and_is_fetched_again_after_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = _Kaggle({"images/a.png": b"a", "b.txt": b"b"})
    monkeypatch.setitem(sys.modules, "kagglehub", library)
    monkeypatch.delenv("KAGGLEHUB_CACHE", raising=False)
    receipt = get(card_of(KAGGLE), tmp_path)
    assert library.asked == ["lab/set/versions/3"]
    assert [entry["name"] for entry in receipt["files"]] == ["images/a.png"]
    assert (tmp_path / "mine" / "images" / "a.png").exists()
    shutil.rmtree(tmp_path / "mine")
    library.files["images/a.png"] = b"other"
    said = refuse(card_of(KAGGLE), tmp_path)
    assert "kaggle lab/set: 'images/a.png' differs (sha256" in said
    library.files["images/a.png"] = b"a"
    get(card_of(KAGGLE), tmp_path)
    assert len(library.asked) == 3, "a refused file is not taken from the cache"


def test_the_newest_version_of_kaggle_is_kept_for_later_downloads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = _Kaggle({"a.png": b"a"})
    monkeypatch.setitem(sys.modules, "kagglehub", library)
    card = card_of({**KAGGLE, "revision": ""})
    for _ in range(2):
        get(card, tmp_path)
        shutil.rmtree(tmp_path / "mine")
    assert library.asked == ["lab/set", "lab/set/versions/4"]
    assert stored(tmp_path, "kaggle lab/set")["files"]["a.png"]["tag"] == "version 4"


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (type("UnauthenticatedError", (Exception,), {})("no user"), "refused the request .* set KAGGLE_API_TOKEN"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (ConnectionError("cut\nhere"), "ConnectionError: cut. Check network and disk"),
    ],
)
def test_an_error_of_a_library_is_one_line_and_the_next_call_completes_the_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, says: str
) -> None:
    def fail() -> None:
        raise error

    library = _Kaggle({"a.png": b"a", "b.png": b"b"}, fail)
    monkeypatch.setitem(sys.modules, "kagglehub", library)
    with pytest.raises(DataError, match=says):
        get(card_of(KAGGLE), tmp_path)
    assert "mine" not in left(tmp_path)
    library.fail = lambda: None
    get(card_of(KAGGLE), tmp_path)
    assert sorted(path.name for path in (tmp_path / "mine").iterdir()) == ["a.png", "b.png", "source.json"]


class _Synapse(ModuleType):
    """The calls of `synapseclient` that we make, for a folder with one file."""

    def __init__(self, content: bytes, version: int = 2) -> None:
        super().__init__("synapseclient")
        self.content, self.version = content, version
        self.login_error: Exception | None = None
        self.asked: list[dict[str, Any]] = []

    def Synapse(self, **_: Any) -> _Synapse:  # noqa: N802
        return self

    def login(self, silent: bool) -> None:
        if self.login_error is not None:
            raise self.login_error

    def getChildren(self, entity: str, includeTypes: list[str]) -> list[dict[str, str]]:  # noqa: N802, N803
        kind = "org.sagebionetworks.repo.model."
        if entity == "syn7":
            return [{"id": "syn8", "name": "Abdomen", "type": f"{kind}Folder"}]
        return [{"id": "syn9", "name": "a.csv", "type": f"{kind}FileEntity"}]

    def get(self, entity: str, version: int | None = None, **options: Any) -> Any:
        if entity == "syn7":
            return _Entity(name="folder")
        self.asked.append({"version": version, **options})
        digest = hashlib.md5(self.content, usedforsecurity=False).hexdigest()
        handle = {"fileName": "a.csv", "contentSize": len(self.content), "contentMd5": digest}
        found = _Entity(name="a.csv", _file_handle=handle, versionNumber=self.version)
        if options.get("downloadFile", True):
            found.path = Path(options["downloadLocation"]) / "a.csv"
            found.path.write_bytes(self.content)
        return found


class _Entity(SimpleNamespace):
    def get(self, key: str, default: Any = None) -> Any:
        return getattr(self, key, default)


def test_a_file_of_synapse_is_found_in_its_folder_and_its_version_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = _Synapse(b"one")
    monkeypatch.setitem(sys.modules, "synapseclient", library)
    card = card_of({"host": "synapse", "repository": "syn7", "patterns": ["Abdomen/*.csv"]})
    library.login_error = type("SynapseNoCredentialsError", (Exception,), {})("no\ncredentials")
    assert "no valid token was found. Make a token" in refuse(card, tmp_path)
    assert "set SYNAPSE_AUTH_TOKEN" in refuse(card, tmp_path)
    library.login_error = None
    receipt = get(card, tmp_path)
    assert [(entry["name"], entry["checked"]) for entry in receipt["files"]] == [("Abdomen/a.csv", "the host's md5")]
    assert library.asked[-1]["version"] == 2
    shutil.rmtree(tmp_path / "mine")
    library.content, library.version = b"two", 3
    assert "'Abdomen/a.csv' has changed: version 3, md5" in refuse(card, tmp_path)
