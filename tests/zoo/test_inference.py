"""Logits of whole images by a sliding window."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.inference import predict_logits
from zoo.types import ClassPrompt, Text

CLASSES = (ClassPrompt("a", "An a."), ClassPrompt("b", "A b."))


def test_each_window_gets_the_report_of_its_own_image() -> None:
    seen: list[tuple[str, float]] = []

    def forward(image: Tensor, text: Text) -> Tensor:
        assert text.reports is not None
        assert len(text.reports) == len(image) == 1
        seen.append((text.reports[0], float(image.mean())))
        return image.repeat(1, 3, 1, 1)

    image = torch.stack([torch.zeros(1, 12, 9), torch.ones(1, 12, 9)])
    logits = predict_logits(forward, image, Text(CLASSES, ("zero", "one")), (8, 8), 0.5)
    assert logits.shape == (2, 3, 12, 9)
    torch.testing.assert_close(logits, image.repeat(1, 3, 1, 1))
    assert {(report, value) for report, value in seen} == {("zero", 0.0), ("one", 1.0)}


def test_images_within_the_patch_are_not_cut_into_windows() -> None:
    calls: list[tuple[int, ...]] = []

    def forward(image: Tensor, text: Text) -> Tensor:
        calls.append(tuple(image.shape))
        return image

    predict_logits(forward, torch.zeros(3, 1, 8, 6), Text(CLASSES), (8, 8), 0.5)
    assert calls == [(3, 1, 8, 6)]
