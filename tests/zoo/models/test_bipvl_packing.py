"""BiPVL-Seg runs no empty string, no concept of an absent class and no padding between strings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from tests.golden.test_bipvl import CLASSES, RELEASED, batch, losses, module
from zoo.encoders.text_backbone import Tokens
from zoo.models.bipvl.alignment import MAX_CONCEPTS, ConceptTable
from zoo.models.bipvl.packing import TokenPacking


def test_packed_tokens_come_back_to_their_places_and_padding_is_zero() -> None:
    mask = torch.tensor([[1, 1, 0], [1, 1, 1], [1, 0, 0]], dtype=torch.bool)
    packing = TokenPacking(mask, rows=[0, 0, 1])
    assert packing.mask.tolist() == [[True] * 5, [True, False, False, False, False]]
    tokens = torch.arange(1.0, 10.0).view(3, 3, 1)
    packed = packing.pack(tokens)
    assert packed[..., 0].tolist() == [[1, 2, 4, 5, 6], [7, 0, 0, 0, 0]]
    assert packing.unpack(packed).equal(tokens * mask[..., None])


def test_concepts_are_placed_by_pair_and_a_sample_without_pairs_has_none() -> None:
    table = ConceptTable([["a", "b"], ["c"], ["d"]], [1, 1, 3])
    assert (table.strings, table.samples, table.rows) == (["a", "b", "c", "d"], [1, 3], [0, 0, 0, 1])
    spread = table.spread(torch.arange(1.0, 5.0)[:, None])
    assert spread.shape == (3, MAX_CONCEPTS, 1)
    assert spread[:, :2, 0].tolist() == [[1, 2], [3, 0], [4, 0]]
    assert ConceptTable([], []).spread(torch.zeros(0, 4)).shape == (0, MAX_CONCEPTS, 4)


@pytest.mark.parametrize("changes", [{}, RELEASED], ids=["figure", "release"])
def test_text_layers_run_the_concepts_of_the_classes_that_a_patch_holds_and_nothing_else(
    changes: dict[str, Any],
) -> None:
    """They ran the empty string in every step, and empty strings where another sample of the batch has more classes."""
    model, one = module(CLASSES, **changes).train(), batch(CLASSES, 2)
    one["label"][0][one["label"][0] == 2] = 0
    read: list[list[str]] = []
    whole = model.text._backbone.batch

    def record(strings: Sequence[str]) -> Tokens:
        read.append(list(strings))
        return whole(strings)

    model.text._backbone.batch = record  # type: ignore[method-assign]
    losses(model, one)
    kidney, spleen = CLASSES.prompts
    concepts = ["left kidney", *kidney.concepts, "spleen", *spleen.concepts]
    assert read == [[kidney.sentence, spleen.sentence], concepts]
    read.clear()
    losses(model, {**one, "label": torch.zeros_like(one["label"])})
    assert read == [[kidney.sentence, spleen.sentence]]


def test_the_fusion_reads_no_padding_where_a_batch_has_one_sample() -> None:
    model, one = module(CLASSES).train(), batch(CLASSES, 1)
    masks: list[torch.Tensor] = []
    for block in model.fusions:
        fusion: Any = block
        fusion.text_self.register_forward_pre_hook(lambda _, args: masks.append(args[3]))
    losses(model, one)
    assert len(masks) == 2 * len(model.fusions)  # the class sentences, and their concepts
    assert all(bool(mask.all()) for mask in masks)
