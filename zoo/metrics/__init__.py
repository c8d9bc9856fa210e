"""Metrics, scores of one case and class, and their means over cases. Only `pooled_dice` loads torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.utils.lazy import lazy_exports

if TYPE_CHECKING:
    from zoo.metrics.case_scores import CaseScore as CaseScore
    from zoo.metrics.case_scores import read_rows as read_rows
    from zoo.metrics.case_scores import write_rows as write_rows
    from zoo.metrics.definitions import METRICS as METRICS
    from zoo.metrics.scoring import score_case as score_case
    from zoo.metrics.summary import Summary as Summary
    from zoo.metrics.summary import summarise as summarise

__all__ = [
    "METRICS",
    "CaseScore",
    "Summary",
    "read_rows",
    "score_case",
    "summarise",
    "write_rows",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "METRICS": "zoo.metrics.definitions",
        "CaseScore": "zoo.metrics.case_scores",
        "read_rows": "zoo.metrics.case_scores",
        "write_rows": "zoo.metrics.case_scores",
        "score_case": "zoo.metrics.scoring",
        "Summary": "zoo.metrics.summary",
        "summarise": "zoo.metrics.summary",
    },
)
