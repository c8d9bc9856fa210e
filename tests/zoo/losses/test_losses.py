"""Losses: the two named terms, the contrast with several positives, learned weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from monai.losses import DiceLoss
from torch import Tensor
from torch.nn import functional as F

from zoo.errors import ConfigError
from zoo.losses.contrastive import EmbeddingPairs, contrast, retrieval, text_ids
from zoo.losses.segmentation import DICE_PER, LossOptions, SegmentationLoss, masks_of
from zoo.models.bipvl.uncertainty_weights import LearnedWeights


def unit(*shape: int, seed: int = 0) -> Tensor:
    """Random unit vectors."""
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def ids(*strings: str) -> Tensor:
    """Text ids on the CPU."""
    return text_ids(strings, torch.device("cpu"))


def test_perfect_logits_cost_nothing() -> None:
    label = torch.randint(0, 3, (2, 1, 8, 8), dtype=torch.uint8)
    logits = 40.0 * F.one_hot(label[:, 0].long(), 3).permute(0, 3, 1, 2) - 20
    losses = SegmentationLoss(exclusive=True)(logits, label)
    assert set(losses) == {"dice", "cross_entropy"}
    assert max(float(v) for v in losses.values()) < 1e-3
    one = (label > 0).to(torch.uint8)
    losses = SegmentationLoss(exclusive=False)(40.0 * one - 20.0, one)
    assert max(float(v) for v in losses.values()) < 1e-3


@pytest.mark.parametrize(("exclusive", "channels"), [(True, 4), (False, 3), (False, 1)])
@pytest.mark.parametrize("empty", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        LossOptions(per, squared, background)
        for per in DICE_PER
        for squared in (False, True)
        for background in (False, True)
    ],
)
def test_the_dice_of_one_rank_is_monais_to_the_last_bit(
    exclusive: bool, channels: int, empty: bool, options: LossOptions
) -> None:
    random = torch.Generator().manual_seed(channels)
    logits = torch.randn(3, channels, 9, 7, 5, generator=random).requires_grad_()
    most, depth = (channels, 1) if exclusive else (2, channels)
    label = torch.randint(0, 1 if empty else most, (3, depth, 9, 7, 5), generator=random).to(torch.uint8)
    theirs = DiceLoss(
        softmax=exclusive,
        sigmoid=not exclusive,
        to_onehot_y=exclusive,
        batch=options.dice_per == "batch",
        squared_pred=options.squared,
        include_background=options.background or not exclusive,
    )(logits, label.float())
    ours = SegmentationLoss(exclusive, options)(logits, label)["dice"]
    assert ours.equal(theirs)
    gradients = [torch.autograd.grad(loss, logits)[0] for loss in (ours, theirs)]
    assert gradients[0].equal(gradients[1])


def test_dice_per_image_weighs_a_small_object_as_a_large_one() -> None:
    label = torch.zeros(2, 1, 16, 16, dtype=torch.uint8)
    label[0, 0, :, :8], label[1, 0, :2, :2] = 1, 1
    missed = torch.where(label > 0, 20.0, -20.0)
    missed[1] = -20.0
    lost = {per: float(SegmentationLoss(False, LossOptions(dice_per=per))(missed, label)["dice"]) for per in DICE_PER}
    assert lost["image"] == pytest.approx(0.5, abs=1e-3)
    assert lost["batch"] == pytest.approx(4 / 260, abs=1e-3)


def test_the_default_loss_is_dice_per_image_as_the_reported_dice() -> None:
    logits, label = torch.randn(2, 1, 8, 8), torch.randint(0, 2, (2, 1, 8, 8), dtype=torch.uint8)
    default, image = SegmentationLoss(False), SegmentationLoss(False, LossOptions(dice_per="image"))
    assert default(logits, label)["dice"].equal(image(logits, label)["dice"])


@pytest.mark.parametrize("options", [{"dice_per": "case"}, {"dice": -1.0}, {"dice": 0.0, "cross_entropy": 0.0}])
def test_a_loss_that_cannot_be_computed_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"dice_per|weight"):
        LossOptions(**options)


def test_one_channel_cross_entropy_is_not_zero() -> None:
    label = torch.ones(1, 1, 4, 4, dtype=torch.uint8)
    losses = SegmentationLoss(exclusive=False)(torch.zeros(1, 1, 4, 4), label)
    assert float(losses["cross_entropy"]) == pytest.approx(0.6931, abs=1e-4)


def test_masks_of_both_kinds() -> None:
    label = torch.tensor([[[[0, 1], [2, 1]]]], dtype=torch.uint8)
    masks = masks_of(label, 2, exclusive=True)
    assert masks.tolist() == [[[[False, True], [False, True]], [[False, False], [True, False]]]]
    assert masks_of(masks.byte(), 2, exclusive=False).equal(masks)


def test_contrast_with_distinct_texts_is_info_nce() -> None:
    visual, textual = unit(5, 16), unit(5, 16, seed=1)
    loss = contrast(EmbeddingPairs(visual, textual, ids(*"abcde")), 0.2)
    cosine = visual @ textual.T / 0.2
    target = torch.arange(5)
    expected = (F.cross_entropy(cosine, target) + F.cross_entropy(cosine.T, target)) / 2
    assert loss is not None
    torch.testing.assert_close(loss, expected)


def test_identical_texts_are_never_pushed_apart() -> None:
    visual = unit(3, 16).requires_grad_()
    textual = unit(3, 16, seed=1)
    textual[1] = textual[0]
    loss = contrast(EmbeddingPairs(visual, textual, ids("a", "a", "b")), 0.2)
    assert loss is not None
    (gradient,) = torch.autograd.grad(loss, visual)
    # Going downhill brings the first image nearer to the second one's text, which is its own text.
    assert float(-gradient[0] @ textual[1]) > 0


def test_contrast_is_absent_without_two_texts() -> None:
    assert contrast(EmbeddingPairs(unit(2, 4), unit(2, 4), ids("a", "a")), 0.2) is None
    assert contrast(EmbeddingPairs(unit(0, 4), unit(0, 4), ids()), 0.2) is None


@pytest.mark.parametrize("count", [2, 3, 9])
def test_hard_negatives_are_the_most_similar(count: int) -> None:
    visual, textual = unit(count, 8), unit(count, 8, seed=3)
    pairs = EmbeddingPairs(visual, textual, ids(*[str(i) for i in range(count)]))
    hard, every = contrast(pairs, 0.2, hard_negatives=1), contrast(pairs, 0.2)
    assert hard is not None
    assert every is not None
    cosine = visual @ textual.T / 0.2
    off = cosine.masked_fill(torch.eye(count, dtype=torch.bool), -torch.inf)

    def side(c: Tensor, o: Tensor) -> Tensor:
        positive = c.diagonal()
        return -(positive - torch.logaddexp(positive, o.max(1).values)).mean()

    torch.testing.assert_close(hard, (side(cosine, off) + side(cosine.T, off.T)) / 2)
    assert 0 <= float(hard) <= float(every) + 1e-6


def test_learned_weights_balance_and_survive_absence() -> None:
    weights = LearnedWeights(("a", "b"))
    total = weights({"a": torch.tensor(4.0)})
    assert float(total) == pytest.approx(2.0)
    total.backward()
    assert all(p.grad is not None for p in weights.parameters())
    assert float(weights.log_variance["b"].grad) == 0.0


def test_retrieval_counts_identical_texts_as_found() -> None:
    visual = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    textual = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.0, 1.0]])
    ids = torch.tensor([7, 7, 8, 8])
    found = retrieval(EmbeddingPairs(visual, textual, ids))
    assert found is not None
    assert [float(x) for x in found] == [0.75, 0.5]
    assert retrieval(EmbeddingPairs(visual, textual, torch.zeros(4))) is None


@pytest.mark.parametrize("exclusive", [True, False])
@pytest.mark.parametrize(
    "options", [LossOptions(dice_per="batch"), LossOptions(dice_per="image", dice=0.5, cross_entropy=2.0)]
)
def test_the_loss_of_whole_images_in_pieces_is_the_weighted_sum_of_both_losses(
    exclusive: bool, options: LossOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    loss, logits = SegmentationLoss(exclusive, options), torch.randn(2, 3, 10, 6)
    label = torch.randint(0, 3, (2, 1, 10, 6)) if exclusive else torch.rand(2, 3, 10, 6) > 0.5
    terms = loss(logits, label)
    whole = float(options.dice * terms["dice"] + options.cross_entropy * terms["cross_entropy"])
    monkeypatch.setattr("zoo.losses.segmentation._PIECE", 100)
    assert float(loss.of_whole_images(logits, label)) == pytest.approx(whole, rel=1e-5)
