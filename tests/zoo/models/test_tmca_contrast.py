"""TMCA's contrast with soft targets: identical texts, hard targets as a limit, and batches without a contrast."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.zoo.losses.test_losses import ids, unit
from zoo.losses.contrastive import EmbeddingPairs, contrast
from zoo.models.tmca.alignment import soft_contrast, soft_targets


def apart(*pairs: tuple[int, int], count: int) -> Tensor:
    """Distances of 1, but 0 on the diagonal and between the given pairs."""
    distance = 1 - torch.eye(count)
    for i, j in pairs:
        distance[i, j] = distance[j, i] = 0.0
    return distance


def test_soft_contrast_does_not_push_identical_captions_apart() -> None:
    # Texts along the axes: the gradient of an image by axis j is that of its cosine with text j. The first two
    # images are as near to each other's text as to their own.
    textual = torch.eye(3)
    visual = F.normalize(torch.tensor([[1.0, 1.0, 0.2], [1.0, 1.0, 0.2], [0.2, 0.2, 1.0]]), dim=-1).requires_grad_()
    hard = soft_contrast(EmbeddingPairs(visual, textual, ids("a", "b", "c")), apart(count=3), 0.2, 0.05)
    soft = soft_contrast(EmbeddingPairs(visual, textual, ids("a", "a", "b")), apart((0, 1), count=3), 0.2, 0.05)
    assert hard is not None
    assert soft is not None
    (away,) = torch.autograd.grad(hard, visual)
    (towards,) = torch.autograd.grad(soft, visual)
    assert float(away[0, 1]) > 0
    assert float(away[1, 0]) > 0
    assert float(towards[0, 1]) < 0
    assert float(towards[1, 0]) < 0


def test_soft_contrast_pulls_identical_captions_alike() -> None:
    textual = unit(3, 8, seed=1)
    textual[1] = textual[0]
    visual = unit(3, 8)
    visual[1] = visual[0]
    visual.requires_grad_()
    loss = soft_contrast(EmbeddingPairs(visual, textual, ids("a", "a", "b")), apart((0, 1), count=3), 0.2, 0.2)
    assert loss is not None
    (gradient,) = torch.autograd.grad(loss, visual)
    torch.testing.assert_close(gradient[0], gradient[1])


def test_own_target_is_never_smaller_than_another() -> None:
    distance = torch.rand(6, 6, generator=torch.Generator().manual_seed(0))
    distance = (distance + distance.T).fill_diagonal_(0) / 2
    target = soft_targets(distance, 0.2)
    torch.testing.assert_close(target.sum(1), torch.ones(6))
    assert bool((target.diagonal()[:, None] >= target).all())


def test_soft_contrast_with_hard_targets_is_info_nce() -> None:
    pairs = EmbeddingPairs(unit(5, 16), unit(5, 16, seed=1), ids(*"abcde"))
    hard, soft = contrast(pairs, 0.2), soft_contrast(pairs, apart(count=5), 0.2, 1e-3)
    assert hard is not None
    assert soft is not None
    torch.testing.assert_close(hard, soft)


def test_soft_contrast_is_zero_where_likeness_is_the_target() -> None:
    distance = torch.tensor([[0.0, 0.5, 1.0], [0.5, 0.0, 0.5], [1.0, 0.5, 0.0]])
    # Cosines of 1 - distance, at a temperature that is the softness, are the targets' own logits.
    visual = torch.linalg.cholesky(1 - distance + 1e-6 * torch.eye(3))
    loss = soft_contrast(EmbeddingPairs(visual, visual, ids(*"abc")), distance, 0.2, 0.2)
    assert loss is not None
    assert float(loss) == pytest.approx(0.0, abs=1e-5)


def test_soft_contrast_is_absent_without_two_texts() -> None:
    assert soft_contrast(EmbeddingPairs(unit(2, 4), unit(2, 4), ids("a", "a")), torch.zeros(2, 2), 0.2, 0.2) is None
