"""The same case beside all models: what tests of every model have drawn, or what they happen to share."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.report.common_cases import find_common_cases
from benchmarks.report.gallery import Gallery, Picture


def picture(case: str, dice: float = 0.5) -> Picture:
    return Picture(case, "", "data:,", (4, 4), dice, {}, f"text of {case}", "axial slice 3")


def gallery(name: str, worst: Sequence[str], common: Sequence[str] = (), note: str = "") -> Gallery:
    kinds = [("worst", [picture(case) for case in worst])]
    return Gallery(name, "seed 0", True, kinds, note=note, common=[picture(case) for case in common])


def shown(*galleries: Gallery) -> dict[str, list[str]]:
    return {case.name: [name for name, _ in case.pictures] for case in find_common_cases(galleries)}


def test_the_cases_that_every_test_draws_are_shown_in_the_order_of_the_ranking() -> None:
    a, b = gallery("a", ["x", "y"], ["k", "m"]), gallery("b", ["y"], ["k", "m"])
    assert shown(a, b) == {"k": ["a", "b"], "m": ["a", "b"]}
    (first, _) = find_common_cases([a, b])
    assert (first.text, first.view) == ("text of k", "axial slice 3")


def test_older_tests_show_the_cases_that_most_of_them_have() -> None:
    a, b, c = gallery("a", ["r", "s", "t", "u", "v"]), gallery("b", ["v", "u", "t", "s"]), gallery("c", ["v"])
    assert shown(a, b, c) == {"s": ["a", "b"], "t": ["a", "b"], "v": ["a", "b", "c"]}


def test_a_model_alone_or_without_pictures_has_no_case_to_compare() -> None:
    assert shown(gallery("a", ["x"], ["k"])) == {}
    assert shown(gallery("a", ["x"], ["k"]), gallery("b", ["x"], ["k"], note="none were kept")) == {}
