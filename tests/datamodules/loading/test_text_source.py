"""One source gives the text of training and evaluation."""

from __future__ import annotations

import pytest

from datamodules.loading.text_source import TextSource
from zoo.errors import NotApplicableError
from zoo.types import Case, CaseKey, ClassPrompt

PROMPTS = (ClassPrompt("liver", "The liver.", ("Large.",)), ClassPrompt("spleen", "The spleen.", ("Small.",)))
CASES = {
    "train": [Case("a", (), None, "a", "One."), Case("b", (), None, "b", "Two.")],
    "test": [Case("c", (), None, "c", "Three."), Case("d", (), None, "d", "Four."), Case("e", (), None, "e", "Four.")],
}
KEYS = [case.key for case in CASES["test"]]


def source(control: str = "true", has_reports: bool = True) -> TextSource:
    return TextSource(PROMPTS, has_reports, CASES.__getitem__, control, seed=3)


def test_true_text_is_the_class_prompts_and_each_cases_report() -> None:
    text = source().for_split("test")
    assert text.classes == PROMPTS
    assert text.reports_of(KEYS) == ["Three.", "Four.", "Four."]
    assert text.reports_of(KEYS[:1]) == ["Three."]


@pytest.mark.parametrize("control", ["shuffled", "blank", "names"])
@pytest.mark.parametrize("has_reports", [True, False])
def test_a_control_never_changes_the_text_of_the_training(control: str, has_reports: bool) -> None:
    assert source(control, has_reports).for_split("train") == source("true", has_reports).for_split("train")


def test_a_control_changes_the_reports_of_the_evaluation() -> None:
    shuffled, blank, names = (source(control).for_split("test") for control in ("shuffled", "blank", "names"))
    assert shuffled.reports_of(KEYS) == ["Four.", "Three.", "Three."], "equal reports stay equal"
    assert shuffled.classes == PROMPTS
    assert blank.reports_of(KEYS) == [""] * 3
    assert blank.classes == (ClassPrompt("", "", ("",)),) * 2
    assert names.reports_of(KEYS) == ["liver, spleen"] * 3
    assert names.classes[0] == ClassPrompt("liver", "liver", ("liver",))


def test_without_reports_a_control_changes_the_class_prompts() -> None:
    shuffled = source("shuffled", has_reports=False).for_split("test")
    assert shuffled.classes == PROMPTS[::-1]
    assert shuffled.reports_of(KEYS) is None


def test_without_reports_a_paraphrase_is_a_wording_of_each_class() -> None:
    wordings = {"liver": ("Hepar.", "A big gland."), "spleen": ("Lien.", "A small organ.")}
    text = TextSource(PROMPTS, False, CASES.__getitem__, "paraphrase", seed=3, wordings=lambda: wordings)
    assert [prompt.sentence for prompt in text.for_split("test").classes] == ["A big gland.", "A small organ."]
    assert text.for_split("train").classes == PROMPTS


def test_a_shuffle_of_one_report_is_refused() -> None:
    alone = TextSource(PROMPTS, True, lambda split: CASES["test"][1:], "shuffled")
    with pytest.raises(NotApplicableError, match="same"):
        alone.for_split("test")


def test_the_hash_follows_the_true_texts_and_their_queries() -> None:
    cases = CASES["test"]
    first = source().hash_of(cases)
    assert first == source("blank").hash_of(cases[::-1])
    assert first != source(has_reports=False).hash_of(cases)
    assert source(has_reports=False).hash_of(cases) == source(has_reports=False).hash_of([])
    asked = [Case("c", (), None, "c", "Three.", query="left"), *cases[1:]]
    assert source().hash_of(asked) != first
    assert str(CaseKey("c", "left")) == "c__left"


def worded(control: str = "true") -> TextSource:
    texts = [("a", "One.", ("Uno.", "Eins.")), ("b", "Two.", ())]
    cases = [Case(name, (), None, name, report, "0", wordings) for name, report, wordings in texts]
    return TextSource(PROMPTS, True, lambda split: cases, control, seed=3)


def test_training_draws_among_the_report_and_the_wordings_of_a_case() -> None:
    text, keys = worded().for_split("train"), [CaseKey("a", "0"), CaseKey("b", "0")]
    drawn = [text.draw_reports(keys, [draw, draw], seed=1) or [] for draw in range(30)]
    assert {first for first, _ in drawn} == {"One.", "Uno.", "Eins."}
    assert {second for _, second in drawn} == {"Two."}
    assert drawn == [text.draw_reports(keys, [draw, draw], seed=1) for draw in range(30)]
    assert drawn != [text.draw_reports(keys, [draw, draw], seed=2) for draw in range(30)]
    assert text.reports_of(keys) == ["One.", "Two."], "an evaluation has the reports"


def test_a_paraphrase_is_a_wording_of_the_case(caplog: pytest.LogCaptureFixture) -> None:
    keys = [CaseKey("a", "0"), CaseKey("b", "0")]
    assert worded("paraphrase").for_split("test").reports_of(keys) == ["Eins.", "Two."]
    assert "1 of 2 cases have no other wording" in caplog.text
    assert worded("paraphrase").for_split("train") == worded().for_split("train")


def test_the_hash_follows_the_wordings() -> None:
    cases = list(worded()._cases_of("train"))
    plain = [Case(case.case_id, (), None, case.subject, case.report, case.query) for case in cases]
    assert source().hash_of(cases) != source().hash_of(plain)


def test_training_draws_among_the_first_wordings_and_a_paraphrase_is_one_of_the_others() -> None:
    wordings = {
        "liver": ("Hepar.", "A big gland.", "Held out."),
        "spleen": ("Lien.", "A small organ.", "Held out too."),
    }
    parts = {"wordings": lambda: wordings, "drawn": 2, "batch_size": 4}
    text = TextSource(PROMPTS, False, CASES.__getitem__, "paraphrase", seed=3, **parts)  # type: ignore[arg-type]
    train = text.for_split("train")
    steps = [train.draw_classes(4 * step, seed=1) for step in range(40)]
    assert steps == [
        train.draw_classes(4 * step + 3, seed=1) for step in range(40)
    ]  # all ranks of a step have the same
    assert {prompts[0].sentence for prompts in steps} == {"The liver.", "Hepar.", "A big gland."}
    assert {prompts[1] for prompts in steps} >= {PROMPTS[1], ClassPrompt("spleen", "Lien.", ("Lien.",))}
    assert len({tuple(prompt.sentence for prompt in prompts) for prompts in steps}) > 3  # each class by itself
    assert steps != [train.draw_classes(4 * step, seed=2) for step in range(40)]
    assert [prompt.sentence for prompt in text.for_split("test").classes] == ["Held out.", "Held out too."]
    plain = TextSource(PROMPTS, False, CASES.__getitem__, wordings=lambda: wordings)
    assert plain.hash_of(CASES["test"]) == source(has_reports=False).hash_of(CASES["test"])
    assert text.hash_of(CASES["test"]) != plain.hash_of(CASES["test"])
