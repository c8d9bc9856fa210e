"""The columns of the tests with rewritten text (`zoo.text.rewrites`), which a plan has where `texts` names them."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from benchmarks.leaderboard.leaderboard import RankingGroup
from benchmarks.tables.column import Column

TITLES = {
    "exchanged": ("Exchanged", "the text of another query of the same image"),
    "paraphrase": ("Paraphrase", "the text in other words"),
    "synonym": ("Synonym", "synonyms in the same sentence"),
    "missing_side": ("No side", "the text without left and right"),
    "missing_location": ("No place", "the text without any place"),
    "contradict": ("Contradict", "a text that contradicts the mask"),
    "over_description": ("More words", "a text with further details"),
    "under_description": ("Fewer words", "a text without levels and number"),
}
"""Each rule, with the title of its column and what the model reads."""


def _gain(rule: str, title: str, note: str) -> Column[Any]:
    key = f"text_gain_{rule}"

    def has_values(group: RankingGroup) -> bool:
        return any(getattr(row, key) is not None for row in group.rows)

    return Column(
        key=key,
        title=f"{title} gain",
        note=f"`dice` with the true text minus `dice` with {note}",
        digits=3,
        sign="+",
        shown="table",
        after="text_gain_blank",
        get=attrgetter(key),
        when=has_values,
    )


def _dice(rule: str, title: str, note: str) -> Column[Any]:
    key = f"dice_{rule}"
    return Column(key=key, title=title, note=f"`dice` with {note}", digits=3, better="higher", get=attrgetter(key))


REWRITE_GAINS: tuple[Column[Any], ...] = tuple(_gain(rule, *words) for rule, words in TITLES.items())
"""What the true text gains over each rewritten text."""

REWRITE_DICES: tuple[Column[Any], ...] = tuple(_dice(rule, *words) for rule, words in TITLES.items())
"""The Dice with each rewritten text."""
