"""TMCA's alignment over ranks is that of the global batch; it reads the masks and zones of all ranks."""

from __future__ import annotations

import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from tests.helpers.ranks import RankPool
from zoo.data_facts import DataFacts
from zoo.models.tmca.model import TMCA
from zoo.types import ClassPrompt, LabelSpace

PROMPTS = (ClassPrompt("a", "The liver."), ClassPrompt("b", "The spleen."))
FACTS = DataFacts("made_up", 2, 1, (16, 16), LabelSpace(("a", "b"), ((1,), (2,))), PROMPTS, "class")
SENTENCES = ("upper left lung", "lower left lung", "upper left lung", "a mass", "lower right lung", "all right lung")


def model_of(distance: str) -> TMCA:
    """Return a model with the same weights on every rank."""
    torch.manual_seed(0)
    sizes = {"vision": "conv", "width": 8, "stages": 2, "head_width": 8, "embedding": 8, "norm": "instance"}
    return TMCA(FACTS.to_dict(), encoder="tiny", distance=distance, **sizes)  # type: ignore[arg-type]


def loss_of(distance: str, weight: Tensor, start: int, stop: int) -> Tensor | None:
    """Return the alignment of some of three samples. The second sample lacks class b."""
    generator = torch.Generator().manual_seed(0)

    def some(*shape: int) -> Tensor:
        return torch.randn(3, 2, *shape, generator=generator)[start:stop]

    visual, textual = (torch.nn.functional.normalize(some(2, 8) @ weight, dim=-1) for _ in range(2))
    masks, deepest = (some(16, 16) > 0).float(), some(4)
    sentences, named = SENTENCES[2 * start : 2 * stop], some(4)
    rows = torch.tensor([i for i in range(2 * (stop - start)) if i + 2 * start != 3], dtype=torch.long)
    return model_of(distance)._alignment(visual, textual, masks, sentences, named, deepest, rows)


def on_rank(distance: str, cut: int) -> tuple[float, Tensor]:
    """Return the loss and the mean gradient. Rank 0 has the first `cut` samples and rank 1 the others."""
    if not dist.is_initialized():
        dist.init_process_group("gloo")
    weight = torch.eye(8).requires_grad_()
    loss = loss_of(distance, weight, *((0, cut) if dist.get_rank() == 0 else (cut, 3)))
    assert loss is not None
    loss.backward()
    assert weight.grad is not None
    dist.all_reduce(weight.grad)
    return float(loss.detach()), weight.grad / dist.get_world_size()


@pytest.mark.parametrize("distance", ["mask", "zone", "text", "feature"])
@pytest.mark.parametrize("cut", [0, 1])
def test_two_ranks_give_the_global_gradient(ranks: RankPool, distance: str, cut: int) -> None:
    weight = torch.eye(8).requires_grad_()
    loss = loss_of(distance, weight, 0, 3)
    assert loss is not None
    loss.backward()
    assert weight.grad is not None
    for value, gradient in ranks.run(on_rank, distance, cut):
        assert value == pytest.approx(float(loss.detach()), abs=1e-6)
        torch.testing.assert_close(gradient, weight.grad)
