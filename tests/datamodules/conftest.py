from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.https_server import Shelf, https_shelf


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, and no data folder of the machine's."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("ZOO_CACHE", str(folder))
    monkeypatch.delenv("ZOO_DATA", raising=False)
    return folder


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Shelf, Path]]:
    with https_shelf(tmp_path_factory.mktemp("authority")) as shelf_and_authority:
        yield shelf_and_authority


@pytest.fixture
def hub(running: tuple[Shelf, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    """An empty server in place of the Hugging Face hub and of Zenodo, and no token."""
    from huggingface_hub import close_session  # half a second, which few tests need

    from datamodules.acquire.hosts import zenodo

    shelf, authority = running
    shelf.__init__(base=shelf.base)  # type: ignore[misc]
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    monkeypatch.setenv("HF_ENDPOINT", shelf.base)
    monkeypatch.setattr(zenodo, "SERVER", shelf.base)
    for name in ("ZOO_OFFLINE", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    close_session()  # the client of the library, which knows the authority of its first request
    yield shelf
    close_session()
