"""`TeViAReleased`, the switches that restore the behaviour of TeViA's released code, and the check of options."""

from __future__ import annotations

from dataclasses import dataclass

from zoo.errors import ConfigError
from zoo.models.guided import GuidedReleased

UPDATES = ("train", "always")


@dataclass(frozen=True)
class TeViAReleased(GuidedReleased):
    """Switches that restore the behaviour of TeViA's released code. Each default repairs a defect of that code.

    Attributes:
        tokens: None: text of any length, padding masked, P_s of shape [1, width]. 24: the fixed length of the
            release, padding read, P_s of shape [tokens kept, width].
        flat_places: See `GuidedReleased`.
        text_dropout: Keep the dropout of a frozen text encoder active in training. Its tokens are not cached then.
        foreground: "adaptive", "resize" (released) or "masked_mean"; see `Foreground`.
        skip_empty: False: empty masks count in L_align and in the prototype.
        prototype_updates: "train", or "always": also with the masks of validation (2D). Masks of a test are
            never read; the evaluation of the release runs without a prototype.
        prototype_in_state: False: checkpoints do not hold the prototype.
        prototype_at_test: False: the prototype is off outside a fit.

    Example:
        >>> TeViAReleased(tokens=24, foreground="resize").prototype_updates
        'train'
    """

    text_dropout: bool = False
    foreground: str = "adaptive"
    skip_empty: bool = True
    prototype_updates: str = "train"
    prototype_in_state: bool = True
    prototype_at_test: bool = True


def check_options(released: TeViAReleased, dims: int, alignment: float, start: float, momentum: float) -> None:
    """Check the options of TeViA.

    Args:
        released: The switches.
        dims: Spatial dimensions of the images.
        alignment: Weight of the alignment.
        start: Share of the steps before the prototype is used.
        momentum: Share of the old prototype that an update keeps.

    Raises:
        ConfigError: An unknown choice, a number out of its range, or updates in validation in 3D.
    """
    if released.prototype_updates not in UPDATES:
        value = released.prototype_updates
        raise ConfigError(
            f"--model.released.prototype_updates {value!r} is unknown.", f"There are {', '.join(UPDATES)}."
        )
    if alignment < 0 or not (0 <= start < 1 and 0 <= momentum < 1):
        numbers = f"alignment {alignment}, start {start} and momentum {momentum}"
        raise ConfigError(f"TeViA with {numbers}.", "Alignment is 0 or more, start and momentum are in [0, 1).")
    if released.prototype_updates == "always" and dims != 2:
        raise ConfigError(
            "Updates in validation are of the 2D release.", "Use `--model.released.prototype_updates train`."
        )
