from __future__ import annotations

import pytest

from zoo.errors import TextError
from zoo.text.model_inputs import class_prompts, clauses, report_strings
from zoo.types import ClassPrompt, Text

LIVER = ClassPrompt("liver", "The liver.", ("large", "right"))
SPLEEN = ClassPrompt("spleen", "The spleen.")
REPORT = "Bilateral infection, two areas; upper left lung. A nodule of 2.5 cm."


def test_clauses_split_at_punctuation_but_not_inside_numbers() -> None:
    assert clauses(REPORT) == ("Bilateral infection", "two areas", "upper left lung", "A nodule of 2.5 cm")
    assert clauses("1,5 mm;2 areas") == ("1,5 mm", "2 areas")


@pytest.mark.parametrize("blank", ["", "  ", " ., "])
def test_a_blank_report_has_one_empty_clause(blank: str) -> None:
    assert clauses(blank) == ("",)


def test_reports_are_taken_as_they_are() -> None:
    assert report_strings(Text((LIVER,), (REPORT, "")), 2) == [REPORT, ""]


def test_without_reports_the_sentences_are_joined() -> None:
    assert report_strings(Text((LIVER, SPLEEN)), 2) == ["The liver. The spleen."] * 2


def test_blank_class_sentences_give_a_blank_report() -> None:
    assert report_strings(Text((ClassPrompt("a", ""), ClassPrompt("b", ""))), 1) == [""]


def test_class_prompts_without_reports_have_at_least_one_concept() -> None:
    prompts = class_prompts(Text((LIVER, SPLEEN)), 2)
    assert prompts == [(LIVER, SPLEEN._replace(concepts=("The spleen.",)))] * 2


def test_one_class_takes_the_report_as_its_text() -> None:
    prompts = class_prompts(Text((LIVER,), (REPORT, "Nothing.")), 2)
    assert prompts[0] == (ClassPrompt("liver", REPORT, clauses(REPORT)),)
    assert prompts[1] == (ClassPrompt("liver", "Nothing.", ("Nothing",)),)


def test_several_classes_append_the_report_and_keep_their_concepts() -> None:
    first, second = class_prompts(Text((LIVER, SPLEEN), (REPORT, "")), 2)
    assert first[0] == LIVER._replace(sentence=f"The liver. {REPORT}")
    assert first[1].concepts == ("The spleen.",)
    assert second[0] == LIVER


@pytest.mark.parametrize("take", [report_strings, class_prompts])
def test_a_report_is_wanted_for_each_image(take: object) -> None:
    assert callable(take)
    with pytest.raises(TextError, match="3 images and 1 reports"):
        take(Text((LIVER,), ("only one",)), 3)
