"""K-fold by subject, a published test split, and splits by group."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamodules.build import build_datamodule
from datamodules.index.splits import SPLITS, cut_by_subject, cut_fold, hold_out_val
from tests.helpers.data_sets import make_hippocampus
from tests.helpers.volume_sets import make_acdc
from zoo.errors import ConfigError, DataError
from zoo.types import Case


def cases(subjects: list[str]) -> list[Case]:
    return [Case(f"case{i}", (Path(f"{i}.png"),), None, subject) for i, subject in enumerate(subjects)]


@given(st.lists(st.sampled_from("abcdefghijklmno"), min_size=5).filter(lambda s: len(set(s)) > 4), st.integers(2, 5))
def test_each_case_is_tested_on_once(subjects: list[str], folds: int) -> None:
    split = cut_by_subject("p", cases(subjects))
    every = [cut_fold(split, fold, folds) for fold in range(folds)]
    tested = Counter(name for fold in every for name in fold.test)
    assert tested == Counter(case.case_id for case in cases(subjects))
    for fold in every:
        assert not fold.leaks()
        assert all(fold.ids_of(part) for part in SPLITS)
        assert sorted(n for part in SPLITS for n in fold.ids_of(part)) == sorted(tested)
    sizes = [len({fold.subjects[name] for name in fold.test}) for fold in every]
    assert max(sizes) - min(sizes) <= 1
    assert len({fold.hash for fold in every} | {split.hash}) == folds + 1


def test_a_published_test_split_is_in_no_fold() -> None:
    split = cut_by_subject("p", cases([str(i) for i in range(20)]))
    for fold in range(4):
        one = cut_fold(split, fold, 4, keep_test=True)
        assert not set(split.test) & {name for part in SPLITS for name in one.ids_of(part)}
        assert sum(len(one.ids_of(part)) for part in SPLITS) == 16
    assert one.to_dict()["protocol"] == "p, fold 3 of 4"


@pytest.mark.parametrize(("fold", "folds"), [(5, 5), (-1, 5), (0, 1)])
def test_folds_that_are_none_are_refused(fold: int, folds: int) -> None:
    with pytest.raises(ConfigError, match="is no fold"):
        cut_fold(cut_by_subject("p", cases(list("abcdef"))), fold, folds)


def test_too_few_subjects_are_refused() -> None:
    with pytest.raises(DataError, match="6 subjects are too few"):
        cut_fold(cut_by_subject("p", cases(list("abcdef"))), 0, 7)


def test_the_split_of_a_group_does_not_depend_on_other_groups() -> None:
    every = cases([f"{kind}{i:02d}" for kind in ("ct", "mr") for i in range(20)])

    def kind(case: Case) -> str:
        return case.subject[:2]

    both = cut_by_subject("p", every, group=kind)
    alone = cut_by_subject("p", every[:20], group=kind)
    assert [len(both.ids_of(part)) for part in SPLITS] == [28, 4, 8]
    assert all(set(alone.ids_of(part)) <= set(both.ids_of(part)) for part in SPLITS)
    few = cut_by_subject("p", [*every[:2], *every[20:22]], group=kind)  # too few of either for all three parts
    assert [len(few.ids_of(part)) for part in SPLITS] == [2, 1, 1]
    one = hold_out_val("p", [every[0], every[1], every[20]], {"case1"}, group=kind)
    assert [len(one.ids_of(part)) for part in SPLITS] == [1, 1, 1]
    held = hold_out_val("p", every, {"case0", "case39"}, group=kind)
    assert [len(held.ids_of(part)) for part in SPLITS] == [34, 4, 2]


def test_data_modules_take_a_fold(tmp_path: Path) -> None:
    root = str(make_hippocampus(tmp_path, 10))
    folds = [build_datamodule("hippocampus", "tiny", root=root, fold=fold) for fold in range(5)]
    assert sorted(name for data in folds for name in data.split.test) == sorted(
        case_id for case_id, _ in folds[0].cases
    )
    assert len({data.split_hash for data in folds}) == 5
    assert build_datamodule("hippocampus", "tiny", root=root, fold=1, folds=5).split_hash == folds[1].split_hash
    assert len(build_datamodule("hippocampus", "tiny", root=root, fold=1, folds=2).split.test) == 5
    with pytest.raises(ConfigError, match=r"--data\.folds 3 without a fold"):
        build_datamodule("hippocampus", "tiny", root=root, folds=3)
    acdc = build_datamodule("acdc", root=str(make_acdc(tmp_path, 10, 5)), fold=0)
    assert all(acdc.split.subjects[name] <= "patient010" for part in SPLITS for name in acdc.split.ids_of(part))
