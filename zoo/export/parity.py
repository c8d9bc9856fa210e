"""Compares an exported network with the original on a case: logits within a tolerance, and equal label maps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from zoo.errors import RunError
from zoo.inference import predict_logits
from zoo.models.base import SegModule
from zoo.types import LabelSpace, Text

TOLERANCE = 1e-4
"""Largest difference of a logit."""

WINDOWS = 4
"""Most windows of a case that are compared, those in its middle."""

Forward = Callable[[Tensor, Text], Tensor]


@dataclass(frozen=True)
class Case:
    """A case to compare on.

    Attributes:
        name: Its name, or the file.
        image: What the network sees, [1, C, *S].
        text: Its text.
    """

    name: str
    image: Tensor
    text: Text


@dataclass(frozen=True)
class Parity:
    """How an exported network agrees with the original.

    Attributes:
        case: The name of the case.
        difference: Largest difference of a logit of the case.
        voxels: Compared voxels of the network's grid.
        differing: Voxels with another label. Only rounding decides their label: their two best logits, or their logit
            and 0, differ by less than twice the tolerance.
        other_shape: Shape of a batch of noise that was compared too, because the graph takes axes of any size.
        other_difference: Largest difference of a logit of this batch.
    """

    case: str
    difference: float
    voxels: int
    differing: int
    other_shape: tuple[int, ...] = ()
    other_difference: float = 0.0

    def describe(self) -> dict[str, Any]:
        """Plain Python for the metadata of a file."""
        found: dict[str, Any] = {
            "case": self.case,
            "tolerance": TOLERANCE,
            "largest_difference": self.difference,
            "voxels": self.voxels,
            "differing_labels": self.differing,
        }
        if self.other_shape:
            found |= {"other_shape": list(self.other_shape), "other_largest_difference": self.other_difference}
        return found


def compare(model: SegModule, exported: Forward, case: Case) -> Parity:
    """Compare the logits and the label maps of a case.

    Args:
        model: The original, in evaluation mode.
        exported: The exported network as a function of images [B, C, *S] within the patch and their text.
        case: The case.

    Raises:
        RunError: A logit differs by more than the tolerance, or a label differs that rounding does not decide.
    """
    plan = model.windows._replace(most=min(model.windows.most or WINDOWS, WINDOWS))
    original, found = (
        predict_logits(forward, case.image, case.text, *plan) for forward in (model.predict_window, exported)
    )
    difference = largest_difference(original, found, case.name)
    differing, decided = differing_labels(original, found, model.facts.labels)
    if decided:
        raise RunError(
            f"{case.name}: {decided} voxels have another label in the exported file.", "Use another --format."
        )
    return Parity(case.name, difference, found[0, 0].numel(), differing)


def largest_difference(original: Tensor, found: Tensor, name: str) -> float:
    """Return the largest difference of a logit.

    Raises:
        RunError: It is above the tolerance, or a logit is not finite.
    """
    difference = float((original.float() - found.float()).abs().max())
    if not difference <= TOLERANCE:  # not a number is no difference either
        raise RunError(
            f"{name}: the logits of the exported file differ by {difference:.2g}, more than {TOLERANCE:.0e}.",
            "Use another --format.",
        )
    return difference


def differing_labels(original: Tensor, found: Tensor, labels: LabelSpace) -> tuple[int, int]:
    """Count the voxels with another label, and those of them whose label rounding does not decide."""
    if labels.exclusive:
        best = original.topk(2, dim=1).values
        margin = best[:, 0] - best[:, 1]
        other = original.argmax(1) != found.argmax(1)
    else:
        margin, other = original.abs(), (original > 0) != (found > 0)
    return int(other.sum()), int((other & (margin >= 2 * TOLERANCE)).sum())
