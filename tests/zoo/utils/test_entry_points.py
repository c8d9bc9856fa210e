"""Entry points are found as `importlib.metadata` finds them."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path
from zipfile import ZipFile

import pytest

from zoo.utils.entry_points import EntryPoint, list_points


def install(
    site: Path, points: str, name: str = "my.Net", version: str = "1.0", kind: str = "dist-info", stated: bool = True
) -> Path:
    """Write the metadata of a distribution; without `stated` it does not say its name."""
    folder = site / f"{name.replace('.', '_')}{version and f'-{version}'}.{kind}"
    folder.mkdir(parents=True)
    file = {"dist-info": "METADATA", "egg-info": "PKG-INFO"}[kind]
    (folder / file).write_text(f"Metadata-Version: 2.1\n{f'Name: {name}' if stated else ''}\nVersion: {version}\n")
    (folder / "entry_points.txt").write_text(points)
    return folder


@pytest.mark.parametrize("kind", ["dist-info", "egg-info"])
def test_names_keep_their_letters_and_the_distribution_its_name(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "[other]\na = b:c\n\n# a remark\n[zoo.x]\nNet-2 = pack.age:cards/n=1.yaml\nb=c:d\n", kind=kind)
    monkeypatch.syspath_prepend(tmp_path)
    assert list_points("zoo.x") == (
        [EntryPoint("Net-2", "pack.age:cards/n=1.yaml", "my.Net"), EntryPoint("b", "c:d", "my.Net")],
        {},
    )
    assert list_points("zoo.y") == ([], {})


def test_the_points_of_this_environment_are_those_of_importlib() -> None:
    for group in ("console_scripts", "zoo.commands", "pytest11"):
        points, broken = list_points(group)
        assert sorted((one.name, one.value) for one in points) == sorted(
            {(one.name, one.value) for one in metadata.entry_points(group=group)}
        )
        assert broken == {}
        assert points


def test_an_earlier_folder_hides_the_same_distribution_in_a_later_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path / "later", "[zoo.x]\nold = a:b\n")
    install(tmp_path / "earlier", "[zoo.x]\nnew = a:b\n", version="2.0")
    install(tmp_path / "later", "[zoo.x]\nold = a:b\n", version="", kind="egg-info")
    for folder in ("later", "earlier", "no_such_folder"):
        monkeypatch.syspath_prepend(tmp_path / folder)
    assert [one.name for one in list_points("zoo.x")[0]] == ["new"]


@pytest.mark.parametrize("content", [b"[zoo.x]\na = \xff", b"[zoo.x]\nno value", b"no group\n[zoo.x]\na = b:c\n"])
def test_a_file_that_cannot_be_read_is_reported_and_breaks_no_other(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (install(tmp_path, "", "odd", stated=False) / "entry_points.txt").write_bytes(content)
    install(tmp_path, "[zoo.x]\na = b:c\n", "sound")
    monkeypatch.syspath_prepend(tmp_path)
    points, broken = list_points("zoo.x")
    assert points == [EntryPoint("a", "b:c", "sound")]
    assert list(broken) == ["odd"]
    assert broken["odd"].partition(":")[0].endswith("Error")


def test_a_distribution_in_an_archive_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path / "site", "[zoo.x]\na = b:c\n")
    with ZipFile(tmp_path / "net.whl", "w") as archive:
        for file in (tmp_path / "site").rglob("*"):
            if file.is_file():
                archive.write(file, file.relative_to(tmp_path / "site"))
    monkeypatch.setattr(sys, "path", [str(tmp_path / "net.whl"), *sys.path])
    assert list_points("zoo.x") == ([EntryPoint("a", "b:c", "my.Net")], {})
    odd = install(tmp_path / "broken", "", "odd")
    (odd / "entry_points.txt").write_bytes(b"[zoo.x]\na = \xff")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "broken"), *sys.path])
    points, broken = list_points("zoo.x")
    assert [one.name for one in points] == ["a"]
    assert len(broken) == 1
