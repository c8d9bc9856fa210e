"""The contrastive loss over ranks is the loss over the global batch; so are its gradients."""

from __future__ import annotations

import pytest
import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional as F

from tests.helpers.ranks import RankPool
from zoo.losses.contrastive import EmbeddingPairs, contrast, gather_pairs, text_ids

TEXTS = ("liver", "spleen", "liver", "aorta", "stomach")


def embeddings() -> tuple[Tensor, Tensor]:
    """Return raw visual and textual embeddings of five pairs."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(5, 8, generator=generator), torch.randn(5, 8, generator=generator)


def loss_of(weight: Tensor, rows: slice) -> Tensor:
    """Return the loss of some of the pairs, whose embeddings depend on one shared weight."""
    visual, textual = embeddings()
    pairs = EmbeddingPairs(
        F.normalize(visual[rows] @ weight, dim=-1),
        F.normalize(textual[rows] @ weight, dim=-1),
        text_ids(TEXTS[rows], torch.device("cpu")),
    )
    loss = contrast(gather_pairs(pairs), 0.2, hard_negatives=2)
    assert loss is not None
    return loss


def on_rank(cut: int) -> tuple[float, Tensor]:
    """Return the loss and the mean gradient. Rank 0 has the first `cut` pairs and rank 1 the others."""
    if not dist.is_initialized():
        dist.init_process_group("gloo")
    weight = torch.eye(8).requires_grad_()
    loss = loss_of(weight, slice(0, cut) if dist.get_rank() == 0 else slice(cut, None))
    loss.backward()
    assert weight.grad is not None
    dist.all_reduce(weight.grad)
    return float(loss.detach()), weight.grad / dist.get_world_size()


@pytest.mark.parametrize("cut", [0, 2, 5])
def test_two_ranks_give_the_global_gradient(ranks: RankPool, cut: int) -> None:
    weight = torch.eye(8).requires_grad_()
    loss = loss_of(weight, slice(None))
    loss.backward()
    assert weight.grad is not None
    for value, gradient in ranks.run(on_rank, cut):
        assert value == pytest.approx(float(loss.detach()), abs=1e-6)
        torch.testing.assert_close(gradient, weight.grad)
