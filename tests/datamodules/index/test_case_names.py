"""Names of cases: made from paths, and checked before a file gets such a name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from datamodules.index.case_names import LONGEST, find_unusable_name, join_path, join_paths, name_by_path
from zoo.types import Case


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("pictures/p0.jpg", "pictures-p0"),
        ("./a//b.c.PNG", "a-b.c"),
        ("im\\p 1.png", "im-p 1"),
        ("/data/../x/ct.NII.GZ", "data-..-x-ct"),
        ("../x/u\u0308.png", "..-x-\u00fc"),
        (".", ""),
    ],
)
def test_a_name_is_made_of_the_whole_path(path: str, name: str) -> None:
    assert join_path(path) == name


def test_a_long_path_gives_a_short_name_that_stays_unique() -> None:
    deep = "/".join("\u5de6" * 60 for _ in range(3))
    names = [join_path(f"{deep}/{number}/ct.nii.gz") for number in range(2)]
    assert all(len(name.encode()) <= LONGEST for name in names)
    assert [name[-5:] for name in names] == ["-0-ct", "-1-ct"]
    assert names[0] != names[1] == join_path(f"{deep}/1/ct.nii.gz")


def test_files_whose_paths_give_one_name_have_a_hash() -> None:
    names = join_paths(["a/b.png", "a-b.png", "./a/b.png", "c.png"])
    assert names[0] == names[2] != names[1]
    assert [name[:-8] for name in names[:2]] == ["a-b-", "a-b-"]
    assert names[3] == "c"


def test_whole_paths_are_names_only_where_two_files_have_one_name() -> None:
    assert name_by_path(["a/x.nii", "a/y.nii"], ["x", "y"]) == ["x", "y"]
    assert name_by_path(["a/x.nii", "b/x.nii", "b/y.nii"], ["x", "x", "y"]) == ["a-x", "b-x", "b-y"]
    assert name_by_path(["a/x.nii", "a/x.nii"], ["x", "x"]) == ["x", "x"], (
        "the checks report a file that is named twice"
    )


@pytest.mark.parametrize(
    ("case", "problem"),
    [
        (Case("a\x1bb", (Path("a\x1bb.png"),), None, "s"), r"a\u001bb.png: 'a\u001bb' cannot be the name of a file"),
        (Case("a\nb", (), None, "s", query="q"), r"a\u000ab: 'a\u000ab__q' cannot"),
        (Case("..", (), None, "s"), "'..' cannot"),
        (Case("a/b", (), None, "s"), "'a/b' cannot"),
        (Case(os.fsdecode(b"\xd7\xf3"), (Path("a.png"),), None, "s"), "a.png: the name is not in UTF-8"),
        (
            Case("a", (Path(os.fsdecode(b"/d\xd7/a.png")),), None, "s"),
            r"/d\udcd7/a.png: the path /d\udcd7/a.png is not",
        ),
        (Case("a", (Path("a.png"),), Path("m" * 256), "s"), "a part of the path has 256 bytes, more than 255"),
    ],
)
def test_a_name_that_no_file_can_have_is_one_finding(case: Case, problem: str) -> None:
    finding = find_unusable_name(case)
    assert finding is not None
    assert finding.kind == "unusable_name"
    assert problem in finding.problem
    finding.problem.encode()
    assert "\n" not in finding.problem


def test_letters_of_any_language_are_usable() -> None:
    assert find_unusable_name(Case("\u5de6\u80be 1.5_\u00a0", (Path("\u5de6.png"),), Path("\u00fc.png"), "s")) is None
