"""TextBraTS: its lists, its texts, and what of them is refused."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from datamodules.build import build_datamodule
from datamodules.sets import BraTS
from datamodules.verify import verify
from tests.helpers.textbrats_set import NAME, TEXTS, entry, make_textbrats, text_of
from zoo.errors import DataError, UnknownNameError


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_textbrats(tmp_path_factory.mktemp("textbrats"))


@pytest.fixture
def root(clean: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(clean, tmp_path / "textbrats"))


def textbrats(root: Path, **options: Any) -> BraTS:
    made = build_datamodule("textbrats", "tiny", root=str(root), **options)
    assert isinstance(made, BraTS)
    return made


def test_the_lists_are_the_splits_and_each_case_has_its_text(clean: Path) -> None:
    data = textbrats(clean)
    names = [NAME.format(number) for number in range(8)]
    assert (data.split.train, data.split.val, data.split.test) == (
        tuple(names[:3]),
        tuple(names[3:5]),
        tuple(names[5:7]),
    )
    assert data.index.case(names[1]).report == "The lesion lies in the right frontal lobe, with oedema around it."
    assert data.flips == ()
    assert [path.name for path in data.index.case(names[0]).images][-1] == f"{names[0]}_flair.nii.gz"
    by_subject = textbrats(clean, protocol="by_subject")
    assert {case_id for case_id, _ in by_subject.cases} == set(names)


def test_textbrats_is_an_option_of_brats(clean: Path) -> None:
    made = build_datamodule("brats", "tiny", root=str(clean), reports="textbrats")
    assert (made.name, made.split_hash) == ("textbrats", textbrats(clean).split_hash)
    with pytest.raises(UnknownNameError, match=r"--data\.reports 'textbrat'"):
        build_datamodule("brats", "tiny", root=str(clean), reports="textbrat")
    assert build_datamodule("brats", "tiny", root=str(clean)).text_source.has_reports is False


def test_cases_of_the_lists_without_files_are_left_out(root: Path) -> None:
    shutil.rmtree(root / "TrainingData" / NAME.format(0))
    assert textbrats(root).split.train == (NAME.format(1), NAME.format(2))


def test_a_text_that_is_missing_or_damaged_is_a_finding(root: Path) -> None:
    text_of(root, 1).unlink()
    text_of(root, 2).write_bytes(b"\xff oedema")
    text_of(root, 3).write_text(" \n", encoding="utf-8")
    text_of(root, 0).write_text("Another text.", encoding="utf-8")
    with pytest.raises(DataError, match="differs from"):
        _ = textbrats(root).cases
    kinds = {finding.kind for finding in verify(textbrats(root))}
    assert kinds == {"caption_table", "caption_doubled", "caption_empty"}
    text_of(root, 2).write_text("Oedema.", encoding="utf-8")
    text_of(root, 0).unlink()
    assert {finding.kind for finding in verify(textbrats(root))} == {"caption_missing", "caption_empty"}


def _drop_texts(root: Path) -> None:
    shutil.rmtree(root / TEXTS)
    (root / "TrainingData" / NAME.format(0) / f"{NAME.format(0)}_flair_text.txt").unlink()


def _rewrite(name: str, entries: object) -> Callable[[Path], object]:
    return lambda root: (root / name).write_text(json.dumps(entries), encoding="utf-8")


@pytest.mark.parametrize(
    ("break_it", "problem"),
    [
        (_drop_texts, "no text for its 8 cases, such as BraTS20_Training_000_flair_text.txt"),
        (lambda root: (root / "Test.json").unlink(), "Test.json: no such file"),
        (_rewrite("Train.json", [entry(0, 1)]), "Train.json: not a listing"),
        (_rewrite("Train.json", {"train": []}), "Train.json: no list `training`"),
        (_rewrite("Train.json", {"training": [entry(0, 2)]}), "training[0]: `fold` is 2, not 1 or 0"),
        (_rewrite("Test.json", {"training": [entry(6, 1)]}), "training[0]: `fold` is 1, not 0"),
        (_rewrite("Test.json", {"training": [{"fold": 0}]}), "training[0] has no `label`"),
        (
            _rewrite("Test.json", {"training": [entry(6, 0), entry(1, 0)]}),
            "training[1]: BraTS20_Training_001 is also training[1] of Train.json",
        ),
    ],
)
def test_a_fault_of_the_release_is_one_line_with_file_and_entry(
    root: Path, break_it: Callable[[Path], object], problem: str
) -> None:
    break_it(root)
    with pytest.raises(DataError, match=re.escape(problem)) as caught:
        _ = textbrats(root).cases
    assert caught.value.fix
