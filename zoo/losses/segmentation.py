"""Segmentation losses on logits: soft Dice and cross entropy, with the options that recipes differ in."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.errors import ConfigError
from zoo.losses.distributed import gather_rows
from zoo.types import UNKNOWN

_SMOOTH = 1e-5  # MONAI's default
_SURE = 30.0  # a logit whose probability is 1 within single precision
_PIECE = 2**24  # logits per piece of whole images

DICE_PER = ("image", "batch")
"""What one soft Dice is computed over."""

BATCH_IN_2D = "batch_in_2d"
"""The choice of one of both by the number of axes."""


@dataclass(frozen=True)
class LossOptions:
    """The segmentation loss of a training.

    Attributes:
        dice_per: "image": one Dice per class and sample of the batch (a picture, or a patch of a volume), as MONAI's
            default and nnU-Net in 3D have it. Reported is the mean Dice per case, which it follows. "batch": one Dice
            per class over the samples of all devices; a large object then outweighs small ones. "batch_in_2d": "batch"
            for pictures and "image" for patches of volumes, as nnU-Net has it without a plan.
        squared: Square shares and targets in the denominator of Dice (Milletari et al., V-Net, 3DV 2016).
        background: Count the background as a class of Dice. Only with exclusive classes.
        dice: Weight of Dice, 0 or more.
        cross_entropy: Weight of the cross entropy, 0 or more.

    Raises:
        ConfigError: An unknown `dice_per`, a negative weight, or two weights of 0.

    Example:
        >>> LossOptions(cross_entropy=0.5)
        LossOptions(dice_per='image', squared=False, background=True, dice=1.0, cross_entropy=0.5)
    """

    dice_per: str = "image"
    squared: bool = False
    background: bool = True
    dice: float = 1.0
    cross_entropy: float = 1.0

    def __post_init__(self) -> None:
        known = (*DICE_PER, BATCH_IN_2D)
        if self.dice_per not in known:
            raise ConfigError(f"--model.loss.dice_per {self.dice_per!r} is unknown.", f"Use one of {', '.join(known)}.")
        if not (min(self.dice, self.cross_entropy) >= 0 < self.dice + self.cross_entropy):
            raise ConfigError(
                f"No loss with the weights dice {self.dice} and cross_entropy {self.cross_entropy}.",
                "A weight is 0 or more, and one of the two is above 0.",
            )

    def for_axes(self, spatial_dims: int) -> LossOptions:
        """Return the options for pictures or volumes: "batch_in_2d" becomes one of the other two."""
        if self.dice_per != BATCH_IN_2D:
            return self
        return replace(self, dice_per="batch" if spatial_dims == 2 else "image")

    @property
    def weights(self) -> dict[str, float]:
        """Weights of the two terms that are not 1, by the name of the term."""
        return {name: getattr(self, name) for name in ("dice", "cross_entropy") if getattr(self, name) != 1}


class SoftDice(nn.Module):
    """1 minus the soft Dice, averaged over channels and, with `dice_per` "image", over images.

    Images and sums of all ranks enter, so that the loss of a batch does not depend on the number of ranks.
    On one rank the result equals MONAI's `DiceLoss` bit by bit (`batch`, `squared_pred`, `include_background`).

    Args:
        exclusive: True: softmax over background and K classes. False: one sigmoid per channel.
        options: The form of Dice.
    """

    def __init__(self, exclusive: bool, options: LossOptions) -> None:
        super().__init__()
        self.exclusive = exclusive
        self.options = options

    def forward(self, logits: Tensor, label: Tensor) -> Tensor:
        """Compute the loss of logits [B, K, *S] and a label as in `Batch`."""
        sums = self.sums(logits, label)
        if self._per(logits) == "image":
            return gather_rows(_one_minus_dice(*sums))[0].mean()
        return _one_minus_dice(*gather_rows(sums[None])[0].sum(0)).mean()

    def sums(self, logits: Tensor, label: Tensor) -> Tensor:
        """Return soft true positives, false positives and false negatives of this rank, [3, K]; per image [3, B, K]."""
        shares = logits.softmax(1) if self.exclusive else logits.sigmoid()
        target = _one_hot(label, logits.shape[1]) if self.exclusive else label.to(shares)
        if self.exclusive and not self.options.background:
            shares, target = shares[:, 1:], target[:, 1:]
        space = list(range(2, logits.ndim))
        axes = space if self._per(logits) == "image" else [0, *space]
        return torch.stack(_squared_sums(shares, target, axes) if self.options.squared else _sums(shares, target, axes))

    def _per(self, logits: Tensor) -> str:
        return self.options.for_axes(logits.ndim - 2).dice_per


def _one_hot(label: Tensor, channels: int) -> Tensor:
    """Return a label [B, 1, *S] as float32 [B, channels, *S]."""
    zeros = torch.zeros(label.shape[0], channels, *label.shape[2:], device=label.device)
    return zeros.scatter_(1, label.long(), 1)


def _sums(shares: Tensor, target: Tensor, axes: list[int]) -> tuple[Tensor, Tensor, Tensor]:
    """Return soft true positives, false positives and false negatives."""
    tp = (shares * target).sum(axes)
    return tp, shares.sum(axes) - tp, target.sum(axes) - tp


def _squared_sums(shares: Tensor, target: Tensor, axes: list[int]) -> tuple[Tensor, Tensor, Tensor]:
    """Return the sums of squares: 2 p t = p^2 + t^2 - (p - t)^2, as in MONAI, so that both have equal roundings."""
    p, t, apart = (torch.linalg.vector_norm(one, dim=axes) ** 2 for one in (shares, target, shares - target))
    tp = (p + t - apart) / 2
    return tp, p - tp, t - tp


def _one_minus_dice(tp: Tensor, fp: Tensor, fn: Tensor) -> Tensor:
    return 1 - (2 * tp + _SMOOTH) / (2 * (tp + 0.5 * fp + 0.5 * fn) + _SMOOTH)


class SegmentationLoss(nn.Module):
    """Soft Dice and cross entropy, both computed from logits, each under its own name and without its weight.

    MONAI's `DiceCELoss` depends on the version and on the number of channels: before 1.3 it had no cross
    entropy for one channel. Therefore the two terms are computed here.

    Args:
        exclusive: True: softmax over background and K classes. False: one sigmoid per channel.
        options: The form of Dice.
        partial: Whether a label may have voxels that are unknown. They are in no term.
    """

    def __init__(self, exclusive: bool, options: LossOptions | None = None, partial: bool = False) -> None:
        super().__init__()
        self.exclusive = exclusive
        self.partial = partial
        self.dice = SoftDice(exclusive, options or LossOptions())

    def forward(self, logits: Tensor, label: Tensor) -> dict[str, Tensor]:
        """Compute the losses of logits [B, K, *S] and a label as in `Batch`."""
        logits, label = self._known(logits.float(), label)
        return {"dice": self.dice(logits, label), "cross_entropy": self.cross_entropy(logits, label)}

    def cross_entropy(self, logits: Tensor, label: Tensor) -> Tensor:
        """Compute the mean cross entropy of logits in single precision."""
        if self.exclusive:
            return F.cross_entropy(logits, label[:, 0].long())
        return F.binary_cross_entropy_with_logits(logits, label.float())

    def of_whole_images(self, logits: Tensor, label: Tensor) -> Tensor:
        """Compute the weighted sum of both losses over whole images of this rank, piece by piece to save memory.

        No rank waits for another: in a validation, ranks have unequal numbers of cases.
        """
        sums, entropy = torch.zeros((), device=logits.device), torch.zeros((), device=logits.device)
        pieces = math.ceil(logits.numel() / _PIECE)
        for part, truth in zip(logits.chunk(pieces, 2), label.chunk(pieces, 2), strict=True):
            shown, known = self._known(part.float(), truth)
            sums = sums + self.dice.sums(shown, known)
            entropy = entropy + self.cross_entropy(shown, known) * part.shape[2] / logits.shape[2]
        options = self.dice.options
        return options.dice * _one_minus_dice(*sums).mean() + options.cross_entropy * entropy

    def _known(self, logits: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        return hide_unknown(logits, label, self.exclusive) if self.partial else (logits, label)


def hide_unknown(logits: Tensor, label: Tensor, exclusive: bool) -> tuple[Tensor, Tensor]:
    """Make unknown voxels sure background in logits and label: no true or false positive, no gradient, no loss.

    A mean over voxels still counts them, so that its gradient does not depend on how samples are divided over devices.

    Args:
        logits: [B, K, *S].
        label: As in `Batch`, with `UNKNOWN`.
        exclusive: Whether channel 0 is the background.

    Example:
        >>> logits, label = hide_unknown(torch.ones(1, 1, 2), torch.tensor([[[1, 255]]]), exclusive=False)
        >>> logits.tolist(), label.tolist()
        ([[[1.0, -30.0]]], [[[1, 0]]])
    """
    sure = torch.full((logits.shape[1],), -_SURE, device=logits.device, dtype=logits.dtype)
    if exclusive:
        sure[0] = _SURE
    unknown = label == UNKNOWN
    return torch.where(unknown, sure.view(1, -1, *[1] * (logits.ndim - 2)), logits), label.masked_fill(unknown, 0)


def masks_of(label: Tensor, classes: int, exclusive: bool) -> Tensor:
    """Return the foreground masks, bool [B, classes, *S], of a label as in `Batch`; unknown voxels are outside."""
    if not exclusive:
        return label == 1
    values = torch.arange(1, classes + 1, device=label.device).view(1, -1, *[1] * (label.ndim - 2))
    return label == values
