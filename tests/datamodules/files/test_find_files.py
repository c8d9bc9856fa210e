"""Files whose names are spelled in another way than in a listing."""

from __future__ import annotations

from pathlib import Path

import pytest

from datamodules.files.find_files import FileFinder, find_file
from datamodules.files.nifti_layout import find_volume, list_volumes
from datamodules.index.case_names import nifti_stem


@pytest.mark.parametrize(
    ("stored", "named"),
    [
        ("im/a.PNG", "im/a.png"),
        ("im/a.png", ".\\im\\a.PNG"),
        ("im/a.NII.GZ", "im/a.nii.gz"),
        ("u\u0308/ko\u0308pf.png", "\u00fc/k\u00f6pf.png"),
        ("\u00fc.png", "u\u0308.PNG"),
        ("a\\b.png", "a\\b.png"),
    ],
)
def test_a_file_is_found_by_another_spelling(tmp_path: Path, stored: str, named: str) -> None:
    path = tmp_path / stored
    path.parent.mkdir(exist_ok=True)
    path.touch()
    assert FileFinder(tmp_path).find(named) == path


def test_another_name_is_no_other_spelling(tmp_path: Path) -> None:
    for name in ("A.png", "b.png", "b.Png"):
        (tmp_path / name).touch()
    assert find_file(tmp_path, "a.png") == tmp_path / "a.png"
    assert find_file(tmp_path, "b.PNG") == tmp_path / "b.PNG", "two files have this spelling"
    for strange in ("x" * 300, "a\0b", "~nobody-has-this-name/a.png", "gone/a.png"):
        assert find_file(tmp_path, strange).name != "A.png"


def test_volumes_with_capitals_are_listed_and_found(tmp_path: Path) -> None:
    for name in ("b.NII.GZ", "a.Nii", "._a.nii", "notes.txt"):
        (tmp_path / name).touch()
    assert list_volumes(tmp_path) == {"a": tmp_path / "a.Nii", "b": tmp_path / "b.NII.GZ"}
    assert find_volume(tmp_path, "b") == tmp_path / "b.NII.GZ"
    assert find_volume(tmp_path, "c") == tmp_path / "c.nii.gz"
    assert nifti_stem(Path("Ko\u0308pf.1.NII.gz")) == "K\u00f6pf.1"
    assert list_volumes(tmp_path / "gone") == {}
