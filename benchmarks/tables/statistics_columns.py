"""The columns of the statistics of a ranking: intervals, paired tests, win rates and the stability of the ranks."""

from __future__ import annotations

from operator import attrgetter

from benchmarks.leaderboard.ranking import RankedRow
from benchmarks.tables.column import INTERVAL, Column
from benchmarks.tables.column import field_column as _field
from benchmarks.tables.matched_columns import RANKED_OVER_NO_TEXT
from benchmarks.tables.numbers import format_p_value, format_percent

RANKED_COLUMNS: tuple[Column[RankedRow], ...] = (
    _field("label", "the row, with its encoder where two rows have the same label"),
    _field("rank", "rank by Dice, from 1; equal Dice, equal rank; empty beside a method outside the zoo",
           title="Rank", better="lower"),
    _field("dice", "as in the leaderboard", title="Dice", digits=3, better="higher"),
    _field("dice_low", "lower end of the 95 % interval of `dice` over subjects",
           title=INTERVAL, digits=3, better="higher", high=attrgetter("dice_high")),
    _field("dice_high", "upper end of that interval"),
    _field("against", "the row of the comparison: the best, or a method outside the zoo; empty for the best row"),
    _field("delta", "`dice` minus that of `against`", title="Δ best", digits=3, better="higher", sign="+"),
    _field("delta_low", "lower end of the 95 % interval of `delta`, both rows on the same subjects",
           title=f"Δ {INTERVAL}", digits=3, better="higher", sign="+", high=attrgetter("delta_high")),
    _field("delta_high", "upper end of that interval"),
    _field("pairs", "number of subjects that were compared"),
    _field("p", "two-sided p value of the paired test, uncorrected",
           title="p", better="lower", significant=True, text=lambda row: format_p_value(row.p)),
    _field("p_holm", "p value corrected by Holm over the rows of the group; over the paired tests apart",
           title="p (Holm)", better="lower", significant=True, text=lambda row: format_p_value(row.p_holm)),
    _field("effect", "matched-pairs rank-biserial correlation with `against`, from -1 (worse on every subject) to 1",
           title="Effect", digits=2, better="higher", sign="+"),
    _field("win_rate", "share of subjects on which the row beats another row, ties half, mean over the other rows",
           title="Wins", better="higher", text=lambda row: format_percent(row.win_rate)),
    _field("mean_rank", "mean rank of the row over the subjects", title="Mean rank", digits=2, better="lower"),
    _field("rank_share", "share of the bootstrap samples in which the row has its rank",
           title="Rank kept", better="higher", text=lambda row: format_percent(row.rank_share)),
    *RANKED_OVER_NO_TEXT,
)  # fmt: skip
"""The columns of the statistics of a ranking, in the order of CSV and JSON."""
