"""The balanced cross entropy."""

from __future__ import annotations

import torch

from zoo.losses.balanced import balanced_cross_entropy


def test_object_and_rest_have_half_of_the_loss_each_whatever_their_size() -> None:
    logits = torch.tensor([2.0, -1.0, -1.0, -1.0]).view(1, 1, 2, 2)
    label = torch.tensor([1.0, 0, 0, 0]).view(1, 1, 2, 2)
    inside, outside = torch.tensor(-2.0).exp().log1p(), torch.tensor(-1.0).exp().log1p()
    torch.testing.assert_close(balanced_cross_entropy(logits, label), 0.5 * inside + 0.5 * outside)


def test_a_batch_without_the_object_has_the_loss_of_the_rest() -> None:
    logits = torch.full((1, 1, 2, 2), 1.0)
    expected = 0.5 * torch.tensor(1.0).exp().log1p()
    torch.testing.assert_close(balanced_cross_entropy(logits, torch.zeros(1, 1, 2, 2)), expected)
