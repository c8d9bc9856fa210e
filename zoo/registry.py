"""Names to cards: built-in YAML files and the entry points of other distributions, found lazily.

A card is data: finding, listing and composing it imports no model and no torch. A third party
declares `[project.entry-points."zoo.models"] mynet = "mypackage:cards/mynet.yaml"` (a module and a
YAML file beside it) and its model then stands in every list, benchmark and contract test.

A file of one line, `alias: hippocampus`, gives a card a second name to type. What is typed so is stored,
listed, tested and reported under the card's own name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from zoo.errors import ConfigError, UnknownNameError

_SAFE_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C one is ten times faster

_BUNDLED = Path(__file__).parent / "configs"
CONFIGS = _BUNDLED if _BUNDLED.is_dir() else Path(__file__).parents[1] / "configs"  # in a wheel; in a checkout
"""The folder of bundled cards, recipes, presets, prompts and splits."""


@dataclass(frozen=True, slots=True)
class Card:
    """One registered model or data set, read without importing its code.

    Attributes:
        name: The snake name that the user types.
        about: What it is: title, paper, licence, text kinds, dimensions.
        config: The configuration layer that it brings.
        sizes: Further layers, one a size ("tiny", "published").
        origin: Where the card was found: "zoo" or the distribution that brings it.
        broken: Why it cannot be used; empty where it can.
        alias: The card that this name stands for; the registry gives that one in its place.
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
        """Where a message says that the card is: the file, or the name."""
        return self.file or f"the card of '{self.name}'"

    def to_dict(self) -> dict[str, Any]:
        """Plain Python, for `--json` listings."""
        return asdict(self)


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file as a dictionary.

    Raises:
        ConfigError: The file cannot be read, is not YAML, or is not a mapping.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_SAFE_LOADER)  # noqa: S506 - it is a safe one
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}).", "Name another file.") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        problem = " ".join(str(error).split())
        raise ConfigError(f"{path}: not a readable YAML file: {problem}.", "Mend or remove the file.") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: a mapping is expected at the top.", "Write `key: value` lines.")
    return content


def card_from(name: str, path: Path, origin: str = "zoo") -> Card:
    """The card in one YAML file."""
    content = read_yaml(path)
    if set(content) == {"alias"}:
        return Card(name=name, origin=origin, alias=str(content["alias"]), file=str(path))
    unknown = set(content) - {"about", "config", "sizes"}
    if unknown:
        raise ConfigError(f"{path}: unknown keys {sorted(unknown)}.", "A card has `about`, `config` and `sizes`.")
    return Card(name=name, origin=origin, file=str(path), **content)


class Registry:
    """The cards of one kind.

    Args:
        kind: What it holds, for messages ("model").
        folder: Sub-folder of the bundled configs.
        group: Entry point group of other distributions.
        listing: The command that lists it.
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
        """Second name to card's own name."""
        found = {}
        for name in self.names():
            with suppress(ConfigError):  # a broken card is told of where cards are listed
                found[name] = self.get(name).name
        return {name: own for name, own in found.items() if name != own}

    def __contains__(self, name: str) -> bool:
        return name in self._find()

    def __iter__(self) -> Iterator[Card]:
        """Each card once, by name; one that cannot be read comes with its reason in `broken`."""
        for name in self.names():
            try:
                card = self.get(name)
            except ConfigError as error:
                card = Card(name=name, broken=str(error))
            if card.name == name:
                yield card

    def get(self, name: str) -> Card:
        """The card of a name; for a second name the card that it stands for.

        Raises:
            UnknownNameError: No such name; the message has the nearest ones.
            ConfigError: The card of a plug-in cannot be read, or a second name leads to no card.
        """
        sources = self._find()
        if name not in sources:
            raise UnknownNameError(self.kind, name, sources, self.listing)
        card = sources[name]()
        if not card.alias:
            return card
        target = sources[card.alias]() if card.alias in sources else None
        if target is None or target.alias:
            raise ConfigError(f"'{name}' is an alias of '{card.alias}', which is no card.", f"Mend {card.origin}.")
        return target

    def _find(self) -> Mapping[str, Callable[[], Card]]:
        if self._sources is None:
            sources: dict[str, Callable[[], Card]] = {}
            for path in sorted((CONFIGS / self.folder).glob("*.yaml")):
                sources[path.stem] = _lazily(card_from, path.stem, path)
            for point in entry_points(group=self.group):
                if point.name in sources:  # who came first keeps the name; the other is listed as broken
                    sources[f"{point.name}@{_origin(point)}"] = _lazily(_clash, self.kind, point)
                else:
                    sources[point.name] = _lazily(_plugin_card, self.kind, point)
            self._sources = sources
        return self._sources


def _lazily(make: Callable[..., Card], *args: Any) -> Callable[[], Card]:
    return cache(lambda: make(*args))


def _origin(point: EntryPoint) -> str:
    """The distribution that declares an entry point."""
    return point.dist.name if point.dist else point.value


def _clash(kind: str, point: EntryPoint) -> Card:
    origin = _origin(point)
    raise ConfigError(f"The {kind} name '{point.name}' of {origin} is taken.", f"Rename it or uninstall {origin}.")


def _plugin_card(kind: str, point: EntryPoint) -> Card:
    """The card an entry point `module:file.yaml` names; the module's package is found, not imported."""
    origin = _origin(point)
    module, _, file = point.value.partition(":")
    try:
        spec = find_spec(module.strip())
    except (ImportError, ValueError) as error:
        raise ConfigError(f"The {kind} '{point.name}' of {origin} is broken: {error}.", f"Mend {origin}.") from error
    if spec is None or spec.origin is None:
        raise ConfigError(f"The {kind} '{point.name}' of {origin}: no module '{module}'.", f"Reinstall {origin}.")
    return card_from(point.name, Path(spec.origin).parent / file.strip(), origin)


MODELS = Registry("model", "model", "zoo.models", "zoo list models")
DATA = Registry("data set", "data", "zoo.data", "zoo list data")
ENCODERS = Registry("text encoder", "encoder", "zoo.encoders", "zoo list encoders")
