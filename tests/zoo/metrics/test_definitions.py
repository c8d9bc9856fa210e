"""The list of metrics: its keys, its worst values, and the table in `docs/metrics.md`."""

from __future__ import annotations

import math
from dataclasses import fields
from pathlib import Path

from zoo.metrics.case_scores import COLUMNS
from zoo.metrics.definitions import METRIC_KEYS, METRICS, MetricValues, absent_values, worst_values

DOCS = Path(__file__).parents[3] / "docs" / "metrics.md"


def metric_table() -> list[str]:
    """The lines of the Markdown table of all metrics."""
    lines = ["| metric | title | unit | better | missed or spurious | meaning |", "|---|---|---|---|---|---|"]
    for metric in METRICS:
        unit = "mm or px" if metric.unit else ""
        worst = metric.worst if isinstance(metric.worst, str) else f"{metric.worst:g}"
        lines.append(f"| `{metric.key}` | {metric.title} | {unit} | {metric.direction} | {worst} | {metric.doc} |")
    return lines


def test_the_documented_table_is_the_list_of_metrics() -> None:
    expected = "\n".join(metric_table())
    assert expected + "\n\n" in DOCS.read_text(encoding="utf-8"), f"put this table into {DOCS.name}:\n{expected}"


def test_each_metric_has_a_field_and_a_column() -> None:
    assert tuple(field.name for field in fields(MetricValues)) == METRIC_KEYS
    assert [name for name in COLUMNS if name in METRIC_KEYS] == list(METRIC_KEYS)
    assert len(set(METRIC_KEYS)) == len(METRICS)


def test_the_worst_value_agrees_with_the_direction_and_the_unit() -> None:
    for metric in METRICS:
        assert (metric.worst == "diagonal") == (metric.unit == "distance") == (metric.direction == "lower")


def test_values_of_missed_and_of_absent_objects() -> None:
    assert worst_values(7.0) == {"dice": 0.0, "hd95": 7.0, "hd95_pooled": 7.0, "nsd": 0.0, "assd": 7.0}
    assert tuple(absent_values()) == METRIC_KEYS
    assert all(math.isnan(value) for value in absent_values().values())


def test_rounding_makes_no_value_worse_than_the_worst() -> None:
    for metric in METRICS:
        worst = metric.worst_value(7.0)
        assert metric.limit(7.1 if metric.direction == "lower" else -0.1, 7.0) == worst
        assert metric.limit(0.5, 7.0) == 0.5
