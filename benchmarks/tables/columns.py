"""The columns of all tables: one list per kind of row, which CSV, JSON, Markdown, LaTeX, HTML and the manual read.

To add a column, add an entry to `ROW_COLUMNS`. Then copy the row that `tests/benchmarks/tables/test_columns.py` prints
into `docs/metrics.md`.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any, Literal

from benchmarks.leaderboard.leaderboard import Leaderboard, RankingGroup
from benchmarks.leaderboard.row import ClassRow, LeaderboardRow
from benchmarks.leaderboard.subjects import INTERVAL_METRICS
from benchmarks.storage.scored import STATED
from benchmarks.storage.seeds import CARD
from benchmarks.tables.column import INTERVAL, Column, Row
from benchmarks.tables.column import field_column as _field
from benchmarks.tables.matched_columns import (
    OVER_NO_TEXT,
    TRAINING_COLUMNS,
    in_millions,
    is_matched,
)
from benchmarks.tables.numbers import format_count
from benchmarks.tables.scorer_columns import SCORER_COLUMNS
from benchmarks.tables.size_columns import SIZE_COLUMNS
from benchmarks.tables.text_columns import REWRITE_DICES, REWRITE_GAINS
from zoo.metrics.definitions import METRICS, Metric


def _metric(metric: Metric, shown: Literal["file", "report", "table"] = "report") -> list[Column[Any]]:
    """Return the column of a metric and, for `INTERVAL_METRICS`, the column of its deviation."""
    mean: Column[Any] = Column(
        key=metric.key,
        title=metric.title,
        note=f"mean of `{metric.key}` over the cases of a class, then over the classes, then over the seeds",
        digits=2 if metric.unit == "distance" else 3,
        better=metric.direction,
        get=attrgetter(metric.key),
        shown=shown,
        std=attrgetter(f"std.{metric.key}"),
        distance=metric.unit == "distance",
        ranks=True,
    )
    if metric.key not in INTERVAL_METRICS:
        return [mean]
    note = f"standard deviation of `{metric.key}` over the seeds (ddof 1); empty for one seed"
    return [mean, Column(key=f"{metric.key}_std", note=note, get=attrgetter(f"std.{metric.key}"))]


_BY_KEY = {metric.key: metric for metric in METRICS}
_FURTHER = [column for metric in METRICS if metric.key not in INTERVAL_METRICS for column in _metric(metric)]


def _seeds(row: LeaderboardRow) -> str:
    seeds = str(row.seeds) if row.seeds == row.seeds_planned else f"{row.seeds}/{row.seeds_planned}"
    return f"{seeds} x {row.folds} folds" if row.folds else seeds


def _millions(row: LeaderboardRow) -> str:
    return f"{(row.params or 0) / 1e6:.2f}"


def _pretrained(row: LeaderboardRow) -> str:
    if STATED in row.mark:  # the zoo does not know
        return ""
    return "yes" if row.pretrained_vision else "no"


def _reads_text(group: RankingGroup) -> bool:
    return group.track != "none"


def _has_tuned(group: RankingGroup) -> bool:
    return any(row.tuning not in ("", CARD) for row in group.rows)


def _has_class_names(group: RankingGroup) -> bool:
    return _reads_text(group) and any(row.text_gain_names is not None for row in group.rows)


def _has_pretrained_vision(group: RankingGroup) -> bool:
    return any(row.pretrained_vision for row in group.rows)


_GAIN: dict[str, Any] = {"digits": 3, "better": "higher", "shown": "table", "sign": "+", "when": _reads_text}
_TEXT: dict[str, Any] = {"digits": 3, "better": "higher"}

ROW_COLUMNS: tuple[Column[LeaderboardRow], ...] = (
    _field("model", "the model; `control:NAME` for a control"),
    _field("size", "`tiny` or `published`"),
    _field("encoder", "the text encoder; empty for a model that reads no text",
           title="Encoder", shown="table", words=True),
    _field("data", "the data set; for own data its title and its kind"),
    _field("text_track", "origin of the text: `none`, `class`, `report` or `mask-derived`; empty for a method outside "
           "the zoo",
           title="Text", shown="table", words=True),
    _field("n", "number of test cases", title="n", shown="table"),
    _field("seeds", "number of seeds that are done", title="Seeds", shown="table", text=_seeds),
    *_metric(_BY_KEY["dice"], "table"),
    _field("dice_global", "Dice of tp, fp and fn summed over the cases of a class, then the mean over the "
           "classes, then over the seeds",
           title="Dice global", digits=3, better="higher", shown="table"),
    *_metric(_BY_KEY["hd95"], "table"),
    _field("hd95_unit", "unit of all distances: `mm` or `px`"),
    _field("missed", "number of (case, class) pairs of one seed with the object in the label only",
           title="Missed", digits=2, better="lower", shown="table", text=lambda row: format_count(row.missed)),
    _field("spurious", "number of (case, class) pairs of one seed with the object in the prediction only",
           title="Spurious", digits=2, better="lower", shown="table", text=lambda row: format_count(row.spurious)),
    _field("text_gain", "`dice` with the true text minus `dice` with shuffled text, same checkpoint",
           title="Text gain", **_GAIN),
    _field("text_gain_blank", "`dice` with the true text minus `dice` with empty text", title="Blank gain", **_GAIN),
    _field("params", "number of parameters; tables to read give millions",
           title="Params (M)", shown="table", text=_millions),
    _field("params_trainable", "number of trained parameters",
           title="Trainable (M)", shown="table", when=is_matched, text=in_millions("params_trainable")),
    *_FURTHER,
    _field("seeds_planned", "number of seeds of the plan"),
    _field("budget", "training budget: samples and batch size; of a method outside the zoo, what is stated"),
    _field("stated", "of a method outside the zoo: what its authors state of its training"),
    _field("split_hash", "hash of the split"),
    _field("prompt_hash", "hash of the class prompts or reports"),
    _field("metric_version", "version of the metrics"),
    _field("pretrained_vision", "the pre-trained weights of the vision encoder and their version; empty for random "
           "weights; tables to read say `yes` or `no` where a row of the group has such weights",
           title="Pre-trained vision", shown="table", after="encoder", words=True,
           text=_pretrained,
           when=_has_pretrained_vision),
    _field("pretrained_on", "the data sets that the cards of the initial weights name: text encoder, vision encoder, "
           "`--init-from`"),
    _field("status", "`ok`, `failed`, `incomplete`, `refused`, `variant`, `stated` or `control`"),
    _field("reason", "why the row is not ranked, or a remark"),
    _field(
        "mark",
        "`leak`: subjects in two or more splits; `prompts`: other class prompts than most rows; "
        "`unsealed`: scores of an older version, without seals; `early-stopped`: a training ended before its budget; "
        "`averaged`: an average of the weights was tested; `contaminated`: the initial weights have seen cases of the "
        "data set; `stated`: a method outside the zoo; "
        "`other-size`: of a matched comparison, not equal in size",
    ),
    _field("variant", "the variant of an ablation; empty for the full method"),
    _field("variant_about", "what the variant changes, in words"),
    _field("variant_changes", "what the variant changes, as arguments"),
    _field("delta_dice", "`dice` of the variant minus `dice` of its full method, mean over the seeds that both have",
           title="Δ Dice", digits=3, better="higher", shown="table", after="dice", sign="+",
           std=attrgetter("delta_dice_std"), when=lambda group: bool(group.variants)),
    _field("delta_dice_std", "standard deviation of that difference over the seeds (ddof 1)"),
    _field("delta_seeds", "number of seeds that both have"),
    *OVER_NO_TEXT,
    *TRAINING_COLUMNS,
    _field("recipe", "`equal`: one budget for all models; `published`: each model has its own; `matched`: also one "
           "vision network, optimiser and loss"),
    _field("folds", "number of pooled folds; empty for the splits of the protocol"),
    _field("subjects", "number of test subjects"),
    _field("dice_low", "lower end of the 95 % interval of `dice` over subjects",
           title=INTERVAL, digits=3, better="higher", shown="report", after="dice", high=attrgetter("dice_high")),
    _field("dice_high", "upper end of that interval"),
    _field("dice_subjects", "mean over subjects of their Dice"),
    _field("hd95_low", "lower end of the 95 % interval of `hd95` over subjects"),
    _field("hd95_high", "upper end of that interval"),
    _field("text_gain_low", "lower end of the 95 % interval of `text_gain` over subjects",
           title=INTERVAL, digits=3, sign="+", high=attrgetter("text_gain_high")),
    _field("text_gain_high", "upper end of that interval"),
    _field("text_gain_names", "`dice` with the true text minus `dice` with the names of the classes alone",
           title="Names gain", after="text_gain_blank", **_GAIN | {"when": _has_class_names}),
    *REWRITE_GAINS,
    _field("dice_shuffled", "`dice` with shuffled text", title="Shuffled", **_TEXT),
    _field("dice_blank", "`dice` with empty text", title="Blank", **_TEXT),
    _field("dice_names", "`dice` with the names of the classes alone", title="Names", **_TEXT),
    *REWRITE_DICES,
    _field("classes", "names of the classes"),
    _field("label_space", "hash of the label space"),
    _field("tolerance", "tolerance of `nsd`, in its unit"),
    _field("cases_hash", "hash of the ids of the test cases"),
    _field("label_hash", "hash of the number of true voxels of each test case and class"),
    _field("spacing_hash", "hash of the voxel sizes of the test cases"),
    _field("data_hash", "hash of the files of own data, or of the class list of `biomedsegfm`; else empty"),
    _field("weights", "the weights that were tested: `trained`, or their average"),
    _field("loss", "the segmentation loss of the training; empty for a run of an older version"),
    _field("validation", "which val cases choose the checkpoint, and how often"),
    _field("stopping", "what may end a training before its budget: the score and the patience; empty for no rule"),
    _field("ended_early", "number of trainings of the row that ended before their budget"),
    _field("precision", "precision of the test"),
    _field("device", "kind of the device of the test"),
    _field("tuning", "where learning rate, loss and weights come from: `card`, or `tuned, N trials each`",
           title="Recipe", shown="table", words=True, after="text_track", when=_has_tuned),
    _field("search", "hash of the search of a tuned recipe: space, seeds, budget and split"),
    _field("options", "where single runs are joined, the options in which the rows of this model differ; the loss by "
           "which text entered the training of a model that reads none (`--model.text_loss`)"),
    *SIZE_COLUMNS,
    *SCORER_COLUMNS,
)  # fmt: skip
"""The columns of a leaderboard row, in the order of CSV and JSON."""

CLASS_COLUMNS: tuple[Column[ClassRow], ...] = (
    _field("label", "the class"),
    _field("scored", "number of cases of one seed that enter the means",
           title="Scored", text=lambda row: format_count(row.scored)),
    *_metric(_BY_KEY["dice"]),
    _field("dice_global", "Dice of tp, fp and fn summed over the cases",
           title="Dice global", digits=3, better="higher"),
    *_metric(_BY_KEY["hd95"]),
    *_FURTHER,
    _field("missed", "number of cases of one seed with the object in the label only",
           title="Missed", better="lower", text=lambda row: format_count(row.missed)),
    _field("spurious", "number of cases of one seed with the object in the prediction only",
           title="Spurious", better="lower", text=lambda row: format_count(row.spurious)),
    _field("absent", "number of cases of one seed with the object in neither mask",
           title="Absent", text=lambda row: format_count(row.absent)),
    *SIZE_COLUMNS,
)  # fmt: skip
"""The columns of the scores per class, in the order of CSV and JSON."""

OF_GROUP = ("data", "text_track", "recipe")
"""Keys of the columns that name a group, before the columns of its statistics."""

OF_ROW = ("data", "model", "size", "encoder", "text_track", "recipe", "variant", "options")
"""Keys of the columns that name a row, before the columns of its classes."""


def shown_columns(group: RankingGroup, report: bool = False) -> list[Column[LeaderboardRow]]:
    """Return the columns of the leaderboard of a group, in the order of tables to read.

    Args:
        group: The ranking group.
        report: Whether to include the columns that only the report shows.
    """
    levels = ("report", "table") if report else ("table",)
    chosen = [column for column in ROW_COLUMNS if column.shown in levels and column.when(group)]
    ordered = [column for column in chosen if not column.after]
    for column in chosen:
        if column.after:
            others = [] if column.high else [one.key for one in chosen if one.after == column.after]
            behind = (column.after, *others)  # an interval is next to its value; the others keep their order
            place = max(count for count, other in enumerate(ordered) if other.key in behind)
            ordered.insert(place + 1, column)
    return ordered


def find_columns(*keys: str) -> list[Column[LeaderboardRow]]:
    """Return the columns with these keys, in the order of the keys."""
    by_key = {column.key: column for column in ROW_COLUMNS}
    return [by_key[key] for key in keys]


def row_as_dict(columns: tuple[Column[Row], ...], row: Row) -> dict[str, Any]:
    """Return the value of each column by its key."""
    return {column.key: column.get(row) for column in columns}


def rows_as_dicts(leaderboard: Leaderboard) -> list[dict[str, Any]]:
    """Return the rows of a leaderboard as plain dictionaries, for example for `pandas.DataFrame`.

    Args:
        leaderboard: The leaderboard.

    Returns:
        One dictionary per row, in the order of tables; the keys are those of `ROW_COLUMNS`.

    Example:
        >>> from benchmarks import LeaderboardRow, RankingGroup
        >>> metrics = {"dice": 0.9, "hd95": 2.0, "hd95_pooled": 1.5, "nsd": 0.8, "assd": 0.7}
        >>> row = LeaderboardRow(model="unet", data="phantom_chest", seeds=3, **metrics)
        >>> group = RankingGroup("phantom_chest", "none", ranked=(row,), unranked=(), controls=())
        >>> (values,) = rows_as_dicts(Leaderboard(groups=(group,)))
        >>> values["model"], values["dice"], values["nsd"]
        ('unet', 0.9, 0.8)
    """
    return [row_as_dict(ROW_COLUMNS, row) for row in leaderboard.rows]


def class_rows_as_dicts(leaderboard: Leaderboard) -> list[dict[str, Any]]:
    """Return the scores per class as plain dictionaries.

    Args:
        leaderboard: The leaderboard.

    Returns:
        One dictionary per row and class; the keys are those of `OF_ROW` and of `CLASS_COLUMNS`.

    Example:
        >>> class_rows_as_dicts(Leaderboard(groups=()))
        []
    """
    names = find_columns(*OF_ROW)
    return [
        {column.key: str(column.get(row)) for column in names} | row_as_dict(CLASS_COLUMNS, one)
        for row in leaderboard.rows
        for one in row.per_class
    ]
