"""What the terms of a data set allow to publish: images, trained weights, score rows. No torch here.

Each data card says it under `publish`. Every command that makes files for others asks here: what the card does not
allow, and what it does not know, is left out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from zoo.errors import ConfigError
from zoo.registry import DATA
from zoo.utils.typed_content import read_content

YES, SAME_TERMS, NO, UNKNOWN = TERMS = ("yes", "same terms", "no", "unknown")
"""Whether something may be published. "unknown" counts as "no"."""

KINDS = ("images", "weights", "rows")
"""What may be published: pictures of cases, weights that were trained on them, scores of single cases."""

MANIFEST_KEY = "publish"
"""Key of the manifest of a run for the terms of its data."""


@dataclass(frozen=True, slots=True)
class Publish:
    """The terms of a data set, one of `TERMS` each.

    Attributes:
        images: Images, label images and pictures of them.
        weights: Weights that were trained on the images.
        rows: Scores of single cases, with the names of the cases.

    Example:
        >>> terms = Publish(images="same terms", weights=False)
        >>> terms.allows("images"), terms.weights, terms.allows("rows")
        (True, 'no', False)
    """

    images: Any = UNKNOWN
    weights: Any = UNKNOWN
    rows: Any = UNKNOWN

    def __post_init__(self) -> None:
        """Turn the true and false of YAML into words, and check the words.

        Raises:
            ValueError: A value is none of `TERMS`.
        """
        for kind in KINDS:
            given = getattr(self, kind)
            value = {True: YES, False: NO}[given] if isinstance(given, bool) else given
            if value not in TERMS:
                raise ValueError(f"{kind} is {given!r}, not one of {', '.join(TERMS)}")
            object.__setattr__(self, kind, value)

    def allows(self, kind: str) -> bool:
        """Return whether something of a kind may be published; "unknown" counts as "no"."""
        return getattr(self, kind) in (YES, SAME_TERMS)

    def to_dict(self) -> dict[str, str]:
        """Plain Python, for the manifest of a run."""
        return {kind: getattr(self, kind) for kind in KINDS}

    def permit(self, kinds: Collection[str], data: str) -> Publish:
        """Return the terms after the user has said that unknown ones allow it, for example those of own data.

        Args:
            kinds: Some of `KINDS`.
            data: Name of the data set, for messages.

        Raises:
            ConfigError: A kind does not exist, or its card says "no".
        """
        for kind in kinds:
            if kind not in KINDS:
                raise ConfigError(f"--permit {kind}: no kind of content.", f"Choose from {', '.join(KINDS)}.")
            if getattr(self, kind) == NO:
                raise ConfigError(
                    f"--permit {kind}: the card of {data} says that its {kind} may not be published.",
                    "Leave it out, or ask the authors of the data.",
                )
        return replace(self, **{kind: YES for kind in kinds if getattr(self, kind) == UNKNOWN})

    def explain(self, kind: str, data: str) -> str:
        """Return why something of a kind is left out, as a sentence.

        Example:
            >>> Publish().explain("rows", "mine")
            'rows are left out: the card of mine does not say whether they may be published.'
        """
        reason = (
            f"the card of {data} does not allow to publish them"
            if getattr(self, kind) == NO
            else f"the card of {data} does not say whether they may be published"
        )
        return f"{kind} are left out: {reason}."


def read_terms(about: Mapping[str, Any], place: str) -> Publish:
    """Read the terms of a data card, or of the manifest of a run.

    Args:
        about: The mapping with the key `publish`; without it, every term is "unknown".
        place: The file, for messages.

    Raises:
        ConfigError: An unknown key or value.
    """
    return read_content(Publish, about.get(MANIFEST_KEY) or {}, place, MANIFEST_KEY)


def find_terms(data: str) -> Publish:
    """Return the terms of a registered data set; of a name without a card, every term is "unknown".

    Raises:
        ConfigError: The card has an unknown key or value.

    Example:
        >>> find_terms("phantom_chest").images, find_terms("hippocampus").images, find_terms("btcv").images
        ('yes', 'same terms', 'no')
    """
    if data not in DATA:
        return Publish()
    card = DATA.get(data)
    return read_terms(card.about, card.place)


def find_run_terms(manifest: Mapping[str, Any]) -> Publish:
    """Return the terms of the data of a run.

    The manifest has those of the card at training. A run of an earlier version has none; then the card of today counts.

    Args:
        manifest: The manifest of the run.

    Raises:
        ConfigError: The manifest or the card has an unknown key or value.
    """
    if manifest.get(MANIFEST_KEY):
        return read_terms(manifest, "manifest.json")
    return find_terms(str(manifest.get("data") or ""))
