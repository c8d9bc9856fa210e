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


def test_a_cap_on_windows_computes_the_middle_and_leaves_background_around_it() -> None:
    calls: list[tuple[int, ...]] = []

    def forward(image: Tensor, text: Text) -> Tensor:
        calls.append(tuple(image.shape))
        return torch.ones(len(image), 3, *image.shape[2:])

    logits = predict_logits(forward, torch.zeros(2, 1, 40, 20, 9), Text(CLASSES), (8, 8, 8), 0.0, most=2)
    assert calls == [(1, 1, 8, 8, 8)] * 4, "two windows per image"
    assert logits.shape == (2, 3, 40, 20, 9)
    assert float(logits[:, :, 12:28, 6:14, :8].min()) == 1
    assert float(logits.sum()) == 2 * 3 * 16 * 8 * 8


def test_a_cap_that_is_not_reached_changes_nothing() -> None:
    def forward(image: Tensor, text: Text) -> Tensor:
        return image * 2

    image = torch.rand(1, 1, 20, 9)
    free = predict_logits(forward, image, Text(CLASSES), (8, 8), 0.5)
    torch.testing.assert_close(predict_logits(forward, image, Text(CLASSES), (8, 8), 0.5, most=8), free)
    torch.testing.assert_close(predict_logits(forward, image, Text(CLASSES), (8, 8), 0.5, most=100), free)
