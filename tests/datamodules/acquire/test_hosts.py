"""Files from hosts: asked for once, checked by what the host says, enforced by the SHA-256 of the first download."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from datamodules.acquire.acquire import acquire_data_set
from tests.helpers.acquired_folders import left
from tests.helpers.host_cards import FILES, LARGE, card_of, get, hub_card, refuse, stored
from tests.helpers.https_server import Shelf
from tests.helpers.hub_shelf import COMMIT, put_record, put_repository
from zoo.errors import ConfigError, DataError


@pytest.fixture(autouse=True)
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZOO_OFFLINE", raising=False)


def test_files_without_a_known_checksum_are_accepted_once_and_enforced_from_then_on(hub: Shelf, tmp_path: Path) -> None:
    put_repository(hub, "lab/set", FILES)
    said = refuse(hub_card(), tmp_path, ConfigError, accept=False)
    assert said.startswith(
        "'mine': no checksum of the files of https://huggingface.co/datasets/lab/set is known. Add --acc"
    )
    assert not hub.asked
    receipt = get(hub_card(), tmp_path)
    assert {path: (tmp_path / "mine" / path).read_bytes() for path in ("list.json", "ct/a.nii.gz", "ct/b.nii.gz")} == {
        path: content for path, content in FILES.items() if not path.startswith("other")
    }
    assert left(tmp_path) == ["checksums", "downloads", "mine"]
    assert [(entry["name"], entry["checked"]) for entry in receipt["files"]] == [
        ("list.json", "the host's git object"),
        ("ct/a.nii.gz", "the host's sha256"),
        ("ct/b.nii.gz", "the host's sha256"),
    ]
    assert stored(tmp_path)["revision"] == COMMIT
    assert stored(tmp_path)["files"]["ct/a.nii.gz"]["sha256"] == hashlib.sha256(LARGE).hexdigest()
    shutil.rmtree(tmp_path / "mine")
    get(hub_card(), tmp_path, accept=False)

    shutil.rmtree(tmp_path / "mine")
    put_repository(hub, "lab/set", {**FILES, "ct/a.nii.gz": LARGE[::-1]})
    said = refuse(hub_card(), tmp_path, accept=False)
    assert "'ct/a.nii.gz' has changed: sha256" in said
    assert f"remove {tmp_path / 'checksums' / 'mine.json'} and run this again with --accept-unverified" in said
    put_repository(hub, "lab/set", {**FILES, "ct/b.nii.gz": b"longer than before"})
    assert "'ct/b.nii.gz' has changed: size 18, but size 9 came" in refuse(hub_card(), tmp_path)


def test_other_bytes_under_the_same_description_are_refused_and_removed(hub: Shelf, tmp_path: Path) -> None:
    put_repository(hub, "lab/set", FILES)
    for path, what in (("list.json", "git object"), ("ct/b.nii.gz", "sha256")):
        address = f"/datasets/lab/set/resolve/{COMMIT}/{path}"
        before, hub.files[address] = hub.files[address], bytes(len(FILES[path]))
        assert what in refuse(hub_card(), tmp_path)
        assert not list(tmp_path.rglob(f"{Path(path).name}*"))
        hub.files[address] = before
    get(hub_card(), tmp_path)


def test_a_stored_sha256_is_enforced_where_the_host_gives_none(hub: Shelf, tmp_path: Path) -> None:
    card = card_of({"host": "zenodo", "repository": "7", "patterns": ["a.csv"]})
    put_record(hub, "7", {"a.csv": b"one"})
    get(card, tmp_path)
    shutil.rmtree(tmp_path / "mine")
    entry = json.loads((tmp_path / "checksums" / "mine.json").read_text())
    entry["zenodo 7"]["files"]["a.csv"]["sha256"] = "0" * 64
    (tmp_path / "checksums" / "mine.json").write_text(json.dumps(entry))
    assert "'a.csv' differs (sha256" in refuse(card, tmp_path)
    (tmp_path / "checksums" / "mine.json").write_text("{")
    assert "mine.json: not readable checksums" in refuse(card, tmp_path)


def test_a_checksum_of_the_source_is_enforced_for_the_file_of_its_name(hub: Shelf, tmp_path: Path) -> None:
    put_record(hub, "7", {"a.csv": b"one"})
    repository = {"host": "zenodo", "repository": "7", "patterns": ["a.csv"]}
    card = card_of(repository, files=[{"name": "a.csv", "md5": "0" * 32}])
    assert "'a.csv' differs (md5" in refuse(card, tmp_path)
    digest = hashlib.md5(b"one", usedforsecurity=False).hexdigest()
    get(card_of(repository, files=[{"name": "a.csv", "md5": digest}]), tmp_path)


def test_a_cut_download_continues_and_needs_no_second_acceptance(hub: Shelf, tmp_path: Path) -> None:
    put_repository(hub, "lab/set", FILES)
    card = hub_card(patterns=["ct/a.nii.gz"])
    hub.cut_after = 100_000
    assert "continues where it stopped" in refuse(card, tmp_path)
    get(card, tmp_path, accept=False)
    ranges = [wanted for path, wanted, _ in hub.asked if path.endswith("a.nii.gz")]
    assert ranges == [None, "bytes=100000-"]
    assert (tmp_path / "mine" / "ct" / "a.nii.gz").read_bytes() == LARGE


def test_a_full_disk_and_an_interruption_leave_nothing_half_written(
    hub: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_repository(hub, "lab/set", FILES)

    def stop(what: str, done: int, total: int | None) -> None:
        if what.startswith("Downloading b"):
            raise KeyboardInterrupt

    with monkeypatch.context() as small:
        small.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=1000))
        assert "'mine' needs 300 kB, but 1.0 kB are free on its disk" in refuse(hub_card(), tmp_path)
    with pytest.raises(KeyboardInterrupt):
        get(hub_card(), tmp_path, progress=stop)
    assert left(tmp_path) == ["checksums", "downloads"]
    complete = {path.name for path in (tmp_path / "downloads").rglob("*") if path.is_file()}
    assert complete == {"list.json", "a.nii.gz", "b.nii.gz.part", "b.nii.gz.part.json"}
    get(hub_card(), tmp_path, accept=False)
    assert len([path for path, *_ in hub.asked if path.endswith("a.nii.gz")]) == 1
    assert not any(path.is_file() for path in (tmp_path / "downloads").rglob("*"))


def test_a_token_is_asked_for_before_anything_is_requested_and_sent_to_the_host_alone(
    hub: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_repository(hub, "lab/set", FILES)
    hub.token = "mine"
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "none"))
    said = refuse(hub_card(gated=True), tmp_path)
    assert (
        "no token was found. Accept the terms at https://huggingface.co/datasets/lab/set. Run `hf auth login`" in said
    )
    assert not hub.asked
    assert "refused to this account (401). Run `hf auth login`, or set HF_TOKEN." in refuse(hub_card(), tmp_path)
    monkeypatch.setenv("HF_TOKEN", "of somebody else")
    assert "refused to this account (403). Accept the terms" in refuse(hub_card(gated=True), tmp_path)
    monkeypatch.setenv("HF_TOKEN", "mine")
    get(hub_card(gated=True), tmp_path)


def test_a_name_that_the_host_does_not_have_is_one_line(hub: Shelf, tmp_path: Path) -> None:
    put_repository(hub, "lab/set", FILES)
    put_record(hub, "7", {"a.csv": b"one"})
    put_record(hub, "8", {"a.csv": b"one"})
    hub.files["/api/records/9"] = hub.files["/api/records/8"]
    for card, says in (
        (hub_card(patterns=["lost.json"]), "has no file 'lost.json' at revision cccccccccccc"),
        (hub_card(patterns=["ct/*.npz"]), "has no file 'ct/*.npz'"),
        (hub_card(repository="lab/lost"), "huggingface lab/lost: not found ("),
        (hub_card(revision="v2"), "huggingface lab/set: not found ("),
        (card_of({"host": "zenodo", "repository": "7", "patterns": ["b.csv"]}), "the record has no file 'b.csv'"),
        (card_of({"host": "zenodo", "repository": "6", "patterns": ["b.csv"]}), "/api/records/6: answered 404"),
        (card_of({"host": "zenodo", "repository": "9", "patterns": ["*"]}), "describes another record"),
    ):
        shutil.rmtree(tmp_path / "checksums", ignore_errors=True)
        assert says in refuse(card, tmp_path)


def test_a_path_out_of_the_folder_is_refused(hub: Shelf, tmp_path: Path) -> None:
    put_record(hub, "7", {"../a.csv": b"one"})
    card = card_of({"host": "zenodo", "repository": "7", "patterns": ["*"]})
    assert "'../a.csv' leads out of the folder" in refuse(card, tmp_path)


def test_archives_of_a_host_are_unpacked_beside_its_other_files(hub: Shelf, tmp_path: Path) -> None:
    packed = tmp_path / "set.zip"
    with zipfile.ZipFile(packed, "w") as out:
        out.writestr("Set/s1/ct.nii.gz", "one")
    put_record(hub, "7", {"set.zip": packed.read_bytes(), "list.csv": b"a"})
    repository = {"host": "zenodo", "repository": 7, "patterns": ["*"]}
    get(card_of(repository), tmp_path)
    assert (tmp_path / "mine" / "Set" / "s1" / "ct.nii.gz").read_text() == "one"
    assert (tmp_path / "mine" / "list.csv").read_bytes() == b"a"
    assert (tmp_path / "downloads" / "mine" / "set.zip").is_file(), "archives stay until the user removes them"
    asked = len([path for path, *_ in hub.asked if "files" in path])
    shutil.rmtree(tmp_path / "mine")
    get(card_of({"host": "zenodo", "repository": 7, "patterns": ["*.zip"]}), tmp_path)
    assert len([path for path, *_ in hub.asked if "files" in path]) == asked
    assert (tmp_path / "mine" / "s1" / "ct.nii.gz").is_file()
    shutil.rmtree(tmp_path / "mine")
    for name, content, checked in (("b.zip", b"", "sha256"), ("set.zip", b"#", "nothing: not the published set.zip")):
        (tmp_path / name).write_bytes(hub.files["/api/records/7/files/set.zip/content"] + content)
        given = acquire_data_set(card_of(repository), [tmp_path / name], False, str(tmp_path / "mine"))
        assert given["files"][0]["checked"].startswith(checked), "a given archive is compared with what was downloaded"
        shutil.rmtree(tmp_path / "mine")


def test_some_cases_are_drawn_and_a_larger_number_adds_to_them(hub: Shelf, tmp_path: Path) -> None:
    pairs = {f"{folder}/{one}.npz": b"%d" % one for folder in ("npz", "truth") for one in range(5)}
    put_repository(hub, "lab/set", {"list.json": b"{}", **pairs})
    card = hub_card(patterns=["list.json"], cases=["npz/*", "truth/*"])

    def here() -> set[str]:
        return {path.name for path in (tmp_path / "mine" / "npz").iterdir()}

    get(card, tmp_path, cases=2)
    few = here()
    assert len(few) == 2
    assert few == {path.name for path in (tmp_path / "mine" / "truth").iterdir()}, "pairs have one name"
    (tmp_path / "mine" / "notes.txt").write_text("of the user")
    get(card, tmp_path, cases=4)
    assert few < here()
    assert len(here()) == 4
    receipt = get(card, tmp_path)
    assert len(here()) == 5
    assert len(receipt["files"]) == 11
    assert json.loads((tmp_path / "mine" / "source.json").read_text()) == receipt
    assert (tmp_path / "mine" / "notes.txt").read_text() == "of the user"
    (tmp_path / "mine" / "list.json").write_text("[]")
    with pytest.raises(DataError, match=r"'list.json' differs .* Remove .*list.json"):
        get(card, tmp_path)
    assert (tmp_path / "mine" / "list.json").read_text() == "[]", "what a user wrote is not removed"


def test_cases_of_a_data_set_that_comes_as_a_whole_are_refused(hub: Shelf, tmp_path: Path) -> None:
    assert "comes as a whole: no command can download 3 cases" in refuse(hub_card(), tmp_path, ConfigError, cases=3)


def test_a_folder_that_no_command_made_is_not_extended(hub: Shelf, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a").write_text("of the user")
    with pytest.raises(DataError, match="has content already, and nothing is overwritten"):
        get(hub_card(cases=["npz/*"]), tmp_path)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["a"]


@pytest.mark.parametrize(
    ("host", "library", "repository"),
    [
        ("huggingface", "huggingface_hub", "lab/set"),
        ("kaggle", "kagglehub", "lab/set"),
        ("synapse", "synapseclient", "syn7"),
    ],
)
def test_a_missing_library_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, library: str, repository: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    revision = {"revision": 1} if host == "kaggle" else {}
    card = card_of({"host": host, "repository": repository, "patterns": ["*"], **revision})
    said = refuse(card, tmp_path, ConfigError)
    assert f"{host} {repository}: the package {library} is not installed. Run `pip install " in said
    assert f"[{host}]" in said


def test_nothing_is_asked_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    assert "ZOO_OFFLINE is set" in refuse(hub_card(), tmp_path, ConfigError)
