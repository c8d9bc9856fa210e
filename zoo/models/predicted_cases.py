"""From a batch to the masks of its cases on their native grids."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.inference import predict_masks
from zoo.models.finite_values import check_case_logits, check_logits
from zoo.preprocessing.undo import native_mask
from zoo.types import Batch, Prediction, Text

if TYPE_CHECKING:
    from zoo.models.base import SegModule


def text_of(batch: Batch) -> Text:
    """Return the class prompts and the reports of a batch as the text of a model."""
    reports = batch.get("reports")
    return Text(batch["classes"], None if reports is None else tuple(reports))


def predict_cases(model: SegModule, batch: Batch, whole: bool) -> list[Prediction]:
    """Predict one mask per case on the native grid.

    The logits of a volume that exceeds the patch are decided while its windows are added up, so that the logits of the
    whole volume are never in memory.

    Args:
        model: The model.
        batch: The batch, with `native`.
        whole: Compute the logits of whole images, because the model has a `predict_logits` of its own.

    Raises:
        RunError: The logits of a case are not finite.
    """
    image, cases, queries = batch["image"], batch["case_id"], batch.get("query") or []
    geometries, labels = [native.geometry for native in batch.get("native", [])], model.facts.labels
    if model.windows.allow_rows(image) and not whole:
        found = predict_masks(model.predict_window, image, text_of(batch), model.windows, geometries, labels)
        masks = check_case_logits(model, found, cases, queries)
    else:
        logits = check_logits(model, model.predict_logits(batch), cases, queries)
        masks = [native_mask(one, geometry, labels) for one, geometry in zip(logits, geometries, strict=True)]
    parts = zip(cases, masks, geometries, queries or [""] * len(cases), strict=True)
    return [Prediction(*prediction) for prediction in parts]
