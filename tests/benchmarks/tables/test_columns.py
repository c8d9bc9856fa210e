"""The columns: every value of a row has one, every metric has one, and `docs/metrics.md` lists them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from benchmarks.leaderboard.ranking import RankedRow
from benchmarks.leaderboard.row import ClassRow, LeaderboardRow
from benchmarks.tables.column import Column
from benchmarks.tables.columns import CLASS_COLUMNS, ROW_COLUMNS, rows_as_dicts
from benchmarks.tables.statistics_columns import RANKED_COLUMNS
from tests.helpers.sample_benchmark import job, leaderboard_of, result
from zoo.metrics.definitions import METRIC_KEYS

DOCS = Path(__file__).parents[3] / "docs" / "metrics.md"
LISTS: dict[str, Sequence[Column[Any]]] = {
    "leaderboard": ROW_COLUMNS,
    "classes": CLASS_COLUMNS,
    "statistics": RANKED_COLUMNS,
}


def column_table(columns: Sequence[Column[Any]]) -> str:
    """Return the Markdown table of columns."""
    lines = ["| column | title | better | meaning |", "|---|---|---|---|"]
    lines += [f"| `{one.key}` | {one.title} | {one.better} | {one.note} |" for one in columns]
    return "\n".join(lines)


@pytest.mark.parametrize("name", LISTS)
def test_the_documented_table_is_the_list_of_columns(name: str) -> None:
    expected = column_table(LISTS[name])
    assert f"\n\n{expected}\n\n" in DOCS.read_text(encoding="utf-8"), f"put this table into {DOCS.name}:\n{expected}"


@pytest.mark.parametrize("name", LISTS)
def test_each_column_has_a_key_of_its_own_and_a_meaning(name: str) -> None:
    keys = [column.key for column in LISTS[name]]
    assert len(set(keys)) == len(keys)
    assert all(column.note for column in LISTS[name])


def test_every_metric_is_a_column_of_rows_and_classes() -> None:
    for columns in (ROW_COLUMNS, CLASS_COLUMNS):
        assert set(METRIC_KEYS) <= {column.key for column in columns}


@pytest.mark.parametrize(
    ("columns", "kind"), [(ROW_COLUMNS, LeaderboardRow), (CLASS_COLUMNS, ClassRow), (RANKED_COLUMNS, RankedRow)]
)
def test_every_field_that_compares_is_a_column(columns: Sequence[Column[Any]], kind: Any) -> None:
    compared = {field.name for field in fields(kind) if field.compare} - {"std"}
    assert compared <= {column.key for column in columns}


def test_a_column_that_follows_another_follows_one_that_exists() -> None:
    keys = {column.key for column in ROW_COLUMNS if column.shown != "file"}
    assert {column.after for column in ROW_COLUMNS} - {""} <= keys


def test_rows_as_dicts_have_the_columns_and_plain_values() -> None:
    (row,) = rows_as_dicts(leaderboard_of([result(job(), [0.5, 0.7])]))
    assert list(row) == [column.key for column in ROW_COLUMNS]
    assert (row["model"], row["n"], row["dice"], row["dice_std"]) == ("unet", 2, pytest.approx(0.6), None)
    assert all(isinstance(value, str | int | float | None) for value in row.values())
