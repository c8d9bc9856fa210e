"""The columns of a matched comparison: what the rows have in common, their sizes, and what the text brings to each."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter

from benchmarks.leaderboard.leaderboard import RankingGroup
from benchmarks.leaderboard.ranking import RankedRow
from benchmarks.leaderboard.row import LeaderboardRow
from benchmarks.plan.ablations import NO_TEXT
from benchmarks.plan.job import MATCHED
from benchmarks.tables.column import INTERVAL, Column
from benchmarks.tables.column import field_column as _field
from benchmarks.tables.numbers import format_p_value


def in_millions(key: str) -> Callable[[LeaderboardRow], str]:
    """Return the function that prints a number of parameters in millions."""
    return lambda row: f"{getattr(row, key) / 1e6:.2f}"


def is_matched(group: RankingGroup) -> bool:
    """Whether a group is a matched comparison."""
    return group.recipe == MATCHED


def _has_own_rates(group: RankingGroup) -> bool:
    return any(row.rates == "tuned" for row in group.rows)


def _has_no_text(group: RankingGroup) -> bool:
    return any(row.variant == NO_TEXT.name for rows in group.variants.values() for row in rows)


OVER_NO_TEXT: tuple[Column[LeaderboardRow], ...] = (
    _field("over_no_text", "`dice` minus `dice` of the same network trained and tested without text (its variant "
           "`no_text`), mean over the seeds that both have",
           title="Over no_text", digits=3, better="higher", shown="table", after="text_gain_blank", sign="+",
           std=attrgetter("over_no_text_std"), when=_has_no_text),
    _field("over_no_text_std", "standard deviation of that difference over the seeds (ddof 1)"),
    _field("over_no_text_low", "lower end of the 95 % interval of `over_no_text` over subjects"),
    _field("over_no_text_high", "upper end of that interval"),
    _field("over_no_text_seeds", "number of seeds that the row and its `no_text` have"),
    _field("over_no_text_note", "why `over_no_text` is empty, or over which seeds it is"),
)  # fmt: skip
"""The columns of a row against its own `no_text`."""

TRAINING_COLUMNS: tuple[Column[LeaderboardRow], ...] = (
    _field("params_text_path", "number of trained parameters that would be absent without text",
           title="Text path (M)", shown="table", after="params_trainable", when=is_matched,
           text=in_millions("params_text_path")),
    _field("params_decoder", "number of parameters outside the vision encoder, the text encoder and the text path"),
    _field("vision", "the vision network and its size; empty if not recorded, as the next columns"),
    _field("norm", "the normalisation of the network"),
    _field("lr", "the peak learning rate",
           title="Rate", shown="table", after="params_text_path", when=_has_own_rates,
           text=lambda row: f"{row.lr:g} ({row.rate_source})" if row.rate_source else f"{row.lr:g}"),
    _field("optimiser", "weight decay and warm-up of AdamW, or of the optimiser that is named"),
    _field("augment", "the augmentation"),
    _field("rates", "of a matched row: `one` common rate, or the `tuned` rate of each model"),
    _field("rate_source", "of a matched row with its own rate: `tuned, N trials` or `card`"),
)  # fmt: skip
"""The columns of what was trained, and how."""

RANKED_OVER_NO_TEXT: tuple[Column[RankedRow], ...] = (
    _field("over_no_text", "as in the leaderboard",
           title="Over no_text", digits=3, better="higher", sign="+", when=_has_no_text),
    _field("over_no_text_low", "lower end of the 95 % interval of `over_no_text` over subjects",
           title=f"Over {INTERVAL}", digits=3, better="higher", sign="+", high=attrgetter("over_no_text_high"),
           when=_has_no_text),
    _field("over_no_text_high", "upper end of that interval"),
    _field("over_no_text_pairs", "number of subjects that were compared with `no_text`"),
    _field("over_no_text_p", "two-sided p value of the paired test against the row's own `no_text`, uncorrected",
           better="lower", significant=True),
    _field("over_no_text_p_holm", "that p value corrected by Holm over the rows that have a `no_text`",
           title="Over p (Holm)", better="lower", significant=True,
           text=lambda row: format_p_value(row.over_no_text_p_holm), when=_has_no_text),
    _field("over_no_text_effect", "matched-pairs rank-biserial correlation with the row's own `no_text`"),
)  # fmt: skip
"""The columns of the statistics of a row against its own `no_text`."""
