"""From archives to a prepared data set, by `zoo data prepare`."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from datamodules.cli import main
from tests.helpers.acquired_folders import left
from tests.helpers.data_sets import make_hippocampus
from tests.helpers.https_server import Shelf, https_shelf
from tests.helpers.image_sets import make_kvasir_seg

SOURCE: dict[str, Any] = {
    "licence": "CC-BY-SA 4.0",
    "homepage": "http://medicaldecathlon.com",
    "citation": "x",
    "layout": "x",
    "access": "by hand",
    "steps": ["Download it."],
    "source": ["a test"],
}


def sha(path: Path, kind: str = "sha256") -> str:
    return hashlib.new(kind, path.read_bytes()).hexdigest()


def write_source(known: Path, name: str, files: list[dict[str, Any]], **other: Any) -> None:
    (known / f"{name}.yaml").write_text(yaml.safe_dump({**SOURCE, "files": files, **other}))


def facts_of(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(capsys.readouterr().out)
    return facts


@pytest.mark.parametrize("name", ["hippocampus", "msd_hippocampus"])
def test_an_archive_becomes_a_prepared_data_set(
    name: str, tar: Path, folders: tuple[Path, Path], own_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, known = folders
    write_source(known, "hippocampus", [{"name": tar.name, "size": tar.stat().st_size, "sha256": sha(tar)}])
    assert main(["prepare", name, "--from", str(tar), "--json"]) == 0
    facts = facts_of(capsys)
    assert (facts["data"], facts["cases"]) == ("hippocampus", 5)
    assert len(list((own_cache / "data" / "hippocampus").glob("*/table.json"))) == 5
    assert left(data) == ["hippocampus"]
    inside = sorted(path.name for path in (data / "hippocampus").iterdir())
    assert inside == ["dataset.json", "imagesTr", "labelsTr", "source.json"]
    receipt = json.loads((data / "hippocampus" / "source.json").read_text())
    assert receipt["files"] == [
        {
            **{"name": tar.name, "size": tar.stat().st_size},
            "sha256": sha(tar),
            "md5": sha(tar, "md5"),
            "checked": "sha256",
        }
    ]
    assert receipt["licence"] == "CC-BY-SA 4.0"
    assert receipt["date"].endswith("+00:00")

    before = {path: path.stat().st_mtime_ns for path in data.rglob("*")}
    assert main(["prepare", name, "--json"]) == 0
    assert facts_of(capsys)["split_hash"] == facts["split_hash"]
    assert main(["prepare", name, "--from", str(tar)]) == 2
    assert "has content already" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in data.rglob("*") if path.suffix != ".lock"} == {
        path: time for path, time in before.items() if path.suffix != ".lock"
    }


def test_a_given_folder_is_used_and_not_changed(
    tmp_path: Path, folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_hippocampus(tmp_path, 5)
    before = sorted(root.rglob("*"))
    assert main(["prepare", "hippocampus", "--from", str(root), "--json"]) == 0
    assert facts_of(capsys)["cases"] == 5
    assert sorted(root.rglob("*")) == before
    assert left(folders[0]) == []
    assert main(["prepare", "hippocampus", "--data.root", str(root)]) == 0
    capsys.readouterr()
    assert main(["prepare", "hippocampus", "--from", str(root), "--root", str(tmp_path)]) == 2
    assert "excludes other options" in capsys.readouterr().err


def test_the_root_folder_must_be_empty(
    tar: Path, tmp_path: Path, folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "mine"
    root.mkdir()
    (root / "notes").write_text("mine")
    words = ["prepare", "hippocampus", "--from", str(tar), "--root", str(root)]
    assert main(words) == 2
    assert "nothing is overwritten" in capsys.readouterr().err
    assert [path.name for path in root.iterdir()] == ["notes"]
    (root / "notes").unlink()
    assert main([*words, "--json"]) == 0
    facts = facts_of(capsys)
    assert facts["folder"] == str(root)
    assert "checked by nothing: no checksum is known" in facts["unpacked"][tar.name]
    assert (root / "source.json").is_file()


def test_an_archive_with_another_hash_is_used_with_a_warning(
    tar: Path, folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    data, known = folders
    write_source(known, "hippocampus", [{"name": tar.name, "sha256": "0" * 64}])
    assert main(["prepare", "hippocampus", "--from", str(tar), "--json"]) == 0
    differs = f"not the published Task04_Hippocampus.tar (sha256 {sha(tar)}"
    assert f"{tar}: {differs}" in caplog.text
    assert differs in facts_of(capsys)["unpacked"][tar.name]
    receipt = json.loads((data / "hippocampus" / "source.json").read_text())
    assert receipt["files"][0]["checked"].startswith(f"nothing: {differs}")


def test_an_archive_is_identified_by_its_hash_and_not_by_its_name(
    tar: Path, tmp_path: Path, folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    write_source(folders[1], "hippocampus", [{"name": tar.name, "md5": sha(tar, "md5")}])
    renamed = tmp_path / "Task04_Hippocampus (1).tar"
    shutil.copyfile(tar, renamed)
    assert main(["prepare", "hippocampus", "--from", str(renamed), "--json"]) == 0
    checked = facts_of(capsys)["unpacked"][renamed.name]
    assert "checked by the publisher's md5 alone; its sha256: " in checked
    assert sha(tar) in checked


@pytest.fixture
def shelf(tar: Path, tmp_path: Path, folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    """A server that offers the archive; the source of the data set contains its address."""
    with https_shelf(tmp_path) as (found, authority):
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        monkeypatch.delenv("ZOO_OFFLINE", raising=False)
        found.files = {"/t.tar": tar.read_bytes()}
        file = {"name": tar.name, "url": f"{found.base}/t.tar", "size": tar.stat().st_size, "sha256": sha(tar)}
        write_source(folders[1], "hippocampus", [file], access="download", steps=[])
        yield found


def test_a_download_is_continued_prepared_and_not_repeated(
    shelf: Shelf, tar: Path, folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    data, _ = folders
    assert main(["prepare", "hippocampus"]) == 2
    assert "Run `zoo data prepare hippocampus --download`" in capsys.readouterr().err
    shelf.cut_after = 20_000
    assert main(["prepare", "hippocampus", "--download"]) == 2
    assert "continues where it stopped" in capsys.readouterr().err
    assert left(data) == ["downloads"]
    assert main(["prepare", "hippocampus", "--download", "--json"]) == 0
    assert shelf.asked[-1][1] == "bytes=20000-"
    assert facts_of(capsys)["cases"] == 5
    assert left(data) == ["downloads", "hippocampus"]
    receipt = json.loads((data / "hippocampus" / "source.json").read_text())
    assert receipt["files"][0]["url"] == f"{shelf.base}/t.tar"
    asked = len(shelf.asked)
    assert main(["prepare", "hippocampus", "--download", "--json"]) == 0
    shutil.rmtree(data / "hippocampus")
    assert main(["prepare", "hippocampus", "--download", "--json"]) == 0, "the archive is still there"
    assert len(shelf.asked) == asked


class _Usage(NamedTuple):
    total: int
    used: int
    free: int


def test_a_full_disk_is_reported_before_anything_is_written(
    shelf: Shelf,
    tar: Path,
    folders: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda place: _Usage(10, 10, 1000))
    for words in (["--download"], ["--from", str(tar)]):
        assert main(["prepare", "hippocampus", *words]) == 2
        assert "but 1.0 kB are free on its disk" in capsys.readouterr().err
        assert left(folders[0]) == []
    assert not shelf.asked


def test_a_data_set_without_download_is_refused_with_its_steps(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_source(
        folders[1], "btcv", [{"name": "RawData.zip"}], access="registration", steps=["Register.", "Download it."]
    )
    for words in ([], ["--download"]):
        assert main(["prepare", "btcv", *words]) == 2
        assert "1. Register. 2. Download it." in capsys.readouterr().err
    monkeypatch.delenv("ZOO_DATA")
    assert main(["prepare", "btcv"]) == 2
    assert "and ZOO_DATA is not set. 1. Register." in capsys.readouterr().err
    assert main(["prepare", "btcv", "--from", "no.zip"]) == 2
    assert "No folder is known for 'btcv'." in capsys.readouterr().err
    assert main(["prepare", "btcv", "--from", "no.zip", "--root", str(folders[0] / "x")]) == 2
    assert "no.zip: no such file" in capsys.readouterr().err
    assert main(["prepare", "phantom_chest", "--download"]) == 2
    assert "is generated" in capsys.readouterr().err


def test_tables_are_copied_beside_the_content_of_archives(
    tmp_path: Path, folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_kvasir_seg(tmp_path)
    archive = tmp_path / "kvasir-seg.zip"
    with zipfile.ZipFile(archive, "w") as out:
        for path in sorted([*root.glob("images/*"), *root.glob("masks/*")]):
            out.write(path, path.relative_to(tmp_path))
    tables = sorted(root.glob("*.csv"))
    files = [{"name": "kvasir-seg.zip", "url": "https://example.org/k.zip", "sha256": sha(archive)}]
    write_source(folders[1], "kvasir", [*files, *({"name": table.name} for table in tables)])
    assert main(["prepare", "kvasir", "--download"]) == 2
    assert "needs Kvasir_test.csv and Kvasir_train.csv too" in capsys.readouterr().err
    words = [str(path) for path in (archive, *tables)]
    assert main(["prepare", "kvasir", "--size", "tiny", "--json", "--from", *words]) == 0
    assert facts_of(capsys)["cases"] == 10
    inside = sorted(path.name for path in (folders[0] / "kvasir").iterdir())
    assert inside == ["Kvasir-SEG", "Kvasir_test.csv", "Kvasir_train.csv", "source.json"]


def test_steps_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prepare", "msd_hippocampus", "--steps"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("1. Run `zoo data prepare hippocampus --download`")
    assert "licence: CC-BY-SA 4.0" in shown
    assert main(["prepare", "kvasir", "--steps", "--json"]) == 0
    assert len(facts_of(capsys)["steps"]) == 3
    assert main(["prepare", "hipocampus", "--steps"]) == 2
    assert "Did you mean hippocampus" in capsys.readouterr().err
