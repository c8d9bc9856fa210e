"""The page of all data sets is that of the cards and of the published scores."""

from __future__ import annotations

from tests.helpers.data_index import COMMAND, PAGE, make_index
from zoo.registry import DATA


def test_the_page_is_made_of_the_cards_as_they_are() -> None:
    page = make_index()
    assert PAGE.read_text(encoding="utf-8") == page, f"run `{COMMAND}`"
    for card in DATA:
        if card.origin == "zoo":
            assert page.count(f"| `{card.name}` |") == 1
