"""Left and right in text: a mirrored image exchanges them, or its report would lie.

The exchange is right whoever's left is meant: the patient's and the image's both become the other one.
What cannot follow a mirror (a lobe that only one lung has, the side of the heart) is no word of a side:
a card allows a flip along the left-right axis only where the mirrored image is a possible one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from zoo.types import Batch, ClassPrompt

AXIS = {2: 1, 3: 0}
"""The spatial axis along which left lies beside right: the columns of a raster, the first axis of a RAS volume."""

_OTHER = {"left": "right", "right": "left"}
_OTHER |= {word.capitalize(): other.capitalize() for word, other in _OTHER.items()} | {
    word.upper(): other.upper() for word, other in _OTHER.items()
}
_SIDE = re.compile(
    # a whole word, or the first of a compound ("left-sided", "leftmost", "left_kidney"); not "cleft", not "righteous"
    rf"(?<![^\W\d_])({'|'.join(_OTHER)})(?=$|[\W\d_]|(?i:most|ward|wards|hand|handed|side|sided)(?:$|[\W\d_]))"
)


def names_side(text: str) -> bool:
    """Whether a text speaks of left or right; "bilateral" and "both" do not."""
    return _SIDE.search(text) is not None


def exchange_sides(text: str) -> str:
    """The text of the mirrored image: left and right exchanged, in their own case. Twice is the text itself.

    Words alone are looked at: "left" for "went away" and "right" for "correct" change too.
    """
    return _SIDE.sub(lambda found: _OTHER[found.group()], text)


def allowed_flips(
    flips: Sequence[int], spatial_dims: int, sides_known: bool, classes: Sequence[ClassPrompt]
) -> tuple[int, ...]:
    """The axes that training may mirror along.

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
    """The batch with the reports of the mirrored samples exchanged.

    Args:
        batch: Images and labels mirrored already.
        mirrored: For each sample, whether it was mirrored along the left-right axis.
    """
    if "reports" not in batch or not any(mirrored):
        return batch
    pairs = zip(batch["reports"], mirrored, strict=True)
    reports = [exchange_sides(report) if turned else report for report, turned in pairs]
    return Batch(**{**batch, "reports": reports})


def _texts(prompt: ClassPrompt) -> tuple[str, ...]:
    return (prompt.name, prompt.sentence, *prompt.concepts)
