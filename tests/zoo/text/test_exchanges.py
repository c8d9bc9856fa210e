"""Exchanges of reports among queries: with other images, and within an image."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamodules.build import build_datamodule
from zoo.errors import NotApplicableError
from zoo.text.controls import control_classes, control_reports
from zoo.text.exchanges import from_other_images, within_images
from zoo.types import CaseKey, ClassPrompt

keys = st.builds(CaseKey, st.text("ab", min_size=1, max_size=2), st.text("012", min_size=1, max_size=1))
reports = st.dictionaries(keys, st.sampled_from(["p", "q", "r", "s"]), min_size=2, max_size=12)


def texts_of(own: dict[CaseKey, str], case_id: str) -> set[str]:
    return {report for key, report in own.items() if key.case_id == case_id}


@given(own=reports, seed=st.integers(0, 20))
def test_a_shuffled_report_is_of_another_image_and_none_of_its_own(own: dict[CaseKey, str], seed: int) -> None:
    if len(set(own.values())) == 1:
        with pytest.raises(NotApplicableError, match="there is no other report for"):
            from_other_images(own, seed)
        return
    got = from_other_images(own, seed)
    assert got.keys() == own.keys()
    for key, report in own.items():
        assert got[key] != report
        mine = texts_of(own, key.case_id)
        assert (got[key] not in mine) == bool(set(own.values()) - mine), "a report that is new to the image comes first"
    assert got == from_other_images(dict(reversed(own.items())), seed)


@given(own=reports, seed=st.integers(0, 20))
def test_an_exchanged_report_is_of_another_query_of_the_same_image(own: dict[CaseKey, str], seed: int) -> None:
    several = [key for key in own if len(texts_of(own, key.case_id)) > 1]
    if not several:
        with pytest.raises(NotApplicableError, match="no image has two queries"):
            within_images(own, seed)
        return
    got = within_images(own, seed)
    for key, report in own.items():
        assert got[key] != report
        if key in several:
            assert got[key] in texts_of(own, key.case_id)


def test_a_data_set_with_one_query_per_image_has_nothing_to_exchange() -> None:
    with pytest.raises(NotApplicableError, match="an image has one query"):
        control_reports({"a": "x", "b": "y"}, "exchanged")
    with pytest.raises(NotApplicableError, match="an image has one query"):
        control_classes((ClassPrompt("a", "A."),), "exchanged")


def test_the_two_controls_of_a_data_set_with_queries_take_other_texts() -> None:
    small: dict[str, Any] = {"counts": [4, 1, 8], "shape": [16, 16, 16], "patch": [16, 16, 16]}
    cases = build_datamodule("phantom_findings", "tiny", **small).index.cases_of("test")
    own = {case.key: str(case.report) for case in cases}
    for control, inside in (("shuffled", False), ("exchanged", True)):
        data = build_datamodule("phantom_findings", "tiny", text=control, **small)
        got = data.text_source.for_split("test").reports
        assert got is not None
        for key, report in own.items():
            assert got[key] != report
            assert (got[key] in texts_of(own, key.case_id)) == inside
