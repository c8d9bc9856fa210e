"""Voxels that a partial label leaves unknown take part in no loss and no score."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from datamodules.build import build_datamodule
from zoo.errors import DataError
from zoo.losses.balanced import balanced_cross_entropy
from zoo.losses.deep_supervision import shrink_label
from zoo.losses.segmentation import LossOptions, SegmentationLoss, hide_unknown, masks_of
from zoo.metrics.scoring import score_case
from zoo.models import UNet
from zoo.types import UNKNOWN, LabelSpace


def half_known(exclusive: bool) -> tuple[Tensor, Tensor]:
    """Logits and a label whose second half is unknown."""
    channels = 3 if exclusive else 1
    logits = torch.randn(2, channels, 4, 8, generator=torch.Generator().manual_seed(0))
    label = torch.randint(0, channels if exclusive else 2, (2, 1, 4, 8), generator=torch.Generator().manual_seed(1))
    label[..., 4:] = UNKNOWN
    return logits.requires_grad_(), label.to(torch.uint8)


@pytest.mark.parametrize("exclusive", [False, True])
@pytest.mark.parametrize("per", ["image", "batch"])
def test_an_unknown_voxel_has_no_gradient_and_no_share_of_dice(exclusive: bool, per: str) -> None:
    logits, label = half_known(exclusive)
    options = LossOptions(dice_per=per, background=False) if exclusive else LossOptions(dice_per=per)
    losses = SegmentationLoss(exclusive, options, partial=True)(logits, label)
    sum(losses.values()).backward()
    assert logits.grad is not None
    assert not logits.grad[..., 4:].any()
    assert logits.grad[..., :4].any()
    alone = SegmentationLoss(exclusive, options)(logits[..., :4], label[..., :4])
    torch.testing.assert_close(losses["dice"], alone["dice"])
    torch.testing.assert_close(losses["cross_entropy"], alone["cross_entropy"] / 2, msg="the mean is over all voxels")


def test_an_unknown_voxel_is_in_no_mask_of_an_object() -> None:
    assert not masks_of(torch.tensor([[[UNKNOWN]]]), 1, exclusive=False).any()
    assert not masks_of(torch.tensor([[[UNKNOWN]]]), 4, exclusive=True).any()
    shrunk = shrink_label(torch.full((1, 1, 4), UNKNOWN), 2)
    assert (shrunk == UNKNOWN).all(), "deep supervision keeps unknown voxels"


def test_a_balanced_cross_entropy_weighs_known_voxels_only() -> None:
    logits, label = half_known(exclusive=False)
    torch.testing.assert_close(
        balanced_cross_entropy(logits, label), balanced_cross_entropy(logits[..., :4], label[..., :4])
    )


def test_an_unknown_voxel_is_neither_a_true_nor_a_false_positive() -> None:
    shown, known = hide_unknown(torch.full((1, 1, 2), 5.0), torch.tensor([[[1, UNKNOWN]]]), exclusive=False)
    assert (shown > 0).tolist() == [[[True, False]]]
    assert known.tolist() == [[[1, 0]]]


def test_a_test_refuses_a_partial_label() -> None:
    label, labels = np.array([[[0, UNKNOWN]]], np.uint8), LabelSpace(("lesion",), ((1,),), exclusive=False)
    with pytest.raises(DataError, match="its label is partial"):
        score_case("case-7", np.zeros_like(label), label, labels, (1.0, 1.0), "px", 2.0)


def test_a_model_knows_from_its_facts_that_labels_are_partial() -> None:
    data = build_datamodule("phantom_findings", "tiny", shape=[16, 16, 16], patch=[16, 16, 16])
    model = UNet(data.facts, channels=[4, 4, 4, 4, 4, 4])
    assert model.segmentation_loss.partial
    assert not UNet({**data.facts, "partial": False}, channels=[4, 4, 4, 4, 4, 4]).segmentation_loss.partial
