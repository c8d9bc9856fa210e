"""What the `about` of a card says, as typed and checked facts. No torch here.

`datamodules.index.card.DataCard` is the typed card of a data set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from zoo.registry import Card
from zoo.utils.typed_content import read_content

TEXTS = ("", "none", "class", "report")
"""Which text a model reads; empty where its card does not say it."""

VISIONS = ("", "own")
"""Whose vision network a model has; empty where `--model.vision` chooses it."""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """The `about` of a model's card.

    Attributes:
        name: The registered name.
        title: The method in one line.
        paper: The publication.
        licence: The licence of this code.
        text: One of `TEXTS`.
        spatial_dims: The dimensions of the images that the model takes; empty where the card does not say it.
        parameters: The parameters of the published size per dimension, on the phantom of that dimension and without the
            text encoder. A dimension without a published network has no entry.
        batch_norm: Whether the published size normalises over the batch. Each device then has its own statistics,
            and several devices do not compute exactly what one device computes.
        vision: "own" where the vision network is part of the method, so that `--model.vision` cannot choose another:
            the text runs inside it, or the method is the network. A matched comparison leaves such a model out. Empty
            for the other models.
        host: The `--model.vision` that puts the encoder of a vision-only model under other methods; empty if none does.
        no_host: Why a vision-only model has no `host`.
        own_term: Arguments that weigh the model's own loss term, beside Dice and cross entropy. `zoo bench tune` gives
            all of them one weight.
        cite: Keys of `configs/citations.yaml`, or whole BibTeX entries; `zoo bench cite` writes them.
        original_licence: The licence of the code that the authors of the method released; "none" where it has none.
            Empty where they released no code, and for a control of the zoo.
        planned: The preset of the planner that `--size planned` takes; empty where the shape of the network cannot
            follow from the data.
        untrained: First part of the name of parameters whose gradient stays 0 -> the reason.
    """

    name: str
    title: str = ""
    paper: str = ""
    licence: str = ""
    text: str = ""
    spatial_dims: tuple[int, ...] = ()
    parameters: Mapping[int, int] = field(default_factory=dict)
    batch_norm: bool = False
    vision: str = ""
    host: str = ""
    no_host: str = ""
    own_term: tuple[str, ...] = ()
    cite: tuple[str, ...] = ()
    original_licence: str = ""
    planned: str = ""
    untrained: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ValueError: A value is not one of those that are known.
        """
        if self.text not in TEXTS:
            raise ValueError(f"text is '{self.text}', not one of {', '.join(TEXTS[1:])}")
        if not set(self.spatial_dims) <= {2, 3}:
            raise ValueError(f"spatial_dims is {list(self.spatial_dims)}, not a list of 2 and 3")
        if self.vision not in VISIONS:
            raise ValueError(f"vision is '{self.vision}', not {', '.join(VISIONS[1:])}")

    @property
    def reads_text(self) -> bool:
        """Whether the card says that the model reads text."""
        return self.text not in ("", "none")

    @classmethod
    def of(cls, card: Card) -> ModelCard:
        """Read a card.

        Raises:
            ConfigError: The `about` of the card has an unknown key or a wrong value.

        Example:
            >>> from zoo.registry import MODELS
            >>> ModelCard.of(MODELS.get("unet")).reads_text
            False
        """
        return read_content(cls, card.about, card.place, "about", name=card.name)


@dataclass(frozen=True, slots=True)
class PresetCard:
    """The `about` of a preset of the trainer.

    Attributes:
        title: The preset in one line.
        size: The size of model and data that the preset stands for; empty for the default size.
        then: The steps that follow the training: "validate", "test", or a test with a text control ("test-blank").
        where_accepted: Dotted keys of the preset that are left out where the class has no such argument.
    """

    title: str = ""
    size: str = ""
    then: tuple[str, ...] = field(default=())
    where_accepted: tuple[str, ...] = field(default=())

    @classmethod
    def of(cls, card: Card) -> PresetCard:
        """Read a card.

        Raises:
            ConfigError: The `about` of the card has an unknown key or a wrong value.
        """
        return read_content(cls, card.about, card.place, "about")


@dataclass(frozen=True, slots=True)
class CardSummary:
    """What a listing shows of a card of any kind.

    Attributes:
        title: The card in one line.
        text: Which text a model reads, or the text track of a data set.
        spatial_dims: The dimensions of the images.
        prompts: The bundled prompt file of a data set; empty for other cards.
    """

    title: str
    text: str
    spatial_dims: tuple[int, ...]
    prompts: str

    @classmethod
    def of(cls, card: Card) -> CardSummary:
        """Read a card without a check: a listing shows also the cards that have mistakes."""
        about = card.about
        dims = about.get("spatial_dims") or ()
        return cls(
            title=str(about.get("title", "")),
            text=str(about.get("text", about.get("track", ""))),
            spatial_dims=tuple(dims) if isinstance(dims, list | tuple) else (dims,),
            prompts=str(about.get("prompts", "")),
        )
