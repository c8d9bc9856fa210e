"""Each usable model on the phantom of each of its dimensions, with a network as small as its options allow."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from lightning.pytorch import LightningModule

from zoo.cards import ModelCard
from zoo.data_facts import DataFacts
from zoo.engine.arguments import compose_request, parse
from zoo.engine.lightning_cli import ZooCLI
from zoo.errors import ConfigError
from zoo.models.base import SegModule
from zoo.registry import MODELS, Card, Registry
from zoo.utils.entry_points import EntryPoint

# An image of the chest phantom is two cases; the one val and three test volumes do not divide by two ranks.
PHANTOMS = {
    2: ["--data", "phantom_chest", "--data.counts", "[6,2,5]", "--data.pixels", "32", "--data.patch", "[32,32]"],
    3: [
        *("--data", "phantom_abdomen", "--data.counts", "[4,1,3]"),
        *("--data.shape", "[24,16,16]", "--data.patch", "[16,16,16]"),
    ],
}
TEST_CASES = {2: 10, 3: 3}
SHORT = ["--data.batch_size", "4", "--data.epoch_samples", "8", "--trainer.max_epochs", "2"]

EXPECTED = ("__init__", "forward_features", "compute_losses", "total_loss")
"""The methods that a model overrides in the ordinary case; any other method of its base class is a hook."""

SHARED_STATE = ("torch", "monai", "transformers", "open_clip", "torchmetrics", "zoo.encoders", "zoo.metrics")
"""Where the class of a module lies whose buffers are no state of the model's own."""


@dataclass(frozen=True)
class ModelCase:
    """A model and a dimension.

    Attributes:
        model: The value of `--model`.
        dims: 2 or 3.
        text: Which text the model reads, as on its card.
        card: The card.
    """

    model: str
    dims: int
    text: str
    card: Card = field(compare=False)

    def __str__(self) -> str:
        return f"{self.card.name}-{self.dims}d"

    @property
    def vision_only(self) -> bool:
        """Whether the model reads no text."""
        return self.text == "none"

    def words(self, verb: str, out: Path, *more: str, size: str = "tiny") -> list[str]:
        """Return the words of a short run, as a user types them."""
        run = ["--model", self.model, *PHANTOMS[self.dims], "--size", size, "--trainer", "cpu", "--out", str(out)]
        return [verb, *run, *SHORT, *more]

    def small_words(self, verb: str, out: Path, *more: str) -> list[str]:
        """Return the words of a short run with the smallest network."""
        return self.words(verb, out, *network(self).flags, *more)


def model_cases() -> list[ModelCase]:
    """Return every usable model of the registry, and the model of a third party, once per dimension."""
    cards = [card for card in MODELS if not card.broken]
    typed = [(card, card.name) for card in cards]
    typed.append((third_party_card(), third_party_card().file))
    return [
        ModelCase(model, dims, ModelCard.of(card).text, card)
        for card, model in typed
        for dims in ModelCard.of(card).spatial_dims
    ]


@cache
def third_party_card() -> Card:
    """Return the card of `tests.helpers.third_party`, found as the registry finds the cards of other distributions."""
    point = EntryPoint("example_net", "tests.helpers.third_party:example_net.yaml", "example-net")
    with patch("zoo.registry.list_points", lambda group: ([point], {})):
        return Registry("model", "model", "zoo.models", "zoo list models").get("example_net")


def parsed(words: list[str]) -> ZooCLI:
    """Return the parsed command, of which nothing is built."""
    request = parse(words[0], words[1:])
    return ZooCLI.from_request(request, compose_request(request))


def built(words: list[str]) -> ZooCLI:
    """Return a command with its model, data and trainer, without loggers and without checkpoints."""
    cli = parsed(words)
    cli.build(logger=None, enable_checkpointing=False)
    return cli


@dataclass(frozen=True)
class Network:
    """The networks of a case that need no further command: the card's size `tiny`, and the smallest that works.

    Attributes:
        kind: The class.
        facts: The facts of the case's data set.
        tiny: The options of the size `tiny`.
        smallest: The options of the smallest network.
        flags: The flags that give the smallest network.
    """

    kind: type[SegModule]
    facts: DataFacts
    tiny: Mapping[str, Any]
    smallest: Mapping[str, Any]
    flags: tuple[str, ...]

    def build(self, options: Mapping[str, Any]) -> SegModule:
        """Return a network, as a checkpoint restores one: without a command."""
        return self.kind(facts=self.facts.to_dict(), **options)


def model_options(cli: ZooCLI) -> dict[str, Any]:
    """Return the options of a command's model, with their defaults."""
    options: dict[str, Any] = cli.resolved()["model"]["init_args"]
    return options


@cache
def network(case: ModelCase) -> Network:
    """Return the networks of a case. In the smallest, each width of 16 or more becomes the smallest that works.

    A width is a whole number, or a list of whole numbers, that the card's size `tiny` or the default of the class
    gives. Numbers below 16 count things (levels, heads), and a model may not work with fewer of them.
    """
    cli = built(case.words("fit", Path("unused")))
    model, tiny = cli.model, model_options(cli)
    assert isinstance(model, SegModule)
    tiny_network = Network(type(model), model.facts, tiny, tiny, ())
    for width in (4, 8):
        shrunk = {name: _shrunk(value, width) for name, value in tiny.items() if _is_width(value)}
        try:
            smaller = shrunk and _parameters(tiny_network.build({**tiny, **shrunk})) < _parameters(model)
        except (ConfigError, ValueError, RuntimeError):  # a number of heads that does not divide the width
            continue
        if smaller:
            flags = tuple(word for name, value in shrunk.items() for word in (f"--model.{name}", str(value)))
            return replace(tiny_network, smallest={**tiny, **shrunk}, flags=flags)
    return tiny_network


def _is_width(value: Any) -> bool:
    values = value if isinstance(value, list) and value else [value]
    return all(type(entry) is int and entry >= 16 for entry in values)


def _shrunk(value: Any, width: int) -> Any:
    return [width] * len(value) if isinstance(value, list) else width


def _parameters(model: SegModule) -> int:
    return sum(weight.numel() for weight in model.parameters())


def overridden_hooks(kind: type[LightningModule]) -> set[str]:
    """Return the methods of `SegModule` and its bases that a model overrides besides the expected ones."""
    own = [base for base in inspect.getmro(kind) if issubclass(base, SegModule) and base is not SegModule]
    names = {name for base in own for name, value in vars(base).items() if callable(value) or hasattr(value, "fget")}
    return {name for name in names & set(dir(SegModule)) - set(EXPECTED) if not name.startswith("__abstract")}


def own_buffers(module: torch.nn.Module) -> set[str]:
    """Return the buffers that hold state of the model's own, by name."""
    return {
        f"{name}.{buffer}"
        for name, part in module.named_modules()
        for buffer, _ in part.named_buffers(recurse=False)
        if not type(part).__module__.startswith(SHARED_STATE)
    }


def runs_whole_commands(case: ModelCase, module: LightningModule) -> bool:
    """Return whether the whole commands of a model run in `make test`; those of the others run in `make test-slow`.

    They run for one vision-only and one text-guided model per dimension, and for every model that overrides a hook or
    has state of its own.
    """
    same = (other for other in model_cases() if (other.vision_only, other.dims) == (case.vision_only, case.dims))
    return case == next(same) or bool(overridden_hooks(type(module)) or own_buffers(module))


@contextmanager
def kept_commands() -> Iterator[list[ZooCLI]]:
    """Collect the commands that are built inside the block, so that a test can look at their model and data."""
    commands: list[ZooCLI] = []
    build = ZooCLI.build

    def kept(self: ZooCLI, **trainer: Any) -> None:
        build(self, **trainer)
        commands.append(self)

    with patch.object(ZooCLI, "build", kept):
        yield commands
