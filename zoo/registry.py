"""Cards by name: built-in YAML files and the entry points of other distributions, read at their first use.

A card is data. No model and no torch is imported to find, list or compose it. Another package declares
`[project.entry-points."zoo.models"] mynet = "mypackage:cards/mynet.yaml"`: a module, and a YAML file beside it. Its
model is then in every list, benchmark and contract test.

A file of one line, `alias: hippocampus`, gives a card a second name. Results, lists, tests and reports use the card's
own name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from zoo.errors import ConfigError, UnknownNameError
from zoo.utils.config_files import check_form, check_keys, check_mapping
from zoo.utils.entry_points import EntryPoint, list_points
from zoo.utils.plugins import find_folder
from zoo.utils.text_files import parse_yaml, read_text

_BUNDLED = Path(__file__).parent / "configs"
CONFIGS = _BUNDLED if _BUNDLED.is_dir() else Path(__file__).parents[1] / "configs"  # in a wheel; in a checkout
"""The folder of the bundled cards, presets, prompts, sources and splits."""


@dataclass(frozen=True, slots=True)
class Card:
    """One registered model, data set or text encoder. A card is read without an import of its code.

    Attributes:
        name: The registered name.
        about: Title, paper, licence, text and dimensions. `zoo.cards` and `datamodules.index.card` read it.
        config: The configuration layer of the card.
        sizes: Further layers, one per size ("tiny", "published").
        origin: Where the card was found: "zoo", or the name of another distribution.
        broken: Why the card cannot be used; empty where it can.
        alias: The card that this name stands for; the registry returns that card instead.
        file: The YAML file that the card was read from; empty where there is none.
    """

    name: str
    about: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    sizes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    origin: str = "zoo"
    broken: str = ""
    alias: str = ""
    file: str = ""

    @property
    def place(self) -> str:
        """Where the card is, for messages: the file, or the name."""
        return self.file or f"the card of '{self.name}'"

    def to_dict(self) -> dict[str, Any]:
        """Plain Python, for `--json` listings."""
        return asdict(self)


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file as a dictionary.

    Raises:
        ConfigError: The file cannot be read, is not YAML, has a key twice, or is not a mapping.
    """
    try:
        content = parse_yaml(read_text(path))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}).", "Name another file.") from error
    except ValueError as error:
        raise ConfigError(f"{path}: not a readable YAML file: {error}.", "Correct or remove the file.") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: a mapping is expected at the top.", "Write `key: value` lines.")
    return content


def card_from(name: str, path: Path, origin: str = "zoo") -> Card:
    """The card in one YAML file."""
    content = read_yaml(path)
    if set(content) == {"alias"}:
        return Card(name=name, origin=origin, alias=str(content["alias"]), file=str(path))
    return _card(name, path, origin, content)


def _card(name: str, path: Path, origin: str, content: Mapping[str, Any]) -> Card:
    unknown = set(content) - {"about", "config", "sizes"}
    if unknown:
        listed = ", ".join(sorted(map(str, unknown)))
        raise ConfigError(f"{path}: unknown keys {listed}.", "A card has `about`, `config` and `sizes`.")
    filled = {key: {} if value is None else value for key, value in content.items()}
    _check_card(filled, str(path))
    return Card(name=name, origin=origin, file=str(path), **filled)


def read_recipe(name: str, path: Path) -> Card:
    """The recipe in one YAML file: a card whose `about` is a text."""
    content = read_yaml(path)
    return _card(name, path, "zoo", content | {"about": {"title": content.get("about", "")}})


def _check_card(content: Mapping[str, Any], where: str) -> None:
    """Check the form of a card, so that whoever lists it can rely on it.

    Raises:
        ConfigError: A part that should be a mapping is none, or a key is no text.
    """
    about, sizes = content.get("about", {}), content.get("sizes", {})
    check_mapping(about, f"{where}: about")
    check_mapping(sizes, f"{where}: sizes")
    for at, layer in {
        "config": content.get("config", {}),
        **{f"sizes.{size}": one for size, one in sizes.items()},
    }.items():
        check_form(layer, where, at)
    check_keys(content, where)


class Registry:
    """The cards of one kind.

    Args:
        kind: What the cards describe, for messages ("model").
        folder: Sub-folder of the bundled configs.
        group: Entry point group of other distributions.
        listing: The command that lists the cards.
    """

    def __init__(self, kind: str, folder: str, group: str, listing: str) -> None:
        self.kind = kind
        self.folder = folder
        self.group = group
        self.listing = listing
        self._sources: dict[str, Callable[[], Card]] | None = None

    def names(self) -> list[str]:
        """All names that can be typed, sorted."""
        return sorted(self._find())

    def aliases(self) -> dict[str, str]:
        """Second names of cards, each with the own name of its card."""
        found = {}
        for name in self.names():
            with suppress(ConfigError):  # a list of the cards shows the broken ones
                found[name] = self.get(name).name
        return {name: own for name, own in found.items() if name != own}

    def __contains__(self, name: str) -> bool:
        return name in self._find()

    def __iter__(self) -> Iterator[Card]:
        """Each card once, by name. A card that cannot be read has the reason in `broken`."""
        for name in self.names():
            try:
                card = self.get(name)
            except ConfigError as error:
                card = Card(name=name, broken=str(error))
            if card.name == name:
                yield card

    def get(self, name: str) -> Card:
        """The card of a name or of a second name.

        Raises:
            UnknownNameError: There is no such name; the message has the nearest names.
            ConfigError: The card of another package cannot be read, or a second name belongs to no card.
        """
        sources = self._find()
        if name not in sources:
            raise UnknownNameError(self.kind, name, sources, self.listing)
        card = sources[name]()
        if not card.alias:
            return card
        target = sources[card.alias]() if card.alias in sources else None
        if target is None or target.alias:
            raise ConfigError(f"'{name}' is an alias of '{card.alias}', which is no card.", f"Correct {card.place}.")
        return target

    def _find(self) -> Mapping[str, Callable[[], Card]]:
        if self._sources is None:
            sources: dict[str, Callable[[], Card]] = {}
            for path in sorted((CONFIGS / self.folder).glob("*.yaml")):
                sources[path.stem] = _lazily(card_from, path.stem, path)
            points, broken = list_points(self.group)
            for name, reason in broken.items():
                sources[name] = _lazily(_unreadable, self.kind, name, reason)
            for point in points:
                if point.name in sources:  # the first keeps the name; the other is listed as broken
                    sources[f"{point.name}@{point.origin}"] = _lazily(_clash, self.kind, point)
                else:
                    sources[point.name] = _lazily(_plugin_card, self.kind, point)
            self._sources = sources
        return self._sources


def _lazily(make: Callable[..., Card], *args: Any) -> Callable[[], Card]:
    return cache(lambda: make(*args))


def _clash(kind: str, point: EntryPoint) -> Card:
    raise ConfigError(
        f"The {kind} name '{point.name}' of {point.origin} is taken.", f"Rename it or uninstall {point.origin}."
    )


def _unreadable(kind: str, name: str, reason: str) -> Card:
    raise ConfigError(f"The entry points of {name} cannot be read, so no {kind} of it: {reason}.", f"Reinstall {name}.")


def _plugin_card(kind: str, point: EntryPoint) -> Card:
    """The card of an entry point `module:file.yaml`. The package of the module is found and not imported."""
    origin = point.origin
    module, _, file = point.value.partition(":")
    try:
        folder = find_folder(module.strip())
    except ImportError as error:
        raise ConfigError(f"The {kind} '{point.name}' of {origin} is broken: {error}.", f"Repair {origin}.") from error
    if folder is None:
        raise ConfigError(f"The {kind} '{point.name}' of {origin}: no module '{module}'.", f"Reinstall {origin}.")
    return card_from(point.name, folder / file.strip(), origin)


MODELS = Registry("model", "model", "zoo.models", "zoo list models")
DATA = Registry("data set", "data", "zoo.data", "zoo list data")
ENCODERS = Registry("text encoder", "encoder", "zoo.encoders", "zoo list encoders")
TRAINERS = Registry("trainer preset", "trainer", "zoo.trainers", "zoo list trainers")
