from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.errors import DataError, NotApplicableError
from zoo.text.controls import control_classes, control_reports
from zoo.types import ClassPrompt
from zoo.utils.exit_codes import run_command

reports = st.dictionaries(st.text("abc", min_size=1, max_size=3), st.text("xyz", max_size=3), min_size=2)


@given(own=reports.filter(lambda own: len(set(own.values())) > 1), seed=st.integers(0, 50))
def test_shuffled_reports_all_differ_from_their_own(own: dict[str, str], seed: int) -> None:
    got = control_reports(own, "shuffled", seed)
    assert got.keys() == own.keys()
    assert all(got[case_id] != own[case_id] for case_id in own)
    assert set(got.values()) == set(own.values())
    assert got == control_reports(own, "shuffled", seed)


def test_seeds_shuffle_differently() -> None:
    own = {str(number): f"report {number}" for number in range(20)}
    assert control_reports(own, "shuffled", 0) != control_reports(own, "shuffled", 1)


def test_one_string_cannot_be_shuffled() -> None:
    with pytest.raises(DataError, match="same string"):
        control_reports({"a": "x", "b": "x"}, "shuffled")


@given(k=st.integers(2, 15), seed=st.integers(0, 50))
def test_shuffled_classes_have_no_fixed_point(k: int, seed: int) -> None:
    classes = tuple(ClassPrompt(f"c{n}", f"s{n}", (f"x{n}",)) for n in range(k))
    got = control_classes(classes, "shuffled", seed)
    assert sorted(got) == sorted(classes)
    assert all(new != old for new, old in zip(got, classes, strict=True))


def test_one_class_cannot_be_shuffled_and_blank_is_empty() -> None:
    one = (ClassPrompt("a", "b", ("c", "d")),)
    with pytest.raises(DataError, match="nothing to exchange"):
        control_classes(one, "shuffled")
    assert control_classes(one, "blank") == (ClassPrompt("", "", ("", "")),)
    assert control_classes(one, "true") == one
    assert control_reports({"a": "x"}, "blank") == {"a": ""}
    assert control_reports({"a": "x"}, "true") == {"a": "x"}


def test_names_leave_the_plain_names_of_the_classes_alone() -> None:
    classes = (ClassPrompt("right_kidney", "A bean.", ("x", "y")), ClassPrompt("liver", "Large."))
    assert control_classes(classes, "names") == (
        ClassPrompt("right_kidney", "right kidney", ("right kidney", "right kidney")),
        ClassPrompt("liver", "liver", ()),
    )
    assert control_reports({"a": "x", "b": "y"}, "names", names=("right_kidney", "liver")) == {
        "a": "right kidney, liver",
        "b": "right kidney, liver",
    }


def test_a_control_that_does_not_apply_has_an_exit_code_of_its_own() -> None:
    def shuffle() -> None:
        control_reports({"a": "x"}, "shuffled")

    with pytest.raises(NotApplicableError):
        shuffle()
    assert run_command(shuffle) == 3


WORDINGS = {"left_kidney": ("One.", "Two."), "liver": ("Three.", "Four.")}
ORGANS = (ClassPrompt("left_kidney", "On the left.", ("A bean.", "On the left.")), ClassPrompt("liver", "Large."))


def test_a_paraphrase_of_class_prompts_is_the_wording_of_the_seed() -> None:
    assert control_classes(ORGANS, "paraphrase", 3, WORDINGS) == (
        ClassPrompt("left_kidney", "Two.", ("Two.", "Two.")),
        ClassPrompt("liver", "Four.", ()),
    )


def test_contradicting_class_prompts_have_the_other_side() -> None:
    assert control_classes(ORGANS, "contradict") == (
        ClassPrompt("left_kidney", "On the right.", ("A bean.", "On the right.")),
        ORGANS[1],
    )


@pytest.mark.parametrize(
    ("classes", "control", "reason"),
    [
        (ORGANS, "paraphrase", "have no wordings"),
        (ORGANS, "synonym", "rewrites reports"),
        (ORGANS[1:], "contradict", "no class prompt names a side"),
    ],
)
def test_class_prompts_that_cannot_be_rewritten_say_why(
    classes: tuple[ClassPrompt, ...], control: str, reason: str
) -> None:
    with pytest.raises(NotApplicableError, match=reason):
        control_classes(classes, control)


def test_a_report_that_contradicts_its_mask_already_is_not_exchanged_into_a_true_one() -> None:
    caption = "Unilateral pulmonary infection, one infected area, upper left lung."
    got = control_reports({"a": caption, "wrong": caption}, "contradict", contradicting={"wrong"})
    assert got == {"a": caption.replace("left", "right"), "wrong": caption}
    assert control_reports({"wrong": caption}, "paraphrase", contradicting={"wrong"})["wrong"] != caption
