"""The publications of everything in a table: its models, vision networks, data sets, text encoders and metrics.

A card or a source names its publications below `cite`. A card without them becomes an entry of its own facts, so that
each row of a table has a reference. Nothing is made up for data and models that have no card.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.leaderboard.leaderboard import Leaderboard
from benchmarks.storage.results import Benchmark
from benchmarks.storage.scored import STATED
from benchmarks.tables.citations import Citation, find_entries
from benchmarks.tables.latex import escape_latex
from datamodules.acquire.sources import load_source
from datamodules.index.card import DataCard
from zoo.cards import ModelCard
from zoo.errors import ConfigError
from zoo.metrics.definitions import METRICS
from zoo.registry import DATA, ENCODERS, MODELS, Card, Registry
from zoo.text.text_losses import LG_SDG, TextLoss, read_text_loss

ZOO = ("textsegzoo",)
"""What is cited for the zoo itself, and for what it generates."""

VISION = {
    "unet": ("falk2019unet",),
    "swin": ("liu2021swin", "hatamizadeh2021swin"),
    "swin_v2": ("liu2021swin", "he2023swinunetr"),
    "convnext": ("liu2022convnet",),
    "timm": ("wightman2019timm",),
}
"""Vision network to its publications; a network with the name of a model has those of the model."""

TEXT_LOSS = {LG_SDG: ("kunhimon2024language",)}
"""A loss by which text enters the training of a model that reads none, to its publications."""

METRIC, MODEL, VISION_NETWORK, DATA_SET, ENCODER, LOSS = KINDS = (
    "metric",
    "model",
    "vision",
    "data",
    "encoder",
    "loss",
)
"""What can be cited."""


@dataclass(slots=True)
class References:
    """The references of a table.

    Attributes:
        entries: BibTeX key to the entry.
        keys: (one of `KINDS`, name) to the keys of its publications.
        unknown: What has no publication and no card, in words.
    """

    entries: dict[str, str] = field(default_factory=dict)
    keys: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)

    def add(self, kind: str, name: str, found: Mapping[str, str], called: str) -> None:
        """Add the entries of one thing; without an entry, its description goes to `unknown`."""
        if not found:
            self.unknown.append(called)
        self.entries |= found
        self.keys[kind, name] = tuple(found)

    def cite(self, kind: str, name: str) -> str:
        r"""Return `~\cite{...}` of one thing; empty where it has no publication."""
        keys = self.keys.get((kind, name), ())
        return rf"~\cite{{{','.join(keys)}}}" if keys else ""


def collect_references(benchmark: Benchmark, leaderboard: Leaderboard) -> References:
    """Collect the references of a benchmark and its table.

    Raises:
        ConfigError: A card names a publication that nobody knows.
    """
    found = References()
    found.add("zoo", "", find_entries(ZOO, "the zoo"), "textseg-zoo")
    rows = leaderboard.rows
    for name in _sorted(row.model for row in rows if not row.control and STATED not in row.mark):
        found.add(MODEL, name, _of_model(name), f"the model {name}")
    for name in _sorted(_vision_of(one.manifest) for one in benchmark.results):
        found.add(VISION_NETWORK, name, _of_vision(name), f"the vision network {name}")
    shown = {one.job.shown_data: one.job.data for one in benchmark.results}
    for name in _sorted(row.data for row in rows):
        found.add(DATA_SET, name, _of_data(shown.get(name, name)), f"the data set {name}")
    losses = [one for one in (_text_loss_of(one.manifest) for one in benchmark.results) if one]
    for name in _sorted(one.name for one in losses):
        found.add(LOSS, name, find_entries(TEXT_LOSS.get(name, ()), __name__), f"the loss {name}")
    encoders = [*(row.encoder for row in rows if STATED not in row.mark), *(one.encoder for one in losses)]
    for name in _sorted(encoders):
        found.add(ENCODER, name, _of_encoder(name), f"the text encoder {name}")
    for metric in METRICS:
        if any(getattr(row, metric.key) is not None for row in rows):
            found.add(METRIC, metric.key, find_entries(metric.cite, "zoo.metrics.definitions"), f"the {metric.title}")
    return found


def _sorted(names: Iterable[str]) -> list[str]:
    return sorted({*names} - {""})


def _vision_of(manifest: Mapping[str, Any]) -> str:
    training = manifest.get("training")
    return str(training.get("vision") or "") if isinstance(training, Mapping) else ""


def _text_loss_of(manifest: Mapping[str, Any]) -> TextLoss | None:
    """Return the text loss of a training, which its manifest names first, before its options."""
    return read_text_loss(str(manifest.get("text_loss") or "").partition(" ")[0])


def _of_model(name: str) -> dict[str, str]:
    card = _find(MODELS, name)
    if card is None:
        return {}
    about = ModelCard.of(card)
    return find_entries(about.cite, card.place) or _of_card(name, about.title, note=about.paper)


def _of_vision(name: str) -> dict[str, str]:
    family = name.partition(":")[0]
    if family in VISION:
        return find_entries(VISION[family], __name__)
    return _of_model(name) if name in MODELS else find_entries(ZOO, "the zoo")


def _of_data(name: str) -> dict[str, str]:
    card = _find(DATA, name)
    if card is None:
        return {}
    about = DataCard.of(card)
    if about.embedded:
        return find_entries(ZOO, "the zoo")
    source = load_source(about)
    if source is not None and source.cite:
        return find_entries(source.cite, card.place)
    note, url = (source.citation, source.homepage) if source else ("", about.homepage)
    return _of_card(name, about.title, note=note, url=url) if note or url else {}


def _of_encoder(name: str) -> dict[str, str]:
    card = _find(ENCODERS, name)
    if card is None:
        return {}
    cited = card.about.get("cite") or []
    if not isinstance(cited, list):
        raise ConfigError(f"{card.place}: about.cite is {cited!r}, not a list.", "Write `cite: [...]`.")
    if cited:
        return find_entries(tuple(map(str, cited)), card.place)
    title, url = (str(card.about.get(key) or "") for key in ("title", "homepage"))
    return _of_card(name, title, url=url) if url else find_entries(ZOO, "the zoo")


def _find(registry: Registry, name: str) -> Card | None:
    """Return a card; None for a name of another installation, such as the class or the folder of a user."""
    return registry.get(name) if name in registry else None


def _of_card(name: str, title: str, note: str = "", url: str = "") -> dict[str, str]:
    """Return an entry made of the facts of a card."""
    key = f"zoo_{re.sub(r'[^A-Za-z0-9]+', '_', name)}"
    entry = Citation(key=key, title=escape_latex(title or name), note=escape_latex(note), url=url)
    return {key: entry.to_bibtex()}
