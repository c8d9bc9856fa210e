"""Scores of a test: the rows of each case, and their means as `trainer.test` returns them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import torch

from zoo.errors import RunError
from zoo.metrics.case_scores import CaseScore
from zoo.metrics.definitions import METRIC_KEYS
from zoo.metrics.scorer_means import scorer_means
from zoo.metrics.scoring import score_case
from zoo.metrics.summary import summarise
from zoo.types import CaseKey, InstanceFacts, LabelSpace, Native, Prediction

MEANS = (*METRIC_KEYS, "dice_global", "missed", "spurious")


class ScoredCases:
    """Scores predictions on the native grid, and keeps the rows until the end of the test.

    Args:
        labels: The classes.
        tolerance: Tolerance of NSD.

    Attributes:
        conventions: Further conventions to score by, of `zoo.metrics.conventions.CONVENTIONS`, beside those that the
            card of the data set names.
        data: The data module of the test, which knows its card and the instances of a label; None without one.
        rows: One row per case, query and class, of this process.
    """

    def __init__(self, labels: LabelSpace, tolerance: float) -> None:
        self.labels = labels
        self.tolerance = tolerance
        self.conventions: Collection[str] = ()
        self.data: Any = None
        self.rows: list[CaseScore] = []

    def reset(self, data: Any = None) -> None:
        """Forget the rows of an earlier test, and remember the data module of the next one."""
        self.rows, self.data = [], data

    def score(self, predictions: Sequence[Prediction], natives: Sequence[Native]) -> list[CaseScore]:
        """Score the predictions of a batch and keep their rows.

        Raises:
            RunError: A case has no label.
        """
        rows: list[CaseScore] = []
        named = getattr(getattr(self.data, "card", None), "conventions", ())
        conventions = (*self.conventions, *named)
        for prediction, native in zip(predictions, natives, strict=True):
            if native.label is None:
                raise RunError(f"Case {prediction.key} has no label.", "Use `zoo predict` for unlabelled cases.")
            rows += score_case(
                prediction.case_id,
                prediction.mask,
                native.label,
                self.labels,
                native.geometry.spacing,
                native.geometry.unit,
                self.tolerance,
                query=prediction.query,
                conventions=conventions,
                instances=self._describe_instances(prediction.key, native) if conventions else None,
            )
        self.rows += rows
        return rows

    def _describe_instances(self, key: CaseKey, native: Native) -> InstanceFacts | None:
        """Return what the data module knows of the instances of a label; a data module of another package may not."""
        describe = getattr(self.data, "describe_instances", None)
        return describe(self.data.cases[key], native.geometry) if describe else None

    def compute(self, processes: int = 1) -> dict[str, float]:
        """Return the means over the cases of all processes: "test/dice", "test/dice/liver", "test/hd95", ...

        A metric without a value is left out, and so is everything where no case was scored.

        Args:
            processes: Number of processes, each with its own cases; all of them must call this method.
        """
        gathered = [self.rows]
        if processes > 1:
            gathered = [self.rows] * processes
            torch.distributed.all_gather_object(gathered, self.rows)
        rows = [row for part in gathered for row in part]
        if not rows:
            return {}
        summary = summarise(rows)
        means = {f"test/{key}": getattr(summary, key) for key in MEANS}
        means |= {f"test/{key}": value for key, value in scorer_means(rows, {"tolerance": self.tolerance}).items()}
        means |= {f"test/dice/{name}": one.dice for name, one in summary.per_class.items()}
        return {name: float(value) for name, value in means.items() if value is not None}
