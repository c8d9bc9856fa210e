"""Left and right in text. They are exchanged for a mirrored image, because its report would be wrong otherwise.

The exchange is right for the left of the patient and for the left of the image. Some findings have no mirrored form,
for example a lobe that only one lung has. A card therefore allows a flip along the left-right axis only where the
mirrored image is possible.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from zoo.types import Batch, ClassPrompt

AXIS = {2: 1, 3: 0}
"""The left-right axis: the columns of a picture, the first axis of a RAS volume."""

_OTHER = {"left": "right", "right": "left"}
_OTHER |= {word.capitalize(): other.capitalize() for word, other in _OTHER.items()} | {
    word.upper(): other.upper() for word, other in _OTHER.items()
}
_SIDE = re.compile(
    # a word, or the first word of a compound ("left-sided", "leftmost", "left_kidney"); not "cleft", not "righteous"
    rf"(?<![^\W\d_])({'|'.join(_OTHER)})(?=$|[\W\d_]|(?i:most|ward|wards|hand|handed|side|sided)(?:$|[\W\d_]))"
)


def names_side(text: str) -> bool:
    """Whether a text contains left or right; "bilateral" and "both" do not count."""
    return _SIDE.search(text) is not None


def exchange_sides(text: str) -> str:
    """The text of the mirrored image: left and right exchanged, with the same capitals. Twice gives the text again.

    The meaning is not considered: "left" for "went away" and "right" for "correct" change as well.
    """
    return _SIDE.sub(lambda found: _OTHER[found.group()], text)


def allowed_flips(
    flips: Sequence[int], spatial_dims: int, sides_known: bool, classes: Sequence[ClassPrompt]
) -> tuple[int, ...]:
    """The axes along which training may mirror.

    Args:
        flips: The axes of the data card; 0 is the first.
        spatial_dims: 2 or 3.
        sides_known: Whether left and right of every report can be exchanged: the card says whose left is meant, or
            there are no reports.
        classes: The true class prompts.

    Returns:
        The axes of the card. The left-right axis is left out where `sides_known` is false. It is also left out where a
        class prompt names a side, because all samples of a batch share the class prompts.
    """
    truthful = sides_known and not any(names_side(text) for prompt in classes for text in _texts(prompt))
    return tuple(axis for axis in flips if truthful or axis != AXIS[spatial_dims])


def follow_mirror(batch: Batch, mirrored: Sequence[bool]) -> Batch:
    """Exchange left and right in the reports of the mirrored samples.

    Args:
        batch: Its images and labels are mirrored already.
        mirrored: Whether each sample was mirrored along the left-right axis.
    """
    if "reports" not in batch or not any(mirrored):
        return batch
    pairs = zip(batch["reports"], mirrored, strict=True)
    reports = [exchange_sides(report) if flipped else report for report, flipped in pairs]
    return Batch(**{**batch, "reports": reports})


def _texts(prompt: ClassPrompt) -> tuple[str, ...]:
    return (prompt.name, prompt.sentence, *prompt.concepts)
