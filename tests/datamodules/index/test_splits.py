from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamodules.index.splits import (
    SPLITS,
    Split,
    _grouped,
    cut_by_subject,
    cut_fold,
    hold_out_val,
    make_split,
    read_split,
)
from tests.helpers.data_sets import BTCV_IDS
from zoo.errors import DataError, UnknownNameError
from zoo.types import Case


def cases(subjects: list[str]) -> list[Case]:
    return [Case(f"case{i}", (Path(f"{i}.png"),), None, subject) for i, subject in enumerate(subjects)]


@given(st.lists(st.sampled_from("abcdefghijkl"), min_size=3).filter(lambda s: len(set(s)) > 2))
def test_a_split_by_subject_has_every_case_once(subjects: list[str]) -> None:
    split = cut_by_subject("p", cases(subjects))
    assert sorted(id_ for part in SPLITS for id_ in split.ids_of(part)) == sorted(c.case_id for c in cases(subjects))
    assert all(split.ids_of(part) for part in SPLITS)
    assert not split.leaks()


def test_hundred_cases_are_72_8_20() -> None:
    split = cut_by_subject("p", cases([str(i) for i in range(100)]))
    assert [len(split.ids_of(part)) for part in SPLITS] == [72, 8, 20]


def test_hash_follows_content_not_order() -> None:
    subjects = {"a": "1", "b": "2", "c": "3", "d": "4"}
    one = Split("p", ("a", "b"), ("c",), ("d",), subjects)
    assert one.hash == Split("p", ("b", "a"), ("c",), ("d",), dict(reversed(subjects.items()))).hash
    assert one.hash != Split("p", ("a",), ("b", "c"), ("d",), subjects).hash
    assert one.hash != Split("q", ("a", "b"), ("c",), ("d",), subjects).hash


def test_leaks_name_subject_and_cases() -> None:
    split = make_split("p", {"train": ["case0"], "val": ["case1"], "test": ["case2"]}, cases(["x", "y", "x"]))
    assert [str(leak) for leak in split.leaks()] == ["subject x is in train (case0) and test (case2)"]


def test_an_empty_split_and_a_case_in_two_splits_are_refused() -> None:
    with pytest.raises(DataError, match="the val split"):
        make_split("p", {"train": ["case0"], "val": [], "test": ["case1"]}, cases(["x", "y"]))
    with pytest.raises(DataError, match="two splits: case0"):
        make_split("p", {"train": ["case0"], "val": ["case1"], "test": ["case0"]}, cases(["x", "y"]))


def test_the_warning_of_a_published_split_has_the_cases_that_do_not_exist(caplog: pytest.LogCaptureFixture) -> None:
    published = read_split("btcv", "24-6", [Case(name, (Path(name),), None, name) for name in BTCV_IDS])
    assert not caplog.records
    [first, *others] = published.train
    found = [Case(name, (Path(name),), None, name) for name in (*others, *published.val, *published.test)]
    read_split("btcv", "24-6", found)
    assert caplog.messages == [f"btcv, protocol 24-6: 1 cases do not exist: {first}"]


def test_btcv_file_holds_the_published_lists() -> None:
    found = [Case(number, (Path(number),), None, number) for number in BTCV_IDS]
    split = read_split("btcv", "24-6", found)
    assert [len(split.ids_of(part)) for part in SPLITS] == [20, 4, 6]
    assert split.test == ("0035", "0036", "0037", "0038", "0039", "0040")
    assert sorted(split.train + split.val) == [number for number in BTCV_IDS if number < "0035"]
    with pytest.raises(UnknownNameError, match="24-6"):
        read_split("btcv", "24-7", found)
    few = [case for case in found if case.case_id in ("0001", "0007", "0036")]
    assert [read_split("btcv", "24-6", few).ids_of(part) for part in SPLITS] == [("0001",), ("0007",), ("0036",)]
    with pytest.raises(DataError, match="the test split"):
        read_split("btcv", "24-6", few[:2])


@pytest.mark.parametrize(
    ("subjects", "count", "found"), [(2, 2, "2 subjects (2 cases)"), (1, 9, "1 subject (9 cases)")]
)
def test_too_few_subjects_are_called_too_few(subjects: int, count: int, found: str) -> None:
    few = [Case(f"c{n}", (), None, f"s{n % subjects}") for n in range(count)]
    with pytest.raises(DataError, match=re.escape(f"{found} cannot make the splits train, val and test.")) as caught:
        cut_by_subject("p", few)
    assert caught.value.fix == "Get cases of 3 subjects or more."
    with pytest.raises(DataError, match=r"1 subject .* cannot make the splits train and val"):
        hold_out_val("p", [case for case in few if case.subject == "s0"], ())
    split = Split("p", ("c0",), (), (), {"c0": "s0"})
    with pytest.raises(DataError, match=r"1 subject \(1 case\) cannot make the splits"):
        cut_fold(split, 0, 2)


def test_the_line_about_a_leak_begins_with_the_file_of_its_last_case() -> None:
    listed = [Case(name, (Path(f"{name}.nii"),), None, "p") for name in "abcd"]
    split = make_split("p", {"train": "ab", "val": "c", "test": "d"}, listed)
    (leak,) = split.leaks()
    assert leak.describe(listed) == f"d.nii: {leak}"
    unnamed = [Case(case.case_id, (), None, "p") for case in listed]
    assert leak.describe(unnamed) == f"d: {leak}"


def test_a_group_of_two_subjects_is_divided_by_itself() -> None:
    listed = [Case(name, (), None, name) for name in ("a1", "a2", "b1", "b2", "t")]
    for seed in range(10):
        split = hold_out_val("p", listed, {"t"}, 0.5, seed, group=lambda case: case.case_id[0])
        assert sorted(case_id[0] for case_id in split.val) == ["a", "b"]


def test_groups_below_the_least_number_become_one_and_no_subject_comes_twice() -> None:
    listed = [Case(name, (), None, name) for name in ("a1", "b1", "b2", "c1", "d1", "d2", "d3")]
    found = _grouped(listed, lambda case: case.case_id[0], least=2)
    assert found == [["b1", "b2"], ["d1", "d2", "d3"], ["a1", "c1"]]
